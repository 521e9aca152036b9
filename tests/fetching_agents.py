"""An agent whose model fetches what was left out, and a lever that offers the tool and answers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scrimp.core.levers import Answered, Change, Step
from scrimp.core.offload.answering import Fetched
from scrimp.core.offload.fetch_tool import with_fetch
from scrimp.core.offload.hidden import Hidden, HiddenStore
from scrimp.core.offload.scopes import scope_of
from scrimp.core.plan import Mode
from scrimp.emulator.replies import Block, text, thinking, tool_use

MODEL = "claude-fable-5-2"
"""One that binds its thinking to an unchanged history, for everybody."""

SYSTEM = "You are a careful engineer who reads logs before answering. " * 400
LS = {"name": "ls", "description": "List files.", "input_schema": {"type": "object", "properties": {}}}
LOG = "\n".join(f"line {number} of the log" for number in range(1, 200))
HANDLE = "abcdefghijklmnop"


class Offering:
    """Offers the tool in every request, and answers it from one text."""

    name = "offering"
    mode: Mode = "save"

    def __init__(self, store: HiddenStore | None = None) -> None:
        self.hidden = Hidden(store)
        self.asked: list[tuple[Mapping[str, Any], str]] = []

    def change(self, step: Step) -> Change:
        return Change(with_fetch(self.hidden.restored(step.body, scope_of(step.tags))))

    def answered(self, step: Step, answered: Answered) -> None: ...

    def refused(self, step: Step) -> None: ...

    def answer(self, asked: Mapping[str, Any], scope: str) -> Fetched:
        self.asked.append((asked, scope))
        if asked.get("handle") != HANDLE:
            return Fetched("Nothing is kept under it.", is_error=True)
        first, _, last = str(asked["range"]).partition("-")
        return Fetched("\n".join(LOG.splitlines()[int(first) - 1 : int(last)]))


def fetch(lines: str = "7-9") -> Block:
    return tool_use("scrimp_fetch", {"handle": HANDLE, "range": lines})


FETCHED = (
    [thinking("Which line?"), text("Let me look."), fetch()],
    [thinking("It is in line 7."), text("It fails in line 7.")],
)
"""One fetch, then the answer."""

BESIDE = (
    [thinking("Both."), tool_use("ls", {"path": "src"}), fetch(), tool_use("ls", {"path": "tests"})],
    [thinking("Now I know."), text("It is in src.")],
)
"""A fetch between two calls of the agent's own tool, and the answer to all of them."""


def ask(messages: list[Any], **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 1000, "system": SYSTEM, "tools": [LS], "messages": messages, **more}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def said(message: Any) -> dict[str, Any]:
    """A message of the SDK as an agent sends it back."""
    return {"role": "assistant", "content": message.content}


def results(message: Any) -> dict[str, Any]:
    """The results of all calls of a message that an agent can see."""
    calls = [block for block in message.content if block.type == "tool_use"]
    assert all(block.name == "ls" for block in calls)
    return user([{"type": "tool_result", "tool_use_id": block.id, "content": "a.py"} for block in calls])


def kinds(message: Any) -> list[str]:
    return [block.type for block in message.content]
