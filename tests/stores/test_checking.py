"""What is kept of a record as it is, what is replaced, and what is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from scrimp.core.record import Record, Tags
from scrimp.errors import StoreError
from scrimp.stores.checking import keepable
from scrimp.wire.response import CacheCreation, Iteration, OutputTokensDetails, ServerToolUse, Usage
from tests.stores.records import record

HALF = "half\ud83d"

TEXTS = ("id", "call_id", "provider", "model", "message_id", "request_id", "fault", "miss")
TAG_TEXTS = ("user", "task_type", "agent", "team", "key")
USAGE_TEXTS = ("service_tier", "speed", "inference_geo", "fallback_credit")


def _saying(kind: Any, name: str) -> Any:
    return kind(**{name: HALF})


def _with_halves() -> list[Record]:
    """Records with half a surrogate pair in one place each."""
    found: list[dict[str, Any]] = [{name: HALF} for name in TEXTS]
    found += [{"tags": _saying(Tags, name)} for name in TAG_TEXTS]
    found += [{"tags": Tags(run=("a", HALF))}, {"tags": Tags(run_ids=(HALF,))}, {"notes": ("a", HALF)}]
    found += [{"usage": _saying(Usage, name)} for name in USAGE_TEXTS]
    found += [{"usage": Usage(iterations=(Iteration(type="message", model=HALF),))}]
    return [record(**fields) for fields in found]


@pytest.mark.parametrize("given", _with_halves())
def test_half_a_character_becomes_a_question_mark_wherever_it_is(given: Record) -> None:
    kept = keepable(given)
    said = msgspec.json.encode(kept).decode()  # which nothing but Unicode can be
    assert "half?" in said
    # And nothing else is another one.
    assert keepable(kept) is kept
    assert repr(kept).replace("half?", "") == repr(given).replace(repr(HALF)[1:-1], "")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"model": "modèle", "tags": Tags(user="ü", run=("größe",)), "notes": ("€",)},
        {
            "usage": Usage(
                1, 2, server_tool_use=ServerToolUse(1), output_tokens_details=OutputTokensDetails(3)
            )
        },
        {"usage": Usage(1, 2, iterations=(Iteration(1, 2, type="message"),), service_tier="standard")},
        {"own_cost": -5, "cost": -(2**63 - 1), "lost": -1, "static_tokens": 12, "window": 200_000},
    ],
)
def test_what_can_be_kept_is_kept_as_it_is(fields: dict[str, Any]) -> None:
    given = record(**fields)
    assert keepable(given) is given


@pytest.mark.parametrize(
    "fields",
    [
        {"started_at": -62135596801.0},
        {"first_event_at": 253402300800.0},
        {"ended_at": float("nan")},
        {"usage": Usage(2**40 + 1)},
        {"usage": Usage(output_tokens=-1)},
        {"usage": Usage(5, cache_creation_input_tokens=5, cache_creation=CacheCreation(6, -1))},
        {"usage": Usage(5, cache_creation=CacheCreation(2**70, 0))},
        {"usage": Usage(5, cache_creation=CacheCreation(-(2**70), 2**70))},
        {"usage": Usage(5, iterations=(Iteration(2**70, type="message"),))},
        {"usage": Usage(5, server_tool_use=ServerToolUse(2**70))},
        {"usage": Usage(5, output_tokens_details=OutputTokensDetails(2**70))},
        {"cost": 2**63},
        {"own_cost": -(2**63)},
        {"lost": 2**63},
        {"attempt": 2**63},
        {"status": 2**63},
        {"predicted_read": 2**63},
        {"predicted_write": -(2**63)},
        {"static_tokens": 2**70},
        {"window": 2**70},
    ],
)
def test_what_is_out_of_range_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match="cannot be kept: a time, count or amount is out of range"):
        keepable(record(**fields))
