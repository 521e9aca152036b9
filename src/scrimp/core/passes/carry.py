"""`scrimp.Carry`: old tool results and thinking cleared by the API, or all of it summed up, when that pays.

At each step the prompt is looked at as it would go out: how long it is, what of it the cache holds, what
carrying it on is expected to cost. What is cleared stays cleared at every later step, byte for byte, so that
the cache lives; nothing more goes until that pays again (`core.carry.worth`). Summaries that answers began
with are looked for in the requests after them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress

import msgspec

from scrimp.core.cache import TTL_SECONDS
from scrimp.core.carry.cut import Cut
from scrimp.core.carry.deciding import Choice, Settings, betas_for, choose, made, summing_betas
from scrimp.core.carry.pieces import lifetime_of
from scrimp.core.carry.seen import counted
from scrimp.core.carry.steps import (
    Asked,
    Open,
    cost_of_missing,
    input_cost,
    own_extra,
    read_step,
    whole_extra,
    why_not,
)
from scrimp.core.carry.summaries import Summaries, asked_to_compact
from scrimp.core.carry.talks import CutStore, Gone, Kept, Talks
from scrimp.core.carry.worth import Clearing, Compaction
from scrimp.core.carry.worth_account import RISK
from scrimp.core.carry.worth_lasting import Lasting
from scrimp.core.carry.worth_strangers import Strangers, was_cached
from scrimp.core.forgetting import Newest, forget_oldest
from scrimp.core.levers import Answered, Change, Step
from scrimp.core.plan import Decision, Mode
from scrimp.core.planned import Planned
from scrimp.errors import InputError
from scrimp.wire.request import Body

__all__ = ["Carry"]

_OPEN, _MODELS, _LABELS = 10_000, 1_000, 1_000
_TOOL, _LABEL = "tool ", "label "
"""What learned values are named by, before the name of a tool or a label."""
_BEGINNING = 3
"""Messages up to which a conversation is taken to begin here."""
_ODD = (
    "the API cleared another number of tool uses than it was asked to: nothing more is cleared of that "
    "conversation"
)
_DROPPED = (
    "an answer began with a summary of its conversation (a compaction block) that was not sent back, so the "
    "model never reads it and it is paid for again: append the whole content of answers"
)


_encoded = msgspec.json.encode


class _Made(msgspec.Struct, frozen=True):
    """What becomes of a step, and what to remember of it until its bill comes."""

    body: Body
    opened: Open | None = None
    decisions: tuple[Decision, ...] = ()
    own_extra: int = 0
    warnings: tuple[str, ...] = ()
    cuts: bool = False


class Carry:
    """Has the API clear old tool results, and the thinking before them, when that pays.

        scrimp.Middleware(levers=[scrimp.Carry()])

    `keep` is how many of the newest tool uses always stay; results of `exclude_tools` are never cleared, and
    with `thinking` off neither is thinking. With `compact` the API may also be asked to sum everything up:
    answers then begin with a compaction block, which has to be sent back; `restore` puts it back where a
    client does not. `risk` is the share of its own cost that a conversation may lose by all this, whenever it
    ends. In `store` the next process finds what is cleared (None: it is sent whole again, and written anew).
    Raises `InputError` for limits that make no sense.
    """

    name = "carry"
    mode: Mode = "save"

    def __init__(
        self,
        *,
        keep: int = 3,
        exclude_tools: Collection[str] = (),
        thinking: bool = True,
        compact: bool = False,
        restore: bool = False,
        risk: float = RISK,
        store: CutStore | None = None,
    ) -> None:
        if isinstance(exclude_tools, str):
            raise InputError(f'Carry: exclude_tools should be a list of names: ["{exclude_tools}"]')
        if keep < 1 or not 0 <= risk <= 1:
            raise InputError(f"Carry: keep ({keep}) should be 1 or more, risk ({risk}) between 0 and 1")
        self._settings = Settings(keep, tuple(sorted(exclude_tools)), thinking, compact, risk)
        self._talks = Talks(store)
        self._summaries = Summaries(restores=restore)
        self._lasting = Lasting()
        self._refused = Newest[str](_MODELS)
        self._droppers = Newest[str | None](_LABELS)
        self._open: dict[int, Open] = {}
        self._strangers = Strangers()

    def change(self, step: Step) -> Change | None:
        """The request with what is taken out of it; None where nothing is and there is nothing to say."""
        self._open.pop(id(step), None)
        asked = None if step.model.id in self._refused else read_step(step, self._talks, self._summaries)
        if asked is None:
            return _with_betas(step)
        found = self._carried(asked)
        body, warnings = found.body, list(found.warnings)
        if asked.brought.missing:
            back = asked.brought.put_back == asked.brought.missing
            warnings.append(f"{_DROPPED}{'; it was put back' if back else ''}")
            if not back:
                self._droppers.add(step.tags.label)
        reads = asked_to_compact(body)
        changed, opened = body is not step.body, found.opened
        if opened is None and (reads or changed):
            opened = Open(asked.name, asked.before.books, asked.removed)
        if opened is not None:
            self._open[id(step)] = msgspec.structs.replace(opened, changed=changed)
            forget_oldest(self._open, _OPEN)
        betas = betas_for(asked, body)
        if not changed and not (betas or found.decisions or warnings or reads):
            return None
        return Change(
            body,
            betas,
            found.decisions,
            found.own_extra,
            warnings=tuple(warnings),
            reads_answer=reads,
            cuts=found.cuts,
        )

    def answered(self, step: Step, answered: Answered) -> None:
        """Book what the step cost, and what it would have cost with nothing taken out."""
        opened = self._open.pop(id(step), None)
        if opened is None:
            return
        books, usage = opened.books, answered.usage
        if opened.static is not None:
            read = usage.cache_read_input_tokens
            self._strangers.met(found=was_cached(read, usage.total_input, opened.static))
        if opened.rates is not None:
            paid = input_cost(usage, opened.rates)
            books.account = books.account.after(paid + opened.whole_extra - opened.missed, paid)
        if answered.edited is not None and opened.cleared is not None:
            uses, turns = opened.cleared
            books.odd = books.odd or counted(answered.edited, "clear_tool_uses") != uses
            if turns and counted(answered.edited, "clear_thinking") != turns:
                self._settings = msgspec.structs.replace(self._settings, thinking=False)
        summed_up = next((one for one in usage.iterations or () if one.type == "compaction"), None)
        if answered.message is not None and summed_up is not None:
            shorter = max(0, summed_up.total_input - usage.total_input)
            self._summaries.came(opened.name, answered.message, opened.removed + shorter)

    def refused(self, step: Step) -> None:
        """The model is left alone from here on, if it was this lever that changed the request."""
        opened = self._open.pop(id(step), None)
        if opened is not None and opened.changed:
            self._refused.add(step.model.id)

    def learned(self) -> dict[str, bytes]:
        """How often what was cleared of each tool's results was missed, and how long conversations last."""
        missed = {_TOOL + tool: _encoded(seen) for tool, seen in self._talks.misses.learned().items()}
        return missed | {_LABEL + label: _encoded(calls) for label, calls in self._lasting.learned().items()}

    def recall(self, kept: Mapping[str, bytes]) -> None:
        """Begin with what an earlier process learned; what cannot be understood is passed over."""
        for name, data in kept.items():
            with suppress(msgspec.MsgspecError, OverflowError):
                if name.startswith(_TOOL):
                    seen = msgspec.json.decode(data, type=tuple[float, float])
                    self._talks.misses.recall({name.removeprefix(_TOOL): seen})
                elif name.startswith(_LABEL):
                    calls = msgspec.json.decode(data, type=list[int])
                    self._lasting.recall({name.removeprefix(_LABEL): calls})

    def _carried(self, asked: Asked) -> _Made:
        settings, before, reason = self._settings, asked.before, why_not(asked)
        compacts = settings.compacts(asked) and asked.step.tags.label not in self._droppers
        if not compacts and not before.cut and (reason is not None or not asked.history.uses):
            kept = msgspec.structs.replace(before, name=asked.name)
            self._talks.keep(kept)
            return self._silent(asked, kept, reason if asked.history.uses else None)
        body = made(asked, before.cut, settings)
        planned = asked.step.look(body)
        if planned is None or planned.too_short:
            return _Made(body)
        kept, missed = self._gone_on(asked, planned)
        choice = self._chosen(asked, planned, kept, compacts=compacts)
        acts = choice.acts
        kept, decisions = self._with_more(asked, kept, planned, choice)
        body = made(asked, kept.cut, settings, beyond=kept.compacts)
        self._talks.keep(kept)
        extra = whole_extra(planned, asked, acts.now if acts else 0)
        opened = self._opened(asked, planned, kept, extra, missed)
        sent = asked.step.look(body) if isinstance(acts, Clearing) else None
        extra = own_extra(planned, asked, sent or planned) - (acts.now if isinstance(acts, Compaction) else 0)
        if acts is None and not kept.cut:
            silent = self._silent(asked, kept, choice.why)
            return msgspec.structs.replace(silent, opened=opened, own_extra=extra)
        odd = (_ODD,) if kept.books.odd else ()
        return _Made(body, opened, decisions, extra, odd, cuts=acts is not None)

    def _gone_on(self, asked: Asked, planned: Planned) -> tuple[Kept, int]:
        """The conversation with this step, and what it cost if the step before was made for what is gone."""
        step, before, history = asked.step, asked.before, asked.history
        if asked.again:
            return before, 0
        missed, lifetime, gone = 0, lifetime_of(planned), before.books.gone
        for number in range(before.uses, len(history.uses)) if gone else ():
            tool = gone.pop(history.asked(number), None)
            if tool is not None:
                self._talks.misses.missed(tool)
                missed += cost_of_missing(planned)
        uses = len(history.uses) - before.uses
        for out in before.outs if uses else ():
            self._talks.misses.passed(out, uses)
        kept = msgspec.structs.replace(
            before,
            name=asked.name,
            uses=len(history.uses),
            at=step.now,
            lifetime=lifetime,
            calls=self._lasting.observe(asked.name, before.name, step.now, lifetime, step.tags.label),
            compacts=0,
            elsewhere=False,
        )
        return kept, missed

    def _chosen(self, asked: Asked, planned: Planned, kept: Kept, *, compacts: bool) -> Choice:
        """What to do now; a request that went out before goes out again as it was.

        A conversation met in the middle may be another process's, which has its prompt in the cache. What it
        reads is known from its next step on.
        """
        now = planned.situation.now
        self._strangers.looked(now)
        if _met_in_the_middle(asked) and self._strangers.may_be_cached(now):
            return Choice()
        if asked.again or kept.books.odd:
            return Choice()
        hours = kept.lifetime > TTL_SECONDS["5m"]
        event = planned.situation.events[0]
        later = self._lasting.calls_to_come(kept.calls, event, asked.step.tags.label, for_1h=hours)
        misses, settings = self._talks.misses, self._settings
        return choose(
            planned,
            asked,
            kept=kept,
            calls=1.0 + later,
            misses=misses,
            settings=settings,
            compacts=compacts,
        )

    def _with_more(
        self, asked: Asked, kept: Kept, planned: Planned, choice: Choice
    ) -> tuple[Kept, tuple[Decision, ...]]:
        """The conversation with more of it gone, and the decision in words."""
        acts = choice.acts
        if isinstance(acts, Compaction):
            beyond = planned.plan.total.low * 9 // 10
            what = f"had {acts.removed:,} tokens summed up"
            kept = msgspec.structs.replace(kept, compacts=beyond, waited=0, waited_all=0)
        elif isinstance(acts, Clearing):
            kept, what = self._cut(asked, kept, choice, acts)
        else:
            clear, everything = choice.waits
            waited, waited_all = kept.waited + clear, kept.waited_all + everything
            return msgspec.structs.replace(kept, waited=waited, waited_all=waited_all), ()
        return kept, (Decision(self.name, self.mode, what, acts.why, acts.saves),)

    def _cut(self, asked: Asked, kept: Kept, choice: Choice, clearing: Clearing) -> tuple[Kept, str]:
        history, before = asked.history, asked.before.cut
        cut = history.cut(before.uses + clearing.count, thinking=self._settings.thinking and asked.thinks)
        cut = Cut(cut.uses, max(cut.turns, before.turns))
        results = enumerate(choice.results[: clearing.count], before.uses)
        gone = [Gone(result.tokens, result.tool, use) for use, result in results if result.tokens]
        questions = [history.asked(number) for number in range(cut.uses)]
        often = Counter(questions)
        for number in range(before.uses, cut.uses):
            if often[questions[number]] == 1:  # what was done again before anything was gone is no fetching
                kept.books.gone[questions[number]] = history.uses[number].tool
        thought = f" and {cut.turns - before.turns} turns of thinking" if cut.turns > before.turns else ""
        what = f"cleared {cut.uses - before.uses} more tool results{thought}, {clearing.removed:,} tokens"
        return msgspec.structs.replace(kept, cut=cut, gone=(*kept.gone, *gone), waited=0, waited_all=0), what

    def _opened(self, asked: Asked, planned: Planned, kept: Kept, extra: int, missed: int) -> Open:
        excluded = self._settings.excluded
        cleared = [use for use in asked.history.uses[: kept.cut.uses] if use.tool not in excluded]
        turns = kept.cut.turns if asked.thinks and self._settings.thinking else 0
        expected = (len(cleared), turns) if kept.cut and asked.there else None
        rates = planned.situation.rates
        removed = sum(one.tokens for one in kept.gone) + asked.brought.removed
        met = _met_in_the_middle(asked) and not kept.cut and not kept.compacts
        static = planned.static_tokens if met else None
        return Open(asked.name, kept.books, removed, rates, extra, missed, expected, static=static)

    def _silent(self, asked: Asked, kept: Kept, reason: str | None) -> _Made:
        """The request as it is, and once why."""
        if reason is None or kept.books.said == reason:
            return _Made(asked.body)
        kept.books.said = reason
        what = f"nothing taken out: {reason}"
        return _Made(asked.body, decisions=(Decision(self.name, self.mode, what, reason, 0),))


def _met_in_the_middle(asked: Asked) -> bool:
    return (not asked.before.name or asked.before.elsewhere) and len(asked.body["messages"]) > _BEGINNING


def _with_betas(step: Step) -> Change | None:
    """A request that is left alone, taken all the same where there is a summary in it."""
    if step.betas is None or not isinstance(step.body.get("messages"), list):
        return None
    needed = summing_betas(step.body, step.betas)
    return Change(step.body, needed) if needed else None
