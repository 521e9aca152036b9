"""`scrimp.ContextBudget`: how much of its window a conversation may fill, softly and hard.

Beyond the soft threshold old turns give way to a session state (`core.summarize`), made by rules from the
conversation itself: no call, and the same bytes at every later step until the next cut. Where a model binds
its thinking to the whole history, the API is asked to sum up instead. Beyond the hard ceiling nothing goes
out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from scrimp.core.carry.cut import LEAST_COMPACTED, SUMMING_BETA, own_edits, with_compaction
from scrimp.core.carry.pieces import paid_rates, write_price
from scrimp.core.chains import chain_of
from scrimp.core.context_shorter import Shorter
from scrimp.core.forgetting import Newest, forget_oldest
from scrimp.core.levers import Answered, Change, Step
from scrimp.core.plan import Decision, Mode
from scrimp.core.planned import Planned
from scrimp.core.prompt import Digest
from scrimp.core.summarize.parting import Limits, Parted, Sizes, length, parted, parted_again
from scrimp.errors import ContextExceeded, InputError, RequestError
from scrimp.wire.request import Body

__all__ = ["ContextBudget"]

_CONVERSATIONS, _STATES, _MODELS = 4_096, 512, 16
_LABELS, _REFUSING = 1_000, 1_000
_SHARES, _FEW = (1.0, 0.92, 0.84, 0.76, 0.68), 1.2
"""Of the limit, what is tried at the first cut; how much of what should stay may be left of it at most."""

_CLEARING = frozenset({"clear_tool_uses", "clear_thinking"})
_DROPPED = (
    "an answer began with a summary of its conversation (a compaction block) that was not sent back: nothing "
    "more is summed up for this kind of agent; append the whole content of answers"
)


class _Cut(msgspec.Struct, frozen=True):
    """The first cut of a conversation, and by which limits the next are made."""

    limits: Limits
    first: Parted


class ContextBudget:
    """Compacts a conversation that fills more than `soft` of its window, and refuses one beyond `hard`.

        scrimp.Middleware(levers=[scrimp.ContextBudget(soft=0.6, hard=0.9)])

    Both are shares of the model's window, or of the run's `max_context` where that is less, if at most 1, and
    tokens above; None switches one off. A compaction leaves `keep` of what the soft threshold allows for
    messages; the task and the last `keep_turns` turns stay. Beyond the hard ceiling a call raises
    `ContextExceeded`, and nothing is sent.

    With `soft` it changes what the model reads, so that it acts in mode `save` only. Raises `InputError` for
    limits that make no sense.
    """

    name = "context"

    def __init__(
        self,
        *,
        soft: float | None = 0.7,
        hard: float | None = 0.95,
        keep: float = 0.4,
        keep_turns: int = 3,
    ) -> None:
        for name, limit in (("soft", soft), ("hard", hard)):
            if limit is not None and not limit > 0:
                raise InputError(f"ContextBudget: {name}={limit} leaves no room; say a share, or tokens")
        if soft is not None and hard is not None and (soft <= 1) == (hard <= 1) and soft > hard:
            raise InputError(f"ContextBudget: soft ({soft}) should be below hard ({hard})")
        if not 0 <= keep < 1 or keep_turns < 0:
            raise InputError("ContextBudget: keep is a share below 1, keep_turns 0 or more")
        self.mode: Mode = "safe" if soft is None else "save"
        self._soft, self._hard = soft, hard
        self._keep, self._keep_turns = keep, keep_turns
        self._cut: dict[Digest, _Cut] = {}
        self._shorter = Shorter()
        self._states: dict[Digest, str] = {}
        self._sizes: dict[str, Sizes] = {}
        self._acted: dict[int, Digest | None] = {}
        self._summed: dict[Digest, None] = {}
        self._droppers = Newest[str | None](_LABELS)
        self._refusing = Newest[str](_REFUSING)

    def change(self, step: Step) -> Change | None:
        """The request compacted, or the error in its place; None where it fits as it is."""
        self._acted.pop(id(step), None)
        self._shorter.forget(id(step))
        messages = step.body.get("messages")
        chain = chain_of(messages, _owner(step)) if isinstance(messages, list) and messages else None
        planned = None if chain is None else step.look(step.body)
        if chain is None or planned is None:
            return None
        change, fewer = None, 0 if _has_summary(step.body) else self._shorter.by(chain)
        if self._soft is not None and step.model.id not in self._refusing:
            change = self._compacted(step, planned, chain, fewer)
        if change is None or change.body is step.body:
            self._shorter.asked(id(step), chain, planned.plan.total.mid)
        return self._refused(step, change, planned, fewer) or change

    def answered(self, step: Step, answered: Answered) -> None:
        """How long it was, and whether the API summed up, which the next request should show."""
        self._shorter.answered(id(step), answered.usage)
        asked = self._acted.pop(id(step), None)
        if asked is not None and any(one.type == "compaction" for one in answered.usage.iterations or ()):
            self._summed[asked] = None
            forget_oldest(self._summed, _CONVERSATIONS)

    def refused(self, step: Step) -> None:
        """A compacted step went out as its caller wrote it: the model is left alone from here on."""
        self._shorter.forget(id(step))
        if id(step) in self._acted:
            del self._acted[id(step)]
            self._refusing.add(step.model.id)

    def _refused(self, step: Step, change: Change | None, planned: Planned, fewer: int) -> Change | None:
        if self._hard is None:
            return None
        ceiling = _tokens(self._hard, step)
        if change is None or change.body is step.body:
            tokens = planned.plan.total.mid - fewer
        else:
            found = step.look(change.body)
            tokens = 0 if found is None else found.plan.total.mid
        sums_up = "compact" in own_edits(step.body if change is None else change.body)
        if tokens <= ceiling or sums_up:  # which the API does before the model reads
            return None
        return Change(step.body, error=ContextExceeded(tokens, ceiling, step.model.window))

    def _compacted(self, step: Step, planned: Planned, chain: Sequence[Digest], fewer: int) -> Change | None:
        """Compacted now or at an earlier step; None where it is short enough, or nothing can be done."""
        soft, total = _tokens(self._soft or 1, step), planned.plan.total.mid - fewer
        if step.model.features.thinking_binding != "none":
            # A summary that is there needs the beta at every later step, however short they are now.
            near = 2 * total > soft or _has_summary(step.body)
            return self._by_the_api(step, chain, soft) if near else None
        known = next((self._cut[digest] for digest in chain if digest in self._cut), None)
        if known is None and total <= soft:
            return None
        messages, sizes = step.body["messages"], self._sizes_for(step)
        try:
            if known is None:
                limits = self._limits_for(messages, _uncleared(step, planned), sizes, soft)
                found = _first_parted(messages, sizes, limits)
            else:
                limits, found = known.limits, parted_again(messages, sizes, known.limits, known.first)
        except RequestError:
            return None
        new = found.cuts and chain[found.gone[-1]] not in self._states
        state = self._state(messages, found, chain) if found.cuts else ""
        if not found.cuts or not found.pays(state, sizes):
            return self._as_it_is(step, found) if total > soft else None
        if known is None:
            self._cut[chain[found.gone[-1]]] = _Cut(limits, found)  # who has not said all this is another
            forget_oldest(self._cut, _CONVERSATIONS)
        written = {"role": "user", "content": [{"type": "text", "text": state}]}
        fewer = found.removed - length([written], sizes)
        what = f"{len(found.gone)} old messages, about {found.removed:,} tokens, as a session state"
        body = {**step.body, "messages": found.left(messages, written)}
        saves = _saved(step.look(body), fewer, new=new)
        decision = Decision(self.name, "save", what, "the soft threshold was passed", saves)
        self._acts(step, None)
        return Change(body, decisions=(decision,), own_extra=saves, cuts=new)

    def _acts(self, step: Step, asked: Digest | None) -> None:
        """Remember a step that is changed; `asked` is its conversation, where the API is told to sum up."""
        self._acted[id(step)] = asked
        forget_oldest(self._acted, _CONVERSATIONS)

    def _limits_for(self, messages: list[Any], planned: Planned, sizes: Sizes, soft: int) -> Limits:
        """Tokens of messages that stand for the soft threshold, from the first compaction on.

        What else is in the prompt, and how far estimates are off, is taken as it is then: cuts stay in place.
        """
        static = planned.static_tokens
        said = max(1, planned.plan.total.mid - static)
        room = max(0, soft - static) * length(messages, sizes) // said
        return Limits(room, int(self._keep * room), self._keep_turns)

    def _state(self, messages: list[Any], found: Parted, chain: Sequence[Digest]) -> str:
        """The session state of what goes: always the same for the same beginning."""
        name = chain[found.gone[-1]]
        state = self._states.get(name)
        if state is None:
            state = self._states[name] = found.extracted(found.obliges(messages))
            forget_oldest(self._states, _STATES)
        return state

    def _sizes_for(self, step: Step) -> Sizes:
        found = self._sizes.get(step.model.id)
        if found is None:
            found = self._sizes[step.model.id] = Sizes(step.model)
            forget_oldest(self._sizes, _MODELS)
        return found

    def _by_the_api(self, step: Step, chain: Sequence[Digest], soft: int) -> Change | None:
        """The API told to sum up beyond `soft`, where it can and its summaries are sent back."""
        features, label = step.model.features, step.tags.label
        if any(digest in self._summed for digest in chain) and not _has_summary(step.body):
            self._droppers.add(label)
            return Change(step.body, warnings=(_DROPPED,))
        able = "threshold" in features.compaction and "features.compaction" not in step.model.inferred
        if not able or label in self._droppers or "compact" in own_edits(step.body):
            return None
        self._acts(step, chain[-1])
        what = f"to be summed up by the API beyond {max(LEAST_COMPACTED, soft):,} tokens"
        decision = Decision(self.name, "save", what, "its thinking is bound to the whole history", 0)
        betas = () if SUMMING_BETA in (step.betas or ()) else (SUMMING_BETA,)
        return Change(with_compaction(step.body, soft), betas, (decision,))

    def _as_it_is(self, step: Step, found: Parted) -> Change:
        why = found.kept or "too little would be saved"
        decision = Decision(self.name, "save", "left as it is beyond the soft threshold", why, 0)
        return Change(step.body, decisions=(decision,))


def _first_parted(messages: list[Any], sizes: Sizes, limits: Limits) -> Parted:
    """The first cut of a conversation.

    Cuts are worked out from the beginning, and of one that is met in the middle, or that was shorter until
    now for what the API cleared, the last may lie so far back that the next is due at once. A lower limit
    brings it here: what is cut is written anew anyway.
    """
    whole, tried = length(messages, sizes), []
    for share in _SHARES:
        lower = msgspec.structs.replace(limits, trigger=max(limits.keep, int(share * limits.trigger)))
        found = parted(messages, sizes, lower)
        tried.append((whole - found.removed, found))
        if not found.cuts or tried[-1][0] <= _FEW * limits.keep:
            break
    return min(tried, key=lambda one: one[0])[1]


def _saved(planned: Planned | None, fewer: int, *, new: bool) -> int:
    """What the caller's own request would have cost beyond this one, picodollars: it would have read what is
    gone, and what a new cut has written again as well."""
    if planned is None:
        return 0
    rates = paid_rates(planned)
    again = planned.plan.chosen.outcome.written * (write_price(planned) - rates.read) if new else 0
    return fewer * rates.read - again


def _uncleared(step: Step, planned: Planned) -> Planned:
    """The prompt with nothing cleared of it by the API: the messages hold what is cleared all the same."""
    if not own_edits(step.body) & _CLEARING:
        return planned
    management = step.body["context_management"]
    edits = [edit for edit in management["edits"] if not own_edits(_edited(edit)) & _CLEARING]
    return step.look({**step.body, "context_management": {**management, "edits": edits}}) or planned


def _edited(edit: Any) -> Body:
    return {"context_management": {"edits": [edit]}}


def _owner(step: Step) -> str:
    """Whose conversations are known by the same words."""
    tags = step.tags
    return repr((step.model.id, tags.user, tags.team, tags.key))


def _tokens(limit: float, step: Step) -> int:
    """A limit in tokens: a share is one of the window, or of what the run allows."""
    if limit > 1:
        return int(limit)
    window = step.model.window
    return int(limit * (window if step.max_context is None else min(window, step.max_context)))


def _has_summary(body: Body) -> bool:
    blocks = [
        block
        for message in body["messages"]
        if isinstance(message.get("content"), list)
        for block in message["content"]
    ]
    return any(isinstance(block, Mapping) and block.get("type") == "compaction" for block in blocks)
