"""What the system prompts of one kind of agent have in common, learned by comparing consecutive requests.

A text is cut into segments: lines, and the sentences of long lines. Segments that stay from request to
request are the skeleton; what stands between them changed at least once, whatever it looks like. Of all but
the last request only digests are remembered.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Sequence
from difflib import SequenceMatcher

import msgspec

__all__ = ["Families", "Family", "Seal", "aligned", "common", "seal", "segments", "timeless"]

Seal = int
"""What stands for a segment in memory: the hash of its text."""

_WINDOW = 16
"""Requests compared."""

_LEAST_CHANGES = 3
"""Changes among them that make a text volatile: one deployment of another prompt is a change or two."""

_SETTLED = 64
_LABELS, _FAMILIES = 32, 4
_ALIKE = 0.5
_LONG_LINE = 200
_MOST_SEGMENTS = 5_000
_MOST_COMPARED = 250_000
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_TIME = re.compile(
    r"\d+(?:[-:/.t]\d+)+(?:z\b)?"
    rf"|\b{_MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?\b(?:,? \d{{4}}\b)?"
    rf"|\b\d{{1,2}}\.? {_MONTH}\b\.?(?:,? \d{{4}}\b)?"
    r"|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\b[ap]\.?m\b"
)
_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r".+?(?:[.!?]\s+|\Z)", re.DOTALL)


def segments(text: str) -> list[str]:
    """Lines of `text`, long ones as sentences; joined they are the text again."""
    found: list[str] = []
    for line in text.splitlines(keepends=True):
        found.extend(_SENTENCE.findall(line) if len(line) > _LONG_LINE else [line])
    return found if len(found) <= _MOST_SEGMENTS else [text]


def seal(segment: str) -> Seal:
    """What stands for a segment."""
    return hash(segment)


def common(one: Sequence[Seal], other: Sequence[Seal]) -> tuple[Seal, ...]:
    """A longest sequence that both have in order; past a certain size only what they begin and end with."""
    shorter = min(len(one), len(other))
    head = next((n for n in range(shorter) if one[n] != other[n]), shorter)
    tail = next((n for n in range(shorter - head) if one[-1 - n] != other[-1 - n]), shorter - head)
    left, right = one[head : len(one) - tail], other[head : len(other) - tail]
    middle: list[Seal] = []
    if len(left) * len(right) <= _MOST_COMPARED:
        for match in SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks():
            middle.extend(left[match.a : match.a + match.size])
    return (*one[:head], *middle, *one[len(one) - tail :])


def aligned(skeleton: Sequence[Seal], seals: Sequence[Seal]) -> set[int] | None:
    """Which of `seals` are the skeleton, in order; None when it is not all there."""
    found: set[int] = set()
    place, end = 0, len(seals)
    for wanted in skeleton:
        while place < end and seals[place] != wanted:
            place += 1
        if place == end:
            return None
        found.add(place)
        place += 1
    return found


class Family(msgspec.Struct):
    """The system prompts of one kind of agent, as they came in.

    `changes` says of the last requests whether they differed from the one before them, `steps` of the last
    that went on with a conversation whether they differed from its step before. `skeleton` is what stayed.
    `only_time` says that nothing but dates and times ever changed.
    """

    last: tuple[Seal, ...] = ()
    skeleton: tuple[Seal, ...] = ()
    changes: deque[bool] = msgspec.field(default_factory=lambda: deque(maxlen=_WINDOW - 1))
    steps: deque[bool] = msgspec.field(default_factory=lambda: deque(maxlen=_WINDOW))
    only_time: bool = True
    _texts: Sequence[str] = ()
    _streaks: dict[Seal, int] = msgspec.field(default_factory=dict)

    @property
    def volatile(self) -> bool:
        """Whether something in it changes again and again."""
        return sum(self.changes) >= _LEAST_CHANGES

    def changes_in_conversation(self, share: float) -> bool:
        """Whether it is another one at this share of the steps, and not only between conversations."""
        return sum(self.steps) >= 2 and sum(self.steps) >= share * len(self.steps)

    def take_in(self, seals: tuple[Seal, ...], texts: Sequence[str]) -> None:
        """One more request."""
        before = self.last
        if before:
            self.changes.append(seals != before)
            self.skeleton = common(self.skeleton, seals)
        else:
            self.skeleton = seals
        self.last = seals
        if before and seals != before:
            old, new = (_between(self.skeleton, *one) for one in ((before, self._texts), (seals, texts)))
            self.only_time = self.only_time and _only_times_differ(old, new)
        places = aligned(self.skeleton, seals) or set()
        if sum(len(texts[place]) for place in places) < _ALIKE * sum(map(len, texts)):
            self.skeleton, places = seals, set(range(len(seals)))
        self._settle(places, seals)
        self._texts = texts

    def _settle(self, places: set[int], seals: tuple[Seal, ...]) -> None:
        """What was there in many requests on end belongs to the skeleton again: it had been edited once."""
        between = {seals[n] for n in range(len(seals)) if n not in places}
        self._streaks = {one: self._streaks.get(one, 0) + 1 for one in between}
        if any(streak >= _SETTLED for streak in self._streaks.values()):
            kept = [n for n, one in enumerate(seals) if n in places or self._streaks[one] >= _SETTLED]
            self.skeleton = tuple(seals[n] for n in kept)


class Families:
    """The families of every label, bounded in number: the ones not seen for longest go."""

    def __init__(self) -> None:
        self._of: OrderedDict[str | None, list[Family]] = OrderedDict()

    def take_in(self, label: str | None, texts: Sequence[str], seals: tuple[Seal, ...] = ()) -> Family:
        """The family that a system prompt of these segments belongs to, with it taken in."""
        seals = seals or tuple(map(seal, texts))
        known = self._of.setdefault(label, [])
        self._of.move_to_end(label)
        found = next((one for one in known if _alike(one, seals, texts)), None)
        if found is None:
            found = Family()
        else:
            known.remove(found)
        known.insert(0, found)
        del known[_FAMILIES:]
        if len(self._of) > _LABELS:
            self._of.popitem(last=False)
        found.take_in(seals, texts)
        return found


def _alike(family: Family, seals: tuple[Seal, ...], texts: Sequence[str]) -> bool:
    """Whether at least half of a prompt is that of the last one of a family."""
    if family.last == seals:
        return True
    places = aligned(common(family.last, seals), seals) or set()
    kept = sum(len(texts[place]) for place in places)
    return kept >= _ALIKE * sum(map(len, texts))


def _between(skeleton: Sequence[Seal], seals: Sequence[Seal], texts: Sequence[str]) -> list[str]:
    places = aligned(skeleton, seals) or set()
    return [text for n, text in enumerate(texts) if n not in places and text.strip()]


def _only_times_differ(before: Sequence[str], now: Sequence[str]) -> bool:
    return len(before) == len(now) and all(
        timeless(one) == timeless(other) for one, other in zip(before, now, strict=True)
    )


def timeless(text: str) -> list[str]:
    """The words of a text that are no date or time; strict, since all others may be somebody's own."""
    return _WORD.findall(_TIME.sub(" ", text.lower()))
