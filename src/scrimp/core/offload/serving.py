"""Answering `scrimp_fetch` for an agent that does not know it: the rounds behind one answer.

The model calls a tool that the agent never offered, so the agent must not see the call. An answer that calls
nothing else is followed by another request, with the result, and so on; the agent gets one answer. Where the
model calls the agent's own tools beside it, the agent gets those calls alone, and the result goes out with
theirs in its next request. What was kept from the agent is put back in each of its later requests (`hidden`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from scrimp.core.offload.answering import Fetched
from scrimp.core.offload.fetch_tool import offers
from scrimp.core.offload.hidden import Hidden
from scrimp.core.offload.hidden_turn import THINKING, Block, Round, Turn, is_fetch
from scrimp.core.offload.serving_usage import summed
from scrimp.wire.api_error import read_error
from scrimp.wire.request import Body

__all__ = ["MOST_ROUNDS", "PAUSED", "UNBOUND", "Rounds", "Server", "is_unbound", "serves"]

MOST_ROUNDS = 8
"""Requests that one answer may take."""

PAUSED = "pause_turn"
"""How an answer stops that would go on with another request: sent back as it is, it goes on ("Handling stop
reasons")."""

_BEDROCK = "anthropic."
"""What the names of its models have that no others do."""

_OTHER_HISTORY = "bound to a different conversation"

_FROM_THE_LAST = ("stop_reason", "stop_sequence", "stop_details", "container", "context_management")


@runtime_checkable
class Server(Protocol):
    """Who answers `scrimp_fetch`, and remembers what agents are not shown."""

    hidden: Hidden

    def answer(self, asked: Mapping[str, Any], scope: str) -> Fetched:
        """The result of one use of the tool, whose input is `asked`."""


UNBOUND = "thinking that the API takes no more was left out: what scrimp kept of a conversation is lost"
"""What is told where that happens."""


def is_unbound(refusal: bytes) -> bool:
    """Whether the API refused a request since thinking in it belongs to another history."""
    return _OTHER_HISTORY in read_error(400, refusal).message


def serves(body: Body) -> bool:
    """Whether calls of the tool can be answered here, and are to be: not where the caller offers it itself.

    Amazon Bedrock streams in a format of its own, in which nothing can be put.
    """
    if not isinstance(body.get("messages"), list) or body.get("thread") is not None:
        return False
    return _BEDROCK not in str(body.get("model")) and not offers(body)


class Rounds:
    """The requests that one answer takes, from the caller's own on.

    `body` is what goes out next. Hand each answer to `took`, and the results it asks for to `answered`; when
    there are none, or that says so, `message` is what the caller gets.
    """

    def __init__(self, body: Body, most: int = MOST_ROUNDS) -> None:
        self.body = body
        self._own = body
        self._most = most
        self._answers: list[Mapping[str, Any]] = []
        self._rounds: list[Round] = []
        self._moot = False

    def took(self, message: Mapping[str, Any]) -> Sequence[Block]:
        """The next answer of the API; returns the calls of the tool that are to be answered."""
        content = _blocks(message)
        calls = [block for block in content if is_fetch(block)]
        self._answers.append(message)
        # A call that was cut, or that the model took back, is never answered: it has no place in the history.
        self._moot = bool(calls) and message.get("stop_reason") != "tool_use"
        kept = [_called(block) for block in content if not (self._moot and is_fetch(block))]
        self._rounds.append(Round(kept))
        return [] if self._moot else [_called(block) for block in calls]

    def answered(self, results: Sequence[Fetched]) -> bool:
        """The results of the calls, in their order; whether another request goes out (`body`)."""
        last = self._rounds[-1]
        calls = [block for block in last.content if is_fetch(block)]
        last.results.extend(_result(call, result) for call, result in zip(calls, results, strict=True))
        if not self.waits:
            return False
        said = {"role": "assistant", "content": _without_empty(last.content)}
        told = {"role": "user", "content": list(last.results)}
        self.body = {**self.body, "messages": [*self.body["messages"], said, told]}
        return len(self._rounds) < self._most

    @property
    def began(self) -> bool:
        """Whether an answer has been taken."""
        return bool(self._answers)

    @property
    def changed(self) -> bool:
        """Whether the caller's answer is another than the API's last one."""
        return len(self._answers) > 1 or self._moot or any(one.results for one in self._rounds)

    @property
    def speaks(self) -> bool:
        """Whether there is anything to show: words, or calls of the caller's tools."""
        return any(block.get("type") not in THINKING for block in self._shown())

    def message(self) -> dict[str, Any]:
        """The one answer: what all of them said, in order, and what they cost together."""
        first, last = self._answers[0], self._answers[-1]
        ends = {name: last[name] for name in _FROM_THE_LAST if name in last}
        message = {**first, **ends, "content": self._shown(), "usage": self.usage()}
        if self.waits:
            message.update(stop_reason=PAUSED, stop_sequence=None)
        return message

    def usage(self) -> dict[str, Any]:
        """What all rounds so far were billed."""
        usages = [usage for one in self._answers if isinstance(usage := one.get("usage"), Mapping)]
        return summed(usages)

    @property
    def waits(self) -> bool:
        """Whether a request would have to follow that does not."""
        return Turn(self._rounds).waits

    @property
    def turn(self) -> Turn | None:
        """What the caller's answer stands for; None where it hides nothing."""
        if not any(one.results for one in self._rounds):
            return None
        return Turn([Round(_without_empty(one.content), one.results) for one in self._rounds])

    def keep(self, hidden: Hidden, scope: str, lock: AbstractContextManager[Any]) -> None:
        """Remember what the caller is not shown, before it sees the end of its answer; may take a while."""
        turn = self.turn
        if turn is None:
            return
        with lock:
            kept = hidden.remember(self._own["messages"], turn, scope)
        if kept is not None:
            hidden.write(*kept)

    def _shown(self) -> list[Block]:
        return Turn(self._rounds).shown


def _blocks(message: Mapping[str, Any]) -> list[Block]:
    content = message.get("content")
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _called(block: Block) -> Block:
    """A block as it may be sent back: the input of a call that was streamed may turn out to be no JSON."""
    if not is_fetch(block) or isinstance(block.get("input"), dict):
        return block
    return {**block, "input": {}}


def _without_empty(content: Sequence[Block]) -> list[Block]:
    """What may be sent back: the API gives empty text at times, and takes none."""
    return [block for block in content if block.get("type") != "text" or str(block.get("text") or "").strip()]


def _result(call: Block, result: Fetched) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": call.get("id"), "content": result.text}
    return {**block, "is_error": True} if result.is_error else block
