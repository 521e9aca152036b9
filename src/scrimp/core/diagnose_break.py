"""Whether a request breaks the prefix of an earlier one, or only begins like it."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

import msgspec

from scrimp.core.carry.clearing import is_placeholder
from scrimp.core.causes import Cause, cause_of_change, cause_of_switch
from scrimp.core.changes import Change, Difference, first_difference, shared_after
from scrimp.core.diagnose_memory import Call, Mark, Talk
from scrimp.core.prompt import Digest
from scrimp.core.settings import Setting, first_break, switched

__all__ = ["Break", "find_break"]

_ALIKE = 0.5
"""Share of a block that must have stayed for it to be the same block, edited."""

_MANY = 4
_LAST_FEW = 3
"""Message blocks: shared by chance no more; at the end, where the newest turn is."""


class Break(msgspec.Struct, frozen=True):
    """Where and why a prefix ended early. `mark` is the entry that is out of reach by it.

    `continues` says that the request goes on with the same conversation; else it is a new one that lost the
    static part all conversations of its kind share.
    """

    position: int
    cause: Cause
    change: Change | None
    mark: Mark
    continues: bool
    also: tuple[Cause, ...] = ()


def find_break(talk: Talk, call: Call) -> Break | None:
    """The break between a conversation's last request and `call`, or None where there is none.

    Two requests that merely share a beginning are two conversations. They are one, broken, if what comes
    after the break is the same again, or if the very block that differs is recognisably the same.
    """
    before = talk.call
    if not talk.marks:
        return None
    difference = first_difference(before.prompt, call.prompt)
    settings = switched(before.settings, call.settings)
    static_end = call.prompt.static_end
    tools_end = call.prompt.section_end("tools")
    breaks: list[tuple[int, Setting | Difference]] = [
        (first_break(name, tools_end=tools_end, static_end=static_end), name) for name in settings
    ]
    if difference is not None:
        breaks.append((difference.position, difference))
    if not breaks:
        return None
    position, first = min(breaks, key=itemgetter(0))
    why = first if isinstance(first, Difference) else None
    if position <= talk.deepest and _goes_on(talk, call, position, why):
        mark, continues = talk.marks[-1], True
    else:
        static = talk.mark_within(before.prompt.static_end)
        if static is None or why is None or position > static.position:
            return None
        if not _same_static(talk, call, why.change):
            return None
        mark, continues = static, False
    cause, *others = (_cause_of(one, call) for one in (first, *(one for _, one in breaks)))
    also = tuple(other for other in others if other is not cause)
    return Break(position, cause, why.change if why else None, mark, continues=continues, also=also)


def _cause_of(found: Setting | Difference, call: Call) -> Cause:
    if not isinstance(found, Difference):
        return cause_of_switch(found)
    blocks = call.prompt.blocks
    block = blocks[found.position] if found.position < len(blocks) else None
    if block is not None and block.kind == "compaction":
        return Cause.COMPACTED
    if block is not None and is_placeholder(block.value):
        return Cause.CLEARED
    cause = cause_of_change(found.change)
    return Cause.CLEARED if cause is Cause.THINKING_DROPPED and call.settings.clears else cause


def _goes_on(talk: Talk, call: Call, position: int, difference: Difference | None) -> bool:
    """Whether `call` is the next step of the conversation in spite of the break.

    Sub-agents begin alike and then say something else, so what the conversation said last must be there
    again, or most of what it said; and a model that answers differently begins another conversation.
    """
    before, after = talk.call, call
    shared = shared_after(before.prompt, after.prompt, position)
    beyond = talk.deepest - max(position, before.prompt.static_end + 1) + 1
    last_again = before.prompt.digests[-1] in after.prompt.digests[after.prompt.static_end + 1 :]
    if shared and (last_again or (shared >= _MANY and 2 * shared >= beyond)):
        return shared >= _MANY or after.related(before)
    if difference is None or difference.section != "messages" or not after.related(before):
        return False
    if after.prompt.blocks[position].role == "assistant" or beyond > _LAST_FEW:
        return False
    longer, change = len(after.prompt) > len(before.prompt), difference.change
    return change.volatile or (longer and change.alike >= _ALIKE and change.offset is not None)


def _same_static(talk: Talk, call: Call, change: Change) -> bool:
    """Whether a new conversation has the static part of an earlier one, but for the change."""
    if change.volatile:
        return change.alike >= _ALIKE or talk.call.related(call)
    if not talk.call.related(call) or change.alike < _ALIKE:
        return False
    if change.section != "tools":
        return True
    # Another system prompt with other tools is another agent.
    old, new = _static(talk.call), _static(call)
    return old[1] == new[1] and 2 * sum(digest in old[0] for digest in new[0]) >= len(new[0])


def _static(call: Call) -> tuple[Sequence[Digest], Sequence[Digest]]:
    """The digests of tools and of system blocks."""
    prompt = call.prompt
    tools = prompt.section_end("tools") + 1
    return prompt.digests[:tools], prompt.digests[tools : prompt.static_end + 1]
