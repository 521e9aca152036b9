"""What bills have shown of a prompt, and what they have not."""

from __future__ import annotations

import lzma
from pathlib import Path
from statistics import median
from typing import Any

import orjson
import pytest

from scrimp.core.bill import bill
from scrimp.core.hard_lengths import HardLengths
from scrimp.core.prompt import Prompt, read_prompt
from scrimp.core.workspace import Workspace, reading
from scrimp.core.worst_case import worst_case
from scrimp.core.worst_known import known_bound
from scrimp.core.worst_parts import may_shorten
from scrimp.wire.response import Iteration, Usage, read_usage
from tests.core.worst_bodies import ADDED, FACTS, MARK, NOW, TEXT, body, document, image, is_whole, worst


def said(*texts: str) -> dict[str, Any]:
    blocks = [{"type": "text", "text": text} for text in texts]
    return body(system="You help.", messages=[{"role": "user", "content": blocks}], cache_control=MARK)


def read(asked: dict[str, Any]) -> Prompt:
    model = FACTS.resolve(asked["model"])
    return read_prompt(asked, reading(FACTS, model, None))


def test_what_a_bill_has_shown_bounds_the_beginning() -> None:
    lengths = HardLengths()
    long, more = "word " * 2_000, "and more"
    assert known_bound(read(said(long)), lengths, image=4784) is None
    lengths.learn(read(said(long)), Usage(3, 10, 2_050, 0))
    block = len(orjson.dumps({"type": "text", "text": more})) + 16
    found = known_bound(read(said(long, more)), lengths, image=4784)
    assert found == 2_053 + block + ADDED
    assert worst(said(long, more), known=found).input_tokens == found
    assert worst(said("Hi"), known=10**9).input_tokens == len(orjson.dumps(said("Hi"))) + ADDED


def test_the_shortest_call_bounds_what_all_begin_with() -> None:
    """Tools and system are part of every prompt, so that they are no longer than the shortest."""
    lengths = HardLengths()
    for tokens in (900, 400, 700):
        lengths.learn(read(said("x" * tokens)), Usage(tokens, 10))
    block = len(orjson.dumps({"type": "text", "text": "another"})) + 16
    assert known_bound(read(said("another")), lengths, image=4784) == 400 + block + ADDED


def test_a_bill_that_does_not_tell_of_the_cache_or_tells_of_others_bounds_nothing() -> None:
    lengths = HardLengths()
    lengths.learn(read(said("Hi")), Usage(3, 10, reports_cache=False))
    lengths.learn(read(said("Hi")), Usage())
    other = Iteration(type="fallback_message", model="claude-opus-4-7", input_tokens=3)
    lengths.learn(read(said("Hi")), Usage(3, 10, iterations=(other,)))
    assert known_bound(read(said("Hi")), lengths, image=4784) is None


def test_what_bounds_are_known_of_is_bounded() -> None:
    lengths = HardLengths(2)
    for text in ("a", "b", "a", "c"):
        lengths.learn(read(body(messages=[{"role": "user", "content": text}])), Usage(7, 10))
    prompts = [read(body(messages=[{"role": "user", "content": text}])) for text in "abc"]
    assert [lengths.longest(prompt.prefixes, 0) for prompt in prompts] == [(0, 7), None, (0, 7)]


def test_tools_without_a_system_prompt_are_not_taken_for_others() -> None:
    """A server's search is left out of what tools are known by, and would be known as no tool at all."""
    lengths = HardLengths()
    tools: list[dict[str, Any]] = [{"name": "a", "input_schema": {"type": "object"}}]
    lengths.learn(read(body(tools=tools)), Usage(500, 10))
    tools.append({"type": "web_search_20250305", "name": "web_search", "max_uses": 1})
    asked = body(tools=tools, messages=[{"role": "user", "content": "else"}])
    assert known_bound(read(asked), lengths, image=4784) is None


KEEP_ALL = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
CLEARS = {"edits": [{"type": "clear_tool_uses_20250919"}]}
SHORTENED = [
    {"context_management": CLEARS},
    {"context_management": {"edits": [*KEEP_ALL["edits"], *CLEARS["edits"]]}},
    {"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}},
    {"compaction": {"type": "summarize"}},
    {"fallbacks": [{"model": "claude-opus-4-7"}]},
    {"fallbacks": "default"},
    {"thread": {"type": "create"}},
]


@pytest.mark.parametrize("fields", SHORTENED)
def test_only_a_whole_bill_bounds_a_later_prompt(fields: dict[str, Any]) -> None:
    """What the API has cleared or summed up is back in a request that does not ask for that."""
    long = said("word " * 60_000)
    workspace = Workspace(FACTS)
    for asked in (long | fields, long):
        planned = workspace.plan(asked, NOW)
        assert planned is not None
        assert workspace.most_tokens(planned) is None
        workspace.sent(planned, NOW, NOW + 1)
        workspace.billed(planned, Usage(3, 10, 2_100))
    planned = workspace.plan(long, NOW)
    assert planned is not None
    assert workspace.most_tokens(planned) == 2_103 + ADDED


@pytest.mark.parametrize("fields", [{"context_management": KEEP_ALL}, {"context_management": {"edits": []}}])
def test_edits_that_clear_nothing_shorten_nothing(fields: dict[str, Any]) -> None:
    asked = said("word " * 60_000) | fields
    workspace = Workspace(FACTS)
    planned = workspace.plan(asked, NOW)
    assert planned is not None
    workspace.billed(planned, Usage(3, 10, 2_100))
    assert workspace.most_tokens(planned) == 2_103 + ADDED
    assert worst(asked, known=2_103 + ADDED).input_tokens == 2_103 + ADDED
    unknown = asked | {"model": "claude-of-tomorrow"}
    if fields["context_management"] is KEEP_ALL:
        assert worst(unknown, known=2_103).input_tokens > 300_000


@pytest.mark.parametrize("fields", SHORTENED[:5])
def test_a_request_that_the_api_may_shorten_is_held_for_by_its_bytes(fields: dict[str, Any]) -> None:
    asked = said("Hello") | fields
    assert worst(asked, known=5).input_tokens > len(orjson.dumps(said("Hello")))


def test_definitions_that_a_search_may_bring_are_in_no_bill() -> None:
    tools = [
        {"type": "tool_search_tool_bm25_20251119", "name": "search"},
        {"name": "a", "description": "x" * 9_000, "input_schema": {}, "defer_loading": True},
    ]
    asked = body(tools=tools)
    assert worst(asked, known=100) == worst(asked)


def test_an_address_may_show_another_image_by_now_and_a_client_s_line_another_text() -> None:
    picture = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    asked = body(messages=[{"role": "user", "content": [picture, picture, TEXT]}])
    assert worst(asked, known=100).input_tokens == 100 + 2 * 4784
    line = "x-anthropic-billing-header: cc_version=1.0;" + "é" * 20_000
    for system in (line, [{"type": "text", "text": line}]):
        found = worst(body(system=system, messages=[{"role": "user", "content": "x" * 90_000}]), known=100)
        assert 100 + 40_043 <= found.input_tokens < 100 + 40_200


def test_a_fallback_s_prompt_is_its_own() -> None:
    """Claude Opus 4.7 counts more tokens for the same text than Sonnet 4.5, and more for an image."""
    content = [{"type": "text", "text": "word " * 50_000}, image("A" * 90_000)]
    asked = body(model="claude-sonnet-4-5", messages=[{"role": "user", "content": content}])
    alone = worst(asked, known=50_010)
    assert alone.input_tokens == 50_010
    both = worst(asked | {"fallbacks": [{"model": "claude-opus-4-7"}]}, known=50_010)
    text = len(orjson.dumps(asked | {"fallbacks": [{"model": "claude-opus-4-7"}]})) - 90_000 + ADDED
    # The first model's window is 200,000.
    assert both.input_tokens == 200_000 + text + 4784


def test_what_has_no_bound_has_none_after_a_known_beginning_either() -> None:
    lengths = HardLengths()
    lengths.learn(read(said("Hello")), Usage(3, 10, 2_050, 0))
    asked = said("Hello")
    asked["messages"][0]["content"].append(document(type="file", file_id="f")["messages"][0]["content"][0])
    assert known_bound(read(asked), lengths, image=4784) is None
    asked["messages"][0]["content"][1] = image("A" * 9_000)
    size = len(orjson.dumps(image(""))) + 16
    assert known_bound(read(asked), lengths, image=4784) == 2_053 + size + 4784 + ADDED
    references = [{"type": "tool_reference", "tool_name": "t"}]
    asked["messages"][0]["content"][1] = {"type": "tool_result", "tool_use_id": "t", "content": references}
    assert known_bound(read(asked), lengths, image=4784) is None


def test_what_is_new_after_a_known_beginning_is_as_long_as_it_may_be_spelled() -> None:
    lengths = HardLengths()
    lengths.learn(read(said("Hello")), Usage(100, 10))
    found = known_bound(read(said("Hello", "\ufdfa" * 9_000)), lengths, image=4784)
    assert found is not None
    assert found > 33 * 9_000


def test_no_recorded_bill_was_above_what_bills_before_had_shown(traces: Path) -> None:
    bounded, below, looseness = 0, [], []
    for path in sorted((traces / "exchanges").glob("*/*.jsonl.xz")):
        lengths = HardLengths()
        for exchange in map(orjson.loads, lzma.decompress(path.read_bytes()).splitlines()):
            asked, usage = exchange["request"].get("body"), exchange.get("usage")
            if not is_whole(exchange, asked, usage) or "model" not in asked:
                continue
            prompt, billed, model = read(asked), read_usage(usage), FACTS.resolve(asked["model"])
            if may_shorten(asked, model):
                continue
            known = known_bound(prompt, lengths, image=model.image_rule.max_tokens)
            if known is not None:
                bounded += 1
                found = worst_case(asked, model, facts=FACTS, at=NOW, known=known)
                if found.amount < bill(billed, model, at=NOW, facts=FACTS).total:
                    below.append((path.name, exchange["run"], exchange["seq"]))
                looseness.append(found.input_tokens / max(1, billed.total_input))
            lengths.learn(prompt, billed)
    assert bounded > 1_500
    assert below == []
    assert median(looseness) < 3
