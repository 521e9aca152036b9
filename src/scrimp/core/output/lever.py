"""`scrimp.Output`: `max_tokens` and effort as a reply of its kind needs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scrimp.core.levers import Answered, Change, Step
from scrimp.core.output.effort import Efforts, with_effort
from scrimp.core.output.kinds import Kind, budget_of, is_shaped, kind_of, row_name
from scrimp.core.output.needs import Needs
from scrimp.core.output.shipped import LEAST, LEAST_ELSE
from scrimp.core.plan import Decision, Mode
from scrimp.errors import InputError
from scrimp.wire.request import Body

__all__ = ["Output"]

_LEAST = 64
_SUMMARY = 4_096
"""Room for a summary that the API may write first ("Compaction"): whether it has to fit is not documented."""

_ENDED = frozenset({"end_turn", "tool_use", "stop_sequence", "pause_turn"})
_UNTOUCHED = ("compaction", "thread")


class Output:
    """Asks for no more output than replies of the kind need, so that less has to be reserved for each.

        scrimp.Middleware(levers=[scrimp.Output(effort={"triage": "low"})])

    `max_tokens` is lowered to what more than 99 of 100 such replies stay within, never raised: learned from
    the replies themselves (per agent, task type or run as they are tagged, and per prompt), thinking counted;
    from a shipped table by task type until there are enough of them. A mapping gives figures of one's own to
    begin with, by agent, task type or run; False leaves `max_tokens` alone.

    `effort` says how much effort to ask for, by agent, task type or run, where the request says nothing of it
    and its model knows it: from the first step of a conversation on, or not in it.

    `retry_cut`: a reply that was cut by the lowered `max_tokens` is asked for once more with the caller's
    own, and only that one is returned (both are billed). Streamed replies are not: their beginning is out.

    Raises `InputError` for figures and levels that make no sense.
    """

    name = "output"
    mode: Mode = "save"

    def __init__(
        self,
        *,
        max_tokens: Mapping[str, int] | bool = True,
        effort: Mapping[str, str] | None = None,
        retry_cut: bool = False,
    ) -> None:
        self._limits = max_tokens is not False
        self._begin = {} if isinstance(max_tokens, bool) else dict(max_tokens)
        for name, tokens in self._begin.items():
            if type(tokens) is not int or tokens < 1:
                raise InputError(f"max_tokens of {name!r}: {tokens!r} is no number of tokens")
        self.follows = retry_cut
        self._efforts = Efforts(effort or {})
        self._needs = Needs()

    def change(self, step: Step) -> Change | None:
        """The request with the effort of its table, and no more `max_tokens` than it needs."""
        body: Body = step.body
        if any(body.get(name) is not None for name in _UNTOUCHED):
            return None
        decisions = []
        level = self._efforts.of(step)
        if level is not None:
            body = with_effort(body, level)
            decisions.append(self._decision(f"effort {level}", "as set for such calls"))
        limit = self._limit(step)
        if limit is not None:
            tokens, why = limit
            decisions.append(self._decision(f"max_tokens {body['max_tokens']:,} → {tokens:,}", why))
            body = {**body, "max_tokens": tokens}
        return Change(body, decisions=tuple(decisions)) if decisions else None

    def answered(self, step: Step, answered: Answered) -> None:
        """Learn how long the reply got, or that it was cut."""
        own, usage = _own(step), answered.usage
        if own is None or not answered.complete:
            return
        kind = self._kind(step)
        if answered.stop_reason in _ENDED:
            self._needs.saw(kind, usage.output_tokens)
        elif answered.stop_reason == "max_tokens":
            self._needs.cut(kind, min(usage.output_tokens, own))

    def refused(self, step: Step) -> None:
        """A refusal says nothing of how long replies are; the effort of a conversation stays as it began."""

    def again(self, step: Step, answered: Answered, sent: Body) -> Change | None:
        """The request that went out with the caller's own `max_tokens`, where it was cut for want of them."""
        own = _own(step)
        lowered = sent.get("max_tokens")
        if not self.follows or own is None or answered.stop_reason != "max_tokens":
            return None
        if type(lowered) is not int or lowered >= own:
            return None
        decision = self._decision(f"once more with max_tokens {own:,}", "the reply was cut")
        return Change({**sent, "max_tokens": own}, decisions=(decision,))

    def learned(self) -> Mapping[str, bytes]:
        """The lengths of replies by label."""
        return self._needs.learned()

    def recall(self, kept: Mapping[str, bytes]) -> None:
        """Begin with the lengths that an earlier process kept."""
        self._needs.recall(kept)

    def _limit(self, step: Step) -> tuple[int, str] | None:
        """The `max_tokens` to ask for and why; None where they stay."""
        own = _own(step) if self._limits else None
        if own is None or own > step.model.max_output:
            return None
        kind = self._kind(step)
        given = self._needs.given(kind)
        if given is None:
            return None
        tokens = max(given, _least(step), _beside(step.body))
        seen = self._needs.seen(kind)
        why = f"learned from {seen} replies" if seen else "what such replies mostly need"
        return (tokens, why) if tokens < own else None

    def _kind(self, step: Step) -> Kind:
        return kind_of(step, self._begin)

    def _decision(self, what: str, why: str) -> Decision:
        return Decision(self.name, self.mode, what, why, 0)


def _own(step: Step) -> int | None:
    """The caller's `max_tokens`; None where they are none, or 0 (nothing but the cache is written then)."""
    own: Any = step.body.get("max_tokens")
    return own if type(own) is int and own > 0 else None


def _least(step: Step) -> int:
    """What a reply gets at least. Short ones promise short ones where somebody says that they are of a kind,
    or their form says so; elsewhere the next question may be of another."""
    body, tags = step.body, step.tags
    if tags.agent or (tags.task_type and not tags.inferred) or is_shaped(body):
        return _LEAST
    return LEAST.get(row_name(body), LEAST_ELSE)


def _beside(body: Body) -> int:
    """Tokens below which the request would be refused, or left without room for what it asks for."""
    budget = budget_of(body)
    edits = body.get("context_management")
    listed = edits.get("edits") if isinstance(edits, Mapping) else None
    kinds = [edit.get("type") for edit in listed or () if isinstance(edit, Mapping)]
    summary = _SUMMARY if any(str(kind).startswith("compact_") for kind in kinds) else 0
    return max(budget + LEAST_ELSE if budget else 0, summary)
