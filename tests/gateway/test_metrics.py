"""`/metrics` as a whole: one valid page, with what the gateway itself counts."""

from __future__ import annotations

from scrimp.core.budget import Scope, Standing
from scrimp.gateway.metrics import GAUGES, GatewayMetrics
from scrimp.telemetry.settings import TelemetrySettings
from tests.telemetry.records import LIMIT, one, parsed, record


def test_the_page_has_calls_gateway_and_limits() -> None:
    metrics = GatewayMetrics(TelemetrySettings(labels=("key",)), {"scrimp_in_flight": lambda: 3})
    metrics.calls.recorded(record())
    metrics.answered("messages", 200)
    metrics.answered("messages", 200)
    metrics.answered("messages", 429)
    metrics.upstream_failed("529")
    metrics.retried("529")
    metrics.added(0.0004)
    metrics.followed("read", 0.3)
    found = parsed(metrics.exposition([Standing(LIMIT, Scope("user", 'a"b\\c\nd'), spent=10**12, held=0)]))
    assert one(found, "scrimp_http_responses_total", route="messages", status="200") == "2"
    assert one(found, "scrimp_http_responses_total", route="messages", status="429") == "1"
    assert one(found, "scrimp_upstream_errors_total", error="529") == "1"
    assert one(found, "scrimp_upstream_retries_total", error="529") == "1"
    assert one(found, "scrimp_added_seconds_bucket", le="0.0005") == "1"
    assert one(found, "scrimp_added_seconds_bucket", le="0.0002") == "0"
    assert one(found, "scrimp_fanout_total", end="read") == "1"
    assert one(found, "scrimp_fanout_wait_seconds_sum") == "0.3"
    assert one(found, "scrimp_in_flight") == "3"
    assert not {name for name in GAUGES if name != "scrimp_in_flight"} & found.keys()
    (labels,) = found["scrimp_budget_spent_dollars"]
    assert dict(labels)["scope"] == 'user:a"b\\c\nd'
    assert {dict(labels)["key"] for labels in found["scrimp_requests_total"]} == {"ci"}


def test_a_page_without_calls_is_valid() -> None:
    found = parsed(GatewayMetrics(TelemetrySettings()).exposition())
    assert one(found, "scrimp_added_seconds_count") == "0"
