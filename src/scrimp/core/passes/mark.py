"""Where to put cache markers: every candidate set priced by one expected cost, the cheapest taken.

A marker on the tail is worth its premium iff `p(next step within TTL) * (write - read) > write - input`. When
it is not, a marker on the deepest live entry still reads and writes nothing. Entries written below the last
marker cost nothing extra, so free slots hold the ends of system and tools, where the next conversation joins.
The caller's own markers are a candidate like any other and win ties.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from scrimp.core.cache import Cache, CacheRules, Outcome
from scrimp.core.horizon import Odds
from scrimp.core.prompt import Marker, Prompt
from scrimp.facts.prices import Rates
from scrimp.wire.markers import TTL

__all__ = ["Choice", "Situation", "candidates", "choose", "priced"]


class Situation(msgspec.Struct, frozen=True):
    """What is known when a request is about to go out.

    `ends` are token counts up to each position and `total` the whole input, both estimates; `rates` are
    picodollars a token. `stable_end` is the last position the next step is expected to share (None: the
    last).
    """

    prompt: Prompt
    ends: Sequence[int]
    total: int
    cache: Cache
    rules: CacheRules
    rates: Rates
    continues: Odds
    shares: Odds
    now: float
    stable_end: int | None = None


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
    best = own
    for name, markers in candidates(situation):
        choice = priced(situation, name, markers)
        if choice.expected_cost < best.expected_cost:
            best = choice
    return best, own


def candidates(situation: Situation) -> Iterator[tuple[str, tuple[Marker, ...]]]:
    """Marker sets worth pricing, each within the API's limits."""
    live = _deepest_live(situation)
    static = _static_ends(situation)
    tail = situation.prompt.last_markable(at_most=situation.stable_end)
    yield "no markers", ()
    if live is not None:
        yield "read the deepest live entry", _markers(situation, [live], {})
    if static:
        yield "write tools and system", _markers(situation, [live, *static], {})
        yield (
            "write tools and system for 1h",
            _markers(situation, [live, *static], dict.fromkeys(static, "1h")),
        )
    if tail is None:
        return
    # A marker below the last one costs nothing: the caller's own may know which block stays.
    own = max((m.position for m in situation.prompt.markers if m.position < tail), default=None)
    slots = [tail, live, *static[:1], own, *static[1:]]
    yield "write the tail", _markers(situation, slots, {})
    if static:
        yield (
            "write the tail, tools and system for 1h",
            _markers(situation, slots, dict.fromkeys(static, "1h")),
        )
    if live is None or _lives_1h(situation, live):
        yield "write everything for 1h", _markers(situation, slots, dict.fromkeys([tail, *static], "1h"))


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
    return Choice(name, tuple(markers), outcome, cost, _future_saving(situation, outcome))


def _future_saving(situation: Situation, outcome: Outcome) -> int:
    """Expected saving of the entries that live after this request: the next step's and the next sharer's."""
    end = len(situation.prompt) - 1 if situation.stable_end is None else situation.stable_end
    static = situation.prompt.static_end
    step = situation.rates.write_5m - situation.rates.read
    saving = 0.0
    for odds, upto in ((situation.continues, end), (situation.shares, static)):
        soon = _live_after(situation, outcome, upto, ("5m", "1h"))
        late = _live_after(situation, outcome, upto, ("1h",))
        saving += (odds.within_5m * soon + odds.within_1h * late) * step
    return round(saving)


def _live_after(situation: Situation, outcome: Outcome, upto: int, ttls: Sequence[TTL]) -> int:
    """Tokens of the longest entry, at or before `upto`, that this request writes or renews."""
    deepest = max((w.position for w in outcome.writes if w.ttl in ttls and w.position <= upto), default=-1)
    if outcome.hit > deepest and outcome.hit <= upto:
        entry = situation.cache.alive(situation.prompt.prefixes[outcome.hit], situation.now)
        if entry is not None and entry.ttl in ttls:
            deepest = outcome.hit
    return situation.ends[deepest] if deepest >= 0 else 0


def _markers(situation: Situation, wanted: Iterable[int | None], ttls: dict[int, TTL]) -> tuple[Marker, ...]:
    """Markers at the first `max_markers` positions wanted, in order, every 1h before every 5m."""
    positions: list[int] = []
    for position in wanted:
        if position is not None and position not in positions and _worth_a_slot(situation, position):
            positions.append(position)
    own = {marker.position: marker for marker in situation.prompt.markers}
    positions = sorted(positions[: situation.rules.max_markers])
    chosen: list[Marker] = []
    later: TTL = "5m"
    for position in reversed(positions):
        kept = own.get(position)
        ttl = later if later == "1h" else ttls.get(position, "5m")
        later = ttl
        chosen.append(
            Marker(position, ttl, automatic=kept is not None and kept.automatic and kept.ttl == ttl)
        )
    return tuple(reversed(chosen))


def _worth_a_slot(situation: Situation, position: int) -> bool:
    """The API takes a marker here, and the prefix is long enough to be an entry."""
    return situation.prompt.blocks[position].markable and situation.ends[position] >= situation.rules.minimum


def _deepest_live(situation: Situation) -> int | None:
    """The position whose marker reads the longest live entry of this prompt."""
    prompt, lookback = situation.prompt, situation.rules.lookback
    for position in range(len(prompt) - 1, -1, -1):
        if situation.cache.alive(prompt.prefixes[position], situation.now) is None:
            continue
        for at in range(position, len(prompt)):
            if position not in prompt.window(at, lookback):
                break
            if prompt.blocks[at].markable:
                return at
    return None


def _static_ends(situation: Situation) -> list[int]:
    """Ends of system and of tools, the longer first."""
    ends = (_slot(situation, "system"), _slot(situation, "tools"))
    return [position for position in ends if position is not None]


def _slot(situation: Situation, section: str) -> int | None:
    end = situation.prompt.section_end(section)
    position = situation.prompt.last_markable(at_most=end) if end >= 0 else None
    if position is None or situation.prompt.blocks[position].section != section:
        return None
    return position


def _lives_1h(situation: Situation, position: int) -> bool:
    """A longer lifetime is never bought on top of a 5m entry: what that bills is not published."""
    entry = situation.cache.alive(situation.prompt.prefixes[position], situation.now)
    return entry is not None and entry.ttl == "1h"
