"""Alerts on their way out: a bounded queue and one thread, which is there only while something waits.

Whoever raises an alert never waits. The thread is no daemon: at the end of the program the interpreter waits
for it, and it gives up what could not be delivered within `EXIT_SECONDS`.
"""

from __future__ import annotations

import heapq
import random
import threading
import time
from itertools import count

from scrimp.alerting.alert import Alert
from scrimp.alerting.sinks import LOG, LOOK_UP, DeliveryError, Sink
from scrimp.stores.forking import survive_forks

__all__ = ["EXIT_SECONDS", "MOST_WAITING", "Outbox"]

MOST_WAITING = 256
"""Deliveries that wait at once; further ones are dropped, counted and told."""

EXIT_SECONDS = 5.0
"""How long the end of a program waits for alerts to be delivered."""

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0


class _Delivery:
    __slots__ = ("alert", "due", "number", "sink", "tries")

    def __init__(self, sink: Sink, alert: Alert, number: int) -> None:
        self.sink = sink
        self.alert = alert
        self.number = number
        self.due = 0.0
        self.tries = 0

    def __lt__(self, other: _Delivery) -> bool:
        return (self.due, self.number) < (other.due, other.number)


class Outbox:
    """Deliveries that wait. `first_pause` is what lies between the first two attempts, doubled each time."""

    def __init__(self, *, most: int = MOST_WAITING, first_pause: float = FIRST_PAUSE) -> None:
        self._most = most
        self._first_pause = first_pause
        self._changed = threading.Condition()
        self._waiting: list[_Delivery] = []
        self._worker: threading.Thread | None = None
        self._ends_at: float | None = None
        self._numbers = count()
        self._spell = 0
        self.dropped = 0
        survive_forks(self)

    def post(self, sink: Sink, alert: Alert) -> None:
        """Have `alert` delivered soon; returns at once."""
        # Nothing is logged under the lock: forks take both.
        with self._changed:
            full = len(self._waiting) >= self._most
            ended, self._spell = (0, self._spell + 1) if full else (self._spell, 0)
            first = self._spell == 1
            self.dropped += full
            if not full:
                heapq.heappush(self._waiting, _Delivery(sink, alert, next(self._numbers)))
                self._changed.notify_all()
                self._begin()
        if first:
            LOG.error("alerts are dropped: %d wait to be delivered already", self._most)
        if ended:
            LOG.error("%d alerts were dropped; there is room again", ended)

    def flush(self, timeout: float) -> bool:
        """Wait until nothing waits any more, `timeout` seconds at most; whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._worker is None, timeout)

    def pause(self) -> None:
        """See `Forkable`."""
        self._changed.acquire()

    def resume(self) -> None:
        """See `Forkable`."""
        self._changed.release()

    def restart(self) -> None:
        """See `Forkable`: what waited is delivered by the parent."""
        self._waiting.clear()
        self._worker = None
        self._changed = threading.Condition()  # the old one knows of threads that are not here

    def _begin(self) -> None:
        if self._worker is not None:
            return
        self._worker = threading.Thread(target=self._work, name="scrimp-alerts", daemon=False)
        try:
            self._worker.start()
        except RuntimeError:  # the interpreter is going down, and starts no threads any more
            self._worker = None
            self.dropped += len(self._waiting)
            self._waiting.clear()

    def _work(self) -> None:
        while (delivery := self._next()) is not None:
            self._deliver(delivery)

    def _next(self) -> _Delivery | None:
        """The next delivery when it is due; None, and the thread is no more, when there is none."""
        with self._changed:
            while self._waiting and self._left() > 0:
                pause = self._waiting[0].due - time.monotonic()
                if pause <= 0:
                    return heapq.heappop(self._waiting)
                self._changed.wait(min(pause, LOOK_UP))
            given_up = len(self._waiting)
            self._waiting.clear()
            self._worker = None
            self._changed.notify_all()
        if given_up:
            LOG.error("the program ended: %d alerts were not delivered", given_up)
        return None

    def _deliver(self, delivery: _Delivery) -> None:
        delivery.tries += 1
        sink = delivery.sink
        try:
            sink.send(delivery.alert, self._left)
        except DeliveryError as failure:
            if failure.again and delivery.tries < sink.attempts:
                self._again(delivery, failure.after)
                return
            tries = "1 attempt" if delivery.tries == 1 else f"{delivery.tries} attempts"
            LOG.error("an alert did not reach %s after %s: %s", sink.name, tries, failure)
        except Exception as error:  # noqa: BLE001 - whatever a sink of the user's raises, the next alert goes on
            LOG.error("an alert did not reach %s: %s", sink.name, type(error).__name__)

    def _again(self, delivery: _Delivery, after: float | None) -> None:
        # Half to all of the pause: whoever failed together does not come back together.
        pause = self._first_pause * 2 ** (delivery.tries - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        delivery.due = time.monotonic() + min(max(pause, after or 0.0), LONGEST_PAUSE)
        with self._changed:
            heapq.heappush(self._waiting, delivery)

    def _left(self) -> float:
        """Seconds that the end of the program leaves; endless before."""
        if threading.main_thread().is_alive():
            return float("inf")
        if self._ends_at is None:
            self._ends_at = time.monotonic() + EXIT_SECONDS
        return self._ends_at - time.monotonic()
