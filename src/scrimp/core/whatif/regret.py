"""Regret: what a recorded answer says that only removed content could have told it.

An answer's tool inputs and texts are looked through for needles (`regret_needles`). One that stood in removed
content and in nothing the call still carried – no block before or after, no placeholder, nothing said since –
was needed: the model would have had to look it up again, or would have gone wrong. That is the upper bound of
what the model would have missed, since some of it is common knowledge or could have been guessed.
"""

from __future__ import annotations

from collections.abc import Collection

from scrimp.core.prompt import Prompt
from scrimp.core.whatif.clearing_cut import Cut
from scrimp.core.whatif.regret_needles import NeedleReader

__all__ = ["missed"]

_SAID = frozenset({"text", "tool_use"})


def missed(
    prompt: Prompt, asked: int, cut: Cut, reader: NeedleReader, *, back: Collection[int] = ()
) -> list[int]:
    """Positions of removed content that the answer to the call of `asked` positions used.

    `prompt` is a later one of that conversation, as recorded; the call was sent under `cut`, but for the
    positions `back`, which had been fetched again. Of several that say the same the last one counts.
    """
    gone = [position for position in cut.left if position < asked and position not in back]
    said = _said(prompt, asked, reader) if gone else None
    if not said:
        return []
    blocks, digests = prompt.blocks, prompt.digests
    told = {
        position: names & said
        for position in gone
        if not (names := reader.read(blocks[position], digests[position])).isdisjoint(said)
    }
    wanted = set().union(*told.values())
    for position in range(asked):
        if not wanted:
            return []
        if position not in cut.left or position in back:
            wanted -= reader.read(blocks[position], digests[position])
    found = []
    for position in sorted(told, reverse=True):
        if told[position] & wanted:
            wanted -= told[position]
            found.append(position)
    return found


def _said(prompt: Prompt, asked: int, reader: NeedleReader) -> frozenset[int]:
    """The needles of what the model said from position `asked` on."""
    found: frozenset[int] = frozenset()
    for number in range(asked, len(prompt)):
        block = prompt.blocks[number]
        if block.role == "assistant" and block.kind in _SAID:
            found |= reader.read(block, prompt.digests[number])
    return found
