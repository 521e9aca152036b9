"""What the middleware does for each command of the flow, and the one place where its own failures end.

Optimising fails open: whatever goes wrong here, the caller's untouched request goes out, one warning is given
for each kind of fault, and the record of the call says so.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from scrimp.core.causes import Diagnosis
from scrimp.core.diagnose import Watch, Watched
from scrimp.core.diagnose_planned import call_of
from scrimp.core.flow import Began, Billed, Command, Dropped, Fault, Foresee, Keep, Meter, Plan
from scrimp.core.gaps import Returns
from scrimp.core.record import Record
from scrimp.core.workspace import Planned
from scrimp.drive import Flow, resume
from scrimp.errors import CacheMissWarning, ScrimpError, ScrimpWarning
from scrimp.middleware.captured import exchange_of
from scrimp.middleware.remembering import Remembering
from scrimp.middleware.response import Reading
from scrimp.runs import Run
from scrimp.stores.capture import Capture
from scrimp.stores.ledger import Ledger
from scrimp.stores.opening import home_capture, home_ledger

__all__ = ["CallDesk", "Office"]


class Office:
    """What all calls through one middleware share: what it remembers, watch, their lock, ledger, clock."""

    def __init__(
        self,
        remembering: Remembering,
        ledger: Ledger | None,
        clock: Callable[[], float],
        *,
        capture: Capture | bool = False,
    ) -> None:
        self.clock = clock
        self.diagnoses = False
        self._own_api_met = False
        self._capture = capture
        self._remembering = remembering
        self._watch = Watch()
        self._ledger = ledger
        self._lock = remembering.lock
        self._warned: set[str] = set()
        weakref.finalize(self, remembering.ended)

    def plan(self, command: Plan) -> Planned | None:
        """Plan a request under the lock."""
        workspace = self._remembering.workspace()
        with self._lock:
            return workspace.plan(command.body, self.clock(), again=command.again, label=command.label)

    def gaps(self, body: Mapping[str, Any], label: str | None) -> Returns:
        """When the next use of a prompt like this comes."""
        workspace = self._remembering.workspace()
        with self._lock:
            return workspace.gaps(body, label)

    def foresee(self, command: Foresee) -> Watched:
        """What the request should read; a miss that is certain is told before it is sent."""
        tags = command.tags
        run = tags.run_ids[-1] if tags.run_ids else None
        with self._lock:
            watched = self._watch.expect(call_of(command.planned, command.body, label=tags.label, run=run))
        if watched.foreseen is not None:
            self._alert(watched.foreseen)
        return watched

    def began(self, command: Began) -> None:
        """The response began: the planned entries are there."""
        answer = command.answer
        workspace = self._remembering.workspace()
        with self._lock:
            workspace.sent(command.planned, answer.started_at, answer.first_event_at)
            if command.watched is not None:
                self._watch.began(command.watched, answer.first_event_at)

    def dropped(self, command: Dropped) -> None:
        """Nothing came of the request."""
        workspace = self._remembering.workspace()
        with self._lock:
            workspace.dropped(command.planned)
            if command.watched is not None:
                self._watch.dropped(command.watched)

    def billed(self, command: Billed) -> Diagnosis | None:
        """Learn from a bill, and say why it shows less read than it should."""
        watched, found = command.watched, None
        workspace = self._remembering.workspace()
        with self._lock:
            workspace.billed(command.planned, command.usage, command.message_id)
            if watched is not None:
                found = self._watch.judge(watched, command.usage, provider=command.missed)
        self._remembering.call_ended()
        if watched is not None and found is not None and not found.foretold_by(watched.foreseen):
            self._alert(found)
        return found

    def keep(self, record: Record) -> None:
        """Hand a record to the ledger; a failure to write it is told when it is known."""
        ledger = self._ledger or home_ledger(self.hear)
        ledger.submit(record).add_done_callback(self._kept)

    def met(self, headers: Mapping[str, str]) -> None:
        """An answer came: the provider's own API, which alone diagnoses misses, names the organisation."""
        if not self._own_api_met and "anthropic-organization-id" in headers:
            self._own_api_met = self.diagnoses = True

    @property
    def captures(self) -> bool:
        """Whether exchanges are kept, prompts included."""
        return self._capture is not False

    def keep_exchange(self, record: Record, body: Mapping[str, Any], message: Any) -> None:
        """Hand a whole exchange to the capture."""
        capture = self._capture if isinstance(self._capture, Capture) else home_capture(self.hear)
        exchange = exchange_of(record, body, message)
        capture.submit(exchange, record_id=record.id).add_done_callback(self._kept)

    def fault(self, what: str, error: BaseException) -> Fault:
        """Warn once for each kind of fault; the reason has no prompt text in it."""
        return self.tell(_reason(what, error))

    def tell(self, reason: str) -> Fault:
        """Warn once of `reason`."""
        with self._lock:
            told = reason in self._warned
            self._warned.add(reason)
        if not told:
            warnings.warn(f"scrimp: {reason}", ScrimpWarning, stacklevel=2)
        return Fault(reason)

    def hear(self, reason: str) -> None:
        """A store had something to say that is no failure of a call."""
        self.tell(reason)

    def _alert(self, found: Diagnosis) -> None:
        """Warn of a bust, once until the conversation reads what it should again; without prompt text.

        A miss is no failure of the call: where warnings are made errors, this one is not raised.
        """
        if found.alarming:
            with suppress(ScrimpWarning):
                warnings.warn(f"scrimp: {found.describe()}", CacheMissWarning, stacklevel=2)

    def _kept(self, done: Future[None]) -> None:
        error = done.exception()
        if error is not None:
            self.fault("the ledger could not be written", error)


class CallDesk:
    """Carries out the commands of one call."""

    def __init__(self, office: Office, run: Run | None) -> None:
        self._office = office
        self._run = run
        self.reading: Reading | None = None
        self.sent: Mapping[str, Any] | None = None

    def answer(self, command: Command) -> Any:
        """Do what `command` says; a failure of ours becomes a `Fault` and a warning."""
        try:
            return self._do(command)
        except Exception as error:  # noqa: BLE001 - the one boundary: our failures never reach the caller
            return self._office.fault(_FAILED[type(command)], error)

    def later(self, flow: Flow, command: Meter) -> bool:
        """Streams end later: their reading resumes the flow."""
        reading = self.reading
        if reading is None or reading.finished:
            return False
        reading.when_finished(lambda: resume(flow, self, self.answer(command)))
        return True

    def _do(self, command: Command) -> Any:
        office = self._office
        match command:
            case Plan():
                return office.plan(command)
            case Foresee():
                return office.foresee(command)
            case Began():
                office.began(command)
            case Dropped():
                office.dropped(command)
            case Meter():
                if self.reading is None:
                    raise ScrimpError("no response to meter")
                return self.reading.finish(command.output_tokens_of)
            case Billed():
                return office.billed(command)
            case Keep():
                self._keep(command.record)
        return None

    def _keep(self, record: Record) -> None:
        if self._run is not None:
            self._run.book(record)
        self._office.keep(record)
        if self._office.captures and self.sent is not None:
            message = self.reading.message() if self.reading else None
            self._office.keep_exchange(record, self.sent, message)


_FAILED: dict[type, str] = {
    Plan: "the request goes out as it is, because planning it failed",
    Foresee: "the request is not watched for cache misses",
    Began: "the cache model could not be updated",
    Dropped: "a call that came to nothing is still waited for",
    Meter: "the response could not be metered",
    Billed: "nothing was learned from a bill",
    Keep: "the call could not be written down",
}


def _reason(what: str, error: BaseException) -> str:
    """Our own errors speak for themselves; of others only the kind is told: their text may hold a prompt."""
    return f"{what}: {error}" if isinstance(error, ScrimpError) else f"{what} ({type(error).__name__})"
