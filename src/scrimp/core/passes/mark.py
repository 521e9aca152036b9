"""Where to put cache markers: every candidate set priced by one expected cost, the cheapest taken.

Expected is what this request costs less what the entries it leaves will save (`worth`): a later request that
has a prefix in common with this one reads the deepest entry of it that still lives. Entries below the last
marker cost nothing extra, so free slots hold the places where other conversations join. The caller's own
markers are a candidate like any other and win ties.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter

import msgspec

from scrimp.core.cache import Cache, CacheRules, Outcome, outcome_of
from scrimp.core.passes.spare import spare_places
from scrimp.core.prompt import Marker, Prompt
from scrimp.core.worth import Event, Worth, pausing, worth
from scrimp.facts.prices import Rates
from scrimp.wire.markers import TTL

__all__ = ["Choice", "Situation", "any_worth_a_slot", "candidates", "choose", "priced"]

_PRUDENCE, _PRUDENCE_UNMARKED = 2.5, 0.1
"""What is paid now beyond the caller's own request is certain, what that saves is not: so many times over,
and once more, it has to come back. A caller who set markers had reasons; one who set none may not care."""

_SURE, _UNLIKELY = 0.85, 0.1
"""How likely a pause of more than five minutes must be for an hour where the caller asks for five minutes;
how unlikely for the other way round, and how unlikely another use for leaving out what the caller marks: most
single conversations are to win by it, not the average alone."""

_POSITION, _WORTHLESS = attrgetter("position"), Worth(0.0, 0.0, 0.0)
_NONE: Mapping[int, TTL] = {}


class Situation(msgspec.Struct, frozen=True, gc=False):
    """What is known when a request is about to go out.

    `ends` are token counts up to each position and `total` the whole input, both estimates; `rates` are
    picodollars a token. `events` are the later requests expected, the conversation's own next step first (if
    any). `pending` are positions whose prefixes another request is writing just now. `elsewhere` is the
    probability that an entry the caller marks, of a prefix beyond position `seen` that this process has not
    met, was written by another process.
    """

    prompt: Prompt
    ends: Sequence[int]
    total: int
    cache: Cache
    rules: CacheRules
    rates: Rates
    events: tuple[Event, ...]
    now: float
    pending: tuple[tuple[int, TTL], ...] = ()
    elsewhere: float = 0.0
    seen: int = -1

    @property
    def tail(self) -> int | None:
        """The last position the next step is expected to share that can carry a marker."""
        return self.prompt.last_markable(self.events[0].position if self.events else None)


class Choice(msgspec.Struct, frozen=True, gc=False):
    """A set of markers with what it is expected to do, money in picodollars.

    `input_cost` is this request's input; `future_saving` what its entries are expected to save later.
    """

    name: str
    markers: tuple[Marker, ...]
    outcome: Outcome
    input_cost: int
    future_saving: int

    @property
    def expected_cost(self) -> int:
        """What the choice costs when later savings are set against it."""
        return self.input_cost - self.future_saving


def choose(situation: Situation) -> tuple[Choice, Choice]:
    """The cheapest choice and the caller's own (the same object when nothing is cheaper)."""
    pricing = _Pricing(situation)
    own = pricing.priced("caller's markers", situation.prompt.markers)
    if not own.markers and not any_worth_a_slot(situation.ends, situation.rules):
        return own, own  # there is nothing to choose from
    best, least, own_cost = None, float(own.expected_cost), own.input_cost
    prudence = _PRUDENCE if own.markers else _PRUDENCE_UNMARKED
    for name, markers in pricing.candidates():
        if markers == own.markers:
            continue
        cost, saving = pricing.expected(markers)
        score = cost - saving + (prudence * (cost - own_cost) if cost > own_cost else 0.0)
        if score < least and not pricing.against_the_caller(markers):
            best, least = (name, markers, cost, saving), score
    return (own if best is None else pricing.as_expected(*best)), own


def candidates(situation: Situation) -> Iterator[tuple[str, tuple[Marker, ...]]]:
    """Marker sets worth pricing, each within the API's limits."""
    return _Pricing(situation).candidates()


def priced(situation: Situation, name: str, markers: tuple[Marker, ...]) -> Choice:
    """What `markers` would cost now and save later."""
    return _Pricing(situation).priced(name, markers)


class _Pricing:
    """Expected costs of many marker sets of one situation; what they share is worked out once."""

    def __init__(self, situation: Situation) -> None:
        own, events = situation.prompt.markers, situation.events
        self._situation = situation
        self._live, self._live_for = situation.cache.longest(situation.prompt, situation.now)
        """The last position whose entry can be read, or -1."""
        self._hits: dict[int, int] = {}
        self._callers = {m.position: m.ttl for m in own} if own else _NONE
        self._automatic = {m.position: m.ttl for m in own if m.automatic} if own else _NONE
        self._elsewhere = bool(situation.elsewhere and own and situation.rules.caches)
        self._worth_to: list[tuple[int, Worth]] = []
        self._worth_beyond = _WORTHLESS
        self._to_come = [*sorted(events[:0:-1], key=_POSITION), *events[:1]]

    def candidates(self) -> Iterator[tuple[str, tuple[Marker, ...]]]:
        """See `candidates`."""
        yield "no markers", ()
        situation = self._situation
        if not any_worth_a_slot(situation.ends, situation.rules):
            return  # all that follow would come to no markers as well
        prompt, live, tail = situation.prompt, self._deepest_live(), situation.tail
        forks = self._forks(tail, -1 if live is None else self._hit(live))
        spare = spare_places(prompt, tail)
        brief = self._live >= 0 and self._live_for == "5m"
        if live is not None:
            yield "read the deepest live entry", self._markers(self._places([live, *forks], live), 0)
        # Traffic that overlaps keeps a 5m entry alive for good. A long conversation can leave it behind.
        if tail is not None and not (brief and self._goes_on_top(tail)):
            alone = self._markers(self._places([tail], tail), tail + 1)
            yield "write the tail for 1h, read nothing", alone
        for last in (tail, *forks):
            if last is None or (live is not None and last <= live):
                continue
            name = "write the tail" if last == tail else "write what others share"
            places = self._places([last, live, *forks, *spare], last)
            yield name, self._markers(places, 0)
            if brief and live in places:
                continue  # a longer lifetime is never bought on top of a 5m entry
            upto = [fork for fork in sorted(forks) if fork < last]
            for hours, position in enumerate([*upto, last], start=1):
                part = "" if position == last else f", the first {hours}"
                yield f"{name}{part} for 1h", self._markers(places, position + 1)

    def priced(self, name: str, markers: tuple[Marker, ...]) -> Choice:
        """What `markers` would cost now and save later, as the cache has it."""
        situation, rates = self._situation, self._situation.rates
        if not markers and not situation.pending:
            outcome = Outcome(-1, (), situation.total, 0, 0, 0)
            return Choice(name, (), outcome, situation.total * rates.input, 0)
        outcome = self._outcome(markers)
        written = outcome.write_5m * rates.write_5m + outcome.write_1h * rates.write_1h
        cost = outcome.plain * rates.input + written + outcome.read * rates.read
        left = [(write.position, write.ttl) for write in outcome.writes]
        if outcome.hit >= 0:
            lifetime = self._lifetime(outcome.hit)
            # Whether an hour bought on top of a 5m entry is an hour for all of the prefix is not published.
            left = [(position, ttl if lifetime == "1h" else lifetime) for position, ttl in left]
            left.append((outcome.hit, lifetime))
        saving = self._future_saving(left) + self._found(outcome.hit, markers)
        return Choice(name, tuple(markers), outcome, cost, saving)

    def as_expected(self, name: str, markers: tuple[Marker, ...], cost: float, saving: int) -> Choice:
        """What `priced` says of `markers` that are `expected` to cost and save so much."""
        outcome = self._outcome(markers)
        if outcome.hit >= 0 and [write for write in outcome.writes if write.ttl == "1h"]:
            return self.priced(name, markers)  # an hour on top of five minutes may be nothing but a name
        return Choice(name, markers, outcome, int(cost), saving)

    def _outcome(self, markers: Sequence[Marker]) -> Outcome:
        situation, hit = self._situation, self._hit_of(markers)
        ends, total, rules = situation.ends, situation.total, situation.rules
        return outcome_of(situation.prompt, markers, hit=hit, ends=ends, total=total, rules=rules)

    def expected(self, markers: Sequence[Marker]) -> tuple[float, int]:
        """Cost now and saving later as `priced` has them; infinite cost where the bill is not published.

        The cache is not asked twice.
        """
        situation, ends, rates = self._situation, self._situation.ends, self._situation.rates
        if not situation.rules.caches:
            return situation.total * rates.input, 0
        hit, minimum = self._hit_of(markers), situation.rules.minimum
        until = until_1h = read = ends[hit] if hit >= 0 else 0
        left: list[tuple[int, TTL]] = []
        for marker in markers:
            position = marker.position
            if position <= hit or ends[position] < minimum:
                continue
            length, ttl = ends[position], marker.ttl
            left.append((position, ttl))
            if length > until:
                until = length
            if length > until_1h and ttl == "1h":
                until_1h = length
        if hit >= 0:
            lifetime = self._lifetime(hit)
            if lifetime == "5m" and until_1h > read:
                # A longer lifetime is never bought on top of a 5m entry.
                return float("inf"), 0
            left.append((hit, lifetime))
        cost = (
            (situation.total - until) * rates.input
            + (until - until_1h) * rates.write_5m
            + (until_1h - read) * rates.write_1h
            + read * rates.read
        )
        saving = self._future_saving(left)
        return cost, saving + self._found(hit, markers) if self._elsewhere else saving

    def against_the_caller(self, markers: Sequence[Marker]) -> bool:
        """Whether `markers` leave out what the caller marks, or have another lifetime, without being sure."""
        own = self._situation.prompt.markers
        if not own:
            return False
        hit = self._hit_of(markers)
        covered = max((m.position for m in markers), default=-1)
        wanted = max(m.position for m in own)
        if max(covered, hit) < wanted and self._used_again(wanted) > _UNLIKELY:
            return True
        hours = max((m.position for m in markers if m.ttl == "1h" and m.position > hit), default=-1)
        if any(marker.ttl == "1h" for marker in own):
            brief = any(m.ttl == "5m" and m.position > max(hit, hours) for m in markers)
            return brief and self._pausing(0) > _UNLIKELY
        return hours >= 0 and self._pausing(hours) < _SURE

    def _worths(self, least: int) -> list[tuple[int, Worth]]:
        """What entries that end at `least` or later are worth: to the next step, and to each other event what
        they add, as who shares a longer prefix has the shorter ones as well."""
        found, to_come = self._worth_to, self._to_come
        while to_come and (not found or to_come[-1].position >= least):
            event = to_come.pop()
            here = worth(event, self._situation.rates)
            if found:
                beyond = self._worth_beyond
                for_5m, for_1h = max(here.for_5m, beyond.for_5m), max(here.for_1h, beyond.for_1h)
                self._worth_beyond = Worth(for_5m, for_1h, here.without)
                here = Worth(for_5m - beyond.for_5m, for_1h - beyond.for_1h, here.without)
            found.append((event.position, here))
        return found

    def _future_saving(self, left: list[tuple[int, TTL]]) -> int:
        """Expected saving of the entries that live after this request, over the events to come."""
        situation = self._situation
        if situation.pending:
            left.extend(situation.pending)
        if not left:
            return 0
        ends, saving = situation.ends, 0.0
        for upto, worth_to in self._worths(min(left)[0]):
            soon = late = 0
            for position, ttl in left:
                if position > upto:
                    continue
                length = ends[position]
                if length > soon:
                    soon = length
                if length > late and ttl == "1h":
                    late = length
            saving += worth_to.for_5m * (soon - late) + worth_to.for_1h * late
        return round(saving)

    def _used_again(self, position: int) -> float:
        """How likely an entry that ends here is to be used within the hour."""
        events = (event for event in self._situation.events if event.position >= position)
        return max((event.within_5m + event.within_1h for event in events), default=0.0)

    def _pausing(self, position: int) -> float:
        """How likely an entry that ends here is to be used after a pause."""
        events = (event for event in self._situation.events if event.position >= position)
        return max((pausing(event) * event.proven for event in events), default=0.0)

    def _lifetime(self, position: int) -> TTL:
        """The lifetime of the entry that is read here."""
        if position == self._live:
            return self._live_for
        entry = self._situation.cache.alive(self._situation.prompt.prefixes[position], self._situation.now)
        return entry.ttl if entry is not None else "5m"

    def _hit_of(self, markers: Sequence[Marker]) -> int:
        """The entry that these markers would read, or -1."""
        live, known, deepest = self._live, self._hits, -1
        for marker in reversed(markers):
            position = marker.position
            if position <= deepest:
                continue
            hit = known.get(position)
            if hit is None:
                hit = known[position] = self._hit(position)
            if hit == live:
                return live  # there is none beyond it
            if hit > deepest:
                deepest = hit
        return deepest

    def _hit(self, position: int) -> int:
        """The entry that a marker here would read."""
        situation, live = self._situation, self._live
        if live < 0 or position == live:
            return live
        prompt, lookback = situation.prompt, situation.rules.lookback
        if position < live:
            return situation.cache.reached(prompt, position, lookback, situation.now)
        return live if prompt.ranks[position] - prompt.ranks[live] < lookback else -1

    def _goes_on_top(self, position: int) -> bool:
        """Whether a marker here would read the longest entry, and write more on top of it."""
        situation, live = self._situation, self._live
        end = situation.ends[position]
        return end > situation.ends[live] and end >= situation.rules.minimum and self._hit(position) == live

    def _deepest_live(self) -> int | None:
        """The position whose marker reads the longest live entry of this prompt."""
        situation, prompt = self._situation, self._situation.prompt
        if self._live < 0 or prompt.blocks[self._live].markable:  # nearly always
            return self._live if self._live >= 0 else None
        for position in situation.cache.living(prompt, situation.now):
            for at in range(position, len(prompt.blocks)):
                if prompt.ranks[at] - prompt.ranks[position] >= situation.rules.lookback:
                    break
                if prompt.blocks[at].markable:
                    return at
        return None

    def _forks(self, tail: int | None, hit: int) -> list[int]:
        """Where other conversations may join, the most promising first; system and tools always end there.

        Not within what is read anyway, up to `hit`: a marker there writes nothing, and takes a slot. That of
        the system prompt stays for when the entry turns out to be gone.
        """
        prompt, ends = self._situation.prompt, self._situation.ends
        others = self._worths(hit + 1)[1:]
        value = {place: one.for_1h * ends[place] for place, one in others if place > hit} if others else {}
        joins = sorted(value, key=value.__getitem__, reverse=True) if value else ()
        static_end = prompt.static_end
        forks: list[int] = []
        for place in (*joins, static_end, prompt.tools_end):
            if place < 0 or (place <= hit and place != static_end):
                continue
            position = prompt.last_markable(place)
            if position is not None and position != tail and position not in forks:
                forks.append(position)
        return forks

    def _places(self, wanted: Iterable[int | None], last: int) -> list[int]:
        """The first `max_markers` positions wanted up to `last` that are worth a slot, in order.

        The caller's own stay where slots are free: how long a prefix is may be a guess of ours.
        """
        situation, callers = self._situation, self._callers
        ends, blocks, minimum = situation.ends, situation.prompt.blocks, situation.rules.minimum
        positions: list[int] = []
        for position in wanted:
            if position is None or position > last or position in positions:
                continue
            if position in callers or (ends[position] >= minimum and blocks[position].markable):
                positions.append(position)
        return sorted(positions[: situation.rules.max_markers])

    def _markers(self, places: Sequence[int], hour_before: int) -> tuple[Marker, ...]:
        """Markers at these places, those for an hour first."""
        chosen, automatic = [], self._automatic
        for position in places:
            ttl: TTL = "1h" if position < hour_before else "5m"
            chosen.append(Marker(position, ttl, automatic.get(position) == ttl if automatic else False))
        return tuple(chosen)

    def _found(self, hit: int, markers: Sequence[Marker]) -> int:
        """Expected saving of markers the caller set where another process may have written the entry."""
        if not self._elsewhere:
            return 0
        situation, own = self._situation, self._callers
        rates, ends, least = situation.rates, situation.ends, situation.rules.minimum
        beyond = max(situation.seen, hit)
        kept = [m for m in markers if m.position in own and m.position > beyond and ends[m.position] >= least]
        if not kept:
            return 0
        last = max(kept, key=_POSITION)
        write = rates.write_1h if last.ttl == "1h" else rates.write_5m
        new = ends[last.position] - (ends[hit] if hit >= 0 else 0)
        return round(situation.elsewhere * (write - rates.read) * new)


def any_worth_a_slot(ends: Sequence[int], rules: CacheRules) -> bool:
    """Whether some prefix, of those that end at so many tokens, is long enough to be an entry."""
    return bool(ends) and (ends[-1] >= rules.minimum or max(ends) >= rules.minimum)
