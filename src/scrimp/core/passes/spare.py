"""Where markers go as long as slots are free: these cost nothing there."""

from __future__ import annotations

from scrimp.core.prompt import Prompt

__all__ = ["spare_places"]


def spare_places(prompt: Prompt, tail: int | None) -> list[int | None]:
    """The best first, some of them perhaps none; `tail` is what the next step is expected to share.

    Where the step before may have left an entry that this process does not know of; the caller's own, which
    may know which block stays; what precedes the last block of a turn, which may be one question of many; the
    last tool.
    """
    places = [_last_question(prompt)]
    if prompt.markers:
        places += sorted([marker.position for marker in prompt.markers], reverse=True)
    tools = prompt.tools_end
    places.append(_before(prompt, tail))
    places.append(prompt.last_markable(tools) if tools >= 0 else None)
    return places


def _last_question(prompt: Prompt) -> int | None:
    """Where the step before ended: the last block before the model's last reply."""
    blocks, static_end = prompt.blocks, prompt.static_end
    position = len(blocks) - 1
    for role in ("user", "assistant"):
        while position > static_end and blocks[position].role == role:
            position -= 1
    return prompt.last_markable(position) if position > static_end else None


def _before(prompt: Prompt, tail: int | None) -> int | None:
    """The block before the last of its message."""
    blocks = prompt.blocks
    if not tail or blocks[tail - 1].message != blocks[tail].message:
        return None
    position = prompt.last_markable(tail - 1)
    return position if position is not None and blocks[position].message == blocks[tail].message else None
