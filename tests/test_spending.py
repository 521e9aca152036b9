"""What was spent: equal to an independent count, however often and in whatever pieces it is read."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.errors import TraceError
from scrimp.spending import Spent, spend
from scrimp.stores.sqlite_ledger import SqliteLedger
from scrimp.stores.trace_index import INDEX_FILE
from scrimp.traces.files import Faults
from scrimp.traces.transcripts import read_transcripts
from scrimp.traces.usage_listing import list_recordings
from scrimp.traces.usage_workers import read_entries
from tests.powerless import powerless
from tests.stores.records import record
from tests.traces.recount import recount
from tests.traces.sessions import agent, assistant, hook, result, text, tool_use, usage, user, write


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for every test's index."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("SCRIMP_HOME", str(folder))
    return folder


def equal_to_recount(spent: Spent, folder: Path) -> None:
    """Assert that every figure is what the standard library counts."""
    expected, whole = recount(folder), spent.spend.whole
    assert whole.calls == expected.calls
    assert list(whole.quantities[:5]) == expected.tokens
    assert whole.cost == expected.cost
    for dimension, costs in (
        ("day", expected.by_day),
        ("model", expected.by_model),
        ("project", expected.by_project),
    ):
        lines = spent.spend.by(dimension)  # type: ignore[arg-type] # each is one of them
        assert {line.name: line.sums.cost for line in lines} == dict(costs)


def session(*, calls: int, first: int = 0, **fields: Any) -> list[dict[str, Any]]:
    """Lines of a session: each call is two lines, an early count of its output and the last, and a result."""
    lines = []
    for number in range(first, first + calls):
        at, name = 100.0 * number, f"msg_{number}"
        early = usage(3, read=1_000 * number, write_1h=500, output=1)
        last = {**early, "output_tokens": 200 + number}
        lines += [
            assistant(f"a{number}", None, at, name, early, text("hm"), **fields),
            assistant(f"b{number}", f"a{number}", at + 9, name, last, tool_use(f"t{number}"), **fields),
            user(f"u{number}", f"b{number}", at + 10, [result(f"t{number}", "x" * 3_000)], **fields),
        ]
    return lines


def test_the_corpus_is_counted_to_the_token_and_picodollar(sessions: Path) -> None:
    spent = spend([sessions])
    equal_to_recount(spent, sessions)
    assert spent.copies > 0
    assert spend([sessions]) == spent  # out of the index


def test_the_corpus_is_counted_as_the_full_reader_does(traces: Path) -> None:
    folder = traces / "transcripts" / "entireio__skills"
    usages = [
        call.usage
        for one in read_transcripts([folder], [])
        for conversation in one.conversations
        for call in conversation.calls
        if not call.duplicate
    ]
    whole = spend([folder]).spend.whole
    assert whole.calls == len(usages)
    assert whole.tokens == sum(one.total_input + one.output_tokens for one in usages)


def test_the_fullest_usage_of_a_call_counts_once(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", *session(calls=3))
    whole = spend([tmp_path]).spend.whole
    assert (whole.calls, whole.quantities) == (3, (9, 0, 1_500, 3_000, 603, 0))
    # Opus 4.6: plain 5, 1h writes 10, reads 0.50, output 25 dollars per million tokens.
    assert whole.cost == (9 * 5 + 1_500 * 10 + 603 * 25) * 10**6 + 3_000 * 500_000


def test_a_call_that_resumed_sessions_repeat_counts_where_the_first_file_has_it(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    write(tmp_path / "one" / "a.jsonl", *session(calls=2))
    write(tmp_path / "two" / "b.jsonl", *session(calls=3, sessionId="s2"))
    spent = spend([tmp_path])
    assert spent.copies == 2
    assert [(line.name, line.sums.calls) for line in spent.spend.by("project")] == [
        ("two", 1),
        ("one", 2),
    ] or [(line.name, line.sums.calls) for line in spent.spend.by("project")] == [("one", 2), ("two", 1)]
    assert spend([tmp_path / "two"]).spend.whole.calls == 3


def test_sub_agents_are_told_apart(tmp_path: Path) -> None:
    said = assistant("x", None, 5, "msg_sub", usage(10, output=20))
    lines = [*session(calls=1), agent("p", None, 6, "agent-1", said), hook("h", None, 7, "Stop")]
    write(tmp_path / "a.jsonl", *lines)
    write(tmp_path / "b.jsonl", assistant("y", None, 8, "msg_side", usage(1), isSidechain=True))
    agents = {line.name: line.sums.calls for line in spend([tmp_path]).spend.by("agent")}
    assert agents == {"main": 1, "sub-agent": 2}


def test_errors_and_made_up_messages_are_not_billed(tmp_path: Path) -> None:
    synthetic = assistant("s", None, 1, "msg_s", usage(100), model="<synthetic>")
    failed = assistant("e", None, 2, "msg_e", usage(100), isApiErrorMessage=True)
    write(tmp_path / "a.jsonl", synthetic, failed, *session(calls=1))
    assert spend([tmp_path]).spend.whole.calls == 1


def test_a_line_of_another_one_that_quotes_a_user_is_read(tmp_path: Path) -> None:
    """A long answer whose text and input look like a user's line is an answer all the same."""
    content = [
        text('{"type":"user"} ' * 300),
        {"type": "tool_use", "id": "t", "name": "W", "input": {"type": "user", "x": "y" * 3_000}},
    ]
    line = {"message": {"content": content}, **assistant("a", None, 1, "msg_q", usage(7), *content)}
    write(tmp_path / "a.jsonl", {"meta": {"type": "user"}, "fill": "z" * 3_000, **line})
    assert spend([tmp_path]).spend.whole.quantities[0] == 7


def test_what_is_billed_beside_the_counts_is_counted(tmp_path: Path) -> None:
    counted = usage(100, output=10)
    compaction = {"type": "compaction", "input_tokens": 1_000, "output_tokens": 50}
    searched = {**counted, "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1}}
    iterated = {**counted, "iterations": [compaction, {"type": "message", **counted}]}
    single = {**counted, "iterations": [{"type": "message", **counted}]}
    none = {**counted, "iterations": []}
    unsplit = {**counted, "cache_creation_input_tokens": 40, "cache_creation": None}
    for number, one in enumerate((searched, iterated, single, none, unsplit)):
        write(tmp_path / f"{number}.jsonl", assistant("a", None, 1, f"msg_{number}", one))
    whole = spend([tmp_path]).spend.whole
    # Every call has 100 plain and 10 output; the compaction is billed on top, writes of no split as 5m.
    assert whole.quantities == (5 * 100 + 1_000, 40, 0, 0, 5 * 10 + 50, 2)
    assert whole.amounts[5] == 2 * 10**10  # ten dollars per thousand searches
    assert whole.amounts[:2] == (1_500 * 5 * 10**6, 40 * 6_250_000)


def test_each_call_has_the_prices_of_its_terms_and_length(tmp_path: Path) -> None:
    batch = {**usage(10), "service_tier": "batch"}
    long, short = usage(200_001), usage(200_000)
    for number, one in enumerate((batch, long, short)):
        write(
            tmp_path / f"{number}.jsonl",
            assistant("a", None, 1, f"msg_{number}", {**one, "output_tokens": 0}),
        )
    # February 2026: prompts beyond 200,000 tokens cost Opus 4.6 twice as much.
    expected = 10 * 2_500_000 + 200_001 * 10_000_000 + 200_000 * 5_000_000
    assert spend([tmp_path]).spend.whole.cost == expected


def test_long_and_short_prompts_of_one_quarter_of_an_hour_have_their_own_prices(tmp_path: Path) -> None:
    """Also where the kinds of tokens of one prompt are only together beyond the bound."""
    prompts = [
        usage(199_999, output=0),
        usage(2, read=199_999, output=0),
        usage(1, write_1h=200_000, output=0),
    ]
    answers = [
        assistant(f"a{number}", None, number, f"msg_{number}", one) for number, one in enumerate(prompts)
    ]
    write(tmp_path / "a.jsonl", *answers)
    short = 199_999 * 5_000_000
    read, written = 2 * 10_000_000 + 199_999 * 1_000_000, 10_000_000 + 200_000 * 20_000_000
    assert spend([tmp_path]).spend.whole.cost == short + read + written


def test_an_unknown_model_is_never_free_and_named(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", *session(calls=1, model="claude-nonsense-9"))
    found = spend([tmp_path]).spend
    assert list(found.guesses) == ["claude-nonsense-9"]
    assert found.whole.uncertain == found.whole.cost > 0


def test_days_are_those_of_a_time_zone(tmp_path: Path) -> None:
    line = assistant("a", None, 0, "msg_1", usage(1), timestamp="2026-02-02T23:50:00.000Z")
    write(tmp_path / "a.jsonl", line)
    found = spend([tmp_path]).spend
    assert [one.name for one in found.by("day")] == ["2026-02-02"]
    assert [one.name for one in found.by("day", ZoneInfo("Asia/Kathmandu"))] == ["2026-02-03"]
    assert found.between(None, date(2026, 2, 1)).whole.calls == 0
    assert found.between(date(2026, 2, 2), date(2026, 2, 2)).whole.calls == 1


def test_compressed_files_count_as_their_contents(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw.jsonl", *session(calls=2)).read_bytes()
    (tmp_path / "raw.jsonl").unlink()
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(raw))
    more = b"\n".join(map(msgspec.json.encode, session(calls=2, first=7)))
    (tmp_path / "b.jsonl.xz").write_bytes(lzma.compress(more))
    assert spend([tmp_path]).spend.whole.calls == 4
    equal_to_recount(spend([tmp_path]), tmp_path)


@given(st.data())
def test_a_file_that_grows_is_what_it_would_have_been(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Cut anywhere, in the middle of a line too, and read at each cut: the same sums as read once."""
    folder = tmp_path_factory.mktemp("sessions")
    path = folder / "a.jsonl"
    odd = {**usage(5, output=9), "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0}}
    lines = [*session(calls=4), assistant("o", None, 9, "msg_odd", odd), *session(calls=1, first=3)]
    raw = write(path, *lines).read_bytes()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=4)))
    for cut in cuts:
        path.write_bytes(raw[:cut]) if cut == cuts[0] else _grow(path, raw, cut)
        spend([folder])
    _grow(path, raw, len(raw))
    grown = spend([folder])
    path.rename(folder / "b.jsonl")
    assert grown.spend.whole == spend([folder]).spend.whole
    assert grown.faults == ()


def _grow(path: Path, raw: bytes, end: int) -> None:
    done = path.stat().st_size
    with path.open("ab") as file:
        file.write(raw[min(done, len(raw)) : end])


def test_of_a_file_that_grew_only_the_end_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", *session(calls=200))
    spend([tmp_path])
    raw = bytearray(path.read_bytes())
    raw[: len(raw) // 2] = b"\0" * (len(raw) // 2)  # would be a fault, if it were looked at again
    path.write_bytes(bytes(raw) + b"\n".join(map(msgspec.json.encode, session(calls=1, first=200))) + b"\n")
    grown = spend([tmp_path])
    assert (grown.spend.whole.calls, grown.faults) == (201, ())


def test_a_file_written_anew_is_read_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", *session(calls=2))
    spend([tmp_path])
    write(path, *session(calls=5, first=10))
    assert spend([tmp_path]).spend.whole.calls == 5
    write(path, *session(calls=1, first=20))
    assert spend([tmp_path]).spend.whole.calls == 1


def test_deleted_files_drop_out(tmp_path: Path, home: Path) -> None:
    path = write(tmp_path / "a.jsonl", *session(calls=2))
    write(tmp_path / "b.jsonl", *session(calls=3))
    assert spend([tmp_path]).spend.whole.calls == 3
    path.unlink()
    assert spend([tmp_path]).copies == 0
    assert b"a.jsonl" not in (home / INDEX_FILE).read_bytes()


def test_the_index_is_private_and_holds_no_text(tmp_path: Path, home: Path) -> None:
    line = assistant("a", None, 0, "msg_1", usage(1), text("a secret plan"))
    write(tmp_path / "a.jsonl", user("u", None, 0, [text("a secret question")]), line)
    spend([tmp_path])
    index = home / INDEX_FILE
    assert b"secret" not in index.read_bytes()
    assert [file.name for file in home.iterdir()] == [INDEX_FILE]
    if os.name == "posix":
        assert index.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", [b"", b"\xc1", b"\x94\x01", b"\x00" * 5_000])
def test_a_damaged_index_is_built_again(tmp_path: Path, home: Path, damage: bytes) -> None:
    write(tmp_path / "a.jsonl", *session(calls=2))
    spent = spend([tmp_path])
    index = home / INDEX_FILE
    whole = index.read_bytes()
    for broken in (damage, whole[: len(whole) // 2], whole + damage + b"x"):
        index.write_bytes(broken)
        assert spend([tmp_path]) == spent
    assert spend([tmp_path]) == spent


def test_prices_that_change_reprice_what_is_known(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts are kept, and dollars only for the facts they are from."""
    write(tmp_path / "a.jsonl", *session(calls=2))
    spent = spend([tmp_path])
    other = write(tmp_path / "prices", {"another": "list"})
    monkeypatch.setattr("scrimp.spending._PRICED_BY", (other,))
    before = (home / INDEX_FILE).read_bytes()
    assert spend([tmp_path]) == spent
    assert (home / INDEX_FILE).read_bytes() != before


def test_processes_at_once_all_give_the_whole(tmp_path: Path, home: Path) -> None:
    for number in range(20):
        write(tmp_path / f"{number:02}.jsonl", *session(calls=5, first=5 * number))
    code = (
        "import sys; from scrimp.spending import spend\n"
        "for _ in range(5): assert spend([sys.argv[1]]).spend.whole.calls == 100\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(3)]
    assert [one.wait() for one in running] == [0, 0, 0]
    assert [file.name for file in home.iterdir()] == [INDEX_FILE]


def test_workers_read_what_one_process_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scrimp.traces.usage_workers.WORTH_A_WORKER", 1)
    monkeypatch.setattr("scrimp.traces.usage_workers._BATCH", 1)
    for number in range(30):
        write(tmp_path / f"{number:02}.jsonl", *session(calls=3, first=3 * number))
    done: list[int] = []
    files = list_recordings([tmp_path]).files
    alone = read_entries(files, {}, cores=1)
    assert read_entries(files, {}, advance=done.append, cores=3) == alone
    assert sum(done) == 30
    with ThreadPoolExecutor(1) as pool:  # beside another thread workers are begun in another way
        assert pool.submit(read_entries, files, {}, cores=3).result() == alone


def test_a_worker_that_fails_costs_nothing_but_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scrimp.traces.usage_workers.WORTH_A_WORKER", 1)
    monkeypatch.setattr("scrimp.traces.usage_workers._BATCH", 1)
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("scrimp.traces.usage_workers._SERVE", "raise SystemExit(3)")
    for number in range(10):
        write(tmp_path / f"{number}.jsonl", *session(calls=3, first=3 * number))
    assert spend([tmp_path]).spend.whole.calls == 30


def test_what_cannot_be_read_is_one_line_and_the_rest_is_read(tmp_path: Path) -> None:
    write(tmp_path / "0-good.jsonl", *session(calls=2))
    (tmp_path / "1-empty.jsonl").write_bytes(b"")
    (tmp_path / "2-binary.jsonl").write_bytes(bytes(range(256)) * 200)
    write(tmp_path / "3-broken.jsonl", b'{"type": "assistant"', *session(calls=1, first=2), b"}")
    raw = write(tmp_path / "4-torn.jsonl", *session(calls=1, first=3)).read_bytes()
    (tmp_path / "4-torn.jsonl").write_bytes(raw + b'{"type":"assistant","message":{"id":"msg_9"')
    (tmp_path / "5-cut.jsonl.gz").write_bytes(gzip.compress(raw)[:-20])
    (tmp_path / "6-none.jsonl.xz").write_bytes(b"no xz at all")
    negative = assistant("n", None, 1, "msg_n", {**usage(1), "input_tokens": -5})
    absurd = assistant("n", None, 1, "msg_m", usage(10**15))
    odds: list[dict[str, Any]] = [{"iterations": 5}, {"server_tool_use": []}, {"iterations": [{"type": 1}]}]
    shapeless = [
        assistant("n", None, 1, f"msg_{number}", {**usage(1), **odd}) for number, odd in enumerate(odds)
    ]
    write(tmp_path / "7-wrong.jsonl", negative, absurd, *shapeless, *session(calls=1, first=5))
    spent = spend([tmp_path])
    assert spent.spend.whole.calls == 5
    said = [fault.removeprefix(f"{tmp_path}{os.sep}") for fault in spent.faults]
    assert [line.split(":")[0] for line in said] == [
        "1-empty.jsonl", "2-binary.jsonl", "3-broken.jsonl", "4-torn.jsonl", "5-cut.jsonl.gz",
        "6-none.jsonl.xz", "7-wrong.jsonl",
    ]  # fmt: skip
    assert said[2].startswith("3-broken.jsonl: 1: ")
    assert said[2].endswith("(and 1 more lines)")
    assert said[3].startswith("4-torn.jsonl: 4: ")
    assert "input_tokens is -5" in said[6]
    assert said[6].endswith("(and 4 more lines)")
    assert spend([tmp_path]).faults == spent.faults


def test_a_file_without_permission_is_one_line() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to everybody else
        folder = Path(name)
        folder.chmod(0o755)
        write(folder / "a.jsonl", *session(calls=1))
        shut = write(folder / "b.jsonl", *session(calls=1))
        shut.chmod(0)
        spend([folder / "a.jsonl"])  # all is imported
        with powerless():
            spent = spend([folder])
    assert spent.faults == (f"{shut}: cannot be read: Permission denied",)
    assert spent.spend.whole.calls == 1


@pytest.mark.parametrize("pack", [lzma.compress, gzip.compress])
def test_what_stands_before_a_break_in_the_compression_counts(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    name = "a.jsonl.xz" if pack is lzma.compress else "a.jsonl.gz"
    noise = [{"type": "user", "noise": os.urandom(2_000).hex()} for _ in range(60)]
    lines = [*session(calls=3), *noise, *session(calls=2, first=3)]
    whole = write(tmp_path / "whole.jsonl", *lines).read_bytes()
    folder = tmp_path / "project"
    folder.mkdir()
    packed = pack(whole)
    (folder / name).write_bytes(packed[: len(packed) * 3 // 4])
    spent = spend([folder])
    assert spent.spend.whole.calls == 3
    assert len(spent.faults) == 1
    assert "damaged from here on" in spent.faults[0]


def test_a_line_without_end_is_one_fault_for_both_readers(tmp_path: Path) -> None:
    """Nothing of it is kept: it is 300 MB of zeros, which take no room on the disk."""
    path = write(tmp_path / "a.jsonl", *session(calls=3))
    with path.open("r+b") as file:
        file.seek(300 << 20, os.SEEK_END)
        file.write(b"\n")
    spent = spend([tmp_path])
    assert spent.spend.whole.calls == 3
    assert len(spent.faults) == 1
    assert "a line of more than 256 MB is no line of a recording: nothing after it is read" in spent.faults[0]
    faults: Faults = []
    sessions = list(read_transcripts([path], faults))
    assert sum(len(one.calls) for found in sessions for one in found.conversations) == 3
    assert [fault.reason for fault in faults] == [
        "a line of more than 256 MB is no line of a recording: nothing after it is read"
    ]


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="no such file or folder"):
        spend([tmp_path / "nowhere"])
    with pytest.raises(TraceError, match="matches no file"):
        spend([tmp_path / "*.jsonl"])
    write(tmp_path / "a.jsonl", *session(calls=1))
    assert spend([tmp_path / "*.jsonl", tmp_path]).files == 1


def test_recorded_exchanges_are_counted_too(traces: Path) -> None:
    folder = traces / "exchanges" / "openhands_swebench"
    seen: set[tuple[str | None, str]] = set()
    tokens = calls = 0
    for path in sorted(folder.rglob("*.jsonl*")):
        opening: Any = {".xz": lzma.open, ".gz": gzip.open}.get(path.suffix, open)
        with opening(path, "rb") as file:
            for line in map(json.loads, file):
                used = line.get("usage") or {}
                name = (
                    (line["response"]["body"] or {}).get("id"),
                    json.dumps(line["request"]["body"], sort_keys=True),
                )
                if name in seen or not (used.get("input_tokens") or used.get("cache_read_input_tokens")):
                    continue
                seen.add(name)
                calls += 1
                tokens += sum(used.get(kind) or 0 for kind in (
                    "input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens",
                ))  # fmt: skip
    found = spend([folder]).spend
    assert (found.whole.calls, found.whole.tokens) == (calls, tokens)
    assert not found.api_equivalent


def test_a_call_in_a_transcript_and_the_ledger_counts_once(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", *session(calls=2))
    with closing(SqliteLedger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.record(record(message_id="msg_1"))
        ledger.record(record(message_id="msg_other"))
    (tmp_path / "other.sqlite").write_bytes(b"no database")
    spent = spend([tmp_path, tmp_path / "ledger.sqlite", tmp_path / "other.sqlite"])
    assert (spent.spend.whole.calls, spent.copies) == (3, 1)
    assert {line.name: line.sums.calls for line in spent.spend.by("source")} == {"transcript": 2, "ledger": 1}
    assert spent.faults == (f"{tmp_path / 'other.sqlite'}: neither a capture nor a ledger of scrimp",)
    assert (tmp_path / "other.sqlite").read_bytes() == b"no database"
