"""Conversations with large results, and what the lever makes of them."""

from __future__ import annotations

from typing import Any

from scrimp.core.levers import Change, Step
from scrimp.core.record import Tags
from scrimp.facts.models import default
from scrimp.offloading import Offload
from scrimp.stores.offload_memory import MemoryOffload
from tests.copies import copied

NOON = 1_795_000_000.0
MODEL = default().resolve("claude-opus-4-8")
TOOLS = [
    {"name": "read", "input_schema": {"type": "object"}},
    {"name": "list", "input_schema": {"type": "object"}},
]
LOG = "\n".join(
    f"2026-03-01 10:{at // 60:02}:{at % 60:02} INFO served page {at} in {at % 17} ms" for at in range(900)
).replace("page 700 in", "ERROR job 88213 lost in")
Body = dict[str, Any]
Blocks = list[dict[str, Any]]


def asked(*messages: dict[str, Any], **fields: Any) -> Body:
    return {
        "model": "claude-opus-4-8",
        "max_tokens": 100,
        "tools": TOOLS,
        "messages": list(messages),
        **fields,
    }


def user(*content: Any) -> dict[str, Any]:
    return {
        "role": "user",
        "content": content[0] if len(content) == 1 and isinstance(content[0], str) else list(content),
    }


def call(use: str = "toolu_1", tool: str = "read", **given_: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": use, "name": tool, "input": given_}]}


def result(content: Any = LOG, use: str = "toolu_1", **fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": use, "content": content, **fields}


def step(body: Body, **fields: Any) -> Step:
    given_ = {"model": MODEL, "tags": Tags(), "now": NOON, "look": lambda body: None, **fields}
    return Step(body=body, **given_)


def change(lever: Offload, body: Body, **fields: Any) -> Change | None:
    before = copied(body)
    found = lever.change(step(body, **fields))
    assert body == before  # the caller's own request is never touched
    return found


def sent(lever: Offload, body: Body, **fields: Any) -> Body:
    found = change(lever, body, **fields)
    return dict(body if found is None else found.body)


def begun(lever: Offload, *messages: dict[str, Any], **fields: Any) -> Body:
    """A conversation that begins, and goes on with these messages: its last request as it goes out."""
    sent(lever, asked(user("task"), **fields))
    return sent(lever, asked(user("task"), *messages, **fields))


def text_of(body: Body, at: int = 2, block: int = 0) -> str:
    found: str = body["messages"][at]["content"][block]["content"]
    return found


def handle_of(text: str) -> str:
    return text.split('handle="')[1][:16]


def lever(**settings_: Any) -> Offload:
    return Offload(**{"store": MemoryOffload(), "always": True, **settings_})
