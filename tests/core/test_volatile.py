"""Volatile text in prefixes: found where it was put, named by its kind, priced by what is behind it."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scrimp
from scrimp.core.prompt import Reading, read_prompt
from scrimp.core.spans import Kind
from scrimp.core.volatile import Finding, Volatility, find_volatile
from scrimp.facts.models import default

MODEL = "claude-opus-4-8"
RULES = [f"Rule {n}: keep to what the manual says about case {n}." for n in range(80)]
NAMES = ("ls", "cat", "grep", "find")
DATA = {"alpha": 1, "beta": [1, 2], "gamma": "x", "delta": None}


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - shuffles, keeps no secret


def tool(name: str, note: str = "", **schema: Any) -> dict[str, Any]:
    text = f"{name} does things. " * 40 + note
    return {"name": name, "description": text, "input_schema": {"type": "object", "properties": schema}}


def body(*lines: str, **more: Any) -> dict[str, Any]:
    given = {
        "model": MODEL,
        "system": "\n".join(lines or RULES) + "\n",
        "tools": [tool(name) for name in NAMES],
        "messages": [{"role": "user", "content": "question"}],
    }
    return {**given, **more}


def shuffled(value: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    return dict(chance.sample(list(value.items()), len(value)))


def volatile(kind: str, number: int, chance: random.Random) -> str:
    """A line of a prompt that is another one at every request."""
    match kind:
        case "clock":
            return f"Current time: 2026-11-21 {10 + number // 60}:{number % 60:02d}"
        case "date":
            return f"Today is November {1 + number}, 2026."
        case "uuid":
            return f"Session {uuid.UUID(int=chance.getrandbits(128), version=4)} is open."
        case "id":
            return f"Your request is req_{chance.getrandbits(80):020x}."
        case "json":
            return "Settings: " + json.dumps(shuffled(DATA, chance))
        case "user":
            return ["You serve Ada, a pilot from Berlin.", "You serve Bob."][number % 2]
        case _:
            raise ValueError(kind)


EXPECTED = {
    "clock": Kind.TIMESTAMP,
    "date": Kind.TIMESTAMP,
    "uuid": Kind.UUID,
    "id": Kind.RANDOM_ID,
    "json": Kind.KEY_ORDER,
    "user": Kind.EDITED,
}


@given(
    kind=st.sampled_from(sorted(EXPECTED)),
    line=st.integers(0, len(RULES)),
    seed=st.integers(0, 10_000),
    blocks=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_volatile_text_is_found_where_it_is_and_named(kind: str, line: int, seed: int, blocks: bool) -> None:
    chance = seeded(seed)
    requests = []
    for number in range(9):
        lines = [*RULES[:line], volatile(kind, number, chance), *RULES[line:]]
        text = "\n".join(lines)
        system = [{"type": "text", "text": "You are an agent."}, {"type": "text", "text": text}]
        requests.append(body(system=system if blocks else text))
    (found,) = find_volatile(requests)
    assert found.kind == EXPECTED[kind]
    assert found.path == ("system.1" if blocks else "system.0")
    start = len("\n".join(RULES[:line]).encode())
    assert found.change.offset is not None
    assert start <= found.change.offset <= start + 120
    assert found.changed == sum(one["system"] != two["system"] for one, two in pairwise(requests))


@given(seed=st.integers(0, 10_000), edits=st.integers(0, 1))
@settings(max_examples=30, deadline=None)
def test_what_stays_and_what_was_edited_once_are_no_findings(seed: int, edits: int) -> None:
    chance = seeded(seed)
    at = chance.randrange(1, 9)
    requests = [
        body(
            *RULES, *(["And one rule more."] if edits and number >= at else []), messages=talk(number, chance)
        )
        for number in range(9)
    ]
    assert find_volatile(requests) == []


def talk(number: int, chance: random.Random) -> list[dict[str, Any]]:
    """Another question every time, long and short, or a conversation that grows."""
    words = [" ".join(chance.choices(RULES, k=3 + number)) for _ in range(2 * number + 1)]
    return [{"role": "assistant" if n % 2 else "user", "content": text} for n, text in enumerate(words)]


@pytest.mark.parametrize(
    ("make", "kind", "path"),
    [
        (lambda n, c: [tool(name) for name in c.sample(NAMES, 4)], Kind.ORDER, "tools"),
        (lambda n, c: [tool(name) for name in NAMES[: 3 + n % 2]], Kind.ADDED, "tools"),
        (lambda n, c: [tool("ls"), tool("cat", f"It is 10:{n:02d}.")], Kind.TIMESTAMP, "tools.1"),
        (lambda n, c: [tool("ls", **shuffled(DATA, c))], Kind.KEY_ORDER, "tools.0"),
    ],
)
def test_tools_that_do_not_stay(
    make: Callable[[int, random.Random], list[dict[str, Any]]], kind: Kind, path: str
) -> None:
    chance = seeded(7)
    (found,) = find_volatile([body(tools=make(number, chance)) for number in range(8)])
    assert found.path == path
    assert found.kind in (kind, Kind.REMOVED if kind is Kind.ADDED else kind)


def test_the_shared_beginning_of_the_messages_is_compared_and_the_question_is_not() -> None:
    def head(number: int) -> list[dict[str, Any]]:
        document = {"type": "text", "text": "\n".join([f"As of 2026-11-{10 + number}", *RULES])}
        return [{"role": "user", "content": [document, {"type": "text", "text": f"What is {number}?"}]}]

    (found,) = find_volatile([body(messages=head(number)) for number in range(6)])
    assert (found.kind, found.path) == (Kind.TIMESTAMP, "messages.0.content.0")


def test_system_blocks_that_come_and_go() -> None:
    rules = {"type": "text", "text": "\n".join(RULES)}
    alarm = {"type": "text", "text": "There is an incident."}
    (found,) = find_volatile([body(system=[rules, *([alarm] if n % 2 else [])]) for n in range(7)])
    assert found.kind in (Kind.ADDED, Kind.REMOVED)
    assert (found.path, found.changed) == ("system.1", 6)


def test_a_first_block_that_the_api_takes_out_of_the_prompt_is_none() -> None:
    rules = {"type": "text", "text": "\n".join(RULES)}
    header = "x-anthropic-billing-header: cc_version=2.1.81.df2; cch=0a1{}2;"
    requests = [body(system=[{"type": "text", "text": header.format(n)}, rules]) for n in range(6)]
    assert find_volatile(requests) == []


def test_what_is_lost_is_what_stands_behind_and_stays() -> None:
    # Positions: a tool of 1,000 tokens, three system blocks of 500, 2,000 and 300, a question of 10.
    watch = Volatility()
    rates = default().resolve(MODEL).rates(prompt_tokens=0)
    ends = [1000, 1500, 3500, 3800, 3810]
    for number in range(5):
        system = [f"It is 12:{number:02d}", "Rules " * 300, "More " * 100]
        request = body(
            tools=[tool("ls")],
            system=[{"type": "text", "text": text} for text in system],
            messages=[{"role": "user", "content": f"Question {number}?"}],
        )
        watch.observe(read_prompt(request, Reading(MODEL)), ends, rates, label="agent")
    (found,) = watch.findings("agent")
    assert watch.findings("other") == []
    # All but the last two digits of the clock would have been the same: eleven of twelve characters or so.
    assert 2300 + 350 <= found.tokens <= 2300 + 500
    assert found.lost == found.tokens * (6_250_000 - 500_000)
    assert (found.changed, found.compared) == (4, 4)


def test_how_often_counts_the_last_sixteen_comparisons_only() -> None:
    lines = [volatile("clock", number, seeded(1)) for number in range(6)]
    requests = [body(lines[min(number, 5)], *RULES) for number in range(18)]
    (found,) = find_volatile(requests)
    assert (found.changed, found.compared) == (4, 16)
    assert find_volatile([*requests, *[requests[-1]] * 16]) == []


def test_a_finding_says_what_to_do_and_shows_text_only_when_asked() -> None:
    (found,) = scrimp.find_volatile(body(f"The time is 12:{n:02d}.", *RULES) for n in range(4))
    assert isinstance(found, Finding)
    told = found.describe()
    assert "12:0" not in told
    assert told.startswith("timestamp at system.0, byte ")
    assert "changed in 3 of 3 requests" in told
    assert "scrimp.Relocate" in found.fix
    assert "12:03" in found.describe(excerpts=True)


def test_memory_is_bounded() -> None:
    watch = Volatility()
    rates = default().resolve(MODEL).rates(prompt_tokens=0)
    prompt = read_prompt(body(), Reading(MODEL))
    for number in range(300):
        watch.observe(prompt, [1] * len(prompt), rates, label=str(number % 100))
    assert len(watch._watches) == 64
    assert all(len(one.changes) <= 16 for one in watch._watches.values())
