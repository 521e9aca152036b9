"""What-if checked against reality: bills of the policies that were really in force, foreseen from elsewhere.

Recordings hold several policies: five-minute and one-hour caches, automatic ones, none at all, each under the
rules of its day. The calls of one source under one policy are a group, and its bill is foreseen without it:
lengths and prompts as they were, the cache by its rules alone, call by call, from nothing but earlier calls.

Two things are no rule. What calls outside the recording left in the cache is given, where it is tools and
system or no recorded call can have left it: a replay of another policy finds it there as well. And a live
entry is gone now and then; what that costs is foreseen from the share of foreseen reads that was lost in the
*other* groups, those of the same source under another policy among them, and in recorded projects before.
Where no times were recorded, pauses that outlive the cache are among the losses: there each run is foreseen
from the earlier runs of its group. What the bills of a run lost is never used for its own figure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import msgspec

from scrimp.core.cache import TTL_SECONDS, Cache, Outcome
from scrimp.core.prompt import Digest
from scrimp.core.recorded import RecordedCall
from scrimp.core.replay import input_cost
from scrimp.core.reproduce import Dealt, Measured, deal, unexplained, use, whose_cache
from scrimp.core.tolerance import tolerance
from scrimp.core.whatif.losses import EarlierRuns, expected_share, luck, observed_losses

__all__ = ["Check", "by_source", "check", "policy_in_force"]


class Check(msgspec.Struct):
    """One source under one policy; picodollars of input.

    `predicted` is the figure: `by_rules` and what entries gone early are expected to cost. `by_rules` has
    what others left as given, in `given` calls; `blind` is the rules without even that. `reads` are tokens
    foreseen to be read by the rules, in `chances` calls; `lost` those of them that the bills show to be gone,
    in `losses` calls, and `paid` what that cost. `expected` losses are foreseen, the dearest of which can
    cost `dearest`; `variance` (squared picodollars) says how far chance may put their sum off. `timed` is
    False where some cached call has no recorded time: whether an entry still lived is then a guess.
    `inferred` counts calls with a marker that was not recorded.
    """

    source: str
    policy: str
    calls: int = 0
    billed: int = 0
    predicted: int = 0
    by_rules: int = 0
    blind: int = 0
    given: int = 0
    reads: int = 0
    chances: int = 0
    lost: int = 0
    losses: int = 0
    paid: int = 0
    expected: float = 0.0
    dearest: int = 0
    variance: int = 0
    inferred: int = 0
    timed: bool = True

    @property
    def error(self) -> float:
        """How far the prediction is off, as a share of the bill."""
        return self._off(self.predicted)

    @property
    def blind_error(self) -> float:
        """The same of the rules alone, with nothing given."""
        return self._off(self.blind)

    @property
    def rules_error(self) -> float:
        """The same of the rules, had every loss been known."""
        return self._off(self.by_rules + self.paid)

    @property
    def by_luck(self) -> tuple[float, float]:
        """How far off `predicted` is in 19 of 20 cases by the number and size of losses alone: least, most.

        As shares of what is foreseen: a bill below it first, one above it second.
        """
        expected = self.predicted - self.by_rules
        low, high = luck(expected, self.variance)
        if not self.predicted:
            return 0.0, 0.0
        return (low - 1) * expected / self.predicted, (high - 1) * expected / self.predicted

    def include(self, other: Check) -> None:
        """Add another group to this one."""
        for name in _ADDED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.dearest = max(self.dearest, other.dearest)
        self.timed = self.timed and other.timed

    def _off(self, figure: int) -> float:
        return figure / self.billed - 1 if self.billed else 0.0


_ADDED = tuple(
    name for name in Check.__struct_fields__ if name not in ("source", "policy", "dearest", "timed")
)


class _Foreseen(msgspec.Struct, frozen=True):
    """One call: by the rules alone, and with what others left; how much more a token costs that is gone."""

    measured: Measured
    blind: Outcome
    outcome: Outcome
    given: bool
    dearer: int


class _AtStake(msgspec.Struct):
    """What losses can cost a run, picodollars, and what of its foreseen reads was lost.

    `stake` is what it costs if everything is lost, `squares` sums the squares of what each call has in it.
    `lost` sums the shares of its reads that each call lost, in ppm.
    """

    stake: int = 0
    squares: int = 0
    chances: int = 0
    lost: int = 0

    def include(self, other: _AtStake) -> None:
        """Add another run to this one."""
        self.stake += other.stake
        self.squares += other.squares
        self.chances += other.chances
        self.lost += other.lost


class _Group(msgspec.Struct, frozen=True):
    """One source under one policy, and what was at stake in each of its runs, in their order."""

    check: Check
    runs: dict[str, _AtStake] = msgspec.field(default_factory=dict)


def check(
    sources: Iterable[tuple[str, Sequence[Measured]]], *, prior: tuple[int, int] | None = None
) -> list[Check]:
    """Every source by the policy in force; `sources` are calls in time order, as they were billed.

    `prior` is what was lost elsewhere (tokens foreseen to be read, and lost); None: in recorded projects that
    are not among `sources`.
    """
    groups = [group for source, calls in sources for group in _grouped(source, calls)]
    found = [group.check for group in groups]
    before = observed_losses({one.source for one in found}) if prior is None else prior
    for group in groups:
        others = [other for other in found if other is not group.check and other.timed]
        reads, lost = sum(other.reads for other in others), sum(other.lost for other in others)
        _foresee_losses(group, expected_share(reads, lost, before))
    return found


def _foresee_losses(group: _Group, elsewhere: Fraction) -> None:
    """Add to what the rules say what losses are expected to cost."""
    one, expected, variance, number = group.check, Fraction(0), Fraction(0), Fraction(0)
    earlier = EarlierRuns(elsewhere)
    for run in group.runs.values():
        share = elsewhere if one.timed else earlier.share
        expected += share * run.stake
        variance += share * run.squares
        number += share * run.chances
        earlier.learn(run.chances, run.lost)
    one.predicted = one.by_rules + round(expected)
    one.variance, one.expected = round(variance), float(number)


def by_source(groups: Sequence[Check]) -> list[Check]:
    """The groups of each source together, the dearest source first."""
    whole: dict[str, Check] = {}
    for one in groups:
        whole.setdefault(one.source, Check(one.source, "all")).include(one)
    return sorted(whole.values(), key=lambda one: -one.billed)


def policy_in_force(calls: Sequence[RecordedCall]) -> str:
    """What the bills of a conversation say of its caching: `5m`, `1h`, `5m+1h`, `automatic` or `uncached`."""
    hour = any(call.usage.write_1h for call in calls)
    short = any(call.usage.write_5m for call in calls)
    if not hour and not short and not any(call.usage.cache_read_input_tokens for call in calls):
        return "uncached"
    if any(marker.automatic for call in calls for marker in call.prompt.markers):
        return "automatic"
    if hour or short:
        return "5m+1h" if hour and short else "1h" if hour else "5m"
    asked = {marker.ttl for call in calls for marker in call.prompt.markers}
    return "1h" if asked == {"1h"} else "5m"


def _grouped(source: str, calls: Sequence[Measured]) -> list[_Group]:
    policies = _policies(calls)
    groups: dict[str, _Group] = {}
    for one in _walk(calls):
        call = one.measured.call
        policy = policies[_conversation(call)]
        group = groups.setdefault(policy, _Group(Check(source, policy)))
        _count(group.check, one)
        _count_losses(group.check, group.runs.setdefault(call.run, _AtStake()), one)
    return list(groups.values())


def _policies(calls: Sequence[Measured]) -> dict[tuple[str, str | None], str]:
    conversations: dict[tuple[str, str | None], list[RecordedCall]] = defaultdict(list)
    for one in calls:
        conversations[_conversation(one.call)].append(one.call)
    return {key: policy_in_force(of_one) for key, of_one in conversations.items()}


def _conversation(call: RecordedCall) -> tuple[str, str | None]:
    return call.run, call.label


def _count(group: Check, one: _Foreseen) -> None:
    measured = one.measured
    usage, rates = measured.call.usage, measured.rates
    group.calls += 1
    group.billed += (
        usage.input_tokens * rates.input
        + usage.write_5m * rates.write_5m
        + usage.write_1h * rates.write_1h
        + usage.cache_read_input_tokens * rates.read
    )
    group.by_rules += input_cost(one.outcome, rates)
    group.blind += input_cost(one.blind, rates)
    group.given += one.given
    group.inferred += measured.call.inferred
    group.timed = group.timed and (measured.call.timed or not measured.call.cached)


def _count_losses(group: Check, run: _AtStake, one: _Foreseen) -> None:
    read, usage = one.outcome.read, one.measured.call.usage
    if not read:
        return
    at_stake = read * one.dearer
    group.reads += read
    group.chances += 1
    group.dearest = max(group.dearest, at_stake)
    run.include(_AtStake(at_stake, at_stake * at_stake, 1))
    missing = read - usage.cache_read_input_tokens
    if missing > tolerance(usage.total_input):
        group.lost += missing
        group.losses += 1
        group.paid += missing * one.dearer
        run.lost += missing * 1_000_000 // read


def _walk(calls: Sequence[Measured]) -> Iterator[_Foreseen]:
    """Every call foreseen from those before it; the cache is put right by each bill after that."""
    caches: dict[str, Cache] = {}
    left = _Left(calls)
    for measured in calls:
        call, ends, total = measured.call, measured.ends, measured.call.usage.total_input
        cache = caches.setdefault(whose_cache(call), Cache())
        use(cache, measured)
        blind = outcome = cache.outcome(call.prompt, ends, total, call.rules, call.at)
        dealt = unexplained(cache, measured, blind)
        given = dealt is not None and _is_given(dealt, call, left)
        if dealt is not None and given:
            deal(cache, Dealt(found=dealt.found, ttl=dealt.ttl), call.prompt, call.at)
            outcome = cache.outcome(call.prompt, ends, total, call.rules, call.at)
        yield _Foreseen(measured, blind, outcome, given and outcome.read > blind.read, _dearer(measured))
        kept = outcome
        if dealt is not None:
            deal(cache, dealt, call.prompt, call.at)
            kept = cache.outcome(call.prompt, ends, total, call.rules, call.at)
        cache.commit(call.prompt, kept, call.at, call.began_at or call.at)
        left.remember(call, kept)


def _is_given(dealt: Dealt, call: RecordedCall, left: _Left) -> bool:
    """Whether others left what was found: tools and system, which conversations outside the recording have
    as well, or what no recorded call can have left, were lifetimes twice as long.

    Without times no run is known to come before another: what one of them wrote any other may have read.
    """
    if dealt.found is None:
        return False
    prefix = call.prompt.prefixes[dealt.found]
    return dealt.found <= call.prompt.static_end or not left.may_be_there(call, prefix)


class _Left:
    """What recorded calls can have left in the cache, were lifetimes twice as long."""

    def __init__(self, calls: Sequence[Measured]) -> None:
        self._ends_at: dict[tuple[str, Digest], float] = {}
        self._writers: dict[Digest, set[str]] = defaultdict(set)
        for call in (one.call for one in calls if not one.call.timed):
            if call.usage.cache_creation_input_tokens:
                for marker in call.prompt.markers:
                    self._writers[call.prompt.prefixes[marker.position]].add(call.run)

    def may_be_there(self, call: RecordedCall, prefix: Digest) -> bool:
        """Whether a recorded call can have left `prefix` for `call`."""
        ends_at = self._ends_at.get((_whose(call), prefix))
        if call.timed:
            return ends_at is not None and ends_at > call.at
        return ends_at is not None or not self._writers.get(prefix, set()) <= {call.run}

    def remember(self, call: RecordedCall, outcome: Outcome) -> None:
        """`call` read and wrote what `outcome` says."""
        ttl = max((TTL_SECONDS[marker.ttl] for marker in call.prompt.markers), default=0)
        positions = [write.position for write in outcome.writes]
        if outcome.hit >= 0:
            positions.append(outcome.hit)
        for position in positions:
            key = _whose(call), call.prompt.prefixes[position]
            self._ends_at[key] = max(self._ends_at.get(key, 0.0), call.at + 2 * ttl)


def _whose(call: RecordedCall) -> str:
    """Whose calls are known to come one after another: a run's own, where there are no times."""
    return "" if call.timed else call.run


def _dearer(measured: Measured) -> int:
    """What a token costs more that is written anew instead of read."""
    rates = measured.rates
    hours = any(marker.ttl == "1h" for marker in measured.call.prompt.markers)
    return (rates.write_1h if hours else rates.write_5m) - rates.read
