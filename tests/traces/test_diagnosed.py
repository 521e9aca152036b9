"""Recorded calls diagnosed: no alarm on what read what it should, and hardly a miss without a cause."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import scrimp
from scrimp.core.causes import Cause
from scrimp.errors import RequestError, TraceError
from scrimp.facts.models import default
from scrimp.traces.corpus import read_corpus
from scrimp.traces.diagnosed_transcripts import diagnose_transcripts
from scrimp.traces.exchanges import Exchange, in_time_order
from scrimp.traces.recorded_calls import unusable
from tests.traces.sessions import assistant, hook, result, text, tool_use, usage, user, write


def healthy(exchanges: list[Exchange]) -> set[str]:
    """Calls that read what the call before them in their run had read and written, to the token."""
    found, before = set(), dict[str, int]()
    for exchange in in_time_order(one for one in exchanges if unusable(one) is None):
        billed = exchange.usage
        assert billed is not None
        if billed.cache_read_input_tokens and billed.cache_read_input_tokens >= before.get(exchange.run, 0):
            found.add(exchange.where)
        if billed.reports_cache and billed.cache_read_input_tokens + billed.cache_creation_input_tokens:
            before[exchange.run] = billed.cache_read_input_tokens + billed.cache_creation_input_tokens
    return found


@pytest.mark.parametrize(("folder", "least"), [("openhands_swebench", 250), ("cassettes", 50)])
def test_recorded_calls_that_read_what_they_should_raise_no_alarm(
    traces: Path, folder: str, least: int
) -> None:
    path = traces / "exchanges" / folder
    sources = read_corpus([path]).sources
    good = set().union(*map(healthy, sources.values()))
    assert len(good) >= least
    found = scrimp.diagnose(path)
    assert {finding.where for finding in found.misses} & good == set()
    # What went to a provider that caches nothing is no miss either.
    assert all(finding.diagnosis.promised > finding.diagnosis.read for finding in found.misses)


def session(gap: float, second: dict[str, Any], *between: dict[str, Any]) -> list[dict[str, Any]]:
    """A session of two calls, the second `gap` seconds after the first, for an hour's cache."""
    parent = between[-1]["uuid"] if between else "a1"
    return [
        user("u1", None, 0, "hello"),
        assistant("a1", "u1", 4, "m1", usage(read=10_000, write_1h=5_000), tool_use("t1")),
        *between,
        user("u2", parent, gap, [result("t1")]),
        assistant("a2", "u2", gap + 4, "m2", second, text("done")),
    ]


def only(path: Path) -> Any:
    findings = [
        found for found in diagnose_transcripts([path], default(), Counter(), []) if found is not None
    ]
    assert len(findings) == 1
    return findings[0]


def test_a_session_s_miss_has_its_cause_its_evidence_and_its_dollars(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", *session(60, usage(read=10_000, write_1h=5_400)))
    found = only(tmp_path)
    diagnosis = found.diagnosis
    assert (diagnosis.cause, diagnosis.promised, diagnosis.read) == (Cause.SETTLING, 15_000, 10_000)
    model = default().resolve(found.model)
    rates = model.rates(prompt_tokens=15_403)
    assert diagnosis.lost == 5_000 * (rates.write_1h - rates.read)
    assert found.where.endswith("a.jsonl m2")


@pytest.mark.parametrize(
    ("gap", "second", "between", "cause"),
    [
        (4000.0, usage(write_1h=15_400), (), Cause.EXPIRED),
        (60.0, usage(write_1h=15_400), (), Cause.EVICTED),
        (60.0, usage(read=8_000, write_1h=7_400), (), Cause.EVICTED),
        (60.0, usage(read=9_990, write_1h=2_000), (), Cause.SHORTENED),
        (60.0, usage(write_1h=15_400), (hook("h", "a1", 50, "SessionStart:resume"),), Cause.RESUMED),
    ],
)
def test_causes_of_sessions(
    tmp_path: Path, gap: float, second: dict[str, Any], between: tuple[dict[str, Any], ...], cause: Cause
) -> None:
    write(tmp_path / "a.jsonl", *session(gap, second, *between))
    assert only(tmp_path).diagnosis.cause is cause


def test_requests_are_compared_before_anything_is_sent() -> None:
    def request(minute: int, turns: int) -> dict[str, Any]:
        control = {"type": "ephemeral"}
        system = f"It is 2026-11-21 10:{minute:02}. " + "Follow the rules of the house. " * 900
        return {
            "model": "claude-opus-5",
            "max_tokens": 10,
            "system": [{"type": "text", "text": system, "cache_control": control}],
            "messages": [
                {"role": "assistant" if n % 2 else "user", "content": f"turn {n}"}
                for n in range(2 * turns + 1)
            ],
        }

    found = scrimp.diagnose([request(0, 0), request(0, 1), request(1, 2)])
    assert (found.calls, found.estimated) == (3, True)
    [miss] = found.misses
    assert (miss.where, miss.diagnosis.cause) == ("request 3", Cause.TIMESTAMP)
    assert (miss.diagnosis.path, miss.diagnosis.change.offset) == ("system.0", len("It is 2026-11-21 10:0"))
    assert found.lost > 0
    assert list(found.by_cause()) == [Cause.TIMESTAMP]


def test_what_cannot_be_diagnosed_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(TraceError, match="no billed call was found"):
        scrimp.diagnose(tmp_path)
    with pytest.raises(RequestError, match="not both"):
        scrimp.diagnose([str(tmp_path), {"messages": []}])
