"""Thinking that is bound to where it was thought: the model, and everything before it.

Markers and parameters may change, and thinking may be left out as a run from the oldest or from the end; any
other change before a thinking block breaks its binding. Signatures the emulator did not give are believed:
it cannot know what they were bound to.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, NamedTuple

from scrimp.core.prompt import content_digest
from scrimp.emulator.asked import Asked, flagged
from scrimp.emulator.refusals import Refusal, invalid
from scrimp.wire.request import Block, blocks

__all__ = ["Bound", "Checked", "check", "remember"]

_MOST = 20_000
_SIZE = 16
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})


class Bound(NamedTuple):
    """What a thinking block was thought after.

    `before` is the thinking block before it and `compaction` the summary the conversation began with, by
    their signatures.
    """

    model: str
    prefix: bytes
    before: str | None
    compaction: str | None


class Checked(NamedTuple):
    """Messages without the thinking that was dropped, and what the answer says of it."""

    messages: list[dict[str, Any]]
    transformations: list[dict[str, Any]]


class _Thought(NamedTuple):
    message: int
    block: int
    signature: str
    prefix: bytes
    before: str | None


def check(asked: Asked, known: dict[str, Bound]) -> Checked | Refusal:
    """Whether the thinking of a request stands where it was thought, under the model's rule."""
    messages = asked.messages
    behavior = _behavior(asked)
    if behavior is None:
        return Checked(messages, [])
    broken = next((one for one in _thoughts(asked) if _is_broken(one, known, asked)), None)
    if broken is None:
        return Checked(messages, [])
    if behavior == "error":
        return invalid(
            f"messages.{broken.message}.content.{broken.block}: Invalid `signature` in `thinking` block. "
            "The block is bound to a different conversation. Remove the block, or set "
            '`thinking.block_binding.prefix_mismatch_behavior` to "drop_block".'
        )
    return _dropped(asked, broken, known)


def remember(asked: Asked, content: list[dict[str, Any]], known: dict[str, Bound]) -> None:
    """Bind the thinking of an answer to the request it answers."""
    answered = {**asked.body, "messages": [*asked.messages, {"role": "assistant", "content": content}]}
    for thought in _thoughts_of(answered):
        if thought.message == len(asked.messages):
            compaction = _compaction(asked)
            known[thought.signature] = Bound(asked.model.id, thought.prefix, thought.before, compaction)
    while len(known) > _MOST:
        del known[next(iter(known))]


def _behavior(asked: Asked) -> str | None:
    """What happens to thinking out of place: `error`, `drop_block`, or None where nothing is checked."""
    binding = asked.model.features.thinking_binding
    wanted = asked.part("thinking").get("block_binding")
    stated = wanted.get("prefix_mismatch_behavior") if isinstance(wanted, dict) else None
    chosen = stated if flagged(asked, "thinking-binding-controls-") else None
    if binding == "always":
        return str(chosen or "error")
    return str(chosen) if binding == "optional" and chosen else None


def _is_broken(thought: _Thought, known: dict[str, Bound], asked: Asked) -> bool:
    bound = known.get(thought.signature)
    if bound is None:
        return False
    if bound.model != asked.model.id:
        return True
    compaction = _compaction(asked)
    if compaction is not None and compaction != bound.compaction:
        return False  # thought before the summary: its own beginning is what the summary stands for
    gap = thought.before is not None and thought.before in known and thought.before != bound.before
    return gap or bound.prefix != thought.prefix


def _compaction(asked: Asked) -> str | None:
    """The signature of the summary that a conversation begins with."""
    content = asked.messages[0]["content"] if asked.messages else None
    first = content[0] if isinstance(content, list) and content else {}
    return first.get("signature") if first.get("type") == "compaction" else None


def _dropped(asked: Asked, broken: _Thought, known: dict[str, Bound]) -> Checked:
    """The first thinking that is out of place goes, and all thinking after it."""
    bound = known[broken.signature]
    reason = "model_binding_mismatch" if bound.model != asked.model.id else "prefix_binding_mismatch"
    gone = [
        (one.message, one.block)
        for one in _thoughts(asked)
        if (one.message, one.block) >= (broken.message, broken.block)
    ]
    said = [
        {"type": "thinking_dropped", "path": f"messages.{message}.content.{block}", "reason": reason}
        for message, block in gone
    ]
    left = [
        {
            **message,
            "content": [block for number, block in enumerate(message["content"]) if (at, number) not in gone],
        }
        if isinstance(message["content"], list)
        else message
        for at, message in enumerate(asked.messages)
    ]
    return Checked(left, said)


def _thoughts(asked: Asked) -> Iterator[_Thought]:
    return _thoughts_of(asked.body)


def _thoughts_of(body: dict[str, Any]) -> Iterator[_Thought]:
    """Every signed thinking block with the digest of what is before it, other thinking left out."""
    state = blake2b(digest_size=_SIZE)
    before: str | None = None
    for block in blocks(body):
        if block.kind in _THOUGHTS and block.section == "messages":
            signature = str(block.value.get("signature") or block.value.get("data") or "")
            yield _Thought(block.message, int(block.path[-1]), signature, state.digest(), before)
            before = signature
        elif not _is_deferred(block):
            state.update(block.role.encode() + content_digest(block))


def _is_deferred(block: Block) -> bool:
    """Whether a tool is not in the prompt until something refers to it."""
    return block.section == "tools" and bool(block.value.get("defer_loading"))
