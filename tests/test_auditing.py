"""The audit of whole recordings: totals against an independent count, sections, windows, faults."""

from __future__ import annotations

import json
import lzma
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scrimp.auditing import audit
from scrimp.core.audit.cards import CARDS
from scrimp.core.audit.headway import Headway
from scrimp.core.audit.model import SECTIONS, Audit
from scrimp.core.record import Record
from scrimp.errors import TraceError
from scrimp.stores.sqlite_ledger import SqliteLedger
from scrimp.wire.response import Usage
from tests.stores.records import record

# US dollars per million tokens of input and output, as published; writes are 1.25 and 2 times the input's
# price, reads a tenth of it. Picodollars a token are a million times that.
PRICES = {
    "claude-opus-4-5": (5, 25),
    "claude-opus-4-6": (5, 25),
    "claude-opus-4-7": (5, 25),
    "claude-opus-4-8": (5, 25),
    "claude-opus-5": (5, 25),
    "claude-sonnet-4-5": (3, 15),
    "claude-sonnet-4-6": (3, 15),
    "claude-sonnet-5": (2, 10),
    "claude-haiku-4-5": (1, 5),
    "claude-fable-5": (10, 50),
}
MILLION = 10**6


def billed_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Every message of a session file that has usage, by the standard library alone."""
    with lzma.open(path, "rt") if path.suffix == ".xz" else path.open(encoding="utf-8") as file:
        for text in file:
            if '"usage"' not in text:  # most of a session is no answer
                continue
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if line.get("type") == "progress":
                data = line.get("data") or {}
                line = data.get("message") or {} if data.get("type") == "agent_progress" else {}
            message = line.get("message")
            if (
                line.get("type") == "assistant"
                and isinstance(message, dict)
                and not line.get("isApiErrorMessage")
                and message.get("model") != "<synthetic>"
                and message.get("usage")
                and message.get("id")
            ):
                yield message


def counted(folders: Sequence[Path]) -> tuple[int, dict[str, int], int, int]:
    """Calls, tokens by kind, picodollars of input and of output: each message id once, in its first file."""
    found: dict[str, tuple[Path, tuple[int, ...], str]] = {}
    for path in (path for folder in folders for path in sorted(folder.rglob("*.jsonl*"))):
        for message in billed_lines(path):
            usage = message["usage"]
            written = usage.get("cache_creation_input_tokens") or 0
            hour = (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens") or 0
            read = usage.get("cache_read_input_tokens") or 0
            kinds: tuple[int, ...] = (
                usage["input_tokens"],
                written - hour,
                hour,
                read,
                usage["output_tokens"],
            )
            before = found.get(message["id"])
            if before is None or (
                before[0] == path and (sum(kinds[:4]), kinds[4]) >= (sum(before[1][:4]), before[1][4])
            ):
                found[message["id"]] = path, kinds, message["model"]
    tokens = dict.fromkeys(("plain", "write_5m", "write_1h", "read", "output"), 0)
    spent = output = calls = 0
    for _, kinds, model in found.values():
        if not sum(kinds[:4]):
            continue
        calls += 1
        price, output_price = PRICES[next(name for name in sorted(PRICES, reverse=True) if name in model)]
        for kind, count in zip(tokens, kinds, strict=True):
            tokens[kind] += count
        twentieths = sum(times * count for times, count in zip((20, 25, 40, 2), kinds[:4], strict=True))
        spent += twentieths * price * MILLION // 20
        output += kinds[4] * output_price * MILLION
    return calls, tokens, spent, output


def test_totals_of_sessions_are_those_of_an_independent_count(sessions: Path) -> None:
    # The largest project is counted by tests/test_spending.py alone: its audit takes half a minute.
    folders = [one for one in sorted(sessions.iterdir()) if one.name != "entireio__cli"]
    calls, tokens, spent, output = counted(folders)
    found = audit(folders, only=["tax", "results"])
    assert found.calls == calls
    assert (found.input_billed, found.output_billed) == (spent, output)
    assert found.billed == spent + output
    assert found.tax is not None
    assert found.tax.amount == spent
    assert found.tax.beside == 0
    for kind in ("plain", "write_5m", "write_1h", "read"):
        assert sum(getattr(part.paid, kind) for part in found.tax.parts) == tokens[kind], kind
    assert found.results is not None
    assert sum(tool.paid.amount for tool in found.results.tools) == found.results.paid.amount
    assert (found.misses, found.ttl, found.levers) == (None, None, None)
    assert found.calibration is not None
    assert found.calibration.whole.billed == spent
    assert abs(found.calibration.whole.error) < 0.03


def exchange(number: int, **usage: int) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"question {n}"} for n in range(number + 1)]
    body = {"model": "claude-opus-5", "max_tokens": 10, "messages": messages}
    return {
        "run": "run",
        "seq": number,
        "started_at": f"2026-08-0{number + 1}T12:00:00Z",
        "request": {"body": body},
        "response": {"status": 200, "body": {"id": f"msg_{number}"}},
        "usage": {"input_tokens": 100, "output_tokens": 20, **usage},
    }


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def test_every_section_of_a_few_exchanges(tmp_path: Path) -> None:
    found = audit([written(tmp_path / "a.jsonl", *map(exchange, range(3)))])
    assert (found.calls, found.runs, found.subscription) == (3, 1, False)
    assert found.billed == 3 * (100 * 5 + 20 * 25) * MILLION
    assert found.span.days == 2.0
    assert found.span.monthly(10) == 150
    assert found.tax is not None
    assert found.tax.amount == found.input_billed == 3 * 100 * 5 * MILLION
    assert found.levers is not None
    assert set(CARDS) <= {one.lever for one in found.levers.findings}
    assert all(one.why_not for one in found.levers.findings if not one.applies)
    assert no_nan(found)


def test_what_pays_comes_first_and_the_dearest_of_it_first(tmp_path: Path) -> None:
    levers = audit([written(tmp_path / "a.jsonl", *map(exchange, range(9)))]).levers
    assert levers is not None
    amounts = [one.saved.mid for one in levers.paying]
    assert amounts == sorted(amounts, reverse=True)
    assert levers.findings[: len(amounts)] == levers.paying
    for one in levers.findings:
        assert one.saved.low <= one.saved.mid <= one.saved.high
        assert one.change
        assert one.monthly.mid == round(one.saved.mid * 30 / 8)


def test_a_window_counts_the_calls_of_its_days(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", *map(exchange, range(5)))
    found = audit([path], since=date(2026, 8, 2), until=date(2026, 8, 3))
    assert found.calls == 2
    assert found.span.began == datetime(2026, 8, 2, 12, tzinfo=UTC).timestamp()
    assert found.tax is not None
    assert (found.tax.calls, found.tax.beside) == (2, 0)
    # What the first call of the window had in common with the one before it was sent before.
    assert found.tax.again.tokens > 0


def test_sections_that_were_not_asked_for_are_none(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", exchange(0))
    for section in SECTIONS[1:]:
        found = audit([path], only=[section])
        held = [name for name in SECTIONS[1:] if getattr(found, name) is not None]
        assert held == [section]
        assert no_nan(found)


def test_one_call_alone_divides_by_nothing(tmp_path: Path) -> None:
    lonely = exchange(0)
    del lonely["started_at"]
    found = audit([written(tmp_path / "a.jsonl", lonely)])
    assert (found.span.began, found.span.days) == (None, 1.0)
    assert no_nan(found)


def test_bad_lines_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{json.dumps(exchange(0))}\nnot JSON\n{json.dumps(exchange(1))}\n", encoding="utf-8")
    found = audit([path])
    assert found.calls == 2
    assert [fault.startswith(f"{path}:2: not JSON") for fault in found.faults] == [True]


def test_nothing_billed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="no billed call"):
        audit([tmp_path])


def kept(path: Path, *records: Record) -> Path:
    ledger = SqliteLedger(path)
    for one in records:
        ledger.record(one)
    ledger.close()
    return path


def billed_record(name: str, **fields: Any) -> Record:
    usage = Usage(input_tokens=100, output_tokens=20)
    at = datetime(2026, 8, 1, 12, tzinfo=UTC).timestamp()
    return record(id=name, call_id=name, model="claude-opus-5", usage=usage, started_at=at, **fields)


def test_a_ledger_has_bills_and_misses(tmp_path: Path) -> None:
    missed = billed_record("b", miss="TTL expired", lost=7_000, predicted_read=50)
    path = kept(tmp_path / "ledger.sqlite", billed_record("a"), missed)
    for given in (path, tmp_path):
        found = audit([given])
        assert (found.calls, found.billed) == (2, 2 * (100 * 5 + 20 * 25) * MILLION)
        assert found.misses is not None
        line = found.misses.causes[0]
        assert (line.cause, line.misses, line.tokens, line.lost) == ("TTL expired", 1, 50, 7_000)
        assert (found.tax, found.calibration, found.faults) == (None, None, ())
        assert no_nan(found)


def test_a_call_in_a_recording_and_in_the_ledger_counts_once(tmp_path: Path) -> None:
    written(tmp_path / "a.jsonl", exchange(0), exchange(1))
    kept(tmp_path / "ledger.sqlite", billed_record("a", message_id="msg_0"), billed_record("b"))
    found = audit([tmp_path])
    assert found.calls == 3
    assert list(found.skipped.values()) == [1]


def test_progress_is_told_for_every_file(tmp_path: Path) -> None:
    for name in "abc":
        written(tmp_path / f"{name}.jsonl", exchange(ord(name) - ord("a")))
    told: list[int] = []
    audit([tmp_path], only=["tax"], advance=told.append)
    assert sum(told) == 3 * 3
    told.clear()
    audit([tmp_path], advance=told.append)
    assert sum(told) == 3 * 3
    assert len(told) > 3 + 2, "and on the way, not when all levers are through"


def test_the_files_of_a_source_are_told_over_its_parts() -> None:
    told: list[int] = []
    headway = Headway(told.append, 4)
    for files, parts in ((8, 4), (2, 4), (3, 9), (5, 1), (0, 4)):
        headway.begin(files)
        for _ in range(parts):
            headway.part()
        before = len(told)
        headway.end()
        assert len(told) - before == (parts < 4 and files > 0)
        assert sum(told) == files
        told.clear()
    headway.begin(8)
    headway.part()
    assert told == [2]


def no_nan(found: Audit) -> bool:
    """Whether every number of the result is one."""
    queue: list[Any] = [msgspec.to_builtins(msgspec.structs.replace(found, spend=None))]
    while queue:
        value = queue.pop()
        if isinstance(value, dict):
            queue += value.values()
        elif isinstance(value, list):
            queue += value
        elif isinstance(value, float) and not math.isfinite(value):
            return False
    return True
