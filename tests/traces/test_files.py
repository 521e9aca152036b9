"""Opening recordings: plain and packed files, folders, globs, and lines that cannot be read."""

from __future__ import annotations

import gzip
import lzma
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.errors import TraceError
from scrimp.traces.files import READ_AHEAD, Fault, Faults, find_files, read_lines

if TYPE_CHECKING:
    from pathlib import Path


def pack(path: Path, content: bytes) -> Path:
    """Write `content` the way the file's name says."""
    packed = {".gz": gzip.compress, ".xz": lzma.compress}.get(path.suffix, bytes)(content)
    path.write_bytes(packed)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.xz", "no-suffix"])
def test_lines_are_the_same_however_the_file_is_packed(tmp_path: Path, name: str) -> None:
    faults: Faults = []
    path = pack(tmp_path / name, b'{"a":1}\n\n  \n{"b":2}')
    assert list(read_lines(path, faults)) == [(1, b'{"a":1}\n'), (4, b'{"b":2}')]
    assert faults == []


@given(
    lines=st.lists(st.binary(max_size=8).map(lambda line: line.replace(b"\n", b"")), max_size=8),
    times=st.sampled_from([1, 3, READ_AHEAD - 1, READ_AHEAD]),
    suffix=st.sampled_from(["", ".gz", ".xz"]),
)
@settings(max_examples=50)
def test_lines_of_any_length_come_back_as_written(
    lines: list[bytes], times: int, suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    written = [line * times + b"\n" for line in lines]
    path = pack(tmp_path_factory.mktemp("lines") / f"r.jsonl{suffix}", b"".join(written))
    faults: Faults = []
    expected = [(number, line) for number, line in enumerate(written, start=1) if line.strip()]
    assert list(read_lines(path, faults)) == expected
    assert faults == []


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_a_file_cut_off_inside_its_packing_gives_one_fault(tmp_path: Path, suffix: str) -> None:
    whole = pack(
        tmp_path / f"a.jsonl{suffix}", b"".join(b'{"n":%d}\n' % n for n in range(50_000))
    ).read_bytes()
    path = tmp_path / f"cut.jsonl{suffix}"
    path.write_bytes(whole[: len(whole) // 2])
    faults: Faults = []
    lines = list(read_lines(path, faults))
    assert len(lines) < 50_000
    assert [fault.line for fault in faults] == [len(lines)]


def test_a_file_that_is_not_packed_as_named_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.xz"
    path.write_bytes(b"not packed at all")
    faults: Faults = []
    assert list(read_lines(path, faults)) == []
    assert [fault.line for fault in faults] == [0]


def test_a_fault_of_the_whole_file_names_the_file_alone(tmp_path: Path) -> None:
    assert str(Fault(tmp_path / "a", 0, "why")) == f"{tmp_path / 'a'}: why"


def test_folders_give_their_recordings_sorted_and_each_once(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    names = ["b.jsonl", "a.ndjson", "deep/er/c.jsonl.xz", "deep/d.jsonl.gz"]
    for name in [*names, "meta.json", "notes.txt", "e.gz"]:
        (tmp_path / name).touch()
    found = find_files([tmp_path, tmp_path / "b.jsonl", str(tmp_path / "deep")])
    assert found == sorted(tmp_path / name for name in names)


def test_a_named_file_is_taken_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "session.txt"
    path.touch()
    assert find_files([str(path)]) == [path]


def test_globs_find_what_they_match(tmp_path: Path) -> None:
    for name in ["a1.jsonl", "a2.jsonl", "b.jsonl"]:
        (tmp_path / name).touch()
    assert find_files([f"{tmp_path}/a*.jsonl"]) == [tmp_path / "a1.jsonl", tmp_path / "a2.jsonl"]
    assert find_files([f"{tmp_path}/**/b.jsonl"]) == [tmp_path / "b.jsonl"]


@pytest.mark.parametrize("name", ["nowhere.jsonl", "none-*.jsonl"])
def test_paths_that_lead_nowhere_are_an_error_that_names_them(tmp_path: Path, name: str) -> None:
    with pytest.raises(TraceError, match=r"no such file|matches no file") as caught:
        find_files([tmp_path / name])
    assert name in str(caught.value)


def test_a_file_that_cannot_be_opened_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="cannot be opened") as caught:
        list(read_lines(tmp_path / "gone.jsonl.xz", []))
    assert "gone.jsonl.xz" in str(caught.value)
