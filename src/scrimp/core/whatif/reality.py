"""What-if checked against reality: bills of the policies that were really in force, foreseen from elsewhere.

Recordings hold several policies: five-minute and one-hour caches, automatic ones, none at all, each under the
rules of its day. The calls of one source under one policy are a group, and its bill is foreseen without it:
lengths and prompts as they were, the cache by its rules alone, call by call, from nothing but earlier calls.

Two things are no rule. What calls outside the recording left in the cache is given, where it is tools and
system or no recorded call can have left it: a replay of another policy finds it there as well. And a live
entry is gone now and then; what that costs is foreseen from the share of foreseen reads that was lost in the
*other* groups, those of the same source under another policy among them, and in recorded projects before.
What the bills of a group lost is never used for its own figure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from scrimp.core.cache import TTL_SECONDS, Cache, Outcome
from scrimp.core.prompt import Digest
from scrimp.core.recorded import RecordedCall
from scrimp.core.replay import input_cost
from scrimp.core.reproduce import Dealt, Measured, deal, unexplained, use, whose_cache
from scrimp.core.tolerance import tolerance
from scrimp.core.whatif.losses import expected_share, observed_losses

__all__ = ["Check", "by_source", "check", "policy_in_force"]


class Check(msgspec.Struct):
    """One source under one policy; picodollars of input.

    `predicted` is the figure: `by_rules` and what entries gone early are expected to cost. `by_rules` has
    what others left as given, in `given` calls; `blind` is the rules without even that. `reads` are tokens
    foreseen to be read by the rules, `lost` those of them that the bills show to be gone. `timed` is False
    where some cached call has no recorded time: whether an entry still lived is then a guess.
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
    lost: int = 0
    timed: bool = True

    @property
    def error(self) -> float:
        """How far the prediction is off, as a share of the bill."""
        return self.predicted / self.billed - 1 if self.billed else 0.0

    @property
    def blind_error(self) -> float:
        """The same of the rules alone, with nothing given."""
        return self.blind / self.billed - 1 if self.billed else 0.0

    def include(self, other: Check) -> None:
        """Add another group to this one."""
        self.calls += other.calls
        self.billed += other.billed
        self.predicted += other.predicted
        self.by_rules += other.by_rules
        self.blind += other.blind
        self.given += other.given
        self.reads += other.reads
        self.lost += other.lost
        self.timed = self.timed and other.timed


class _Foreseen(msgspec.Struct, frozen=True):
    """One call: by the rules alone, and with what others left; how much more a token costs that is gone."""

    measured: Measured
    blind: Outcome
    outcome: Outcome
    given: bool
    dearer: int


def check(
    sources: Iterable[tuple[str, Sequence[Measured]]], *, prior: tuple[int, int] | None = None
) -> list[Check]:
    """Every source by the policy in force; `sources` are calls in time order, as they were billed.

    `prior` is what was lost elsewhere (tokens foreseen to be read, and lost); None: in recorded projects that
    are not among `sources`.
    """
    found: list[Check] = []
    at_stake: list[int] = []
    for source, calls in sources:
        groups, stakes = _grouped(source, calls)
        found += groups
        at_stake += stakes
    before = observed_losses({one.source for one in found}) if prior is None else prior
    for one, stake in zip(found, at_stake, strict=True):
        others = [other for other in found if other is not one and other.timed]
        reads, lost = sum(other.reads for other in others), sum(other.lost for other in others)
        one.predicted = one.by_rules + round(expected_share(reads, lost, before) * stake)
    return found


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


def _grouped(source: str, calls: Sequence[Measured]) -> tuple[list[Check], list[int]]:
    policies = _policies(calls)
    groups: dict[str, Check] = {}
    stakes: dict[str, int] = defaultdict(int)
    for one in _walk(calls):
        call = one.measured.call
        policy = policies[_conversation(call)]
        group = groups.setdefault(policy, Check(source, policy))
        stakes[policy] += one.outcome.read * one.dearer
        _count(group, one)
    return list(groups.values()), [stakes[policy] for policy in groups]


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
    group.reads += one.outcome.read
    missing = one.outcome.read - usage.cache_read_input_tokens
    group.lost += missing if missing > tolerance(usage.total_input) else 0
    group.timed = group.timed and (measured.call.timed or not measured.call.cached)


def _walk(calls: Sequence[Measured]) -> Iterator[_Foreseen]:
    """Every call foreseen from those before it; the cache is put right by each bill after that."""
    caches: dict[str, Cache] = {}
    ends_at: dict[Digest, float] = {}
    for measured in calls:
        call, ends, total = measured.call, measured.ends, measured.call.usage.total_input
        cache = caches.setdefault(whose_cache(call), Cache())
        use(cache, measured)
        blind = outcome = cache.outcome(call.prompt, ends, total, call.rules, call.at)
        dealt = unexplained(cache, measured, blind)
        given = dealt is not None and _is_given(dealt, call, ends_at)
        if dealt is not None and given:
            deal(cache, Dealt(found=dealt.found, ttl=dealt.ttl), call.prompt, call.at)
            outcome = cache.outcome(call.prompt, ends, total, call.rules, call.at)
        yield _Foreseen(measured, blind, outcome, given and outcome.read > blind.read, _dearer(measured))
        kept = outcome
        if dealt is not None:
            deal(cache, dealt, call.prompt, call.at)
            kept = cache.outcome(call.prompt, ends, total, call.rules, call.at)
        cache.commit(call.prompt, kept, call.at, call.began_at or call.at)
        _remember(ends_at, call, kept)


def _is_given(dealt: Dealt, call: RecordedCall, ends_at: Mapping[Digest, float]) -> bool:
    """Whether others left what was found: tools and system, which conversations outside the recording have
    as well, or what no recorded call can have left, were lifetimes twice as long.

    Without times there is no telling who left it.
    """
    if dealt.found is None or not call.timed:
        return False
    prefix = call.prompt.prefixes[dealt.found]
    return dealt.found <= call.prompt.static_end or ends_at.get(prefix, 0.0) <= call.at


def _remember(ends_at: dict[Digest, float], call: RecordedCall, outcome: Outcome) -> None:
    ttl = max((TTL_SECONDS[marker.ttl] for marker in call.prompt.markers), default=0)
    positions = [write.position for write in outcome.writes]
    if outcome.hit >= 0:
        positions.append(outcome.hit)
    for position in positions:
        prefix = call.prompt.prefixes[position]
        ends_at[prefix] = max(ends_at.get(prefix, 0.0), call.at + 2 * ttl)


def _dearer(measured: Measured) -> int:
    """What a token costs more that is written anew instead of read."""
    rates = measured.rates
    hours = any(marker.ttl == "1h" for marker in measured.call.prompt.markers)
    return (rates.write_1h if hours else rates.write_5m) - rates.read
