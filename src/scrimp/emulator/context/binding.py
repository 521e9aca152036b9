"""Thinking that is bound to where it was thought: the model, and everything before it.

Markers and parameters may change, and thinking may be left out as a run from the oldest or from the end; any
other change before a thinking block breaks its binding. Signatures the emulator did not give are believed:
it cannot know what they were bound to.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from hashlib import blake2b
from typing import Any, NamedTuple

from scrimp.core.digests import content_digest
from scrimp.emulator.asked import Asked, flagged
from scrimp.emulator.refusals import Refusal, invalid
from scrimp.wire.request import Block, blocks

__all__ = ["Bound", "Checked", "check", "remember", "settings"]

_MOST = 20_000
_SIZE = 16
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})


class Bound(NamedTuple):
    """What a thinking block said, and what it was thought after.

    `before` is the thinking block before it and `compaction` the summary the conversation began with, by
    their signatures. `binds` says that its model binds thinking to all of that.
    """

    said: bytes
    model: str
    prefix: bytes
    before: str | None
    compaction: str | None
    binds: bool


class Checked(NamedTuple):
    """Messages without the thinking that was dropped, and what the answer says of it."""

    messages: list[dict[str, Any]]
    transformations: list[dict[str, Any]]


class _Thought(NamedTuple):
    message: int
    block: int
    signature: str
    said: bytes
    prefix: bytes
    before: str | None


def settings(asked: Asked) -> Refusal | None:
    """What is wrong with `thinking.block_binding`."""
    wanted = asked.part("thinking").get("block_binding")
    if wanted is None:
        return None
    if not flagged(asked, "thinking-binding-controls-"):
        return invalid("thinking.block_binding: Extra inputs are not permitted")
    behavior = wanted.get("prefix_mismatch_behavior") if isinstance(wanted, dict) else None
    if behavior in (None, "error", "drop_block"):
        return None
    return invalid("thinking.block_binding.prefix_mismatch_behavior: Input should be 'error' or 'drop_block'")


def check(asked: Asked, known: dict[str, Bound]) -> Checked | Refusal:
    """Whether the thinking of a request stands where it was thought, under the model's rule."""
    messages = asked.messages
    edited = next((one for one in _thoughts(asked) if _is_edited(one, known)), None)
    if edited is not None:
        return _edited(edited, messages)
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
            known[thought.signature] = Bound(
                said=thought.said,
                model=asked.model.id,
                prefix=thought.prefix,
                before=thought.before,
                compaction=_compaction(asked),
                binds=asked.model.features.thinking_binding != "none",
            )
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
    if bound is None or not bound.binds:
        return False
    if bound.model != asked.model.id:
        return True
    compaction = _compaction(asked)
    if compaction is not None and compaction != bound.compaction:
        return False  # thought before the summary: its own beginning is what the summary stands for
    gap = thought.before is not None and thought.before in known and thought.before != bound.before
    return gap or bound.prefix != thought.prefix


def _is_edited(thought: _Thought, known: dict[str, Bound]) -> bool:
    bound = known.get(thought.signature)
    return bound is not None and bound.said != thought.said


def _edited(thought: _Thought, messages: list[dict[str, Any]]) -> Refusal:
    """Thinking that does not say what was signed; the latest answer has words of its own for it."""
    path = f"messages.{thought.message}.content.{thought.block}"
    latest = max(at for at, message in enumerate(messages) if message["role"] == "assistant")
    if thought.message == latest:
        return invalid(
            f"{path}: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be "
            "modified. These blocks must remain as they were in the original response."
        )
    return invalid(f"{path}: Invalid `signature` in `thinking` block")


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
    found = list(blocks(body))
    referred = {block.value.get("tool_name") for block in found if block.kind == "tool_reference"}
    for block in found:
        if block.kind in _THOUGHTS and block.section == "messages":
            signature = str(block.value.get("signature") or block.value.get("data") or "")
            said = content_digest(block)
            yield _Thought(block.message, int(block.path[-1]), signature, said, state.digest(), before)
            before = signature
        elif not _is_deferred(block, referred):
            state.update(block.role.encode() + content_digest(block))


def _is_deferred(block: Block, referred: Container[str | None]) -> bool:
    """Whether a tool is not in the prompt since nothing refers to it yet."""
    if block.section != "tools" or not block.value.get("defer_loading"):
        return False
    return block.value.get("name") not in referred
