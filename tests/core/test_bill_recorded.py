"""Bills of recorded calls: how the parts of a usage add up, and an amount that a router really charged."""

from __future__ import annotations

import lzma
from fractions import Fraction
from pathlib import Path
from typing import Any

import orjson
import pytest

from scrimp.core.bill import bill
from scrimp.facts import default
from scrimp.wire.response import Usage, read_usage

Call = tuple[str, dict[str, Any], Usage]


@pytest.fixture(scope="module")
def calls(traces: Path) -> list[Call]:
    """Every recorded call of the Messages API: model, usage as sent, usage as read."""
    found: list[Call] = []
    for path in sorted((traces / "exchanges" / "cassettes").glob("*.jsonl.xz")):
        for exchange in map(orjson.loads, lzma.decompress(path.read_bytes()).splitlines()):
            body, usage = exchange["request"].get("body"), exchange.get("usage")
            if isinstance(usage, dict) and "input_tokens" in usage and isinstance(body, dict):
                model = body.get("model") or exchange["request"]["url"].partition("/model/")[2]
                found.append((model.removesuffix("/invoke"), usage, read_usage(usage)))
    return found


def test_every_recorded_model_is_known(calls: list[Call]) -> None:
    assert len(calls) > 2_000
    unknown = {model for model, _, _ in calls if not default().resolve(model).known}
    assert unknown <= {""}


def test_the_top_level_is_the_sum_of_the_messages(calls: list[Call]) -> None:
    split = [usage for _, _, usage in calls if usage.iterations]
    assert {part.type for usage in split for part in usage.iterations or ()} >= {
        "message",
        "compaction",
        "advisor_message",
    }
    for usage in split:
        messages = [part for part in usage.iterations or () if part.type == "message"]
        assert usage.input_tokens == sum(part.input_tokens for part in messages)
        assert usage.output_tokens == sum(part.output_tokens for part in messages)
        assert usage.cache_read_input_tokens == sum(part.cache_read_input_tokens for part in messages)


def test_what_a_router_charged_is_what_we_bill(calls: list[Call]) -> None:
    charged = [(model, sent, usage) for model, sent, usage in calls if sent.get("cost") is not None]
    assert charged
    for model, sent, usage in charged:
        made = bill(usage, default().resolve(model), at=None)
        assert Fraction(made.total, 10**12) == Fraction(str(sent["cost"]))
