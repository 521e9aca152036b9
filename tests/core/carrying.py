"""An agent whose steps go through `scrimp.Carry` and a workspace to the emulator, without HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scrimp.core.levers import Answered, Change, Lever, Step
from scrimp.core.plan import Decision
from scrimp.core.record import Tags
from scrimp.core.workspace import Workspace
from scrimp.emulator.ids import Ids
from scrimp.emulator.measure import Estimated
from scrimp.emulator.provider import Provider, Serving
from scrimp.emulator.refusals import Refusal
from scrimp.emulator.replies import as_replies
from scrimp.facts.models import default
from scrimp.wire.request import with_markers
from tests.copies import copied

__all__ = ["NOON", "Message", "Sent", "Session", "result", "tool_turn", "use"]

NOON = 1_795_000_000.0
HEADERS = {"anthropic-version": "2023-06-01"}
SYSTEM = "Follow the rules of the house. " * 600
TOOLS = [{"name": "read", "description": "Read a file. " * 40, "input_schema": {"type": "object"}}]
MEASURE = Estimated()

Message = dict[str, Any]


def use(name: str, tool: str = "read", **asked: Any) -> dict[str, Any]:
    """A tool call."""
    return {"type": "tool_use", "id": name, "name": tool, "input": asked or {"path": name}}


def result(name: str, words: int, *, nested: bool = False) -> dict[str, Any]:
    """Its result, of about so many tokens."""
    text = f"{name} " + "line " * words
    content: Any = [{"type": "text", "text": text}] if nested else text
    return {"type": "tool_result", "tool_use_id": name, "content": content}


def tool_turn(step: int, words: int = 2_000, **how: Any) -> list[Message]:
    """An answer that calls a tool, and the result."""
    name = f"toolu_{step}"
    return [
        {"role": "assistant", "content": [use(name)]},
        {"role": "user", "content": [result(name, words, **how)]},
    ]


class Sent:
    """One step: what went out, what came back, and how much of it was foreseen to be read."""

    def __init__(self, body: dict[str, Any], serving: Serving | Refusal, foreseen: int) -> None:
        self.body, self.serving, self.foreseen = body, serving, foreseen
        self.change: Change | None = None

    @property
    def answered(self) -> Serving:
        assert isinstance(self.serving, Serving), self.serving
        return self.serving

    @property
    def edits(self) -> list[dict[str, Any]]:
        """The edits that went out."""
        found: list[dict[str, Any]] = (self.body.get("context_management") or {}).get("edits") or []
        return found

    @property
    def decisions(self) -> tuple[Decision, ...]:
        return self.change.decisions if self.change else ()


class Session:
    """One workspace, one lever (or none) and one account at the emulator. Bills are picodollars."""

    def __init__(
        self,
        lever: Lever | None = None,
        *,
        model: str = "claude-sonnet-4-6",
        replies: Sequence[Any] = ("ok",),
    ) -> None:
        self.lever, self.model = lever, model
        self.workspace = Workspace(default())
        script, ids = as_replies(list(replies)), Ids("s")
        self.provider = Provider(
            default(), script, measure=MEASURE, ids=ids, route="anthropic", retires=False
        )
        self.now = NOON
        self.spent = 0
        self.shown = default().resolve(model)
        """The model as levers are shown it."""

    def body(self, messages: Sequence[Message], **fields: Any) -> dict[str, Any]:
        """A request with these messages."""
        asked = {"model": self.model, "max_tokens": 1_000, "system": SYSTEM, "tools": TOOLS}
        return {**asked, "messages": copied(list(messages)), **fields}

    def step(self, body: dict[str, Any], *, betas: Sequence[str] = (), gap: float = 20.0) -> Sent:
        """Send a request as the lever and the plan would have it, and wait for so many seconds."""
        before = copied(body)
        step = Step(
            body=body,
            model=self.shown,
            tags=Tags(agent="worker"),
            now=self.now,
            look=lambda one: self.workspace.look(one, self.now, "worker"),
            betas=frozenset(betas),
        )
        change = self.lever.change(step) if self.lever is not None else None
        assert body == before, "a lever changed the caller's own request"
        given = (*betas, *(change.betas if change else ()))
        assert len(set(given)) == len(given), "a beta twice"
        sent = self._sent(change.body if change else body, given)
        sent.change = change
        if self.lever is not None and isinstance(sent.serving, Serving):
            self.lever.answered(step, self._answered(sent.serving, change))
        self.now += gap
        return sent

    def _sent(self, body: Any, betas: Sequence[str]) -> Sent:
        planned = self.workspace.plan(body, self.now, label="worker")
        assert planned is not None
        out = dict(with_markers(body, planned.plan.edits))
        headers = {**HEADERS, "anthropic-beta": ",".join(betas)}
        asked = self.provider.ask(copied(out), headers, self.now)
        serving = self.provider.serve(asked, "account", self.now, "req")
        sent = Sent(out, serving, planned.plan.chosen.outcome.read)
        if isinstance(serving, Refusal):
            self.workspace.dropped(planned)
            return sent
        self.provider.began(serving, self.now + 1)
        self.provider.settle(serving, began_at=self.now + 1, ended_at=self.now + 2)
        self.spent = sum(book.bill.total for book in self.provider.books)
        self.workspace.sent(planned, self.now, self.now + 1)
        self.workspace.billed(planned, serving.usage, serving.message["id"], edited(serving))
        return sent

    def _answered(self, serving: Serving, change: Change | None) -> Answered:
        return Answered(
            serving.usage,
            serving.said.stop_reason,
            complete=True,
            at=self.now + 2,
            message=serving.message if change is not None and change.reads_answer else None,
            edited=edited(serving),
        )


def edited(serving: Serving) -> dict[str, int] | None:
    """What the answer says was taken out, by type of edit."""
    told = serving.message.get("context_management")
    if told is None:
        return None
    counts = ("cleared_tool_uses", "cleared_thinking_turns")
    return {edit["type"]: next(edit[one] for one in counts if one in edit) for edit in told["applied_edits"]}
