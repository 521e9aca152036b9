"""Conversations as a lever follows them: the call each one extends, and what was cut in it so far."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scrimp.core.forgetting import forget_oldest
from scrimp.core.prompt import Digest, Prompt, is_input
from scrimp.core.reproduce import Measured
from scrimp.core.whatif.clearing_cut import NO_CUT, Cut, Shorter
from scrimp.core.whatif.refetch import Fetched
from scrimp.wire.request import Block

__all__ = ["Pieces", "Thread", "Threads", "ToolUse", "Waited", "pieces_of"]

_PREFIXES_REMEMBERED = 100_000
_REACH = 12
"""Positions at the end of a prompt that the next one may lack and still go on with it."""
_THINKING = frozenset({"thinking", "redacted_thinking"})


class ToolUse(msgspec.Struct, frozen=True):
    """A tool use with its result, by position: `use` is -1 where it is not in the prompt.

    The blocks nested in the result lie from `begins` up to `result`, which is its own position.
    """

    name: str
    use: int
    begins: int
    result: int


class Pieces(msgspec.Struct, frozen=True):
    """What a conversation is made of, by position: tool uses, thinking, and where the user said something.

    `thinking` gives each block of thinking with the number of the user's input that it follows; `turns` are
    the positions where a message begins that is no part of a tool loop.
    """

    uses: tuple[ToolUse, ...] = ()
    thinking: tuple[tuple[int, int], ...] = ()
    turns: tuple[int, ...] = ()


class Waited(msgspec.Struct, frozen=True):
    """What carrying has cost since the last cut, picodollars: of what could be cleared, or be summed up."""

    to_clear: int = 0
    to_sum_up: int = 0


class Thread(msgspec.Struct, frozen=True):
    """A conversation after its `calls`-th call: `length` positions as recorded, `total` tokens as cut.

    `root` is what its branches have in common, the last prefix of its first call, and `name` the last prefix
    of its last call, as recorded. `fetched` are removed pieces that came back, `tail` is the end of its last
    prompt as it went out, where planners are told of it.
    """

    root: Digest = b""
    name: Digest = b""
    cut: Cut = NO_CUT
    calls: int = 0
    length: int = 0
    total: int = 0
    pieces: Pieces = Pieces()
    waited: Waited = Waited()
    fetched: tuple[Fetched, ...] = ()
    tail: bytes | None = None
    shorter: Shorter | None = None


class Threads:
    """The conversations of one source by the last prefixes of each call; of too many the oldest go.

    The end of a prompt may have changed when the next one comes: clients put reminders there, and take
    them away again.
    """

    def __init__(self) -> None:
        self._known: dict[Digest, Thread] = {}

    def before(self, measured: Measured) -> Thread:
        """The conversation the call goes on with, as far as it still has it; else a new one."""
        prefixes = measured.call.prompt.prefixes
        for position in range(len(prefixes) - 1, measured.call.prompt.static_end, -1):
            found = self._known.get(prefixes[position])
            if found is not None:
                return found if found.length == position + 1 else _parted(found, position + 1, measured.ends)
        return Thread()

    def keep(self, prompt: Prompt, thread: Thread) -> None:
        """The call with this prompt, as recorded, leaves its conversation so."""
        known, prefixes = self._known, prompt.prefixes
        for position in range(max(prompt.static_end + 1, len(prefixes) - _REACH), len(prefixes)):
            before = known.pop(prefixes[position], None)
            ended_here = before is not None and before.length == position + 1 < len(prefixes)
            known[prefixes[position]] = before if before is not None and ended_here else thread
        forget_oldest(known, _PREFIXES_REMEMBERED)


def _parted(thread: Thread, length: int, ends: Sequence[int]) -> Thread:
    """The conversation as far as its first `length` positions; `ends` are those of a prompt that has them."""
    pieces, cut = thread.pieces, thread.cut.within(length)
    return msgspec.structs.replace(
        thread,
        cut=cut,
        length=length,
        total=ends[length - 1] - cut.taken(ends),
        pieces=Pieces(
            tuple(use for use in pieces.uses if use.result < length),
            tuple(one for one in pieces.thinking if one[1] < length),
            tuple(turn for turn in pieces.turns if turn < length),
        ),
        fetched=tuple(one for one in thread.fetched if one.place <= length),
        shorter=None,
    )


def pieces_of(prompt: Prompt, known: Pieces, start: int) -> Pieces:
    """The pieces of a prompt, given those of its first `start` positions."""
    blocks = prompt.blocks
    uses, thinking, turns = list(known.uses), list(known.thinking), list(known.turns)
    asked: dict[str, int] = {}
    begins = message = -1
    for number in range(start, len(blocks)):
        block = blocks[number]
        if block.section != "messages":
            continue
        if block.depth:
            begins = number if begins < 0 else begins
            continue
        if block.message != message:
            message = block.message
            if _opens_turn(prompt, number):
                turns.append(number)
        if block.kind in _THINKING:
            thinking.append((len(turns), number))
        elif block.kind == "tool_use":
            asked[str(block.value.get("id"))] = number
        elif block.kind == "tool_result":
            uses.append(_tool_use(prompt, asked, begins if begins >= 0 else number, number))
        begins = -1
    return Pieces(tuple(uses), tuple(thinking), tuple(turns))


def _tool_use(prompt: Prompt, asked: dict[str, int], begins: int, result: int) -> ToolUse:
    value = prompt.blocks[result].value
    identity = str(value.get("tool_use_id"))
    use = asked.get(identity, -1)
    if use < 0:
        use = _asked_before(prompt.blocks, identity, result)
    name = prompt.blocks[use].value.get("name") if use >= 0 else value.get("name")
    return ToolUse(str(name or "?"), use, begins, result)


def _asked_before(blocks: Sequence[Block], identity: str, result: int) -> int:
    for number in range(result - 1, -1, -1):
        if blocks[number].kind == "tool_use" and blocks[number].value.get("id") == identity:
            return number
    return -1


def _opens_turn(prompt: Prompt, number: int) -> bool:
    """Whether the message that begins here is the user's own, and no answer of a tool."""
    blocks, message = prompt.blocks, prompt.blocks[number].message
    while number < len(blocks) and blocks[number].message == message:
        if not is_input(blocks[number]) and blocks[number].depth == 0:
            return False
        number += 1
    return True
