"""What changed between two prompts that should share a prefix: the first differing block, bytes and kind.

Both prompts are compared section by section, block by block, as the cache does; the kind of a change is found
by comparing the two values (`spans`), never by the look of one of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property

import msgspec
import orjson

from scrimp.core.prompt import Digest, Prompt
from scrimp.core.spans import Kind, Span, compare_texts, likeness
from scrimp.wire.request import Block, Section

__all__ = [
    "Change",
    "Difference",
    "Kind",
    "compare",
    "first_difference",
    "image_change",
    "shared_after",
    "spoken",
]

_SECTIONS: tuple[Section, ...] = ("tools", "system", "messages")
_THINKING = frozenset({"thinking", "redacted_thinking"})
_IMAGES = frozenset({"image"})
_VOLATILE = frozenset(
    {Kind.TIMESTAMP, Kind.UUID, Kind.RANDOM_ID, Kind.KEY_ORDER, Kind.WHITESPACE, Kind.ORDER}
)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The first difference of a request from the one before it.

    `path` names the block in the later request (`system.0`, `messages.4.content.1`, dotted as in the API's
    errors), `position` counts it from the prompt's first. `offset` is the first differing byte of what the
    block says, with a little of both sides in `before` and `after`: prompt text, for the caller's eyes alone.
    `names` are tools added (+) or removed (-). `alike` says how much of the block stayed, 0 to 1.
    """

    kind: Kind
    section: Section
    position: int
    path: str
    offset: int | None = None
    before: str = ""
    after: str = ""
    names: tuple[str, ...] = ()
    alike: float = 0.0

    @property
    def volatile(self) -> bool:
        """Whether the same thing was said with another value or in another order."""
        return self.kind in _VOLATILE

    @property
    def where(self) -> str:
        """Path and byte, without a word of the prompt."""
        return self.path if self.offset is None else f"{self.path}, byte {self.offset:,}"


class _Part(msgspec.Struct, frozen=True):
    """One section of a prompt: its blocks, their digests, and where it begins."""

    blocks: Sequence[Block]
    digests: Sequence[Digest]
    start: int


class Difference:
    """Where two prompts first differ; what it is that changed is found when it is asked for.

    `position` counts from the prompt's first block, `section` is where that is.
    """

    def __init__(self, section: Section, old: _Part, new: _Part, at: int) -> None:
        self.section = section
        self.position = new.start + at
        self._parts = old, new
        self._at = at

    @cached_property
    def change(self) -> Change:
        """What changed: both blocks are read."""
        old, new = self._parts
        if self.section == "tools":
            return _tools(old, new, self._at)
        return _blocks(self.section, old, new, self._at)


def compare(before: Prompt, after: Prompt) -> Change | None:
    """The first block of `after` that differs from `before`; None where `after` extends or equals it."""
    found = first_difference(before, after)
    return None if found is None else found.change


def first_difference(before: Prompt, after: Prompt) -> Difference | None:
    """Where `after` first differs from `before`; None where it extends or equals it.

    A prompt that ends inside the earlier one's messages has changed nothing: it is a rewind.
    """
    for section in _SECTIONS:
        old, new = _part(before, section), _part(after, section)
        at = _place_of_difference(old.digests, new.digests)
        if at is None:
            continue
        if section == "messages" and at >= min(len(old.digests), len(new.digests)):
            return None
        return Difference(section, old, new, at)
    return None


def image_change(before: Prompt, after: Prompt) -> Change | None:
    """The first image of `after` where `before` shows none, or that its images are gone; else None."""
    had, has = ([n for n, block in enumerate(one.blocks) if block.kind in _IMAGES] for one in (before, after))
    if bool(had) == bool(has) or not after.blocks:
        return None
    position = has[0] if has else min(had[0], len(after) - 1)
    block = after.blocks[position]
    return Change(kind=Kind.IMAGE, section=block.section, position=position, path=_dotted(block), alike=1.0)


def shared_after(before: Prompt, after: Prompt, position: int) -> int:
    """How many message blocks both prompts have beyond `position` of the earlier one."""
    old, new = _message_digests(before, position), _message_digests(after, 0)
    common = set(old).intersection(new)
    if not common:
        return 0
    again = Counter(filter(common.__contains__, new))
    return sum((Counter(filter(common.__contains__, old)) & again).values())


def spoken(block: Block) -> str:
    """What a block says, in the order it was written: text as it is, everything else as JSON."""
    value = block.value
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        if block.kind == "text" and isinstance(value.get("text"), str):
            return str(value["text"])
        value = {key: item for key, item in value.items() if key != "cache_control"}
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return repr(value)


def _message_digests(prompt: Prompt, start: int) -> Sequence[Digest]:
    return prompt.digests[max(start, prompt.static_end + 1) :]


def _part(prompt: Prompt, section: Section) -> _Part:
    start = {
        "tools": 0,
        "system": prompt.section_end("tools") + 1,
        "messages": prompt.static_end + 1,
    }[section]
    end = {
        "tools": prompt.section_end("tools") + 1,
        "system": prompt.static_end + 1,
        "messages": len(prompt),
    }[section]
    return _Part(prompt.blocks[start:end], prompt.digests[start:end], start)


def _place_of_difference(old: Sequence[Digest], new: Sequence[Digest]) -> int | None:
    if old == new:
        return None
    for place, (one, other) in enumerate(zip(old, new, strict=False)):
        if one != other:
            return place
    return min(len(old), len(new))


def _tools(old: _Part, new: _Part, at: int) -> Change:
    names = [[_name(block) for block in part.blocks] for part in (old, new)]
    gone, came = Counter(names[0]) - Counter(names[1]), Counter(names[1]) - Counter(names[0])
    position = new.start + at
    path = f"tools.{at}"
    if gone or came:
        listed = (*(f"+{name}" for name in came), *(f"-{name}" for name in gone))
        kind = Kind.REMOVED if gone and not came else Kind.ADDED
        return Change(kind=kind, section="tools", position=position, path=path, names=listed, alike=1.0)
    if Counter(old.digests) == Counter(new.digests):
        return Change(kind=Kind.ORDER, section="tools", position=position, path=path, alike=1.0)
    return _edited("tools", old.blocks[at], new.blocks[at], position)


def _name(block: Block) -> str:
    value = block.value
    name = (value.get("name") or value.get("type")) if isinstance(value, Mapping) else None
    return name if isinstance(name, str) else "?"


def _blocks(section: Section, old: _Part, new: _Part, at: int) -> Change:
    position = new.start + at
    if at >= len(new.digests):
        return _moved(section, Kind.REMOVED, old.blocks[at], position, f"{section}.{at}")
    path = _dotted(new.blocks[at])
    if at >= len(old.digests) or _put_in(old, new, at):
        return _moved(section, Kind.ADDED, new.blocks[at], position, path)
    if _taken_out(section, old, new, at):
        return _moved(section, Kind.REMOVED, old.blocks[at], position, path)
    return _edited(section, old.blocks[at], new.blocks[at], position)


def _put_in(old: _Part, new: _Part, at: int) -> bool:
    """Whether the earlier block is still there, further down, and nothing was taken out."""
    return new.digests[at] not in old.digests[at:] and old.digests[at] in new.digests[at:]


def _taken_out(section: Section, old: _Part, new: _Part, at: int) -> bool:
    """Whether a later block of the earlier prompt moved up to here, or thinking is gone from here."""
    if new.digests[at] in old.digests[at:]:
        return True
    if old.blocks[at].kind in _THINKING and new.blocks[at].kind not in _THINKING:
        return True
    return section == "messages" and _came_nearer(old.digests, new.digests)


def _came_nearer(old: Sequence[Digest], new: Sequence[Digest]) -> bool:
    """Whether what was said last stands earlier now: there is less before it."""
    last = len(old) - 1
    return old[last] in new[:last] and old[last] not in old[:last]


def _moved(section: Section, kind: Kind, block: Block, position: int, path: str) -> Change:
    if kind is Kind.ADDED and block.kind in _IMAGES:
        kind = Kind.IMAGE
    if kind is Kind.REMOVED and block.kind in _THINKING:
        kind = Kind.THINKING
    return Change(kind=kind, section=section, position=position, path=path, alike=1.0)


def _edited(section: Section, old: Block, new: Block, position: int) -> Change:
    before, after = spoken(old), spoken(new)
    span = compare_texts(before, after) or Span(Kind.EDITED, 0, "", "")
    kind = span.kind
    if new.kind in _IMAGES and old.kind not in _IMAGES:
        kind = Kind.IMAGE
    elif kind is Kind.EDITED and not isinstance(old.value, str) and old.value == new.value:
        kind = Kind.KEY_ORDER
    return Change(
        kind=kind,
        section=section,
        position=position,
        path=_dotted(new),
        offset=span.offset if span.before or span.after else None,
        before=span.before,
        after=span.after,
        names=(_name(new),) if section == "tools" else (),
        alike=_alike(old, new, before, after),
    )


def _alike(old: Block, new: Block, before: str, after: str) -> float:
    if old.kind != new.kind:
        return 0.0
    names = [one.value.get("tool_use_id") if isinstance(one.value, Mapping) else None for one in (old, new)]
    same_result = names[0] is not None and names[0] == names[1]
    return 1.0 if same_result else likeness(before, after)


def _dotted(block: Block) -> str:
    return ".".join(map(str, block.path))
