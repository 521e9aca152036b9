"""Random Messages requests, nearly all of which the API takes, and the ones that follow them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from scrimp.facts.model import Model
from scrimp.facts.models import resolve
from tests.copies import copied

__all__ = ["MODELS", "first_request", "marked", "next_request", "places"]

Body = dict[str, Any]
Block = dict[str, Any]

MODELS = (
    *("claude-opus-5-5", "claude-fable-5-2", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-sonnet-5"),
    *("claude-opus-4-8", "claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5", "claude-unknown-9"),
)
LENGTHS = (3, 60, 700, 2_500, 6_000)
NEVER_MARKED = frozenset({"thinking", "redacted_thinking"})
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

texts = st.builds(
    lambda word, length: " ".join([word] * length),
    st.sampled_from(["alpha", "beta", "été"]),
    st.sampled_from(LENGTHS),
)
text_blocks = st.builds(lambda text: {"type": "text", "text": text}, texts)
images = st.sampled_from(
    [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    ]
)
documents = st.builds(
    lambda text: {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": text},
        "title": "notes",
    },
    texts,
)
search_results = st.builds(
    lambda text: {
        "type": "search_result",
        "source": "https://example.com",
        "title": "found",
        "content": [{"type": "text", "text": text}],
    },
    texts,
)
results = st.one_of(
    texts,
    st.none(),
    st.just([]),
    st.lists(st.one_of(text_blocks, text_blocks, images), min_size=1, max_size=3),
)


@st.composite
def tools(draw: st.DrawFn) -> list[Block]:
    """Tools of the caller, some of them deferred, and of the provider."""
    found: list[Block] = [
        {
            "name": f"tool_{n}",
            "description": draw(texts),
            "input_schema": {"type": "object", "properties": {}},
        }
        for n in range(draw(st.sampled_from([0, 1, 1, 2, 4])))
    ]
    for tool in found[1:]:
        if draw(st.integers(0, 3)) == 0:
            tool["defer_loading"] = True
    if any("defer_loading" in tool for tool in found):
        search = {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}
        found.insert(draw(st.integers(0, len(found))), search)
    if draw(st.integers(0, 3)) == 0:
        found.insert(draw(st.integers(0, len(found))), {"type": "web_search_20250305", "name": "web_search"})
    return found


@st.composite
def user_turn(draw: st.DrawFn) -> list[Body]:
    """Something new from the user."""
    content = draw(
        st.one_of(
            texts,
            st.lists(
                st.one_of(text_blocks, text_blocks, images, documents, search_results), min_size=1, max_size=3
            ),
        )
    )
    return [{"role": "user", "content": content}]


@st.composite
def tool_turn(draw: st.DrawFn, prefix: str) -> list[Body]:
    """An answer that calls tools, often several at once, and their results."""
    calls = draw(st.sampled_from([1, 1, 2, 3, 24]))
    ids = [f"{prefix}_{n}" for n in range(calls)]
    said: list[Block] = [{"type": "thinking", "thinking": "hm", "signature": "c2ln" * 80}]
    said += draw(st.lists(text_blocks, max_size=1))
    said += [
        {"type": "tool_use", "id": name, "name": "tool_0", "input": {"b": 1, "a": [True, 1.5]}}
        for name in ids
    ]
    one = draw(results)
    answered: list[Block] = [
        {
            "type": "tool_result",
            "tool_use_id": name,
            **({} if one is None else {"content": copied(one)}),
        }
        for name in ids
    ]
    answered += draw(st.lists(text_blocks, max_size=1))
    return [{"role": "assistant", "content": said}, {"role": "user", "content": answered}]


@st.composite
def answered_turn(draw: st.DrawFn) -> list[Body]:
    """An answer, some by way of the provider's search, and what the user says to it."""
    content: Any = draw(st.one_of(texts, st.lists(text_blocks, min_size=1, max_size=2)))
    if draw(st.integers(0, 3)) == 0:
        use = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "a"}}
        found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
        content = [{"type": "redacted_thinking", "data": "c2ln"}, use, found, {"type": "text", "text": "so"}]
    return [{"role": "assistant", "content": content}, *draw(user_turn())]


@st.composite
def parameters(draw: st.DrawFn, model: Model) -> Body:
    """What a request asks for beside its prompt."""
    features = model.features
    body: Body = {"max_tokens": draw(st.sampled_from([0, 1, 4096, 4096]))}
    kinds = draw(st.sampled_from([None, None, *features.thinking]))
    if kinds is not None:
        body["thinking"] = {"type": kinds, **({"budget_tokens": 1024} if kinds == "enabled" else {})}
    if features.effort and draw(st.booleans()):
        body["output_config"] = {"effort": draw(st.sampled_from(features.effort[:3]))}
    choice = draw(st.sampled_from([None, None, "auto", "none", "any"]))
    if choice == "any" and (not features.forced_tool_choice or kinds == "enabled"):
        choice = "auto"
    if choice is not None:
        body["tool_choice"] = {"type": choice}
    if draw(st.integers(0, 4)) == 0:
        body["thread"] = {"type": "create"}
    if draw(st.integers(0, 4)) == 0:
        body |= {"metadata": {"user_id": "u1"}, "stream": False, "x_unknown": {"z": 1, "a": None}}
    return body


@st.composite
def first_request(draw: st.DrawFn) -> Body:
    """The first request of a conversation, without markers."""
    model = draw(st.sampled_from(MODELS))
    body: Body = {"model": model, **draw(parameters(resolve(model)))}
    if given := draw(tools()):
        body["tools"] = given
    system = draw(st.one_of(st.none(), texts, st.lists(text_blocks, min_size=1, max_size=3)))
    if system is not None:
        body["system"] = system
    return {**body, "messages": draw(user_turn())}


@st.composite
def next_request(draw: st.DrawFn, body: Body) -> Body:
    """The request after an unmarked `body`: mostly the next step of its conversation, without markers."""
    body = copied(body)
    messages = body["messages"]
    features = resolve(body["model"]).features
    kind = draw(
        st.sampled_from(
            ["tools"] * 4 + ["said"] * 3 + ["system", "fork", "anew", "model", "parameters", "same"]
        )
    )
    if messages[-1]["role"] == "system" and kind == "system":
        kind = "tools"
    if kind == "tools":
        messages += draw(tool_turn(f"toolu_{len(messages)}"))
    elif kind == "said":
        messages += draw(answered_turn())
    elif kind == "system" and features.mid_conversation_system:
        messages.append({"role": "system", "content": draw(texts)})
    elif kind == "fork":
        messages[1:] = draw(answered_turn())
    elif kind == "anew":
        messages[:] = draw(user_turn())
    elif kind == "model":
        body["model"] = draw(st.sampled_from(MODELS))
    elif kind == "parameters":
        model = resolve(body["model"])
        body = {**{k: body[k] for k in ("model", "tools", "system") if k in body}, **draw(parameters(model))}
        body["messages"] = messages
    return body


def places(body: Body) -> Iterator[Block]:
    """Every block of `body` that may carry a marker, in render order: inner content before its result."""
    yield from (tool for tool in body.get("tools") or () if not tool.get("defer_loading"))
    if isinstance(body.get("system"), list):
        yield from body["system"]
    for message in body["messages"]:
        for block in message["content"] if isinstance(message["content"], list) else ():
            inner = block.get("content")
            if block["type"] == "tool_result" and isinstance(inner, list):
                yield from inner
            if block["type"] not in NEVER_MARKED:
                yield block


@st.composite
def marked(draw: st.DrawFn, body: Body) -> Body:
    """`body` under markers of the caller's: of both lifetimes, explicit, automatic, or none."""
    body = copied(body)
    most = 3 if "thread" in body else 4
    if draw(st.integers(0, 3)) == 0:
        body["cache_control"] = draw(
            st.sampled_from([{"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}])
        )
        most -= 1
    found = list(places(body))
    if not found or draw(st.booleans()):
        return body
    recent = range(max(0, len(found) - 3), len(found))
    indices = st.one_of(st.sampled_from(recent), st.integers(0, len(found) - 1))
    chosen = sorted(set(draw(st.lists(indices, min_size=1, max_size=most))))
    hours = len(chosen) if body.get("cache_control", {}).get("ttl") else draw(st.integers(0, len(chosen)))
    for number, index in enumerate(chosen):
        ttl = {"ttl": "1h"} if number < hours else draw(st.sampled_from([{}, {"ttl": "5m"}]))
        found[index]["cache_control"] = {"type": "ephemeral", **ttl}
    return body
