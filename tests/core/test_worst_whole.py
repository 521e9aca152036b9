"""What requests of one beginning may cost: as if each was looked at by itself."""

from __future__ import annotations

from typing import Any

import pytest

from scrimp.core.settings import CacheSettings
from scrimp.core.worst_case import WorstCase, worst_case
from scrimp.core.worst_parts import PLAIN
from scrimp.core.worst_seen import Seen
from scrimp.core.worst_whole import Wholes
from scrimp.facts import default

FACTS = default()
MODEL = FACTS.resolve("claude-sonnet-4-5")
NOW = 1_795_000_000.0
MINE: dict[str, Any] = {"name": "mine", "description": "d" * 300, "input_schema": {"type": "object"}}
BASH: dict[str, Any] = {"type": "bash_20250124", "name": "bash"}
SEARCH: dict[str, Any] = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
MARKED: dict[str, Any] = {**MINE, "cache_control": {"type": "ephemeral", "ttl": "1h"}}


def asked(tools: list[Any], said: str, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": said}]
    return {
        "model": MODEL.id,
        "max_tokens": 100,
        "system": "s" * 50,
        "tools": tools,
        "messages": messages,
        **fields,
    }


def most(body: dict[str, Any], messages: Seen | None = None) -> WorstCase:
    return worst_case(body, MODEL, facts=FACTS, at=NOW, messages=messages)


@pytest.mark.parametrize("tools", [[], [MINE], [MINE, BASH], [SEARCH], [MARKED, SEARCH]])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"stream": True, "metadata": {"user_id": "u"}},
        {"cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"fallbacks": [{"model": "claude-opus-4-1"}]},
        {"container": "c_1"},
    ],
)
def test_they_cost_what_each_does_by_itself(tools: list[Any], fields: dict[str, Any]) -> None:
    wholes, asks = Wholes(), CacheSettings("m")
    for said in ("first", "second, and longer", "third " * 2_000):
        body = asked(tools, said, **fields)
        assert most(body, wholes.of(asks, body, MODEL)) == most(body)


def test_another_beginning_is_looked_at_by_itself() -> None:
    wholes, (plain, other) = Wholes(), (asked([MINE], "a"), asked([SEARCH], "a"))
    first, second = CacheSettings("m"), CacheSettings("m")
    assert most(plain, wholes.of(first, plain, MODEL)) == most(plain)
    assert most(other, wholes.of(second, other, MODEL)) == most(other)
    assert most(plain) != most(other)


def test_where_the_beginning_is_not_known_everything_is_looked_at() -> None:
    assert Wholes().of(None, asked([SEARCH], "a"), MODEL) is PLAIN
