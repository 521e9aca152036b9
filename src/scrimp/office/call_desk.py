"""What is done for each command of a call, and the one place where scrimp's own failures end.

Optimising fails open: whatever goes wrong here, the caller's untouched request goes out, one warning is given
for each kind of fault, and the record of the call says so. Budgets fail closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import Any, ClassVar

import msgspec

from scrimp.core.commands import (
    Began,
    Billed,
    Command,
    Dropped,
    Foresee,
    Keep,
    Meter,
    Plan,
    Release,
    Reshape,
    Tell,
)
from scrimp.drive import Flow, resume
from scrimp.errors import ScrimpError
from scrimp.office.office import Office
from scrimp.office.reading import Reading
from scrimp.office.reserving import Reserving
from scrimp.office.reshaping import Reshaping
from scrimp.runs import Run
from scrimp.tool_servings import take_notes

__all__ = ["CallDesk"]


class CallDesk(Reserving):
    """Carries out the commands of one call."""

    reading: Reading | None = None
    sent: Mapping[str, Any] | None = None
    large = False
    turn: Callable[[Callable[[], None]], None] | None = None
    """Who says when there is time for what follows the end of a stream; None: at once."""
    _passed_on = False

    def __init__(self, office: Office, run: Run | None) -> None:
        self._office = office
        self._run = run
        self._reshaping = Reshaping(office) if office.levers else None
        # A stream may end anywhere: listeners hear of it where the call was made, in the caller's trace.
        self._context = copy_context()

    def answer(self, command: Command) -> Any:
        """Do what `command` says; a failure of ours becomes a `Fault` and a warning."""
        try:
            return self.ways[type(command)](self, command)
        except Exception as error:  # noqa: BLE001 - the one boundary: our failures never reach the caller
            return self._office.fault(_FAILED[type(command)], error)

    def later(self, flow: Flow, command: Meter) -> bool:
        """Streams end later: their reading resumes the flow."""
        reading = self.reading
        if reading is None or reading.finished:
            return False
        self._passed_on = True
        reading.when_finished(lambda: resume(flow, self, self.answer(command), self.turn))
        return True

    def rebuilds(self) -> bool:
        """Whether somebody wants to see the whole answer."""
        return self._office.captures or (self._reshaping is not None and self._reshaping.reads_answer)

    def _reshape(self, command: Reshape) -> Any:
        return None if self._reshaping is None else self._reshaping.reshape(command.attempt)

    def follows(self) -> bool:
        """Whether something else may be asked in place of the answer, once the whole of it is there."""
        return self._reshaping is not None and self._reshaping.follows

    def _tell(self, command: Tell) -> Any:
        if self._reshaping is None:
            return None
        message = self.reading.message() if self.reading and self._reshaping.reads_answer else None
        sent = None if self._passed_on else command.sent  # what the caller has seen is not taken back
        return self._reshaping.tell(command.answered, message if isinstance(message, Mapping) else None, sent)

    def _plan(self, command: Plan) -> Any:
        return self._office.plan(command)

    def _foresee(self, command: Foresee) -> Any:
        return self._office.foresee(command)

    def _began(self, command: Began) -> None:
        self._office.began(command)

    def _dropped(self, command: Dropped) -> None:
        self._office.dropped(command)

    def _meter(self, command: Meter) -> Any:
        if self.reading is None:
            raise ScrimpError("no response to meter")
        return self.reading.finish(command.output_tokens_of)

    def _billed(self, command: Billed) -> Any:
        return self._office.billed(command)

    def _keep(self, command: Keep) -> None:
        record, settlement = command.record, command.settlement
        served = take_notes(record.tags)
        if served:
            record = msgspec.structs.replace(record, notes=(*record.notes, *served))
        if self._run is not None:
            self._run.book(record)
            if settlement is not None:  # the ledger is told with the record
                self._run.settle(settlement)
        self._context.run(self._office.keep, record, settlement)
        if self._office.captures and self.sent is not None:
            message = self.reading.message() if self.reading else None
            self._office.keep_exchange(record, self.sent, message)

    # By type: every command of every call goes this way, and trying one pattern after another takes longer
    # than what most of them ask for.
    ways: ClassVar[Mapping[type, Callable[[Any, Any], Any]]] = {
        Reshape: _reshape,
        Plan: _plan,
        Foresee: _foresee,
        Began: _began,
        Dropped: _dropped,
        Meter: _meter,
        Billed: _billed,
        Release: Reserving.release,
        Keep: _keep,
        Tell: _tell,
    }


_FAILED: dict[type, str] = {
    Reshape: "no lever changed the request, because asking them failed",
    Plan: "the request goes out as it is, because planning it failed",
    Foresee: "the request is not watched for cache misses",
    Began: "the cache model could not be updated",
    Dropped: "a call that came to nothing is still waited for",
    Meter: "the response could not be metered",
    Billed: "nothing was learned from a bill",
    Release: "what was held for a call that was not billed is still held",
    Tell: "the levers learned nothing from an answer",
    Keep: "the call could not be written down",
}
