"""A span belongs to the trace around its call, wherever the call ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import anthropic
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import scrimp
from scrimp.emulator import Emulator
from scrimp.stores.memory import MemoryLedger

ASKED = {"model": "claude-haiku-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "secret"}]}


@pytest.fixture
def spans() -> Iterator[tuple[TracerProvider, InMemorySpanExporter]]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider, exporter
    provider.shutdown()


def calls(exporter: InMemorySpanExporter) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.name.startswith("chat")]


def test_a_stream_that_ends_elsewhere_has_the_parent_of_its_beginning(
    spans: tuple[TracerProvider, InMemorySpanExporter],
) -> None:
    provider, exporter = spans
    tracer = provider.get_tracer("test")
    middleware = scrimp.Middleware(
        ledger=MemoryLedger(), listeners=[scrimp.Telemetry(tracer_provider=provider)]
    )
    with (
        Emulator() as emulator,
        anthropic.Anthropic(base_url=emulator.url, api_key="sk", middleware=[middleware]) as client,
    ):
        with tracer.start_as_current_span("agent") as agent, scrimp.run("nightly", user="u_42") as run:
            client.messages.create(**ASKED)
            stream = client.messages.create(**ASKED, stream=True)
        reading = threading.Thread(target=lambda: [event.type for event in stream])
        with tracer.start_as_current_span("somebody else"):
            reading.start()
            reading.join()
    whole, streamed = calls(exporter)
    for span in (whole, streamed):
        assert span.parent is not None
        assert span.parent.span_id == agent.get_span_context().span_id
        attributes = span.attributes or {}
        assert attributes["gen_ai.conversation.id"] == run.id
        assert attributes["user.id"] == "u_42"
    cost = sum(billed.cost for billed in emulator.bill)
    said = [str((span.attributes or {})["scrimp.cost.usd"]) for span in (whole, streamed)]
    assert sum(round(float(one) * 10**12) for one in said) == cost
    assert "secret" not in "".join(span.to_json() for span in exporter.get_finished_spans())


def test_an_answer_to_nobody_is_no_span_of_anybody(
    spans: tuple[TracerProvider, InMemorySpanExporter],
) -> None:
    provider, exporter = spans
    middleware = scrimp.Middleware(
        ledger=MemoryLedger(), listeners=[scrimp.Telemetry(tracer_provider=provider)]
    )
    with (
        Emulator() as emulator,
        anthropic.Anthropic(base_url=emulator.url, api_key="sk", middleware=[middleware]) as client,
    ):
        client.messages.create(**ASKED)
    (span,) = calls(exporter)
    assert span.parent is None
    assert trace.get_current_span() is trace.INVALID_SPAN
