"""What a gateway tells of its calls: counters that agree with the bill, lines without prompts, traces."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from scrimp.core.budget import Scope
from scrimp.emulator import Emulator, Fault
from scrimp.gateway.serving import Gateway, Stores
from scrimp.gateway.settings import Budget, Serve, Settings, Upstream
from scrimp.stores.memory import MemoryLedger
from scrimp.telemetry.building import Told
from scrimp.telemetry.settings import TelemetrySettings
from tests.forks import Forks
from tests.gateway.doors import PROMPT, ask, encoded, raw
from tests.patience import eventually
from tests.telemetry.records import Labels, parsed

KEY = "sk-ant-very-secret"


class Watched(NamedTuple):
    """A gateway, what it logs, and its ledger."""

    gateway: Gateway
    log: io.StringIO
    ledger: MemoryLedger
    emulator: Emulator

    def ask(self, body: dict[str, Any], **headers: str) -> int:
        return raw(
            self.gateway.port, "POST", "/v1/messages", encoded(body), **{"x_api_key": KEY, **headers}
        ).status

    def page(self) -> dict[str, dict[Labels, str]]:
        return parsed(raw(self.gateway.port, "GET", "/metrics").body)

    def recorded(self, count: int) -> None:
        eventually(lambda: len(list(self.ledger.records())) >= count)


@contextmanager
def watched(*faults: Fault, budgets: tuple[Budget, ...] = (), **telemetry: Any) -> Iterator[Watched]:
    log, ledger = io.StringIO(), MemoryLedger()
    with Emulator(faults=faults) as emulator:
        settings = Settings(
            serve=Serve(port=0),
            upstreams={"anthropic": Upstream(base_url=emulator.url)},
            budgets=budgets,
            telemetry=TelemetrySettings(**telemetry),
        )
        told = Told(settings.telemetry, base_url=emulator.url, stream=log)
        stores = Stores(ledger=ledger, learned=False)
        with Gateway(settings, stores=stores, listeners=told.listeners) as gateway:
            yield Watched(gateway, log, ledger, emulator)
        told.close()


def test_counters_agree_with_the_bill_to_the_picodollar() -> None:
    with watched() as entry:
        for number in range(6):
            assert entry.ask(ask(f"Question {number}: {PROMPT}?", stream=number % 2 == 0)) == 200
        entry.recorded(6)
        found, bill, total = entry.page(), entry.emulator.bill, entry.emulator.total
    costs = found["scrimp_cost_dollars_total"]
    assert sum(Decimal(cost) for cost in costs.values()) == Decimal(total) / 10**12
    usages = [billed.usage for billed in bill]
    assert {dict(labels)["kind"]: int(count) for labels, count in found["scrimp_tokens_total"].items()} == {
        "plain": sum(usage.input_tokens for usage in usages),
        "write_5m": sum(usage.write_5m for usage in usages),
        "write_1h": sum(usage.write_1h for usage in usages),
        "read": sum(usage.cache_read_input_tokens for usage in usages),
        "output": sum(usage.output_tokens for usage in usages),
    }
    assert sum(map(int, found["scrimp_requests_total"].values())) == 6
    assert found["scrimp_added_seconds_count"] == {frozenset(): "6"}
    now = ("scrimp_in_flight", "scrimp_queued", "scrimp_following", "scrimp_ledger_queue")
    assert [found[name][frozenset()] for name in now] == ["0", "0", "0", "0"]  # the page itself is no call


def test_failures_and_refusals_are_counted() -> None:
    nothing = Budget(scope=Scope("user", "poor"), amount=0)
    with watched(Fault("overloaded", times=1), budgets=(nothing,)) as entry:
        assert entry.ask(ask()) == 200
        assert entry.ask(ask(), x_scrimp_user="poor") == 402
        assert raw(entry.gateway.port, "GET", "/nowhere").status == 404
        found = entry.page()
    assert found["scrimp_upstream_errors_total"][frozenset({("error", "529")})] == "1"
    assert found["scrimp_upstream_retries_total"] == {frozenset({("error", "529")}): "1"}
    assert found["scrimp_budget_refusals_total"] == {frozenset({("limit", "user:poor/total")}): "1"}
    answers = {
        dict(labels)["status"]: count for labels, count in found["scrimp_http_responses_total"].items()
    }
    assert [answers[status] for status in ("200", "402", "404")] == ["1", "1", "1"]


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_line_a_call_and_never_a_prompt_or_a_key(form: str) -> None:
    with watched(log=form) as entry:
        assert entry.ask(ask(PROMPT, stream=True), x_scrimp_user="u_42", x_scrimp_run="nightly@7") == 200
        assert entry.ask(ask(PROMPT), x_scrimp_user="u_42") == 200
        entry.recorded(2)
        page = raw(entry.gateway.port, "GET", "/metrics").body.decode()
    said = entry.log.getvalue()
    assert len(said.splitlines()) == 2
    for text in (said, page):
        assert PROMPT not in text
        assert "careful assistant" not in text
        assert KEY not in text
    if form == "json":
        first = json.loads(said.splitlines()[0])
        assert (first["user"], first["run"], first["run_id"]) == ("u_42", "nightly", "7")
        assert sum(Decimal(json.loads(line)["cost_usd"]) for line in said.splitlines()) * 10**12 == (
            entry.emulator.total
        )


def test_no_metrics_page_and_no_log_where_they_are_switched_off() -> None:
    with watched(metrics=False, log="off") as entry:
        assert entry.ask(ask()) == 200
        assert raw(entry.gateway.port, "GET", "/metrics").status == 404
    assert entry.log.getvalue() == ""


TRACED = """
import sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
from tests.forks import Forks
from tests.gateway.doors import ask
from tests.gateway.test_telemetry_through import watched
with watched(otel=True, log="off") as entry:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert entry.ask(ask(stream=True), traceparent=parent) == 200
    assert entry.ask(ask()) == 200
    entry.recorded(2)
for span in exporter.get_finished_spans():
    parent = span.parent and f"{span.parent.trace_id:032x}-{span.parent.span_id:016x}"
    print(span.name, parent, span.attributes["server.address"])
"""


def test_spans_belong_to_the_trace_that_the_client_names(tmp_path: Path, forks: Forks) -> None:
    program = tmp_path / "traced.py"
    program.write_text(TRACED, encoding="utf-8")
    done = forks.run(program, env=os.environ)
    assert done.stdout.splitlines() == [
        "chat claude-haiku-4-5 0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331 127.0.0.1",
        "chat claude-haiku-4-5 None 127.0.0.1",
    ], done.stderr


def test_failures_have_lines_without_prompts_and_keys() -> None:
    with watched(budgets=(Budget(scope=Scope("organisation"), amount=1, window="total"),)) as entry:
        assert entry.ask(ask(PROMPT)) == 402
        assert raw(entry.gateway.port, "POST", "/v1/messages", b"{}", x_api_key="").status == 401
    said = [json.loads(line) for line in entry.log.getvalue().splitlines()]
    failed = [line for line in said if line["event"] == "failed"]
    assert [(line["status"], line["error"], line["whose"]) for line in failed] == [
        (402, "billing_error", "gateway"),
        (401, "authentication_error", "gateway"),
    ]
    assert failed[0]["upstream"] == "anthropic"
    assert failed[0]["request_id"].startswith("req_scrimp_")
    assert failed[0]["duration_s"] >= 0
    assert PROMPT not in entry.log.getvalue()
    assert KEY not in entry.log.getvalue()


def test_an_upstream_that_is_down_or_refuses_is_the_one_that_failed() -> None:
    with watched() as entry:
        assert entry.ask(ask(PROMPT, model="claude-nobody-knows")) == 404
        entry.emulator.stop()
        assert entry.ask(ask(PROMPT)) == 502
    said = [json.loads(line) for line in entry.log.getvalue().splitlines()]
    failed = [line for line in said if line["event"] == "failed"]
    assert [(line["status"], line["error"], line["whose"]) for line in failed] == [
        (404, "not_found_error", "upstream"),
        (502, "api_error", "upstream"),
    ]
