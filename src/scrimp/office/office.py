"""What all calls through one door share: the brain and its lock, the ledger, budgets, and who is told."""

from __future__ import annotations

import logging
import os
import threading
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from typing import Any

from scrimp.core.budget import Crossing, Settlement
from scrimp.core.cache import Entry
from scrimp.core.causes import Diagnosis
from scrimp.core.commands import Began, Billed, Dropped, Fault, Foresee, Plan
from scrimp.core.diagnose import Watch, Watched
from scrimp.core.diagnose_planned import call_of
from scrimp.core.forgetting import forget_oldest
from scrimp.core.gaps import Returns
from scrimp.core.levers import Lever, in_order
from scrimp.core.offload.serving import Server
from scrimp.core.prompt import Digest
from scrimp.core.record import Record, Tags
from scrimp.core.workspace import Planned
from scrimp.core.worst_whole import Wholes
from scrimp.errors import CacheMissWarning, InputError, ScrimpError, ScrimpWarning, StoreError
from scrimp.facts.models import Facts
from scrimp.office.captured import exchange_of
from scrimp.office.listening import Audience, Listener
from scrimp.office.remembering import Remembering
from scrimp.stores.budgets import Budgets
from scrimp.stores.capture import Capture
from scrimp.stores.ledger import Ledger
from scrimp.stores.opening import home_capture, home_ledger
from scrimp.stores.promise import Promise
from scrimp.wire.markers import TTL

__all__ = ["ORGANISATION_HEADER", "Office"]

_WARNINGS_REMEMBERED = 1_000

ORGANISATION_HEADER = "anthropic-organization-id"
"""In answers of the provider's own API."""


class Office:
    """What all calls of one API workspace through one door share: what is remembered and watched, their lock,
    ledger, clock, and who is told."""

    def __init__(
        self,
        remembering: Remembering,
        ledger: Ledger | None,
        *,
        clock: Callable[[], float],
        facts: Facts,
        capture: Capture | bool = False,
        listeners: Sequence[Listener] = (),
        levers: Sequence[Lever] = (),
    ) -> None:
        """`ledger` None is the one in scrimp's home folder. `levers` are this office's own: they remember."""
        self.clock = clock
        self.facts = facts
        self.audience = Audience(listeners, self.fault)
        self.diagnoses = False
        self.account = b""
        """What tells the accounts of one gateway apart, for other processes of it."""
        self.wholes = Wholes()
        """What the bounds on the costs of its requests go by."""
        self.led: dict[Digest, Any] = {}
        """Prefixes that are being written, and by whom: for a face whose calls wait for one another."""
        self.levers = in_order(levers)
        self.server = next((lever for lever in self.levers if isinstance(lever, Server)), None)
        """Who answers the model's fetches, where anybody does."""
        self.lever_lock = threading.RLock()
        remembering.keeps(self.levers, self.lever_lock)
        self._own_api_met = False
        self._capture = capture
        self.captures = capture is not False
        """Whether exchanges are kept, prompts included."""
        self._remembering = remembering
        self._watch = Watch()
        self._ledger = ledger
        self._opened: tuple[int, Ledger | None] = (0, None)
        self._lock = remembering.lock
        self._warned: dict[str, None] = {}
        weakref.finalize(self, remembering.ended)

    def plan(self, command: Plan) -> Planned | None:
        """Plan a request under the lock."""
        workspace = self._remembering.begun or self._remembering.workspace()
        self._lock.acquire()  # by hand where every call passes: `with` takes three times as long
        try:
            return workspace.plan(command.body, self.clock(), again=command.again, label=command.label)
        finally:
            self._lock.release()

    def replan(self, planned: Planned, *, own: bool = False) -> Planned:
        """Plan a request once more that waited; `own` leaves it as it is. Raises `PlanError`."""
        workspace = self._remembering.workspace()
        with self._lock:
            return workspace.replan(planned, self.clock(), own=own)

    @property
    def weight(self) -> int:
        """Bytes remembered of its calls, about."""
        return self._remembering.weight

    def recall(self) -> None:
        """From here on, what earlier processes learned is known, to levers as well."""
        self._remembering.workspace()

    def look(self, body: Mapping[str, Any], label: str | None) -> Planned | None:
        """How a body stands just now, as `levers.Step` says. Raises `RequestError`."""
        workspace = self._remembering.workspace()
        with self._lock:
            return workspace.look(body, self.clock(), label=label)

    def entry(self, prefix: Digest) -> Entry | None:
        """The cache entry of a prefix, where one can be read."""
        workspace = self._remembering.workspace()
        with self._lock:
            found = workspace.entry(prefix, self.clock())
            return None if found is None else copy(found)  # entries change under the lock

    def most_tokens(self, planned: Planned) -> int | None:
        """A hard bound on the prompt's length, where bills have taught one."""
        workspace = self._remembering.begun or self._remembering.workspace()
        self._lock.acquire()
        try:
            return workspace.most_tokens(planned)
        finally:
            self._lock.release()

    def unplan(self, planned: Planned) -> None:
        """A planned request does not go out as planned: nobody need count on what it was to write."""
        workspace = self._remembering.workspace()
        with self._lock:
            workspace.dropped(planned)

    def written_elsewhere(self, prefix: Digest, ttl: TTL) -> None:
        """Another process has written a prefix just now: it can be read."""
        workspace = self._remembering.workspace()
        with self._lock:
            workspace.written_elsewhere(prefix, ttl, self.clock())

    def writing_elsewhere(self, prefix: Digest, write: tuple[int, TTL] | None) -> None:
        """Another process is writing a prefix (its position, and for how long), or gave up (None)."""
        workspace = self._remembering.workspace()
        with self._lock:
            workspace.writing_elsewhere(prefix, write, self.clock())

    def gaps(self, body: Mapping[str, Any], label: str | None) -> Returns:
        """When the next use of a prompt like this comes."""
        workspace = self._remembering.workspace()
        with self._lock:
            return workspace.gaps(body, label)

    def foresee(self, command: Foresee) -> Watched:
        """What the request should read; a miss that is certain is told before it is sent."""
        tags = command.tags
        run = tags.run_ids[-1] if tags.run_ids else None
        self._lock.acquire()
        try:
            watched = self._watch.expect(call_of(command.planned, command.body, label=tags.label, run=run))
        finally:
            self._lock.release()
        if watched.foreseen is not None and not command.cuts:
            self._alert(watched.foreseen, tags)
        return watched

    def began(self, command: Began) -> None:
        """The response began: the planned entries are there."""
        answer = command.answer
        workspace = self._remembering.begun or self._remembering.workspace()
        self._lock.acquire()
        try:
            workspace.sent(command.planned, answer.started_at, answer.first_event_at)
            if command.watched is not None:
                self._watch.began(command.watched, answer.first_event_at)
        finally:
            self._lock.release()

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
        workspace = self._remembering.begun or self._remembering.workspace()
        self._lock.acquire()
        try:
            workspace.billed(command.planned, command.usage, command.message_id, command.edited)
            if watched is not None:
                found = self._watch.judge(watched, command.usage, provider=command.missed)
        finally:
            self._lock.release()
        self._remembering.call_ended()
        if command.cuts:
            found = None
        if watched is not None and found is not None and not found.foretold_by(watched.foreseen):
            self._alert(found, command.tags)
        self.audience.billed(command)
        return found

    @property
    def ledger(self) -> Ledger:
        """Where calls are written down. Raises `StoreError` or `InputError` where it cannot be opened."""
        if self._ledger is not None:
            return self._ledger
        here = os.getpid()
        process, opened = self._opened
        if opened is None or process != here:  # where home is is asked of the file system: once
            opened = home_ledger(self.hear)
            self._opened = here, opened
        return opened

    def budgets(self) -> Budgets | None:
        """What limits calls, where anything does. Raises `BudgetUnavailable` where that cannot be told."""
        try:
            budgets = (self.ledger if self._ledger is None else self._ledger).budgets
        except (StoreError, InputError) as error:  # no ledger, so no limits in it; writing will fail too
            self.fault("the ledger cannot be opened", error)
            return None
        return budgets if budgets.limits() else None

    def release(self, hold: str) -> None:
        """Nothing was billed; a limit that is gone may come back, and the hold must not come with it."""
        with suppress(StoreError, InputError):  # no ledger: nothing was held there
            self.ledger.budgets.release(hold)

    def keep(self, record: Record, settlement: Settlement | None = None) -> None:
        """Hand a record to the ledger; a failure to write it is told when it is known."""
        ledger = self.ledger if self._ledger is None else self._ledger
        ledger.submit(record, settlement).add_done_callback(self._written)
        self.audience.recorded(record)

    def met(self) -> None:
        """An answer came that names the organisation: that of the provider's own API, which alone diagnoses
        misses."""
        if not self._own_api_met:
            self._own_api_met = self.diagnoses = True

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
            self._warned[reason] = None
            forget_oldest(self._warned, _WARNINGS_REMEMBERED)
        if not told:
            _forget_shown()
            try:
                warnings.warn(f"scrimp: {reason}", ScrimpWarning, stacklevel=2)
            except ScrimpWarning:  # where warnings are errors, this one may still not end a call
                logging.getLogger("scrimp").error(reason)
        return Fault(reason)

    def hear(self, reason: str) -> None:
        """A store had something to say that is no failure of a call."""
        self.tell(reason)

    def _alert(self, found: Diagnosis, tags: Tags) -> None:
        """Tell of a miss, without prompt text; warn of a bust, once until the conversation reads again.

        A miss is no failure of the call: where warnings are made errors, this one is not raised.
        """
        self.audience.missed(found, tags)
        if found.alarming:
            _forget_shown()
            with suppress(ScrimpWarning):
                warnings.warn(f"scrimp: {found.describe()}", CacheMissWarning, stacklevel=2)

    def _written(self, done: Promise[tuple[Crossing, ...]]) -> None:
        found = done.found()
        if isinstance(found, BaseException):
            self._kept(done)
            return
        for crossing in found:
            self.audience.crossed(crossing)

    def _kept(self, done: Promise[Any]) -> None:
        error = done.exception()
        if error is not None:
            self.fault("the ledger could not be written", error)


def _forget_shown() -> None:
    """Python keeps the text of each warning it has shown, and there is no end to the figures in ours."""
    shown = globals().get("__warningregistry__", {})
    if len(shown) > _WARNINGS_REMEMBERED:
        shown.clear()


def _reason(what: str, error: BaseException) -> str:
    """Our own errors speak for themselves; of others only the kind is told: their text may hold a prompt."""
    return f"{what}: {error}" if isinstance(error, ScrimpError) else f"{what} ({type(error).__name__})"
