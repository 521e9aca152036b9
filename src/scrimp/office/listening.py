"""Who hears of what happens to calls: alerts, telemetry, and whatever a user adds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from scrimp.core.budget import Crossing, Refusal
from scrimp.core.causes import Diagnosis
from scrimp.core.commands import Billed
from scrimp.core.record import Record, Tags

__all__ = ["Audience", "BillListener", "Listener"]


class Listener(Protocol):
    """Told of every call, from any thread, when it happened; must return at once.

    What a listener raises is told once as a warning, and no call suffers.
    """

    def recorded(self, record: Record) -> None:
        """A call was written down."""
        ...

    def missed(self, diagnosis: Diagnosis, tags: Tags) -> None:
        """A prefix that should have been read was not, or will not be."""
        ...

    def crossed(self, crossing: Crossing) -> None:
        """A limit's spending reached one of its fractions."""
        ...

    def refused(self, refusal: Refusal, tags: Tags) -> None:
        """A limit did not let a call go out."""
        ...


@runtime_checkable
class BillListener(Protocol):
    """A listener that also wants every bill with the plan it was for."""

    def billed(self, command: Billed) -> None:
        """A planned call's bill came."""
        ...


class Audience:
    """All listeners of an office. `fault` is told of one that fails: what it was about, and the error."""

    def __init__(self, listeners: Sequence[Listener], fault: Callable[[str, BaseException], object]) -> None:
        self._listeners = tuple(listeners)
        self._bill_listeners = tuple(each for each in listeners if isinstance(each, BillListener))
        self._fault = fault

    def billed(self, command: Billed) -> None:
        """See `BillListener`."""
        if self._bill_listeners:
            self._tell(self._bill_listeners, "billed", command)

    def recorded(self, record: Record) -> None:
        """See `Listener`; every call passes here."""
        for listener in self._listeners:
            try:
                listener.recorded(record)
            except Exception as error:  # noqa: BLE001 - a listener's failure is no failure of the call
                self._failed(listener, error)

    def missed(self, diagnosis: Diagnosis, tags: Tags) -> None:
        """See `Listener`."""
        self._tell(self._listeners, "missed", diagnosis, tags)

    def crossed(self, crossing: Crossing) -> None:
        """See `Listener`."""
        self._tell(self._listeners, "crossed", crossing)

    def refused(self, refusal: Refusal, tags: Tags) -> None:
        """See `Listener`."""
        self._tell(self._listeners, "refused", refusal, tags)

    def _tell(self, listeners: Sequence[object], what: str, *about: object) -> None:
        """By name, because a closure for each listener and call costs more than telling it."""
        for listener in listeners:
            try:
                getattr(listener, what)(*about)
            except Exception as error:  # noqa: BLE001 - a listener's failure is no failure of the call
                self._failed(listener, error)

    def _failed(self, listener: object, error: Exception) -> None:
        self._fault(f"{type(listener).__name__} could not take in a call", error)
