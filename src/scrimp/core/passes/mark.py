"""Where to put cache markers: every candidate set priced by one expected cost, the cheapest taken.

Expected is what this request costs less what the entries it leaves will save (`worth`): a later request that
has a prefix in common with this one reads the deepest entry of it that still lives. Entries below the last
marker cost nothing extra, so free slots hold the places where other conversations join. The caller's own
markers are a candidate like any other and win ties.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from scrimp.core.cache import TTL_SECONDS, Cache, CacheRules, Outcome
from scrimp.core.prompt import Marker, Prompt
from scrimp.core.worth import Event, Worth, pausing, worth
from scrimp.facts.prices import Rates
from scrimp.wire.markers import TTL

__all__ = ["Choice", "Situation", "candidates", "choose", "priced"]


_PRUDENCE, _PRUDENCE_UNMARKED = 2.5, 0.1
"""What is paid now beyond the caller's own request is certain, what that saves is not: so many times over,
and once more, it has to come back. A caller who set markers had reasons; one who set none may not care."""

_SURE, _UNLIKELY = 0.85, 0.1
"""How likely a pause of more than five minutes must be for an hour where the caller asks for five minutes;
how unlikely for the other way round, and how unlikely another use for leaving out what the caller marks: most
single conversations are to win by it, not the average alone."""


class Situation(msgspec.Struct, frozen=True):
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
        upto = self.events[0].position if self.events else None
        return self.prompt.last_markable(at_most=upto)


class Choice(msgspec.Struct, frozen=True):
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
    own = priced(situation, "caller's markers", situation.prompt.markers)
    best, least = own, float(own.expected_cost)
    pricing = _Pricing(situation)
    prudence = _PRUDENCE if own.markers else _PRUDENCE_UNMARKED
    for name, markers in candidates(situation):
        cost, saving = pricing.expected(markers)
        score = cost - saving + prudence * max(0.0, cost - own.input_cost)
        if score < least and not pricing.against_the_caller(markers):
            best, least = priced(situation, name, markers), score
    return best, own


def candidates(situation: Situation) -> Iterator[tuple[str, tuple[Marker, ...]]]:
    """Marker sets worth pricing, each within the API's limits."""
    yield "no markers", ()
    live, tail = _deepest_live(situation), situation.tail
    forks = _forks(situation, tail)
    # Where the step before may have left an entry that this process does not know of; the caller's own, which
    # may know which block stays; what precedes the last block of a turn, which may be one question of many.
    # As long as slots are free these cost nothing.
    spare = [_last_question(situation.prompt), *_own(situation.prompt), _before(situation.prompt, tail)]
    if live is not None:
        yield "read the deepest live entry", _markers(situation, [live, *forks], live, 0)
    if tail is not None:
        # Traffic that overlaps keeps a 5m entry alive for good. A long conversation can leave it behind.
        yield "write the tail for 1h, read nothing", _markers(situation, [tail], tail, tail + 1)
    for name, last in [("write the tail", tail), *(("write what others share", fork) for fork in forks)]:
        if last is None or (live is not None and last <= live):
            continue
        wanted = [last, live, *forks, *spare]
        upto = [fork for fork in sorted(forks) if fork < last]
        yield name, _markers(situation, wanted, last, 0)
        for hours, position in enumerate([*upto, last], start=1):
            part = "" if position == last else f", the first {hours}"
            yield f"{name}{part} for 1h", _markers(situation, wanted, last, position + 1)


def priced(situation: Situation, name: str, markers: tuple[Marker, ...]) -> Choice:
    """What `markers` would cost now and save later."""
    prompt = situation.prompt.remarked(markers)
    outcome = situation.cache.outcome(prompt, situation.ends, situation.total, situation.rules, situation.now)
    rates = situation.rates
    cost = (
        outcome.plain * rates.input
        + outcome.write_5m * rates.write_5m
        + outcome.write_1h * rates.write_1h
        + outcome.read * rates.read
    )
    left = [(write.position, write.ttl) for write in outcome.writes]
    if outcome.hit >= 0:
        entry = situation.cache.alive(situation.prompt.prefixes[outcome.hit], situation.now)
        lifetime: TTL = entry.ttl if entry is not None else "5m"
        # Whether an hour bought on top of a 5m entry is an hour for all of the prefix is not published.
        left = [(position, min(ttl, lifetime, key=TTL_SECONDS.__getitem__)) for position, ttl in left]
        left.append((outcome.hit, lifetime))
    saving = _future_saving(situation, left, _worths(situation)) + _found(situation, outcome.hit, markers)
    return Choice(name, tuple(markers), outcome, cost, saving)


def _worths(situation: Situation) -> list[tuple[int, Worth]]:
    """What entries are worth to each event; who shares a longer prefix has the shorter ones as well."""
    events, rates = situation.events, situation.rates
    found = [(event.position, worth(event, rates)) for event in events[:1]]
    beyond = Worth(0.0, 0.0, 0.0)
    for event in sorted(events[1:], key=lambda event: event.position, reverse=True):
        here = worth(event, rates)
        for_5m, for_1h = max(here.for_5m, beyond.for_5m), max(here.for_1h, beyond.for_1h)
        own = Worth(for_5m - beyond.for_5m, for_1h - beyond.for_1h, here.without)
        found.append((event.position, own))
        beyond = Worth(for_5m, for_1h, here.without)
    return found


def _future_saving(situation: Situation, left: list[tuple[int, TTL]], worths: list[tuple[int, Worth]]) -> int:
    """Expected saving of the entries that live after this request, over the events to come."""
    left.extend(situation.pending)
    ends, saving = situation.ends, 0.0
    for upto, worth_to in worths:
        soon = max((ends[position] for position, _ in left if position <= upto), default=0)
        late = max((ends[position] for position, ttl in left if ttl == "1h" and position <= upto), default=0)
        saving += worth_to.for_5m * (soon - late) + worth_to.for_1h * late
    return round(saving)


def _found(situation: Situation, hit: int, markers: Sequence[Marker]) -> int:
    """Expected saving of markers the caller set where another process may have written the entry."""
    own = {m.position for m in situation.prompt.markers} if situation.elsewhere else set()
    rates, ends, least = situation.rates, situation.ends, situation.rules.minimum
    beyond = max(situation.seen, hit)
    kept = [m for m in markers if m.position in own and m.position > beyond and ends[m.position] >= least]
    if not kept or not situation.rules.caches:
        return 0
    last = max(kept, key=lambda marker: marker.position)
    write = rates.write_1h if last.ttl == "1h" else rates.write_5m
    new = ends[last.position] - (ends[hit] if hit >= 0 else 0)
    return round(situation.elsewhere * (write - rates.read) * new)


class _Pricing:
    """Expected costs of many marker sets of one situation, without asking the cache twice."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self._worths = _worths(situation)
        self._hits: dict[int, int] = {}

    def expected(self, markers: Sequence[Marker]) -> tuple[float, int]:
        """Cost now and saving later as `priced` has them; infinite cost where the bill is not published."""
        situation, ends, rates = self._situation, self._situation.ends, self._situation.rates
        if not situation.rules.caches:
            return situation.total * rates.input, 0
        hit = next((hit for m in reversed(markers) if (hit := self._hit(m.position)) >= 0), -1)
        left: list[tuple[int, TTL]] = [
            (m.position, m.ttl)
            for m in markers
            if m.position > hit and ends[m.position] >= situation.rules.minimum
        ]
        read = ends[hit] if hit >= 0 else 0
        until_1h = max((ends[position] for position, ttl in left if ttl == "1h"), default=read)
        until = max((ends[position] for position, _ in left), default=read)
        if hit >= 0:
            entry = situation.cache.alive(situation.prompt.prefixes[hit], situation.now)
            lifetime: TTL = entry.ttl if entry is not None else "5m"
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
        saving = _future_saving(situation, left, self._worths) + _found(situation, hit, markers)
        return cost, saving

    def against_the_caller(self, markers: Sequence[Marker]) -> bool:
        """Whether `markers` leave out what the caller marks, or have another lifetime, without being sure."""
        situation = self._situation
        own = situation.prompt.markers
        if not own:
            return False
        hit = next((hit for m in reversed(markers) if (hit := self._hit(m.position)) >= 0), -1)
        covered = max((m.position for m in markers), default=-1)
        wanted = max(m.position for m in own)
        if max(covered, hit) < wanted and self._used_again(wanted) > _UNLIKELY:
            return True
        hours = max((m.position for m in markers if m.ttl == "1h" and m.position > hit), default=-1)
        if any(marker.ttl == "1h" for marker in own):
            brief = any(m.ttl == "5m" and m.position > max(hit, hours) for m in markers)
            return brief and self._pausing(0) > _UNLIKELY
        return hours >= 0 and self._pausing(hours) < _SURE

    def _used_again(self, position: int) -> float:
        """How likely an entry that ends here is to be used within the hour."""
        events = (event for event in self._situation.events if event.position >= position)
        return max((event.within_5m + event.within_1h for event in events), default=0.0)

    def _pausing(self, position: int) -> float:
        """How likely an entry that ends here is to be used after a pause."""
        events = (event for event in self._situation.events if event.position >= position)
        return max((pausing(event) * event.proven for event in events), default=0.0)

    def _hit(self, position: int) -> int:
        """The entry that a marker here would read."""
        found = self._hits.get(position)
        if found is None:
            situation = self._situation
            prefixes, cache, now = situation.prompt.prefixes, situation.cache, situation.now
            window = situation.prompt.window(position, situation.rules.lookback)
            found = next((at for at in window if cache.alive(prefixes[at], now) is not None), -1)
            self._hits[position] = found
        return found


def _markers(
    situation: Situation, wanted: Iterable[int | None], last: int, hour_before: int
) -> tuple[Marker, ...]:
    """Markers at the first `max_markers` positions wanted up to `last`, in order, 1h ones first."""
    positions: list[int] = []
    for position in wanted:
        if position is None or position > last or position in positions:
            continue
        if _worth_a_slot(situation, position):
            positions.append(position)
    automatic = {m.position: m.ttl for m in situation.prompt.markers if m.automatic}
    chosen = []
    for position in sorted(positions[: situation.rules.max_markers]):
        ttl: TTL = "1h" if position < hour_before else "5m"
        chosen.append(Marker(position, ttl, automatic=automatic.get(position) == ttl))
    return tuple(chosen)


def _worth_a_slot(situation: Situation, position: int) -> bool:
    """The API takes a marker here, and the prefix is long enough to be an entry."""
    return situation.prompt.blocks[position].markable and situation.ends[position] >= situation.rules.minimum


def _deepest_live(situation: Situation) -> int | None:
    """The position whose marker reads the longest live entry of this prompt."""
    prompt, lookback = situation.prompt, situation.rules.lookback
    for position in situation.cache.living(prompt, situation.now):
        for at in range(position, len(prompt)):
            if position not in prompt.window(at, lookback):
                break
            if prompt.blocks[at].markable:
                return at
    return None


def _forks(situation: Situation, tail: int | None) -> list[int]:
    """Where other conversations may join, the most promising first; the ends of system and tools always."""
    prompt, ends = situation.prompt, situation.ends
    value = {place: one.for_1h * ends[place] for place, one in _worths(situation)[1:]}
    places = sorted(value, key=value.__getitem__, reverse=True)
    forks: list[int] = []
    for place in (*places, prompt.static_end, prompt.section_end("tools")):
        position = prompt.last_markable(at_most=place) if place >= 0 else None
        if position is not None and position != tail and position not in forks:
            forks.append(position)
    return forks


def _own(prompt: Prompt) -> list[int]:
    """The caller's own markers, the last first."""
    return sorted((marker.position for marker in prompt.markers), reverse=True)


def _before(prompt: Prompt, tail: int | None) -> int | None:
    """The block before the last of its message."""
    position = prompt.last_markable(at_most=tail - 1) if tail else None
    if position is None or tail is None or prompt.blocks[position].message != prompt.blocks[tail].message:
        return None
    return position


def _last_question(prompt: Prompt) -> int | None:
    """Where the step before ended: the last block before the model's last reply."""
    position = len(prompt) - 1
    for role in ("user", "assistant"):
        while position > prompt.static_end and prompt.blocks[position].role == role:
            position -= 1
    return prompt.last_markable(at_most=position) if position > prompt.static_end else None
