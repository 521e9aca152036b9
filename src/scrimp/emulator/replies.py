"""Where answers come from, and what an answer is before it becomes JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from scrimp.core.prompt import Prompt
from scrimp.emulator.asked import Asked
from scrimp.emulator.measure import PromptLength
from scrimp.emulator.refusals import Refusal
from scrimp.errors import InputError

__all__ = [
    "Answer",
    "Block",
    "Replies",
    "Reply",
    "Scripted",
    "Spoken",
    "as_replies",
    "text",
    "thinking",
    "tool_use",
]

Block: TypeAlias = dict[str, Any]
"""A content block of an answer."""


class Answer(msgspec.Struct, frozen=True):
    """What the model says.

    Left out, `stop_reason` is `tool_use` after a tool call and else `end_turn`, and `output_tokens` (thinking
    included) are estimated from the content. Blocks may leave out ids and signatures. `extra` are further
    fields of the message, `usage` further fields of its usage block.
    """

    content: Sequence[Block]
    stop_reason: str | None = None
    stop_sequence: str | None = None
    output_tokens: int | None = None
    thinking_tokens: int | None = None
    model: str | None = None
    extra: Mapping[str, Any] = {}
    usage: Mapping[str, Any] = {}


Reply: TypeAlias = str | Block | Sequence[Block] | Answer | Refusal
"""What a script may say: a text, a block, blocks, a whole answer, or an error."""


class Replies:
    """A source of answers; subclass it, or pass a function."""

    def answer(self, asked: Asked, prompt: Prompt) -> Answer | Refusal:
        """The answer to a valid request. Called once per attempt that reaches the model."""
        raise NotImplementedError  # each source has its own

    def length(self, asked: Asked, prompt: Prompt) -> PromptLength | None:  # noqa: ARG002  # a default
        """How long the prompt is where the source knows better than an estimate, else None."""
        return None


class Scripted(Replies):
    """Answers in order; the last one repeats."""

    def __init__(self, script: Sequence[Reply]) -> None:
        """Raises `InputError` for an empty script."""
        if not script:
            raise InputError("the script is empty: give at least one answer")
        self._script = [as_answer(reply) for reply in script]
        self._next = 0

    def answer(self, asked: Asked, prompt: Prompt) -> Answer | Refusal:  # noqa: ARG002  # says what it says
        """The next line of the script."""
        reply = self._script[min(self._next, len(self._script) - 1)]
        self._next += 1
        return reply


class Spoken(Replies):
    """Answers from a function of the request's body."""

    def __init__(self, speak: Callable[[dict[str, Any]], Reply]) -> None:
        self._speak = speak

    def answer(self, asked: Asked, prompt: Prompt) -> Answer | Refusal:  # noqa: ARG002  # the body says it all
        """What the function says."""
        return as_answer(self._speak(asked.body))


def as_replies(source: Replies | Callable[[dict[str, Any]], Reply] | Sequence[Reply] | None) -> Replies:
    """Any source of answers as `Replies`; None says hello."""
    if isinstance(source, Replies):
        return source
    if source is None:
        return Scripted(["Hello from the emulator."])
    return Scripted(source) if isinstance(source, Sequence) else Spoken(source)


def as_answer(reply: Reply) -> Answer | Refusal:
    """One line of a script as an answer."""
    if isinstance(reply, (Answer, Refusal)):
        return reply
    if isinstance(reply, str):
        return Answer((text(reply),) if reply else ())
    return Answer((reply,) if isinstance(reply, Mapping) else tuple(reply))


def text(said: str) -> Block:
    """A text block."""
    return {"type": "text", "text": said}


def tool_use(name: str, arguments: Mapping[str, Any] | None = None, *, identity: str | None = None) -> Block:
    """A tool call; its id is made up unless given."""
    block: Block = {"type": "tool_use", "name": name, "input": dict(arguments or {})}
    return block if identity is None else {**block, "id": identity}


def thinking(thought: str, signature: str | None = None) -> Block:
    """A thinking block; its signature is made up unless given."""
    block: Block = {"type": "thinking", "thinking": thought}
    return block if signature is None else {**block, "signature": signature}
