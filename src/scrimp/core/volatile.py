"""What changes from request to request in a prefix that should stay: found by comparing consecutive requests.

    watch = Volatility()
    watch.observe(prompt, ends, rates, label="support")      # each request of one kind of agent, in order
    for finding in watch.findings("support"): print(finding.describe())

Compared are tools, system, and the beginning of the messages as long as both requests say nearly the same
there. What kind of thing changed is told from both values (`spans`), never from the look of one of them. A
change seen once is an edit; what changes again is volatile.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from difflib import SequenceMatcher
from itertools import accumulate

import msgspec

from scrimp.core.causes import FIXES, cause_of_change
from scrimp.core.changes import Change, spoken
from scrimp.core.money import usd
from scrimp.core.prompt import Digest, Prompt, read_prompt
from scrimp.core.skeletons import Seal, seal, segments
from scrimp.core.spans import Kind, Span, compare_texts, likeness
from scrimp.core.tokens.estimator import Estimator, read_settings
from scrimp.core.workspace import reading
from scrimp.facts.models import Facts, default
from scrimp.facts.prices import Rates
from scrimp.wire.request import BILLING_HEADER, Block, Body, Section

__all__ = ["Finding", "Volatility", "find_volatile"]

_COMPARED = 16
_LEAST_CHANGES = 2
_LABELS = 64
_HEAD_BLOCKS = 8
_HEAD_ALIKE, _HEAD_LEAST = 0.5, 200
_MOST_SEGMENTS = 2_000
_WHOLE = frozenset({Kind.KEY_ORDER, Kind.WHITESPACE})


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One place of a prefix that changes again and again.

    `change` says where and what kind, with a little of both sides (prompt text, for the caller's eyes alone).
    It changed in `changed` of the last `compared` comparisons. `tokens` are those behind it that are lost
    each time, `lost` the picodollars that is per request, against reading them: both are estimates.
    """

    change: Change
    changed: int
    compared: int
    tokens: int
    lost: int

    @property
    def kind(self) -> Kind:
        """What kind of thing changes."""
        return self.change.kind

    @property
    def path(self) -> str:
        """The block, dotted as in the API's errors (`system.0`)."""
        return self.change.path

    @property
    def fix(self) -> str:
        """What to do about it."""
        fix = FIXES[cause_of_change(self.change)]
        if self.change.section != "system" or self.kind in _WHOLE:
            return fix
        return f"{fix} scrimp.Layers puts it there, scrimp.Relocate moves it there."

    def describe(self, *, excerpts: bool = False) -> str:
        """A few lines for people. Without `excerpts` there is no prompt text in it."""
        often = f"{self.kind} at {self.change.where}: changed in {self.changed} of {self.compared} requests"
        costs = (
            f"{self.tokens:,} tokens behind it are lost each time, ${usd(self.lost)} per request (estimated)"
        )
        lines = [f"{often}, {costs}"]
        if excerpts and (self.change.before or self.change.after):
            lines += [f"  before: {self.change.before!r}", f"  now:    {self.change.after!r}"]
        return "\n".join([*lines, f"  fix: {self.fix}"])


class _Seen(msgspec.Struct, frozen=True):
    """What is kept of the last request: its static blocks and the first of its messages, all its digests."""

    blocks: tuple[Block, ...]
    digests: tuple[Digest, ...]
    static: int


class _Change(msgspec.Struct, frozen=True):
    """A change between two requests; `lost` is what it costs, picodollars."""

    change: Change
    tokens: int
    lost: int


class _Watch(msgspec.Struct):
    """The last request of a label, and what changed between the last ones."""

    last: _Seen | None = None
    changes: deque[dict[tuple[str, Seal], _Change]] = msgspec.field(
        default_factory=lambda: deque(maxlen=_COMPARED)
    )


class Volatility:
    """Watches the prompts of each kind of agent; bounded memory."""

    def __init__(self) -> None:
        self._watches: OrderedDict[str | None, _Watch] = OrderedDict()

    def observe(self, prompt: Prompt, ends: Sequence[int], rates: Rates, *, label: str | None = None) -> None:
        """One more request: `ends` are token counts up to each position, `rates` picodollars a token."""
        watch = self._watches.setdefault(label, _Watch())
        self._watches.move_to_end(label)
        if len(self._watches) > _LABELS:
            self._watches.popitem(last=False)
        now = _seen(prompt)
        if watch.last is not None:
            found = dict(_changes(watch.last, now))
            watch.changes.append(
                {key: _priced(change, watch.last, now, ends, rates) for key, change in found.items()}
            )
        watch.last = now

    def findings(self, label: str | None = None) -> list[Finding]:
        """What is volatile in the prompts of a label and costs something, the dearest first."""
        watch = self._watches.get(label)
        if watch is None:
            return []
        often = Counter(key for changes in watch.changes for key in changes)
        found = [_finding(watch, key) for key, times in often.items() if times >= _LEAST_CHANGES]
        return sorted((one for one in found if one.lost), key=lambda one: (-one.lost, one.path))


def find_volatile(
    requests: Iterable[Body], *, day: date | None = None, facts: Facts | None = None
) -> list[Finding]:
    """What is volatile in consecutive requests of one kind of agent, the dearest first.

    `requests` are bodies as `messages.create` takes them. Prices are those of `day` (no day: the newest).
    Raises `RequestError` for what is not a Messages request.
    """
    known = facts or default()
    watch = Volatility()
    estimators: dict[str, Estimator] = {}
    for body in requests:
        name = str(body.get("model", ""))
        model = known.resolve(name)
        prompt = read_prompt(body, reading(known, model, day))
        estimator = estimators.setdefault(name, Estimator(model, spelling=name))
        ends = [round(end) for end in accumulate(estimator.measure(prompt.blocks, read_settings(body)).sizes)]
        watch.observe(prompt, ends, model.rates(day, prompt_tokens=ends[-1] if ends else 0))
    return watch.findings()


def _seen(prompt: Prompt) -> _Seen:
    static = prompt.static_end + 1
    end = min(len(prompt), static + _HEAD_BLOCKS)
    return _Seen(tuple(prompt.blocks[:end]), tuple(prompt.digests), static)


def _changes(old: _Seen, new: _Seen) -> Iterator[tuple[tuple[str, Seal], Change]]:
    """Every change from one request to the next, by the block and what stands before it there."""
    for section in ("tools", "system"):
        before, after = _section(old, section), _section(new, section)
        if [old.digests[n] for n in before] == [new.digests[n] for n in after]:
            continue
        yield from (
            _of_tools(old, new, before, after) if section == "tools" else _of_system(old, new, before, after)
        )
    for one, other in zip(
        range(old.static, len(old.blocks)), range(new.static, len(new.blocks)), strict=False
    ):
        if old.digests[one] == new.digests[other]:
            continue
        texts = spoken(old.blocks[one]), spoken(new.blocks[other])
        if min(map(len, texts)) >= _HEAD_LEAST and likeness(*texts) >= _HEAD_ALIKE:
            yield from _in_block(old.blocks[one], new.blocks[other], other)
        return


def _section(seen: _Seen, section: Section) -> list[int]:
    return [n for n in range(seen.static) if seen.blocks[n].section == section]


def _of_tools(
    old: _Seen, new: _Seen, before: list[int], after: list[int]
) -> Iterator[tuple[tuple[str, Seal], Change]]:
    """Tools are compared by name; the same ones in another order are one change."""
    names = [{_name(seen.blocks[n]): n for n in places} for seen, places in ((old, before), (new, after))]
    gone, came = names[0].keys() - names[1].keys(), names[1].keys() - names[0].keys()
    if gone or came:
        listed = (*(f"+{name}" for name in sorted(came)), *(f"-{name}" for name in sorted(gone)))
        kind = Kind.REMOVED if gone and not came else Kind.ADDED
        yield (
            ("tools", 0),
            Change(kind=kind, section="tools", position=_first(old, new), path="tools", names=listed),
        )
    elif list(names[0]) != list(names[1]):
        yield (
            ("tools", 0),
            Change(kind=Kind.ORDER, section="tools", position=_first(old, new), path="tools", alike=1.0),
        )
    for name, place in names[1].items():
        one = names[0].get(name)
        if one is not None and old.digests[one] != new.digests[place]:
            yield from _in_block(old.blocks[one], new.blocks[place], place)


def _of_system(
    old: _Seen, new: _Seen, before: list[int], after: list[int]
) -> Iterator[tuple[tuple[str, Seal], Change]]:
    """System blocks are compared one by one between what both begin and end with."""
    left, right = [old.digests[n] for n in before], [new.digests[n] for n in after]
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            continue
        for one, other in zip(before[a:b], after[c:d], strict=False):
            yield from _in_block(old.blocks[one], new.blocks[other], other)
        if b - a != d - c:
            kind = Kind.ADDED if d - c > b - a else Kind.REMOVED
            index = c + min(b - a, d - c)
            position, path = new.static - len(after) + index, f"system.{index}"
            yield (path, 0), Change(kind=kind, section="system", position=position, path=path)


def _in_block(old: Block, new: Block, position: int) -> Iterator[tuple[tuple[str, Seal], Change]]:
    """Every span of a block that differs; the same values in another order are one change of the whole."""
    before, after = spoken(old), spoken(new)
    whole = compare_texts(before, after)
    if whole is None or after.startswith(BILLING_HEADER):
        return
    path = ".".join(map(str, new.path))
    if whole.kind in _WHOLE or (
        not isinstance(new.value, str) and new.kind != "text" and old.value == new.value
    ):
        kind = whole.kind if whole.kind in _WHOLE else Kind.KEY_ORDER
        yield (path, 0), _change(new, position, path, whole._replace(kind=kind), likeness(before, after))
        return
    parts = segments(before), segments(after)
    if max(map(len, parts)) > _MOST_SEGMENTS:
        yield (path, 0), _change(new, position, path, whole, likeness(before, after))
        return
    for tag, a, b, c, d in SequenceMatcher(None, *parts, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        span = compare_texts("".join(parts[0][a:b]), "".join(parts[1][c:d]))
        if span is None:
            continue
        start = len("".join(parts[1][:c]).encode("utf-8", "surrogatepass"))
        placed = span._replace(offset=start + span.offset)
        anchor = seal(parts[1][c - 1]) if c else 0
        yield (path, anchor), _change(new, position, path, placed, likeness(before, after))


def _change(block: Block, position: int, path: str, span: Span, alike: float) -> Change:
    return Change(
        kind=span.kind,
        section=block.section,
        position=position,
        path=path,
        offset=span.offset,
        before=span.before,
        after=span.after,
        alike=alike,
    )


def _name(block: Block) -> str:
    value = block.value
    found = (value.get("name") or value.get("type")) if isinstance(value, dict) else None
    return str(found)


def _first(old: _Seen, new: _Seen) -> int:
    """The first position that differs."""
    pairs = enumerate(zip(old.digests, new.digests, strict=False))
    return next((n for n, (one, other) in pairs if one != other), min(len(old.digests), len(new.digests)))


def _priced(change: Change, old: _Seen, new: _Seen, ends: Sequence[int], rates: Rates) -> _Change:
    """With what is lost behind the change: blocks that both requests have, which could have been read."""
    known = Counter(old.digests)
    tokens = 0
    for place in range(change.position, len(new.digests)):
        size = ends[place] - (ends[place - 1] if place else 0)
        if known[new.digests[place]]:
            known[new.digests[place]] -= 1
            tokens += size
        elif place == change.position:
            tokens += round(size * change.alike)
    return _Change(change, tokens, tokens * (rates.write_5m - rates.read))


def _finding(watch: _Watch, key: tuple[str, Seal]) -> Finding:
    seen = [changes[key] for changes in watch.changes if key in changes]
    compared = len(watch.changes)
    return Finding(
        change=seen[-1].change,
        changed=len(seen),
        compared=compared,
        tokens=sum(one.tokens for one in seen) // len(seen),
        lost=sum(one.lost for one in seen) // compared,
    )
