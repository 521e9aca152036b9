"""The brain of one workspace: what its cache holds, how long its prompts are, and what usually comes next.

    planned = workspace.plan(body, now)        # before the call
    workspace.sent(planned, started_at, first_event_at)
    workspace.billed(planned, usage)           # after it, whatever was predicted

Pure apart from its own memory: no clock, no I/O. The same object plans live requests and replays recordings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

import msgspec

from scrimp.core.bill import day_of
from scrimp.core.cache import Cache, CacheRules, Entry, windows
from scrimp.core.carry.history import Place, lengths_of
from scrimp.core.carry.seen import Edited, seen, summing_up, tail_of
from scrimp.core.elsewhere import Elsewhere
from scrimp.core.forgetting import forget_oldest
from scrimp.core.gaps import Returns
from scrimp.core.hard_lengths import HardLengths
from scrimp.core.horizon import Horizon, Taken
from scrimp.core.learned import Snapshot
from scrimp.core.lengths import Lengths
from scrimp.core.passes.mark import Situation
from scrimp.core.pending import Pending
from scrimp.core.plan import Range, plan
from scrimp.core.planned import Asked, Planned
from scrimp.core.prompt import Digest, Prompt, Reading, read_prompt
from scrimp.core.reading_memory import Read, ReadingMemory
from scrimp.core.short_prompts import ShortPrompts
from scrimp.core.terms import cache_rules, reading
from scrimp.core.tokens.estimator import Estimator, Ruler, Sized
from scrimp.core.tokens.learner import Learner
from scrimp.core.tolerance import tolerance
from scrimp.core.too_short import is_too_short, left_alone
from scrimp.core.worst_known import known_bound
from scrimp.core.worst_parts import may_shorten
from scrimp.core.worth import Event
from scrimp.facts.model import Model
from scrimp.facts.models import LONGEST_SPELLING, Facts
from scrimp.wire.markers import TTL
from scrimp.wire.request import Body, messages_of
from scrimp.wire.response import TokenCounts, Usage

__all__ = ["Asked", "Planned", "Workspace", "cache_rules", "reading"]


_ANSWERS_REMEMBERED, _BYTES_PER_ANSWER = 10_000, 8_000
_TERMS_REMEMBERED = 1_024
_ESTIMATORS_REMEMBERED = 16


class _Terms(NamedTuple):
    """What holds for all requests of one day that spell their model alike."""

    model: Model
    reading: Reading
    rules: CacheRules


class _Request(msgspec.Struct, frozen=True, gc=False):
    """A request as it is read; `whole` and `edited` are those of `Asked`."""

    read: Read
    terms: _Terms
    name: str
    day: date
    whole: bool
    edited: Edited | None


class Workspace:
    """One organisation's and workspace's cache as scrimp believes it to be."""

    def __init__(self, facts: Facts, *, provider: str = "anthropic", learned: Snapshot | None = None) -> None:
        """`learned` is what an earlier process learned; what its cache holds now is not part of it."""
        learned = learned or Snapshot()
        self._facts = facts
        self._provider = provider
        self._cache = Cache()
        self._lengths = Lengths()
        self._hard_lengths = HardLengths()
        self._short = ShortPrompts()
        self._learner = Learner(learned.ratios)
        self._horizon = Horizon(learned.horizon)
        self._pending = Pending()
        self._elsewhere = Elsewhere(learned.elsewhere)
        self._memory = ReadingMemory()
        self._ruler = Ruler()
        self._answers: dict[Digest, str] = {}
        self._tails: dict[bytes, Digest] = {}
        self._estimators: dict[str, Estimator] = {}
        self._terms: dict[tuple[str, date, bool], _Terms] = {}

    def plan(
        self, body: Body, now: float, *, again: bool = False, label: str | None = None
    ) -> Planned | None:
        """Plan a request that starts at `now` (epoch seconds); `again` for a retry of one planned before.

        `label` is the kind of agent that calls, where known: what comes next is learned per label.

        None for the next turn of a thread that the API holds: the rest of the prompt is not in the request.

        Raises `RequestError` when `body` is not a Messages request, `PlanError` when no safe plan was found;
        either way the caller sends the untouched request.
        """
        request = self._read(body, now)
        if request is None:
            return None
        short = self._surely_short(request, now)
        return self.decide(self._asked(request), now, again=again, label=label) if short is None else short

    def look(self, body: Body, now: float, label: str | None = None) -> Planned | None:
        """How a request stands, as `plan` would find it; nothing is remembered of it, nobody counts on it.

        Raises what `plan` raises.
        """
        request = self._read(body, now)
        if request is None:
            return None
        short = self._surely_short(request, now)
        if short is not None:
            return short
        asked = self._asked(request)
        prompt, total = asked.prompt, self._total(asked)
        if is_too_short(prompt, total, asked.rules):
            return left_alone(asked, total, self._cache, now)
        events, taken = self._horizon.foresee(prompt, label, after=self._before(asked))
        pending = self._pending.of(prompt, now)
        situation = self._situation(asked, total, now=now, events=events, pending=pending, taken=taken)
        return Planned(asked, situation, plan(situation, total=total))

    def _read(self, body: Body, now: float) -> _Request | None:
        """The request as it is read; None for the next turn of a thread. Raises `RequestError`."""
        in_thread = "thread" in body
        if in_thread and _continues_thread(body):
            return None
        day = day_of(now)
        name = str(body.get("model", ""))[:LONGEST_SPELLING]
        terms = self._terms_of(name, day, in_thread=in_thread)
        read, edited = self._memory.read(body, terms.reading, name), None
        if read.summed_up or body.get("context_management"):
            as_read = seen(body, terms.model, lambda whole: self._parts(whole, terms, name))
            if as_read.edited is not None:
                read, edited = self._memory.read(as_read.body, terms.reading, name), as_read.edited
        return _Request(read, terms, name, day, not may_shorten(body, terms.model), edited)

    def _asked(self, request: _Request, sized: Sized | None = None) -> Asked:
        """The request measured, unless its size is given."""
        read, terms, edited = request.read, request.terms, request.edited
        sized = sized or self._measured(read, terms.model, request.name)
        looked, asks, plain = (read.looked, read.asks, read.plain) if edited is None else (None, None, False)
        known = request.day, request.whole, edited, looked, read.opening, asks, plain
        return Asked(read.prompt, sized, terms.model, terms.rules, *known)

    def _measured(self, read: Read, model: Model, name: str) -> Sized:
        estimator, prompt = self._estimator(model, name), read.prompt
        measured = estimator.extend(read.kept.measured, read.kept.positions, prompt.blocks, prompt.digests)
        read.remember(measured)
        return estimator.finish(measured, prompt.blocks, read.settings)

    def _parts(self, body: Body, terms: _Terms, name: str) -> tuple[Sequence[int], Mapping[Place, int]]:
        """Tokens up to the end of each message, and of each tool result, as far as bills have shown them."""
        read = self._memory.read(body, terms.reading, name)
        prompt, sized = read.prompt, self._measured(read, terms.model, name)
        found = self._learner.foresee(terms.model.id, prompt.blocks, prompt.prefixes, sized)
        return lengths_of(prompt, self._lengths.ends(prompt, sized.sizes, found.mid), len(messages_of(body)))

    def gaps(self, body: Body, label: str | None = None) -> Returns:
        """When tools and system of `body` are used next, as `label` has taught; without either, its prompt.

        Raises `RequestError`.
        """
        model = self._facts.resolve(str(body.get("model", "")))
        prompt = read_prompt(body, reading(self._facts, model, None))
        return self._horizon.next_use(prompt, label)

    def decide(self, asked: Asked, now: float, *, again: bool = False, label: str | None = None) -> Planned:
        """Plan a request that was read and measured already. Raises `PlanError`."""
        prompt, total = asked.prompt, self._total(asked)
        if is_too_short(prompt, total, asked.rules):
            return left_alone(asked, total, self._cache, now)
        taken = None if again else self._observed(asked, now, label)
        # What a failed attempt was about to write is not there: its retry has to write it.
        pending = () if again else self._pending.of(prompt, now)
        events = self._horizon.events(prompt, label)
        situation = self._situation(asked, total, now=now, events=events, pending=pending, taken=taken)
        best = plan(situation, total=total)
        writing = self._pending.planned(best.chosen.outcome, now)
        previous = self._answers.get(taken.owner) if taken and taken.owner is not None else None
        return Planned(asked, situation, best, previous, writing)

    def _observed(self, asked: Asked, now: float, label: str | None) -> Taken:
        prompt = asked.prompt
        live, _ = self._cache.longest(prompt, now)
        taken = self._horizon.observe(prompt, now, label, live=live, after=self._before(asked))
        self._tails[tail_of(prompt.digests)] = prompt.prefixes[-1]
        forget_oldest(self._tails, _ANSWERS_REMEMBERED)
        return taken

    def _before(self, asked: Asked) -> Digest | None:
        """The prompt of the step before, where something may have been taken out since."""
        if asked.edited is None:
            return None
        tails, digests = self._tails, asked.prompt.digests
        ends = range(len(digests), asked.prompt.static_end + 1, -1)
        known = (tails[tail] for end in ends if (tail := tail_of(digests[:end][-2:])) in tails)
        return next(known, tails.get(asked.edited.replaced))

    def _total(self, asked: Asked) -> Range:
        """The length of a prompt by what bills have taught."""
        found = self._learner.foresee(asked.model.id, asked.prompt.blocks, asked.prompt.prefixes, asked.sized)
        return Range(found.low, found.mid, found.high)

    def _situation(
        self,
        asked: Asked,
        total: Range,
        *,
        now: float,
        events: tuple[Event, ...],
        pending: tuple[tuple[int, TTL], ...],
        taken: Taken | None = None,
    ) -> Situation:
        prompt, mid = asked.prompt, total.mid
        ends = self._lengths.ends(prompt, asked.sized.sizes, mid)
        rates = asked.model.rates(asked.day, prompt_tokens=mid)
        elsewhere = self._elsewhere.odds if taken is not None and taken.owner is None else 0.0
        known = pending, elsewhere, -1 if taken is None else taken.position
        return Situation(prompt, ends, mid, self._cache, asked.rules, rates, events, now, *known)

    def most_tokens(self, planned: Planned) -> int | None:
        """A hard bound on the prompt's length, where a bill has shown one of its beginning."""
        return known_bound(planned.prompt, self._hard_lengths, image=planned.model.image_rule.max_tokens)

    def replan(self, planned: Planned, now: float, *, own: bool = False) -> Planned:
        """The same request once more, after it waited: what it needs may be there by now.

        `own` leaves it as its caller wrote it. Raises `PlanError`.
        """
        self._pending.over(planned.writing)
        pending = self._pending.of(planned.prompt, now)
        situation = msgspec.structs.replace(planned.situation, now=now, pending=pending)
        found = plan(situation, total=planned.plan.total)
        found = found.untouched() if own else found
        writing = self._pending.planned(found.chosen.outcome, now)
        return msgspec.structs.replace(planned, situation=situation, plan=found, writing=writing)

    def entry(self, prefix: Digest, now: float) -> Entry | None:
        """The cache entry of a prefix, where one can be read."""
        return self._cache.alive(prefix, now)

    def written_elsewhere(self, prefix: Digest, ttl: TTL, now: float) -> None:
        """Another process of this account has written a prefix just now."""
        self._pending.over((prefix,))
        self._cache.add(prefix, ttl, now, now)

    def writing_elsewhere(self, prefix: Digest, write: tuple[int, TTL] | None, now: float) -> None:
        """Another process is writing a prefix: its position, and for how long; None: it is no more."""
        if write is None:
            self._pending.over((prefix,))
        else:
            self._pending.begun(prefix, *write, now)

    def sent(self, planned: Planned, started_at: float, first_event_at: float) -> None:
        """The planned request went out and its response began: its entries are there now."""
        if planned.too_short:
            return
        chosen, prompt = planned.plan.chosen.outcome, planned.asked.prompt
        self._pending.over(planned.writing)
        self._pending.over([write.prefix for write in chosen.writes])
        outcome = self._cache.surely(prompt, chosen, started_at)
        self._cache.commit(prompt, outcome, started_at, first_event_at)

    def dropped(self, planned: Planned) -> None:
        """Nothing came of the planned request: it writes no entries."""
        self._pending.over(planned.writing)

    def billed(
        self,
        planned: Planned,
        usage: Usage,
        message_id: str | None = None,
        edited: Mapping[str, int] | None = None,
    ) -> None:
        """Learn from a bill: lengths, how far off the estimate was, and what the cache held after all.

        `message_id` names the answer, for the provider's own diagnosis of the step after it. `edited` is what
        the API says it took out of the prompt (`Metered`): where that is not what was foreseen, the bill is
        another prompt's.
        """
        foreseen, summed_up = planned.asked.edited, summing_up(usage)
        if foreseen is not None and edited is not None and not foreseen.agrees(edited):
            for write in planned.plan.chosen.outcome.writes:
                self._cache.drop(write.prefix)
            return
        if planned.too_short:
            if summed_up is None:
                total = usage.total_input
                self._learner.note(planned.prompt.prefixes, total)
                if planned.asked.whole:
                    self._short.learn(planned, total)
            return
        prompt = planned.prompt.remarked(planned.plan.markers)
        if message_id is not None and prompt.prefixes:
            self._answers[prompt.prefixes[-1]] = message_id
            forget_oldest(self._answers, _ANSWERS_REMEMBERED)
        if summed_up is not None:  # with what asks for the summary the prompt is longer than it says
            self._correct(planned, prompt, summed_up)
            self._went_on(planned, prompt, usage)
            return
        self._lengths.reveal(prompt, usage)
        if planned.asked.whole:
            self._hard_lengths.learn(prompt, usage)
        self._learner.learn(
            planned.model.id, prompt.blocks, prompt.prefixes, planned.asked.sized, usage.total_input
        )
        if usage.reports_cache:
            self._elsewhere.billed(planned.situation, prompt.markers, usage.cache_read_input_tokens)
            self._correct(planned, prompt, usage)

    @property
    def weight(self) -> int:
        """Bytes remembered, about: conversations, and what grows with every call until it is full."""
        return self._memory.weight + _BYTES_PER_ANSWER * len(self._answers)

    @property
    def learned(self) -> Snapshot:
        """What to keep for the next process."""
        return Snapshot(self._horizon.learned, self._learner.learned, self._elsewhere.learned)

    def _correct(self, planned: Planned, prompt: Prompt, usage: TokenCounts) -> None:
        """Entries that the bill shows to be gone are dropped, one that it shows to live is added."""
        outcome, rules, now = planned.plan.chosen.outcome, planned.asked.rules, planned.situation.now
        read, slack = usage.cache_read_input_tokens, tolerance(usage.total_input)
        if abs(read - outcome.read) <= slack:
            return
        ends = self._lengths.ends(prompt, planned.asked.sized.sizes, usage.total_input)
        reach = list(windows(prompt, rules.lookback))
        if read < outcome.read - slack:
            written = {write.position for write in outcome.writes}
            for position in reach:
                if position not in written and ends[position] > read + slack:
                    self._cache.drop(prompt.prefixes[position])
        elif read > outcome.read + slack and reach:
            position = min(reach, key=lambda place: abs(ends[place] - read))
            if abs(ends[position] - read) <= slack:
                self._cache.add(prompt.prefixes[position], "5m", now, now)

    def _went_on(self, planned: Planned, prompt: Prompt, usage: Usage) -> None:
        """What followed a summary had tools and system before it, with the markers they had."""
        now = planned.situation.now
        touched = usage.cache_creation_input_tokens + usage.cache_read_input_tokens
        for marker in prompt.markers:
            if touched and marker.position <= prompt.static_end:
                self._cache.add(prompt.prefixes[marker.position], marker.ttl, now, now)

    def _surely_short(self, request: _Request, now: float) -> Planned | None:
        """The plan for a request that is too short whatever it says; None where that is not sure."""
        read, rules = request.read, request.terms.rules
        outlook = self._short.outlook(read, rules) if request.whole and request.edited is None else None
        if outlook is None:
            return None
        asked = self._asked(request, outlook.sized)
        return left_alone(asked, outlook.total, self._cache, now, outlook.ends(read.prompt))

    def _terms_of(self, name: str, day: date, *, in_thread: bool) -> _Terms:
        key = (name, day, in_thread)
        found = self._terms.get(key)
        if found is None:
            if len(self._terms) >= _TERMS_REMEMBERED:
                self._terms.clear()
            model = self._facts.resolve(name)
            rules = cache_rules(self._facts, model, self._provider, day, in_thread=in_thread)
            found = self._terms[key] = _Terms(model, reading(self._facts, model, day), rules)
        return found

    def _estimator(self, model: Model, name: str) -> Estimator:
        found = self._estimators.get(name)
        if found is None:
            if len(self._estimators) >= _ESTIMATORS_REMEMBERED:
                del self._estimators[next(iter(self._estimators))]
            found = self._estimators[name] = Estimator(model, spelling=name, ruler=self._ruler)
        return found


def _continues_thread(body: Body) -> bool:
    thread = body.get("thread")
    return thread is not None and isinstance(thread, Mapping) and thread.get("type") == "continue"
