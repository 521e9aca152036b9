"""The levers of an office, asked about one attempt; what fails in one of them ends here."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import msgspec

from scrimp.core.commands import Attempt
from scrimp.core.levers import Answered, Change, Following, Lever, Step, with_room_for_a_summary
from scrimp.core.plan import Decision
from scrimp.office.office import Office
from scrimp.wire.request import Body

__all__ = ["Reshaping"]


class Reshaping:
    """What the levers make of one attempt, and what each of them was shown of it."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._shown: list[tuple[Lever, Step]] = []
        self.reads_answer = False

    def reshape(self, attempt: Attempt) -> Change | None:
        """The changes of all levers as one; None where there are none."""
        office = self._office
        self._shown.clear()
        office.recall()
        whole: Change | None = None
        for lever in office.levers:
            if lever.mode == "save" and attempt.mode != "save":
                continue
            body = attempt.body if whole is None else whole.body
            betas = attempt.betas
            if whole is not None and betas is not None:
                betas = betas.union(whole.betas)
            step = Step(
                body=body,
                model=office.facts.resolve(str(body.get("model", ""))),
                tags=attempt.tags,
                now=office.clock(),
                look=lambda body: office.look(body, attempt.tags.label),
                number=attempt.number,
                betas=betas,
                max_context=attempt.max_context,
            )
            change = self._asked(lever, step)
            if change is not None and change.betas and betas is None:
                continue
            if change is not None:
                whole = _joined(whole, change)
                for warning in change.warnings:
                    office.tell(warning)
            if change is not None and change.error is not None:
                break
        self.reads_answer = whole is not None and whole.reads_answer
        return None if whole is None else with_room_for_a_summary(whole, attempt.body)

    def tell(
        self, answered: Answered | None, message: Mapping[str, Any] | None, sent: Body | None = None
    ) -> Change | None:
        """What came of it, to each lever that was shown the attempt.

        `sent` is what was answered, where something else may still be asked in its place; returns that.
        """
        another: Change | None = None
        if answered is not None and self.reads_answer:
            answered = msgspec.structs.replace(answered, message=message)
        for lever, step in self._shown:
            try:
                with self._turn_of(lever):
                    another = _told(lever, step, answered, None if another else sent) or another
            except Exception as error:  # noqa: BLE001 - our own failure: the call is over as it is
                self._office.fault(f"{lever.name} learned nothing from an answer", error)
        return another

    @property
    def follows(self) -> bool:
        """Whether a lever may ask something else once it knows the answer."""
        return any(isinstance(lever, Following) and lever.follows for lever, _ in self._shown)

    def _turn_of(self, lever: Lever) -> AbstractContextManager[Any]:
        """Levers are called by one thread at a time, but for those that see to that themselves."""
        return nullcontext() if getattr(lever, "locks_itself", False) else self._office.lever_lock

    def _asked(self, lever: Lever, step: Step) -> Change | None:
        try:
            with self._turn_of(lever):
                change = lever.change(step)
        except Exception as error:  # noqa: BLE001 - our own failure: the request goes on without this lever
            self._office.fault(f"{lever.name} changed nothing, because it failed", error)
            return None
        self._shown.append((lever, step))
        return change


def _told(lever: Lever, step: Step, answered: Answered | None, sent: Body | None) -> Change | None:
    if answered is None:
        lever.refused(step)
        return None
    lever.answered(step, answered)
    if sent is None or not isinstance(lever, Following) or not lever.follows:
        return None
    return lever.again(step, answered, sent)


def _joined(before: Change | None, change: Change) -> Change:
    if before is None:
        return change
    decisions: tuple[Decision, ...] = (*before.decisions, *change.decisions)
    return Change(
        body=change.body,
        betas=tuple(dict.fromkeys((*before.betas, *change.betas))),
        decisions=decisions,
        own_extra=before.own_extra + change.own_extra,
        error=change.error,
        reads_answer=before.reads_answer or change.reads_answer,
        cuts=before.cuts or change.cuts,
    )
