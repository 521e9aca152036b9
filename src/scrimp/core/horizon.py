"""What happens next: which prefixes of a prompt will be used again, and how soon.

Learned by watching requests go by, per label (kind of agent), below that per static start and stage of the
conversation. A request that extends an earlier one continues its conversation; a new conversation that begins
with a known prefix shares it. Each kind starts from patterns known beforehand (`habits`), so that the first
request is planned sensibly too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from scrimp.core.forgetting import forget_oldest
from scrimp.core.gaps import EDGES, Chances, Counts, GapTable, Pattern, Returns
from scrimp.core.habits import (
    BRANCHING,
    BRANCHING_WEIGHTS,
    CONTINUING,
    SHARING,
    SHARING_WEIGHTS,
    Shape,
    continuing_weights,
    shape_of,
)
from scrimp.core.prompt import Digest, Prompt
from scrimp.core.trails import Join, Trails
from scrimp.core.waits import Waits
from scrimp.core.worth import Event

__all__ = ["Horizon", "Learned", "Taken"]

_STAGES = (0, 1, 2, 4, 8)
"""A conversation's stage by how many steps it has behind it: the odds of going on change early."""

_AHEAD = tuple(
    tuple(bisect_right(_STAGES, at) - 1 for at in range(step, _STAGES[-1] + 1))
    for step in range(_STAGES[-1] + 1)
)
"""The stages, by number, of a step and of those after it, up to the one that holds for all that follow."""

_KINDS_REMEMBERED = 4_000
"""Tables of each sort: most of what is kept is theirs, a kilobyte or two each."""

_PATHS_REMEMBERED = 20_000
_JOINS_REMEMBERED = 16
_SEEN_OFTEN = 2
_PLACES_FORETOLD = 3

_PROVED_ALIKE, _PROVED_ITSELF = 1.0, 3.0
"""Uses after more than five minutes that there must have been before an hour is paid for others to come: of
prefixes like this one where agents have a label, of this very one where they may be of any kind."""

_SHARED_ON = 0.99
"""How much a later use by others counts against the one before: agents outlive their conversations."""

_INHERITED = 12.0
"""Waits that what earlier processes learned counts for, at most: what is met now may be another agent."""

Place = tuple[str, int]
"""A position by its section and how many blocks come before it there: alike in all prompts of a kind."""


class Learned(msgspec.Struct, frozen=True):
    """What a horizon has learned of each label, for the next process. Keys: see `Horizon.learned`."""

    continuing: Mapping[str, Counts] = {}
    sharing: Mapping[str, Counts] = {}
    joins: Mapping[str, Sequence[Place | None]] = {}


class Taken(msgspec.Struct, frozen=True, gc=False):
    """How much of a prompt went by before.

    `position` is the last one known (-1: none), `owner` the digest of the prompt whose conversation it goes
    on with, None where it begins one of its own.
    """

    position: int
    owner: Digest | None


class _Path(msgspec.Struct, frozen=True, gc=False):
    """A prompt's place in its conversation: steps before it, and in order where others may join."""

    step: int
    forks: tuple[int, ...]


_NOWHERE = _Path(0, ())

_Stage: TypeAlias = tuple[str, Shape, Digest, int]
"""Where in which kind of conversation: label, shape, static start, and the number of the stage."""


class Horizon:
    """The learned future of one workspace."""

    def __init__(self, learned: Learned | None = None) -> None:
        learned = learned or Learned()
        self._before = learned
        self._trails = Trails()
        self._next = Waits()
        self._others = Waits()
        self._continuing: dict[tuple[Any, ...], GapTable] = {}
        self._stages: dict[_Stage, tuple[GapTable, ...]] = {}
        self._sharing: dict[tuple[Any, ...], GapTable] = {}
        self._shared: dict[tuple[str, int, Digest], tuple[GapTable, GapTable]] = {}
        self._heirs: dict[tuple[Any, ...], Digest] = {}
        self._joins: dict[str, deque[Place | None]] = {
            label: deque(map(_place, joins), _JOINS_REMEMBERED) for label, joins in learned.joins.items()
        }
        self._paths: dict[Digest, _Path] = {}

    def observe(
        self,
        prompt: Prompt,
        now: float,
        label: str | None = None,
        *,
        live: int = -1,
        after: Digest | None = None,
    ) -> Taken:
        """A request went by; returns what it takes up.

        `live` is the position of the longest entry it can read: what is shorter serves it no more. `after` is
        the prompt that it goes on with where something of that was taken out since.
        """
        if not prompt.blocks:
            return Taken(-1, None)
        self._next.pass_to(now)
        self._others.pass_to(now)
        join = self._trails.take_up(prompt, now, cut=after is not None)
        owner = _owner(join, after)
        if owner is not None and not self._next.end(owner, now):
            owner = None
        if owner is not None:
            if join is not None and join.goes_on:
                self._trails.dropped(_kind(prompt), prompt, join)
            path = self._going_on(owner, join)
            if path.forks and path.forks[-1] >= live:
                self._used(prompt, now, label or "", [fork for fork in path.forks if fork >= live])
        else:
            path = self._beginning(prompt, label or "", join)
            self._new_conversation(prompt, now, label or "", join, path.forks)
        whole = prompt.prefixes[-1]
        self._paths[whole] = path
        forget_oldest(self._paths, _PATHS_REMEMBERED)
        self._next.end(whole, now)
        self._next.begin(whole, now, self._continuing_tables(prompt, label or "", path.step))
        return Taken(join.position if join is not None else -1, owner)

    def events(self, prompt: Prompt, label: str | None = None) -> tuple[Event, ...]:
        """What may use prefixes of `prompt` again: its conversation's next step first, then other ones."""
        if not prompt.blocks:
            return ()
        path = self._paths.get(prompt.prefixes[-1], _NOWHERE)
        return self._events(prompt, path, label or "", self._trails.usually_dropped(_kind(prompt), prompt))

    def foresee(
        self, prompt: Prompt, label: str | None = None, *, after: Digest | None = None
    ) -> tuple[tuple[Event, ...], Taken]:
        """The events that `observe` would lead to, and what it would say; nothing is remembered of it."""
        if not prompt.blocks:
            return (), Taken(-1, None)
        join = self._trails.seen(prompt)
        owner = _owner(join, after)
        owner = owner if owner in self._next else None
        if owner is not None:
            path = self._going_on(owner, join)
        else:
            path = self._beginning(prompt, label or "", join)
        dropped = self._trails.usually_dropped(_kind(prompt), prompt)
        dropped = join.dropped if join and join.goes_on else dropped
        taken = Taken(join.position if join is not None else -1, owner)
        return self._events(prompt, path, label or "", dropped), taken

    def next_use(self, prompt: Prompt, label: str | None = None) -> Returns:
        """When tools and system of this prompt are used again; without either, when the prompt goes on."""
        if prompt.static_end >= 0:
            return self._sharing_tables(prompt, prompt.static_end, label or "")[1].returns()
        path = self._paths.get(prompt.prefixes[-1], _NOWHERE) if prompt.blocks else _NOWHERE
        return self._continuing_tables(prompt, label or "", path.step)[-1].returns()

    @property
    def learned(self) -> Learned:
        """What holds for labels, not for single prompts: keys are the label, with the stage or the place."""
        return Learned(
            continuing=_learned(self._continuing),
            sharing=_learned(self._sharing),
            joins={label: list(joins) for label, joins in self._joins.items()},
        )

    def _goes_on(self, prompt: Prompt, stable: int, label: str, step: int) -> Event:
        """The next step and those after it."""
        stages: list[tuple[Chances, ...]] = []
        before = -1
        for stage in _AHEAD[step] if step < _STAGES[-1] else _AHEAD[-1]:
            again = stage == before  # they come in order
            stages.append(stages[-1] if again else self._stage_tables(prompt, label, stage)[-1].chances())
            before = stage
        return Event(stable, tuple(stages))

    def _events(self, prompt: Prompt, path: _Path, label: str, dropped: int) -> tuple[Event, ...]:
        events = [self._goes_on(prompt, len(prompt.blocks) - 1 - dropped, label, path.step)]
        for fork in path.forks:
            alike, own = self._sharing_tables(prompt, fork, label)
            proven = alike.pauses / _PROVED_ALIKE if label else own.pauses / _PROVED_ITSELF
            if proven > 1.0:
                proven = 1.0
            events.append(Event(fork, (own.chances(),), proven, _SHARED_ON))
        return tuple(events)

    def _going_on(self, owner: Digest, join: Join | None) -> _Path:
        """The path of the step after `owner`."""
        before, shared = self._paths.get(owner, _NOWHERE), join.position if join is not None else -1
        forks = before.forks
        if forks and forks[-1] > shared:
            forks = tuple([fork for fork in forks if fork <= shared])
        return _Path(before.step + 1, forks)

    def _beginning(self, prompt: Prompt, label: str, join: Join | None) -> _Path:
        """The path of a new conversation, with the places where others may join it."""
        shared = join.position if join is not None else -1
        forks = {prompt.section_end("tools"), prompt.static_end, *self._foretold(prompt, label)}
        forks.update(self._trails.branches(prompt, shared))
        forks -= {-1, len(prompt.blocks) - 1}
        return _Path(max(0, prompt.blocks[-1].message) // 2, tuple(sorted(forks)))

    def _new_conversation(
        self, prompt: Prompt, now: float, label: str, join: Join | None, forks: Sequence[int]
    ) -> None:
        """Count what the new conversation shares."""
        shared = join.position if join is not None else -1
        found = join is not None and prompt.prefixes[shared] not in self._others
        if join is not None and found and shared in forks and now - join.at < EDGES[-1]:
            ended = bisect_right(EDGES, now - join.at)
            for table in self._sharing_tables(prompt, shared, label):
                for bin_ in range(ended):
                    table.count(bin_, 0)
                table.count(ended, 1)
        self._used(prompt, now, label, forks)
        joins = self._joins[label] = self._joins.pop(label, deque(maxlen=_JOINS_REMEMBERED))
        joins.append(_place_of(prompt, shared) if shared >= 0 else None)
        forget_oldest(self._joins, _KINDS_REMEMBERED)

    def _used(self, prompt: Prompt, now: float, label: str, forks: Sequence[int]) -> None:
        """These prefixes are used by another request than the next step of who used them last."""
        for fork in forks:
            self._others.end(prompt.prefixes[fork], now)
            self._others.begin(prompt.prefixes[fork], now, self._sharing_tables(prompt, fork, label))

    def _foretold(self, prompt: Prompt, label: str) -> list[int]:
        """Positions where conversations of this kind usually part."""
        joined = [place for place in self._joins.get(label, ()) if place is not None]
        if len(joined) < _SEEN_OFTEN:
            return []
        counts = Counter(joined).most_common(_PLACES_FORETOLD)
        often = [place for place, count in counts if count >= _SEEN_OFTEN]
        places = ((section, _start(prompt, section) + offset) for section, offset in often)
        return [
            at for section, at in places if at < len(prompt.blocks) and prompt.blocks[at].section == section
        ]

    def _continuing_tables(self, prompt: Prompt, label: str, step: int) -> tuple[GapTable, ...]:
        """The tables a wait counts in, from all traffic to this stage of this kind of conversation."""
        return self._stage_tables(prompt, label, bisect_right(_STAGES, step) - 1)

    def _stage_tables(self, prompt: Prompt, label: str, stage: int) -> tuple[GapTable, ...]:
        key = (label, shape_of(prompt), _kind(prompt), stage)
        found = self._stages.get(key)
        # Who was used last matters only where somebody may have to go.
        if found is None or 2 * len(self._continuing) > _KINDS_REMEMBERED:
            found = self._tables_of(prompt, key)
        return found

    def _tables_of(self, prompt: Prompt, at: _Stage) -> tuple[GapTable, ...]:
        """The tables of a stage, widest first, which were used last from now on."""
        label, shape, kind, number = at
        stage = _STAGES[number]
        keys: list[tuple[Any, ...]] = [("", shape), (label, shape), (label, shape, stage), (label, kind)]
        keys.append((label, kind, stage))
        tables = self._continuing
        if keys[-1] not in tables:
            weights = continuing_weights(prompt)
            for key, parents in zip(keys, ([], keys[:1], keys[1:2], keys[1:2], keys[2:4]), strict=True):
                if key not in tables:
                    wider = [tables[parent] for parent in parents]
                    tables[key] = GapTable(CONTINUING, weights, wider, self._known(key, shape))
            if _forget_tables(tables):
                self._stages.clear()
        keys = list(dict.fromkeys(keys))
        known = [key for key in keys if key in tables]
        for key in known:
            tables[key] = tables.pop(key)
        found = tuple(tables[key] for key in known)
        if len(known) == len(keys):  # a kind that was met in another shape has no tables of this one as yet
            self._stages[at] = found
        return found

    def _sharing_tables(self, prompt: Prompt, position: int, label: str) -> tuple[GapTable, GapTable]:
        """The table of all positions like this one, and that of the very prefix that ends here."""
        # Who was used last matters only where somebody may have to go.
        few = 2 * len(self._sharing) <= _KINDS_REMEMBERED
        found = self._shared.get((label, position, prompt.prefixes[position])) if few else None
        return found or self._sharing_tables_of(prompt, position, label, few=few)

    def _sharing_tables_of(
        self, prompt: Prompt, position: int, label: str, *, few: bool
    ) -> tuple[GapTable, GapTable]:
        """The same two, which were used last from now on unless there are few."""
        tables, prefix = self._sharing, prompt.prefixes[position]
        place = (label, *_place_of(prompt, position))
        wider, table = tables.get(place), tables.get((label, prefix))
        if wider is None or table is None or not few:
            wider = tables.pop(place, None)
            if wider is None:
                wider = GapTable(*_patterns(prompt, position), learned=self._before.sharing.get(_name(place)))
            tables[place] = wider
            table = tables.pop((label, prefix), None)
            if table is None:
                learned = None
                if position <= prompt.static_end:
                    learned = self._inherited(self._before.sharing.get(_name(place)), place, prefix)
                table = GapTable(*_patterns(prompt, position), [wider], learned)
            tables[label, prefix] = table
        self._shared[label, position, prefix] = wider, table
        if _forget_tables(tables):
            self._shared.clear()
        return wider, table

    def _known(self, key: tuple[Any, ...], shape: str) -> Counts | None:
        """What earlier processes learned of how conversations of this label or kind go on."""
        label, kind, *stage = key
        if not isinstance(kind, bytes):
            return self._before.continuing.get(_name(key))
        known = self._before.continuing.get(_name((label, shape, *stage)))
        return self._inherited(known, (label, shape), kind)

    def _inherited(self, known: Counts | None, wider: tuple[Any, ...], digest: Digest) -> Counts | None:
        """What earlier processes knew of a label goes to the first of its static starts that is met.

        Most labels have one at a time; which one it was is not kept, and a changed one is mostly used alike.
        """
        if known is None or not wider[0] or self._heirs.setdefault(wider, digest) != digest:
            return None
        return known.at_most(_INHERITED)


def _owner(join: Join | None, after: Digest | None) -> Digest | None:
    """The prompt whose next step one is that takes up so much."""
    return join.owner if join is not None and join.goes_on else after


def _kind(prompt: Prompt) -> Digest:
    """The chained digest of tools and system, empty without either."""
    return prompt.prefixes[prompt.static_end] if prompt.static_end >= 0 else b""


def _patterns(prompt: Prompt, position: int) -> tuple[tuple[Pattern, ...], tuple[float, ...]]:
    if position <= prompt.static_end:
        return SHARING, SHARING_WEIGHTS
    return BRANCHING, BRANCHING_WEIGHTS


def _start(prompt: Prompt, section: str) -> int:
    if section == "messages":
        return prompt.static_end + 1
    return 0 if section == "tools" else prompt.section_end("tools") + 1


def _place_of(prompt: Prompt, position: int) -> Place:
    section = prompt.blocks[position].section
    return section, position - _start(prompt, section)


def _learned(tables: Mapping[tuple[Any, ...], GapTable]) -> dict[str, Counts]:
    """Of the tables that are not of a single prompt or prefix: those are known by a digest."""
    return {_name(key): table.learned for key, table in tables.items() if not isinstance(key[1], bytes)}


def _name(key: tuple[Any, ...]) -> str:
    return "\x1f".join(map(str, key))


def _place(stored: Sequence[Any] | None) -> Place | None:
    return None if stored is None else (str(stored[0]), int(stored[1]))


def _forget_tables(tables: dict[tuple[Any, ...], GapTable]) -> bool:
    """Bounded memory: what was used last stays. Whether any had to go."""
    gone = forget_oldest(tables, _KINDS_REMEMBERED)
    for table in gone:
        table.shed()
    return bool(gone)
