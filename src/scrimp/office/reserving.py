"""The money held for one call: in the budget of its run, and in the limits that the ledger knows."""

from __future__ import annotations

from typing import TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from scrimp.core.budget import Ask, Held, Refusal, Settlement, scopes_of
from scrimp.core.budget_words import describe
from scrimp.core.commands import Release, Reserve
from scrimp.core.worst_case import worst_case
from scrimp.errors import BudgetError, BudgetExceeded, BudgetUnavailable, ScrimpError
from scrimp.office.office import Office
from scrimp.runs import Run
from scrimp.stores.promise import Promise

__all__ = ["Reserving"]

_MOST = 2**63 - 1
"""Picodollars: nine million dollars. No limit that is kept is above it, so nothing above it is ever held."""

LEASE_SECONDS = 3600.0
"""Longer than a call takes. A hold that outlives its lease counts as spent until its bill is known after all,
so a long lease costs nothing."""

_Held: TypeAlias = Promise[Held | None]


class Reserving:
    """Holds of one call's attempts."""

    def __init__(self, office: Office, run: Run | None) -> None:
        self._office = office
        self._run = run

    def reserve(self, command: Reserve) -> _Held | None:
        """Hold the most that the request can cost; None where nothing limits it.

        The promise may carry `BudgetExceeded` or `BudgetUnavailable`.
        """
        run = self._run if self._run is not None and self._run.limited else None
        store = self._office.budgets()
        if run is None and store is None:
            return None
        ask = self._ask(command)
        held = run.reserve(ask) if run is not None else None
        answer: _Held = Promise()
        if isinstance(held, Refusal) or store is None:
            self._answered(answer, held, command)
            return answer
        store.reserve(ask).add_done_callback(lambda done: self._came(done, answer, held, command))
        return answer

    def release(self, command: Release) -> None:
        """Nothing was billed."""
        if self._run is not None:
            self._run.release(command.hold)
        self._office.release(command.hold)

    def settled(self, settlement: Settlement | None) -> None:
        """What a hold came to, in the budget of the run; the ledger is told with the record."""
        if self._run is not None and settlement is not None:
            self._run.settle(settlement)

    def _ask(self, command: Reserve) -> Ask:
        attempt, planned, now = command.attempt, command.planned, self._office.clock()
        markers = (*planned.plan.markers, *planned.prompt.markers) if planned else None
        most = worst_case(
            attempt.body,
            command.model,
            facts=self._office.facts,
            at=now,
            markers=markers,
            known=self._office.most_tokens(planned) if planned else None,
        )
        return Ask(attempt.id, min(most.amount, _MOST), now, now + LEASE_SECONDS, scopes_of(attempt.tags))

    def _came(self, done: Promise[Held | Refusal], answer: _Held, own: Held | None, command: Reserve) -> None:
        """The ledger answered. Whatever it was, and whatever fails here, the caller gets to know."""
        try:
            found = done.result()
            if isinstance(found, Held) and own is not None:
                found = msgspec.structs.replace(found, limits=(*own.limits, *found.limits))
            if isinstance(found, Refusal):
                self._give_back(own)
            self._answered(answer, found, command)
        except Exception as error:  # noqa: BLE001 - an error lost here would be a call that never ends
            self._give_back(own)
            known = error if isinstance(error, BudgetError) else BudgetUnavailable(_why(error))
            if not answer.done():
                answer.keep(known)

    def _give_back(self, own: Held | None) -> None:
        if own is not None and self._run is not None:
            self._run.release(own.id)

    def _answered(self, answer: _Held, found: Held | Refusal | None, command: Reserve) -> None:
        if isinstance(found, Refusal):
            answer.keep(BudgetExceeded(describe(found, ZoneInfo(found.limit.zone)), found))
            self._office.audience.refused(found, command.attempt.tags)
            return
        answer.keep(found)
        for crossing in found.crossed if found is not None else ():
            self._office.audience.crossed(crossing)


def _why(error: BaseException) -> str:
    """Our own errors speak for themselves; others may hold a prompt."""
    told = str(error) if isinstance(error, ScrimpError) else type(error).__name__
    return f"what is left of a budget cannot be told: {told}"
