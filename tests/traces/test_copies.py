"""A call that several files hold counts once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scrimp.traces.copies import without_copies
from scrimp.traces.corpus import read_corpus
from tests.cli.recordings import exchange, quick_agent, write


def runs_left(tmp_path: Path, *records: dict[str, Any]) -> tuple[list[tuple[str, int]], int]:
    corpus = read_corpus([write(tmp_path / "calls.jsonl", list(records))])
    single, copies = without_copies(corpus)
    return [(one.run, one.seq) for calls in single.sources.values() for one in calls], copies


def test_a_message_id_names_a_call_whatever_run_it_is_filed_under(tmp_path: Path) -> None:
    first, second = quick_agent()
    assert runs_left(tmp_path, first, {**first, "run": "again"}, second) == (
        [("agent", 0), ("agent", 1)],
        1,
    )


def test_one_id_with_two_requests_is_two_calls(tmp_path: Path) -> None:
    first, second = quick_agent()
    second["response"]["body"]["id"] = first["response"]["body"]["id"]
    assert runs_left(tmp_path, first, second) == ([("agent", 0), ("agent", 1)], 0)


def test_without_an_id_run_place_and_request_must_agree(tmp_path: Path) -> None:
    calls = [{**call, "response": {"status": 200, "body": {}}} for call in quick_agent()]
    first, second = calls
    moved = {**first, "seq": 7}
    other = {**first, "request": second["request"]}
    assert runs_left(tmp_path, first, first, moved, other) == (
        [("agent", 0), ("agent", 7), ("agent", 0)],
        1,
    )


def test_what_was_never_billed_is_not_called_a_copy(tmp_path: Path) -> None:
    failed = exchange(0, at="2026-08-01T10:00:00Z", usage={})
    failed["response"]["status"] = 529
    assert runs_left(tmp_path, failed, failed) == ([("agent", 0), ("agent", 0)], 0)
