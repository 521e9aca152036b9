"""OpenTelemetry: what the GenAI conventions ask for, every token once, spans where and when the call was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as gen_ai
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics

from scrimp.core.budget import Crossing, Scope
from scrimp.core.causes import Cause, Diagnosis
from scrimp.core.record import Tags
from scrimp.telemetry import Telemetry
from scrimp.wire.response import OutputTokensDetails, Usage
from tests.telemetry.records import LIMIT, REFUSAL, TAGS, record


class Exported(NamedTuple):
    telemetry: Telemetry
    tracer: trace.Tracer
    spans: InMemorySpanExporter
    reader: InMemoryMetricReader

    def span(self) -> ReadableSpan:
        (found,) = [span for span in self.spans.get_finished_spans() if span.name.startswith("chat ")]
        return found

    def points(self, name: str) -> list[Any]:
        data = self.reader.get_metrics_data()
        metrics = data.resource_metrics[0].scope_metrics[0].metrics if data else []
        return [point for metric in metrics if metric.name == name for point in metric.data.data_points]


@pytest.fixture
def exported() -> Iterator[Exported]:
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(), MeterProvider([reader])
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    telemetry = Telemetry(
        tracer_provider=tracers, meter_provider=meters, server_address="api.example.com", server_port=8443
    )
    yield Exported(telemetry, tracers.get_tracer("test"), spans, reader)
    tracers.shutdown()
    meters.shutdown()


def test_a_span_says_what_the_conventions_ask_for(exported: Exported) -> None:
    usage = Usage(100, 50, 1_000, 5_000, output_tokens_details=OutputTokensDetails(20))
    exported.telemetry.recorded(record(usage=usage, window=200_000))
    span = exported.span()
    assert span.attributes is not None
    assert (span.name, span.kind) == ("chat claude-sonnet-5", trace.SpanKind.CLIENT)
    assert (span.start_time, span.end_time) == (1_000 * 10**9, 1_002 * 10**9)
    assert span.status.is_ok or span.status.is_unset
    expected = {
        gen_ai.GEN_AI_OPERATION_NAME: "chat",
        gen_ai.GEN_AI_PROVIDER_NAME: "anthropic",
        gen_ai.GEN_AI_REQUEST_MODEL: "claude-sonnet-5",
        gen_ai.GEN_AI_RESPONSE_MODEL: "claude-sonnet-5",
        gen_ai.GEN_AI_RESPONSE_ID: "msg_1",
        gen_ai.GEN_AI_REQUEST_STREAM: True,
        gen_ai.GEN_AI_CONVERSATION_ID: "r2",
        gen_ai.GEN_AI_AGENT_NAME: "writer",
        gen_ai.GEN_AI_USAGE_INPUT_TOKENS: 6_100,
        gen_ai.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: 5_000,
        gen_ai.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS: 1_000,
        gen_ai.GEN_AI_USAGE_OUTPUT_TOKENS: 50,
        gen_ai.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: 20,
        gen_ai.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: 0.25,
        "server.address": "api.example.com",
        "server.port": 8443,
        "scrimp.cost.usd": "0.012345678901",
        "scrimp.saved.usd": "0.007654321099",
        "scrimp.cost.measured": True,
        "scrimp.context.window_used": 6_100 / 200_000,
        "scrimp.run": "nightly/reviewer",
        "user.id": "u_42",
    }
    assert {name: span.attributes.get(name) for name in expected} == expected
    assert "error.type" not in span.attributes


def test_only_names_of_the_conventions_or_our_own_are_used(exported: Exported) -> None:
    exported.telemetry.recorded(record(miss="tool order", lost=1, fault="planning failed"))
    known = {value for name, value in vars(gen_ai).items() if name.startswith("GEN_AI_")}
    known |= {"server.address", "server.port", "error.type", "user.id", "http.response.status_code"}
    attributes = exported.span().attributes or {}
    assert {name for name in attributes if not name.startswith("scrimp.")} <= known


@pytest.mark.parametrize(
    ("outcome", "status", "error"),
    [("cut off", 200, "response_cut_off"), ("unknown", None, "no_response"), ("refused", 529, "529")],
)
def test_a_call_that_failed_says_how(exported: Exported, outcome: str, status: int, error: str) -> None:
    nothing = {"message_id": None, "first_event_at": None, "usage": Usage()} if outcome != "cut off" else {}
    exported.telemetry.recorded(record(outcome=outcome, status=status, **nothing))
    span = exported.span()
    assert span.attributes is not None
    assert span.attributes["error.type"] == error
    assert not span.status.is_ok
    assert not span.status.is_unset
    (duration,) = exported.points("gen_ai.client.operation.duration")
    assert duration.attributes["error.type"] == error


def test_the_parent_is_the_span_around_the_call(exported: Exported) -> None:
    with exported.tracer.start_as_current_span("agent") as outer:
        exported.telemetry.recorded(record())
    parent = exported.span().parent
    assert parent is not None
    assert parent.span_id == outer.get_span_context().span_id


def test_metrics_count_every_token_once(exported: Exported) -> None:
    exported.telemetry.recorded(record())
    exported.telemetry.recorded(record(usage=Usage(1, 2, 3, 4)))
    points = exported.points(gen_ai_metrics.GEN_AI_CLIENT_TOKEN_USAGE)
    assert {point.attributes["gen_ai.token.type"]: point.sum for point in points} == {
        "input": 6_100 + 8,
        "output": 52,
    }
    assert points[0].explicit_bounds == tuple(4.0**n for n in range(14))


def test_metrics_of_time_and_money(exported: Exported) -> None:
    exported.telemetry.recorded(record())
    exported.telemetry.recorded(record(stream=False))
    (duration,) = exported.points(gen_ai_metrics.GEN_AI_CLIENT_OPERATION_DURATION)
    assert (duration.count, duration.sum) == (2, 4.0)
    assert duration.explicit_bounds[:3] == (0.01, 0.02, 0.04)
    assert duration.explicit_bounds[-1] == 81.92
    (first,) = exported.points(gen_ai_metrics.GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK)
    assert (first.count, first.sum) == (1, 0.25)
    (cost,) = exported.points("scrimp.cost.usd")
    assert cost.value == pytest.approx(2 * 0.012345678901)
    (saved,) = exported.points("scrimp.saved.usd")
    assert saved.value == pytest.approx(2 * 0.007654321099)


def test_users_and_runs_are_no_attributes_of_metrics(exported: Exported) -> None:
    exported.telemetry.recorded(record(miss="tool order"))
    data = exported.reader.get_metrics_data()
    assert data
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    names = {name for metric in metrics for point in metric.data.data_points for name in point.attributes}
    assert not names & {"user.id", "scrimp.run", "gen_ai.conversation.id", "scrimp.key"}


def test_refusals_misses_and_limits_are_told(exported: Exported) -> None:
    with exported.tracer.start_as_current_span("agent"):
        exported.telemetry.refused(REFUSAL, TAGS)
        exported.telemetry.missed(Diagnosis(cause=Cause.TOOL_ORDER, promised=9, read=0, lost=10**9), TAGS)
        exported.telemetry.crossed(Crossing(LIMIT, Scope("user", "u_42"), 80, spent=4 * 10**12))
    (outer,) = exported.spans.get_finished_spans()
    refused, missed = outer.events
    assert refused.attributes is not None
    assert missed.attributes is not None
    assert refused.attributes["scrimp.budget.asked.usd"] == "0.000000000003"
    assert missed.attributes["scrimp.cache.lost.usd"] == "0.001"
    (refusals,) = exported.points("scrimp.budget.refusals")
    assert (refusals.value, dict(refusals.attributes)) == (1, {"scrimp.budget.limit": "user:*/day"})
    assert exported.points("scrimp.budget.crossings")[0].attributes["scrimp.budget.percent"] == 80


def test_without_an_sdk_nothing_happens() -> None:
    code = (
        "import scrimp.telemetry, sys;"
        "from tests.telemetry.records import record;"
        "scrimp.telemetry.Telemetry().recorded(record());"
        "sys.exit('opentelemetry.sdk' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_the_api_it_says_what_is_missing() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from scrimp.errors import SdkError\n"
        "try: import scrimp.telemetry\n"
        "except SdkError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert "opentelemetry-api" in done.stdout


def test_other_providers_have_their_names_of_the_conventions(exported: Exported) -> None:
    exported.telemetry.recorded(record(provider="bedrock", tags=Tags()))
    attributes = exported.span().attributes or {}
    assert attributes[gen_ai.GEN_AI_PROVIDER_NAME] == "aws.bedrock"
    assert gen_ai.GEN_AI_CONVERSATION_ID not in attributes


def test_models_that_callers_make_up_are_so_many_and_no_more(exported: Exported) -> None:
    for number in range(120):
        exported.telemetry.recorded(record(model=f"made-up-{number}", outcome="unknown", status=None))
    points = exported.points("gen_ai.client.operation.duration")
    names = {str(point.attributes["gen_ai.request.model"]) for point in points}
    assert len(names) == 101
    assert "other" in names
