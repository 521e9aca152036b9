"""`scrimp.Trim`: whole old turns left out of long conversations, where the model lets that be done."""

from __future__ import annotations

from scrimp.core.carry.pieces import own_price
from scrimp.core.chains import said_of
from scrimp.core.forgetting import Newest, forget_oldest
from scrimp.core.levers import Answered, Change, Step
from scrimp.core.plan import Decision, Mode
from scrimp.core.prompt import Digest
from scrimp.core.summarize.parting import Sizes
from scrimp.core.trim import WHY_KEPT, Trimmed, trimmed
from scrimp.errors import InputError, RequestError
from scrimp.wire.request import Body

__all__ = ["Trim"]

_CUTS_REMEMBERED = 10_000
_MODELS = 16
_REFUSED = 1_000


class Trim:
    """Leaves old turns out of every request, once its messages have grown beyond `trigger` tokens.

        scrimp.Middleware(levers=[scrimp.Trim(trigger=80_000)])

    What goes and what stays is what `scrimp.trim` says: the task, the last `keep_turns` turns and `keep`
    tokens in all (half of `trigger` unless given) stay, calls are never parted from their results, and the
    cut is the same at every step until the next one. Histories of models that bind their thinking to what was
    before it, and those with a summary, are left as they are.

    It keeps to its limits whether or not that pays: a conversation that ends soon after a cut costs more than
    it would have, for what stays is written to the cache anew; records book that. `scrimp.Carry` takes out
    only what pays. Raises `InputError` for limits without sense.
    """

    name = "trim"
    mode: Mode = "save"

    def __init__(self, *, trigger: int = 100_000, keep: int | None = None, keep_turns: int = 3) -> None:
        self._keep = trigger // 2 if keep is None else keep
        if not 0 <= self._keep <= trigger or keep_turns < 0:
            limits = f"keep ({self._keep:,}) should be between 0 and trigger ({trigger:,})"
            raise InputError(f"Trim: {limits}, keep_turns 0 or more")
        self._trigger = trigger
        self._keep_turns = keep_turns
        self._refused = Newest[str](_REFUSED)
        self._said: set[str] = set()
        self._cuts: dict[Digest, None] = {}
        self._changed: dict[int, None] = {}
        self._sizes: dict[str, Sizes] = {}

    def change(self, step: Step) -> Change | None:
        """The request without its old turns; None where none go."""
        self._changed.pop(id(step), None)
        found = self._found(step)
        if found is None:
            return None
        if found.kept is not None:
            why = f"nothing trimmed: {WHY_KEPT[found.kept]}"
            if why in self._said:
                return None
            self._said.add(why)
            return Change(step.body, decisions=(Decision(self.name, self.mode, why, why, 0),))
        if found.cut == found.head:
            return None
        messages = step.body["messages"]
        left = found.left(messages)
        body = {**step.body, "messages": left}
        cut = said_of([step.model.id, messages[0], found.cut, messages[found.cut]])
        new = cut not in self._cuts
        self._cuts[cut] = None
        forget_oldest(self._cuts, _CUTS_REMEMBERED)
        self._changed[id(step)] = None
        forget_oldest(self._changed, _CUTS_REMEMBERED)
        decisions = (_decision(found, len(messages) - len(left)),) if new else ()
        return Change(body, decisions=decisions, own_extra=_extra(step, body, found), cuts=new)

    def answered(self, step: Step, answered: Answered) -> None:  # noqa: ARG002  # that it came is enough
        """It was taken."""
        self._changed.pop(id(step), None)

    def refused(self, step: Step) -> None:
        """The model is left alone from here on, if it was this lever that changed the request."""
        if self._changed.pop(id(step), 0) is None:
            self._refused.add(step.model.id)

    def _found(self, step: Step) -> Trimmed | None:
        body, messages = step.body, step.body.get("messages")
        if step.model.id in self._refused or not isinstance(messages, list):
            return None
        if body.get("thread") is not None or body.get("compaction") is not None:
            return None
        try:
            return trimmed(
                messages,
                step.model,
                trigger=self._trigger,
                keep=self._keep,
                keep_turns=self._keep_turns,
                size=self._size_for(step),
            )
        except RequestError:  # the API will say what is wrong with it
            return None

    def _size_for(self, step: Step) -> Sizes:
        """Lengths for the model of this step, each worked out once."""
        found = self._sizes.get(step.model.id)
        if found is None:
            found = self._sizes[step.model.id] = Sizes(step.model)
            forget_oldest(self._sizes, _MODELS)
        return found


def _decision(found: Trimmed, gone: int) -> Decision:
    what = f"left {gone} old messages out, about {found.removed:,} tokens"
    return Decision("trim", "save", what, "the conversation has grown beyond what is to be kept", 0)


def _extra(step: Step, body: Body, found: Trimmed) -> int:
    """What the caller's own request would have cost beyond this one: what is gone would have been read, or
    paid in full where the caller caches nothing, and a cut that this step makes would not have been written
    again."""
    sent = step.look(body)
    if sent is None:
        return 0
    before, removed = None, found.removed
    if found.before is not None:
        before = step.look({**step.body, "messages": found.before.left(step.body["messages"])})
    if before is None or found.before is None:
        return removed * own_price(sent, warm=True)
    own = before.plan.own.input_cost + found.before.removed * own_price(before, warm=True)
    return own - sent.plan.own.input_cost
