"""The comparison with ccusage: what it reads, and that it refuses to compare what differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import ccusage
from benchmarks.ccusage_sessions import session_files, write_copies


def test_copies_repeat_nothing_of_one_another(tmp_path: Path) -> None:
    files = session_files(tmp_path / "made-up", None, seed=1)[:2]
    size = sum(file.stat().st_size for file in files)
    written = write_copies(files, tmp_path / "copies", size=2 * size)
    ids = [
        {json.loads(line)["message"].get("id") for line in file.read_bytes().splitlines()} - {None}
        for file in written
    ]
    assert len(written) == 4
    assert all(len(names) > 10 for names in ids)
    assert not (ids[0] | ids[1]) & (ids[2] | ids[3])


def test_the_section_measures_scrimp_where_ccusage_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ccusage, "_ccusage", lambda: None)
    section = ccusage.measure_ccusage(tmp_path, size=1_000_000, rounds=1, seed=1)
    assert [row.name for row in section.rows] == [
        "scrimp, nothing read before", "scrimp, nothing changed", "scrimp, one file has grown",
    ]  # fmt: skip
    assert all(row.figure.median > 0 for row in section.rows)


def test_days_that_differ_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = ccusage._Bench(tmp_path, [], "ccusage")
    same = {"2026-11-01": ccusage._Sums(1, 2, 3, 4, 0.5)}
    monkeypatch.setattr(ccusage._Bench, "scrimp_days", lambda _: same)
    monkeypatch.setattr(ccusage._Bench, "ccusage_days", lambda _: same)
    ccusage._check(bench)
    less = {"2026-11-01": ccusage._Sums(1, 2, 3, 3, 0.5)}
    monkeypatch.setattr(ccusage._Bench, "ccusage_days", lambda _: less)
    with pytest.raises(ValueError, match="2026-11-01: scrimp counts"):
        ccusage._check(bench)
