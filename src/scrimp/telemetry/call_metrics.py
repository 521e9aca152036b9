"""Counters and histograms of calls for Prometheus, kept by a listener.

Labels are few and bounded: the model, scrimp's mode, how a call ended. A user or a run is no label unless it
is asked for: every value is a set of series that a server keeps for as long as it keeps anything, and their
number has no end. The ledger answers questions about users and runs.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from scrimp.core.budget import Crossing, Refusal
from scrimp.core.causes import Diagnosis
from scrimp.core.money import usd
from scrimp.core.record import Record, Tags
from scrimp.telemetry.exposition import OTHER, Bounded, Exposition, Histogram
from scrimp.telemetry.misses import miss_of
from scrimp.telemetry.settings import ExtraLabel

__all__ = ["CallMetrics"]

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)
_MODELS = 100
_AT_A_STRETCH = 64
_MOST_SERIES = 10_000
"""Sets of labels told apart; each of them is bounded, but there are more ways to combine them."""

Key = tuple[str, ...]
_Said = tuple[Any, ...]
"""Model, mode, outcome, status and labels of a call, as its record has them."""


class _Series:
    """Sums of the calls that share all labels. Tokens by what they cost, money in picodollars."""

    __slots__ = (
        "calls",
        "cost",
        "duration",
        "estimated",
        "first",
        "output",
        "own",
        "plain",
        "read",
        "write_1h",
        "write_5m",
    )

    def __init__(self) -> None:
        self.calls = self.cost = self.estimated = self.own = 0
        self.plain = self.write_5m = self.write_1h = self.read = self.output = 0
        self.first = Histogram(_SECONDS)
        self.duration = Histogram(_SECONDS)

    def add(self, records: Iterable[Record]) -> None:
        """Count calls; what most of them change is looked up once for all."""
        calls = plain = written = hours = read = output = cost = own = 0
        first: list[float] = []
        duration: list[float] = []
        for record in records:
            usage, spent, own_cost, began = record.usage, record.cost, record.own_cost, record.started_at
            calls += 1
            plain += usage.input_tokens
            read += usage.cache_read_input_tokens
            output += usage.output_tokens
            if usage.cache_creation_input_tokens:
                written += usage.cache_creation_input_tokens
                hours += usage.write_1h
            cost += spent
            own += spent if own_cost is None else own_cost
            if not record.measured:
                self.estimated += spent
            if record.first_event_at is not None:
                first.append(record.first_event_at - began)
            if record.ended_at is not None:
                duration.append(record.ended_at - began)
        self.first.add_all(first)
        self.duration.add_all(duration)
        self.calls += calls
        self.plain += plain
        self.write_5m += written - hours
        self.write_1h += hours
        self.read += read
        self.output += output
        self.cost += cost
        self.own += own

    def merge(self, other: _Series) -> None:
        for name in ("calls", "cost", "estimated", "own", *_KINDS):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.first.merge(other.first)
        self.duration.merge(other.duration)


_KINDS = ("plain", "write_5m", "write_1h", "read", "output")


class CallMetrics:
    """A listener that counts; `expose` writes it down. Any thread may call."""

    def __init__(self, labels: Sequence[ExtraLabel] = (), *, label_values: int = 100) -> None:
        """`labels` say whose calls to tell apart, at most `label_values` of each."""
        self._lock = threading.Lock()
        self._labels = tuple(labels)
        self._values = [Bounded(label_values) for _ in labels]
        self._models = Bounded(_MODELS)
        self._waiting: deque[Record] = deque()
        self._series: dict[Key, _Series] = {}
        self._misses: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._alarms: Counter[str] = Counter()
        self._refusals: Counter[str] = Counter()
        self._crossings: Counter[tuple[str, str]] = Counter()

    def recorded(self, record: Record) -> None:
        """Count one call, at the latest when somebody looks: many at a stretch take half the time."""
        self._waiting.append(record)
        if len(self._waiting) >= _AT_A_STRETCH:
            with self._lock:
                self._count()

    def missed(self, diagnosis: Diagnosis, tags: Tags) -> None:  # noqa: ARG002 - as `Listener` has it
        """Count what somebody was told of."""
        if not diagnosis.alarming:
            return
        with self._lock:
            self._alarms[diagnosis.cause.value] += 1

    def crossed(self, crossing: Crossing) -> None:
        """Count a limit whose spending reached one of its fractions."""
        with self._lock:
            self._crossings[crossing.limit.id, str(crossing.percent)] += 1

    def refused(self, refusal: Refusal, tags: Tags) -> None:  # noqa: ARG002 - as `Listener` has it
        """Count a call that a limit did not let out, under the limit as it was set."""
        with self._lock:
            self._refusals[refusal.limit.id] += 1

    def expose(self, into: Exposition) -> None:
        """Write every metric of calls."""
        with self._lock:
            self._count()
            series = list(self._series.items())
            calls = [(self._named(key, "model", "mode", "outcome", "status"), s.calls) for key, s in series]
            owners = _merged(series, lambda key: (key[0], *key[4:]))
            models = _merged(series, lambda key: key[:1])
        into.family("scrimp_requests_total", "counter", "Calls, by how they ended.", calls)
        into.family(
            "scrimp_tokens_total",
            "counter",
            "Tokens billed, each once: plain input, written for 5m or 1h, read from the cache, output.",
            (
                ({**self._named(key, "model"), "kind": kind}, getattr(found, kind))
                for key, found in owners
                for kind in _KINDS
            ),
        )
        self._expose_money(into, owners)
        into.histogram(
            "scrimp_first_event_seconds",
            "From the request to the first event of its response.",
            [({"model": key[0]}, found.first) for key, found in models],
        )
        into.histogram(
            "scrimp_duration_seconds",
            "From the request to the end of its response.",
            [({"model": key[0]}, found.duration) for key, found in models],
        )
        self._expose_causes(into)

    def _count(self) -> None:
        """Count what waits; under the lock, while others may add to it."""
        waiting, labels = self._waiting, self._labels
        alike: dict[_Said, list[Record]] = {}
        while waiting:
            record = waiting.popleft()
            said: _Said = (record.model, record.mode, record.outcome, record.status)
            if labels:
                said += tuple([getattr(record.tags, label) for label in labels])
            known = alike.get(said)
            if known is None:
                alike[said] = [record]
            else:
                known.append(record)
            if record.miss is not None:
                self._count_miss(record)
        for said, records in alike.items():
            self._series_of(said).add(records)

    def _series_of(self, said: _Said) -> _Series:
        """Where calls that say this are counted."""
        model, mode, outcome, status, *values = said
        key: Key = (self._models.of(model), mode, outcome, "" if status is None else str(status))
        key += tuple([known.of(value) for known, value in zip(self._values, values, strict=True)])
        series = self._series.get(key)
        if series is None and len(self._series) >= _MOST_SERIES:
            key = (OTHER, mode, outcome, key[3], *[OTHER for _ in values])
            series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series()
        return series

    def _count_miss(self, record: Record) -> None:
        miss = miss_of(record)
        if miss is not None:
            self._misses[miss] += 1
            self._lost[miss] += record.lost or 0

    def _expose_money(self, into: Exposition, owners: list[tuple[Key, _Series]]) -> None:
        amounts: tuple[tuple[str, str, str, Callable[[_Series], int]], ...] = (
            ("scrimp_cost_dollars_total", "counter", "Cost of calls, exact.", lambda s: s.cost),
            (
                "scrimp_estimated_cost_dollars_total",
                "counter",
                "The part of the cost that no complete bill says.",
                lambda s: s.estimated,
            ),
            (
                "scrimp_own_cost_dollars_total",
                "counter",
                "What the callers' own requests would have cost, estimated.",
                lambda s: s.own,
            ),
            (
                "scrimp_saved_dollars",
                "gauge",
                "Own cost less cost: falls where writing a prefix does not pay yet.",
                lambda s: s.own - s.cost,
            ),
        )
        for name, kind, about, amount in amounts:
            into.family(
                name,
                "gauge" if kind == "gauge" else "counter",
                about,
                [(self._named(key, "model"), usd(amount(found))) for key, found in owners],
            )

    def _expose_causes(self, into: Exposition) -> None:
        with self._lock:
            misses, lost, alarms = dict(self._misses), dict(self._lost), dict(self._alarms)
            refusals, crossings = dict(self._refusals), dict(self._crossings)
        into.family(
            "scrimp_cache_misses_total",
            "counter",
            "Calls that read less than they should have, by cause.",
            [({"cause": cause}, count) for cause, count in misses.items()],
        )
        into.family(
            "scrimp_cache_miss_dollars_total",
            "counter",
            "What those misses cost.",
            [({"cause": cause}, usd(amount)) for cause, amount in lost.items()],
        )
        into.family(
            "scrimp_cache_alarms_total",
            "counter",
            "Misses that somebody was told of.",
            [({"cause": cause}, count) for cause, count in alarms.items()],
        )
        into.family(
            "scrimp_budget_refusals_total",
            "counter",
            "Calls that a limit did not let out.",
            [({"limit": limit}, count) for limit, count in refusals.items()],
        )
        into.family(
            "scrimp_budget_crossings_total",
            "counter",
            "Fractions of limits that spending reached.",
            [({"limit": limit, "percent": percent}, n) for (limit, percent), n in crossings.items()],
        )

    def _named(self, key: Key, *names: str) -> dict[str, str]:
        return dict(zip((*names, *self._labels), key, strict=True))


def _merged(series: Iterable[tuple[Key, _Series]], part: Callable[[Key], Key]) -> list[tuple[Key, _Series]]:
    """The series summed over the labels that `part` leaves out."""
    found: defaultdict[Key, _Series] = defaultdict(_Series)
    for key, one in series:
        found[part(key)].merge(one)
    return list(found.items())
