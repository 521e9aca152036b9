"""Plans: reasons people can read, and a gate that lets nothing harmful through."""

from __future__ import annotations

import pytest

from scrimp.core.cache import Cache
from scrimp.core.passes import mark
from scrimp.core.plan import Range, plan
from scrimp.core.prompt import Marker
from scrimp.errors import PlanError
from tests.core.test_mark import NEVER, body_of, read, sent, situation_of


def test_the_decision_says_what_and_why_and_for_how_much() -> None:
    planned = plan(situation_of(read(body_of("task"))))
    (decision,) = planned.decisions
    assert decision.action == "mark"
    assert decision.mode == "safe"
    assert decision.what == "write the tail: tools.0 (5m), system.0 (5m), messages.0.content.0 (5m)"
    assert decision.why == "reads 0 and writes 6,000 tokens; a next step within 5 minutes is 100 % likely"
    # 6,000 tokens written at 6.25 instead of sent at 5, and sure to be read at 0.50 instead of written, which
    # counts by 0.95 as all later uses do.
    assert decision.saves == 6000 * (5_000_000 - 6_250_000 + (6_250_000 - 500_000) * 95 // 100)


def test_a_plan_that_only_reads_says_so() -> None:
    cache = Cache()
    sent(cache, read(body_of("first")), [1])
    planned = plan(situation_of(read(body_of("second")), cache=cache, goes_on=NEVER))
    assert (
        planned.decisions[0].why
        == "reads 4,000 tokens, writes none: a next step within 5 minutes is 0 % likely"
    )


def test_the_price_interval_follows_the_interval_on_tokens() -> None:
    planned = plan(situation_of(read(body_of("task"))), total=Range(5000, 6000, 7500))
    cost = planned.input_cost
    assert (cost.low, cost.mid, cost.high) == (31_250_000_000, 37_500_000_000, 46_875_000_000)


@pytest.mark.parametrize(
    ("markers", "goes_on", "fault"),
    [
        (tuple(Marker(n, "5m") for n in range(5)), (1.0, 0.0), "5 markers"),
        ((Marker(0, "5m"), Marker(1, "1h")), (0.0, 1.0), "1h marker was planned after a 5m"),
        ((Marker(2, "5m"),), (1.0, 0.0), "cannot carry"),
    ],
)
def test_the_gate_stops_what_the_api_would_refuse(
    markers: tuple[Marker, ...],
    goes_on: tuple[float, float],
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The candidates are made wrong on purpose: the gate must not trust the passes.
    body = body_of("a", "b", "c")
    body["messages"][0]["content"][0] = {"type": "thinking", "thinking": "hm", "signature": "s"}
    monkeypatch.setattr(mark._Pricing, "candidates", lambda _: [("wrong", markers)])
    with pytest.raises(PlanError, match=fault):
        plan(situation_of(read(body), goes_on=goes_on))
