"""OpenTelemetry spans and metrics of calls, named as the GenAI semantic conventions name them.

From "Semantic conventions for Anthropic client operations": `gen_ai.usage.input_tokens` is `input_tokens` +
`cache_read_input_tokens` + `cache_creation_input_tokens`, and the two cache counts beside it are parts of it.
So every token is counted once. What the conventions do not name begins with `scrimp.`.
"""

from __future__ import annotations

from inspect import signature
from typing import Any

from scrimp.core.budget import Crossing, Refusal
from scrimp.core.causes import Diagnosis
from scrimp.core.money import PICODOLLARS, usd
from scrimp.core.record import Record, Tags
from scrimp.errors import SdkError
from scrimp.telemetry.exposition import Bounded
from scrimp.telemetry.misses import miss_of

try:
    from opentelemetry import metrics, trace
except ImportError:
    raise SdkError(
        "scrimp.Telemetry needs the package opentelemetry-api: install it, with opentelemetry-sdk to export"
    ) from None

__all__ = ["Telemetry", "is_heard"]

Attributes = dict[str, str | int | float | bool]

_SCOPE = "scrimp"
_OPERATION = "chat"
_PROVIDERS = {"bedrock": "aws.bedrock", "vertex": "gcp.vertex_ai"}
_ERRORS = {"cut off": "response_cut_off", "unknown": "no_response"}
_TOKEN_BOUNDS = [float(4**power) for power in range(14)]
_SECOND_BOUNDS = [round(0.01 * 2**power, 2) for power in range(14)]
"""Bucket boundaries that "Semantic conventions for generative AI metrics" asks for."""

_NANOSECONDS = 10**9
_MODELS = 100
"""Names of models told apart in metrics and in names of spans; where no answer came they are the caller's."""


class Telemetry:
    """A listener that makes a span and metrics of every call.

        scrimp.Middleware(listeners=[scrimp.Telemetry()])

    Without an OpenTelemetry SDK set up in the process, everything here does nothing. The providers are the
    global ones unless given. A span lasts from the request to the end of its response, and its parent is the
    span around the call. `server_address` and `server_port` say where calls go, when known.
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        server_address: str | None = None,
        server_port: int = 443,
    ) -> None:
        self._tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)
        self._instruments = _Instruments(metrics.get_meter(_SCOPE, meter_provider=meter_provider))
        self._models = Bounded(_MODELS)
        self._server: Attributes = {}
        if server_address is not None:
            self._server = {"server.address": server_address, "server.port": server_port}

    def recorded(self, record: Record) -> None:
        """Make the call's span, and count it."""
        about, model = self._about(record), self._models.of(record.model)
        span = self._tracer.start_span(
            f"{_OPERATION} {model}",
            kind=trace.SpanKind.CLIENT,
            start_time=_nanoseconds(record.started_at),
            attributes=about,
        )
        if span.is_recording():
            span.set_attributes(_answer(record))
            span.set_attributes(_money(record))
            span.set_attributes(_owner(record.tags))
            error = _error(record)
            if error is not None:
                span.set_status(trace.Status(trace.StatusCode.ERROR))
        span.end(_nanoseconds(record.started_at if record.ended_at is None else record.ended_at))
        self._instruments.count(record, {**about, "gen_ai.request.model": model})

    def missed(self, diagnosis: Diagnosis, tags: Tags) -> None:  # noqa: ARG002 - as `Listener` has it
        """Note a cache miss that somebody is told of on the span around the call."""
        if not diagnosis.alarming:
            return
        trace.get_current_span().add_event(
            "scrimp.cache.missed",
            {
                "scrimp.cache.miss": diagnosis.cause.value,
                "scrimp.cache.foreseen": diagnosis.foreseen,
                "scrimp.cache.lost.usd": usd(diagnosis.lost),
                "scrimp.cache.fix": diagnosis.fix,
            },
        )

    def crossed(self, crossing: Crossing) -> None:
        """Count a limit whose spending reached one of its fractions."""
        about: Attributes = {
            "scrimp.budget.limit": crossing.limit.id,
            "scrimp.budget.percent": crossing.percent,
        }
        self._instruments.crossings.add(1, about)

    def refused(self, refusal: Refusal, tags: Tags) -> None:  # noqa: ARG002 - as `Listener` has it
        """Count a call that a limit did not let out, and note it on the span around the call."""
        about: Attributes = {"scrimp.budget.limit": refusal.limit.id}
        self._instruments.refusals.add(1, about)
        money = {"limit": refusal.limit.amount, "spent": refusal.spent, "held": refusal.held}
        asked: Attributes = {f"scrimp.budget.{name}.usd": usd(amount) for name, amount in money.items()}
        asked["scrimp.budget.asked.usd"] = usd(refusal.asked)
        trace.get_current_span().add_event("scrimp.budget.refused", {**about, **asked})

    def _about(self, record: Record) -> Attributes:
        """What is known before a call, for samplers and for metrics."""
        about: Attributes = {
            "gen_ai.operation.name": _OPERATION,
            "gen_ai.provider.name": _PROVIDERS.get(record.provider, record.provider),
            "gen_ai.request.model": record.model,
            **self._server,
        }
        error = _error(record)
        if error is not None:
            about["error.type"] = error
        return about


def is_heard() -> bool:
    """Whether an SDK is set up in this process: without one, what is told to OpenTelemetry goes nowhere."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


class _Instruments:
    """The metrics, each made once."""

    def __init__(self, meter: metrics.Meter) -> None:
        self._tokens = _histogram(
            meter,
            "gen_ai.client.token.usage",
            "{token}",
            "Number of input and output tokens used.",
            _TOKEN_BOUNDS,
        )
        self._duration = _histogram(
            meter, "gen_ai.client.operation.duration", "s", "GenAI operation duration.", _SECOND_BOUNDS
        )
        self._first = _histogram(
            meter,
            "gen_ai.client.operation.time_to_first_chunk",
            "s",
            "Time to receive the first chunk of a streamed response.",
            _SECOND_BOUNDS,
        )
        self._cost = meter.create_counter("scrimp.cost.usd", "{USD}", "Cost of calls.")
        self._saved = meter.create_up_down_counter(
            "scrimp.saved.usd", "{USD}", "Cost below that of the callers' own requests, estimated."
        )
        self._misses = meter.create_counter("scrimp.cache.misses", "{miss}", "Prefixes that were not read.")
        self.refusals = meter.create_counter("scrimp.budget.refusals", "{call}", "Calls not let out.")
        self.crossings = meter.create_counter(
            "scrimp.budget.crossings", "{crossing}", "Limits that reached one of their fractions."
        )

    def count(self, record: Record, about: Attributes) -> None:
        """Count one call. What has no bill adds no tokens; money is a float only here, as instruments are."""
        if record.ended_at is not None:
            self._duration.record(max(0.0, record.ended_at - record.started_at), about)
        calm = {name: value for name, value in about.items() if name != "error.type"}
        if record.stream and record.first_event_at is not None:
            self._first.record(max(0.0, record.first_event_at - record.started_at), calm)
        usage = record.usage
        if record.message_id is not None:
            self._tokens.record(usage.total_input, {**calm, "gen_ai.token.type": "input"})
            self._tokens.record(usage.output_tokens, {**calm, "gen_ai.token.type": "output"})
        self._cost.add(record.cost / PICODOLLARS, {**calm, "scrimp.cost.measured": record.measured})
        if record.saved is not None:
            self._saved.add(record.saved / PICODOLLARS, calm)
        miss = miss_of(record)
        if miss is not None:
            self._misses.add(1, {**calm, "scrimp.cache.miss": miss})


def _histogram(meter: metrics.Meter, name: str, unit: str, description: str, bounds: list[float]) -> Any:
    """A histogram with these boundaries, where the installed API can say so."""
    advice = "explicit_bucket_boundaries_advisory"
    known = {advice: bounds} if advice in signature(meter.create_histogram).parameters else {}
    return meter.create_histogram(name, unit=unit, description=description, **known)


def _answer(record: Record) -> Attributes:
    usage = record.usage
    known: dict[str, Any] = {
        "gen_ai.response.id": record.message_id,
        "gen_ai.response.model": record.model if record.message_id else None,
        "gen_ai.request.stream": record.stream or None,
        "http.response.status_code": record.status,
        "scrimp.request.id": record.request_id,
    }
    if record.message_id is not None or usage.total_input:
        known["gen_ai.usage.input_tokens"] = usage.total_input
        known["gen_ai.usage.output_tokens"] = usage.output_tokens
        known["gen_ai.usage.cache_read.input_tokens"] = usage.cache_read_input_tokens
        known["gen_ai.usage.cache_creation.input_tokens"] = usage.cache_creation_input_tokens
    if usage.output_tokens_details is not None:
        known["gen_ai.usage.reasoning.output_tokens"] = usage.output_tokens_details.thinking_tokens
    if record.stream and record.first_event_at is not None:
        waited = max(0.0, record.first_event_at - record.started_at)
        known["gen_ai.response.time_to_first_chunk"] = waited
    return {name: value for name, value in known.items() if value is not None}


def _money(record: Record) -> Attributes:
    """Dollars as exact decimal strings, and what else scrimp knows of the call."""
    known: dict[str, Any] = {
        "scrimp.cost.usd": usd(record.cost),
        "scrimp.cost.measured": record.measured,
        "scrimp.saved.usd": None if record.saved is None else usd(record.saved),
        "scrimp.mode": record.mode,
        "scrimp.outcome": record.outcome,
        "scrimp.fault": record.fault,
        "scrimp.cache.miss": miss_of(record),
        "scrimp.cache.lost.usd": None if record.lost is None else usd(record.lost),
        "scrimp.context.window_used": record.window_used,
    }
    return {name: value for name, value in known.items() if value is not None}


def _owner(tags: Tags) -> Attributes:
    known: dict[str, Any] = {
        "gen_ai.conversation.id": tags.run_ids[-1] if tags.run_ids else None,
        "gen_ai.agent.name": tags.agent,
        "user.id": tags.user,
        "scrimp.run": "/".join(tags.run) or None,
        "scrimp.task_type": tags.task_type,
        "scrimp.team": tags.team,
        "scrimp.key": tags.key,
    }
    return {name: value for name, value in known.items() if value is not None}


def _error(record: Record) -> str | None:
    if record.outcome == "refused":
        return str(record.status)
    return _ERRORS.get(record.outcome)


def _nanoseconds(at: float) -> int:
    return round(at * _NANOSECONDS)
