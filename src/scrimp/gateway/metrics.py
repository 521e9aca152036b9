"""`/metrics`: what the gateway counts beside the calls, and all of it in the format of Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec

from scrimp.core.budget import Standing
from scrimp.gateway.paths import MESSAGES
from scrimp.telemetry.budget_metrics import expose_budgets
from scrimp.telemetry.call_metrics import CallMetrics
from scrimp.telemetry.exposition import CONTENT_TYPE, Exposition, Histogram
from scrimp.telemetry.settings import TelemetrySettings
from scrimp.telemetry.summing import summed

__all__ = ["CONTENT_TYPE", "GAUGES", "Count", "GatewayMetrics"]

_ADDED = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 1.0)
_ERROR = 400
_WAITED = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)

GAUGES = {
    "scrimp_in_flight": "Requests being served.",
    "scrimp_queued": "Requests that wait for their turn.",
    "scrimp_following": "Requests that wait for a prefix which another one writes.",
    "scrimp_ledger_queue": "Records that wait to be written.",
    "scrimp_log_lines_dropped": "Lines of the log left out because too many waited.",
}
"""What may be read when it is asked, by name."""


class Count(msgspec.Struct, frozen=True):
    """What one process has counted, in the format of Prometheus, and the gauges of `GAUGES` as they stand."""

    text: bytes
    gauges: dict[str, float]


class GatewayMetrics:
    """Counters of the gateway itself; `calls` is the listener that counts calls.

    All but `calls` is for one thread, that of the event loop.
    """

    def __init__(
        self, settings: TelemetrySettings, gauges: Mapping[str, Callable[[], float]] | None = None
    ) -> None:
        """`gauges` give current values of `GAUGES`; what has no function is left out."""
        self.calls = CallMetrics(settings.labels, label_values=settings.label_values)
        self._gauges = dict(gauges or {})
        self._answers: dict[tuple[str, int], int] = {}  # a `Counter` adds up in Python, and all come here
        self._upstream: Counter[str] = Counter()
        self._retries: Counter[str] = Counter()
        self._followed: Counter[str] = Counter()
        self._added = Histogram(_ADDED)
        self._waited = Histogram(_WAITED)

    def answered(self, route: str, status: int) -> None:
        """A request was answered. `route` is one of a fixed few names, never the path that was asked for."""
        answer = route, status
        self._answers[answer] = self._answers.get(answer, 0) + 1

    def upstream_failed(self, what: str) -> None:
        """The upstream answered with an error status, or a kind of failure such as `connect`."""
        self._upstream[what] += 1

    def retried(self, what: str) -> None:
        """An attempt was made again, because of this."""
        self._retries[what] += 1

    def added(self, seconds: float) -> None:
        """The gateway's own time before the upstream was asked, waiting for turns and prefixes left out."""
        self._added.add(seconds)

    def followed(self, how: str, seconds: float) -> None:
        """A request has waited for another's prefix: it can `read` it, has to `lead`, or waited in vain."""
        self._followed[how] += 1
        self._waited.add(seconds)

    def errors(self) -> Mapping[int, int]:
        """The calls that were answered with an error: how many of each status."""
        errors: Counter[int] = Counter()
        for (route, status), count in self._answers.items():
            if route == MESSAGES and status >= _ERROR:
                errors[status] += count
        return errors

    def exposition(self, standings: Sequence[Standing] = (), counts: Sequence[Count] = ()) -> bytes:
        """The answer to `/metrics`; `standings` are the limits as they stand (`Budgets.standings`).

        `counts` are those of all workers of this gateway; without any, its own.
        """
        counts = counts or [self.count()]
        into = Exposition()
        for name, about in GAUGES.items():
            values = [one.gauges[name] for one in counts if name in one.gauges]
            if values:
                into.family(name, "gauge", about, [({}, sum(values))])
        expose_budgets(standings, into)
        return summed(one.text for one in counts) + into.text()

    def count(self) -> Count:
        """What was counted here so far."""
        into = Exposition()
        self.calls.expose(into)
        into.family(
            "scrimp_http_responses_total",
            "counter",
            "Answers to clients, the gateway's own included.",
            [({"route": route, "status": str(code)}, n) for (route, code), n in self._answers.items()],
        )
        into.family(
            "scrimp_upstream_errors_total",
            "counter",
            "Attempts that failed, by status or kind of failure.",
            [({"error": what}, count) for what, count in self._upstream.items()],
        )
        into.family(
            "scrimp_upstream_retries_total",
            "counter",
            "Attempts made again, by why.",
            [({"error": what}, count) for what, count in self._retries.items()],
        )
        into.family(
            "scrimp_fanout_total",
            "counter",
            "Requests that waited for another's prefix, by how it ended.",
            [({"end": how}, count) for how, count in self._followed.items()],
        )
        into.histogram("scrimp_fanout_wait_seconds", "How long they waited.", [({}, self._waited)])
        into.histogram("scrimp_added_seconds", "The gateway's own time before a call.", [({}, self._added)])
        return Count(into.text(), {name: value() for name, value in self._gauges.items()})
