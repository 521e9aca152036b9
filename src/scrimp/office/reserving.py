"""The money held for one call: in the budget of its run, and in the limits that the ledger knows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from scrimp.core.budget import Ask, Held, Refusal, scopes_of
from scrimp.core.budget_words import describe
from scrimp.core.commands import Release, Reserve
from scrimp.core.prompt import Marker
from scrimp.core.workspace import Planned
from scrimp.core.worst_case import worst_case
from scrimp.core.worst_seen import Seen
from scrimp.core.worst_whole import Wholes
from scrimp.errors import BudgetError, BudgetExceeded, BudgetUnavailable, ScrimpError
from scrimp.office.office import Office
from scrimp.runs import Run
from scrimp.stores.promise import Promise
from scrimp.wire.request import Body

__all__ = ["Reserving"]

_MOST = 2**63 - 1
"""Picodollars: nine million dollars. No limit that is kept is above it, so nothing above it is ever held."""

LEASE_SECONDS = 3600.0
"""Longer than a call takes. A hold that outlives its lease counts as spent until its bill is known after all,
so a long lease costs nothing."""

_Decided: TypeAlias = Promise[Held | Refusal]
"""Held or refused, told apart by `type`: `isinstance` asks the classes of msgspec in Python's slowest way."""


class Reserving:
    """What a desk does about the money of its call, whose attempts follow one another."""

    _office: Office
    _run: Run | None
    _own: Held | Refusal | None = None
    """What the run of the call has decided."""
    _asked: tuple[Reserve, _Decided] | None = None
    """What the ledger is asked for, until somebody looks at what it has decided."""

    def reserve(self, command: Reserve) -> _Decided | None:
        """Ask for the most that the request can cost; None where there is nothing to wait for.

        `reserved` then has the answer.
        """
        run = self._run if self._run is not None and self._run.limited else None
        store = self._office.budgets()
        self._own = None
        if run is None and store is None:
            return None
        ask = self._ask(command)
        if run is not None:
            self._own = run.reserve(ask)
        if store is None or type(self._own) is Refusal:
            return None
        decided = store.reserve(ask)
        self._asked = command, decided
        return decided

    def reserved(self, command: Reserve, decided: _Decided | None) -> Held | None:
        """The hold, None where nothing limits the call. Raises `BudgetExceeded` or `BudgetUnavailable`.

        What the run holds beside it is free again when the attempt is released, as with any error.
        """
        try:
            found = self._own if decided is None else _together(self._own, decided.result())
            self._asked = None
            if found is not None:
                self._announce(found, command)
            if type(found) is Refusal:
                raise BudgetExceeded(describe(found, ZoneInfo(found.limit.zone)), found)
        except BudgetError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing goes out unpaid
            raise BudgetUnavailable(_why(error)) from None
        return found

    def release(self, command: Release) -> None:
        """Nothing was billed."""
        if self._asked is not None:  # nobody waits for it any more; who listens hears of it all the same
            (asked, decided), self._asked = self._asked, None
            decided.add_done_callback(partial(self._decided_late, asked))
        if self._run is not None:
            self._run.release(command.hold)
        self._office.release(command.hold)

    def _ask(self, command: Reserve) -> Ask:
        attempt, planned, now = command.attempt, command.planned, self._office.clock()
        markers: Sequence[Marker] | None = None
        if planned:
            markers, own = planned.plan.markers, planned.asked.prompt.markers
            if own:
                markers = (*markers, *own)
        most = worst_case(
            attempt.body,
            command.model,
            facts=self._office.facts,
            at=now,
            markers=markers,
            known=self._office.most_tokens(planned) if planned else None,
            messages=_looked(planned, attempt.body, self._office.wholes) if planned else None,
        )
        amount = most.amount if most.amount < _MOST else _MOST
        return Ask(attempt.id, amount, now, now + LEASE_SECONDS, scopes_of(attempt.tags))

    def _decided_late(self, command: Reserve, decided: _Decided) -> None:
        if decided.exception() is None:
            self._announce(decided.result(), command)

    def _announce(self, found: Held | Refusal, command: Reserve) -> None:
        """Whoever listens hears of a refusal, and of limits that fill up."""
        if type(found) is Refusal:
            self._office.audience.refused(found, command.attempt.tags)
            return
        for crossing in found.crossed:
            self._office.audience.crossed(crossing)


def _looked(planned: Planned, body: Body, wholes: Wholes) -> Seen | None:
    """What `look_at_messages` finds in the messages, or `look` in all, where that is known."""
    asked = planned.asked
    return wholes.of(asked.asks, body, asked.model) if planned.too_short and asked.plain else asked.looked


def _together(own: Held | Refusal | None, found: Held | Refusal) -> Held | Refusal:
    """What run and ledger hold, or the refusal."""
    if type(own) is Held and type(found) is Held:
        return msgspec.structs.replace(found, limits=(*own.limits, *found.limits))
    return found


def _why(error: BaseException) -> str:
    """Our own errors speak for themselves; others may hold a prompt."""
    told = str(error) if isinstance(error, ScrimpError) else type(error).__name__
    return f"what is left of a budget cannot be told: {told}"
