"""Any valid requests, one after the other: the watch takes them all, and agrees with the cache model."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.core.causes import Cause
from scrimp.core.diagnose import Watch
from scrimp.core.diagnose_planned import call_of
from scrimp.core.workspace import Workspace
from scrimp.facts.models import default
from scrimp.wire.response import CacheCreation, Usage
from tests.emulator.random_requests import first_request, marked, next_request

NOON = 1_795_000_000.0


@settings(max_examples=60)
@given(st.data())
def test_whatever_is_sent_the_watch_says_no_more_was_lost_than_was_promised(data: st.DataObject) -> None:
    workspace, watch = Workspace(default()), Watch()
    now = NOON
    bodies: list[dict[str, Any]] = []
    for _ in range(data.draw(st.integers(1, 5))):
        goes_on = bodies and data.draw(st.integers(0, 3))
        bodies.append(
            data.draw(next_request(data.draw(st.sampled_from(bodies))) if goes_on else first_request())
        )
        body = data.draw(marked(bodies[-1]))
        now += data.draw(st.sampled_from([0.0, 1.0, 100.0, 400.0, 4000.0]))
        planned = workspace.plan(body, now)
        if planned is None:  # the next turn of a thread
            continue
        planned = planned.untouched()
        watched = watch.expect(call_of(planned, body))
        workspace.sent(planned, now, now)
        watch.began(watched, now)
        outcome = planned.plan.chosen.outcome
        usage = Usage(
            input_tokens=outcome.plain,
            cache_creation_input_tokens=outcome.written,
            cache_read_input_tokens=outcome.read,
            cache_creation=CacheCreation(outcome.write_5m, outcome.write_1h),
        )
        found = watch.judge(watched, usage)
        if found is not None and found.cause is not Cause.FIRST:
            assert outcome.read == found.read < found.promised <= usage.total_input
            assert found.cause is not Cause.UNKNOWN
            assert found.lost >= 0
            assert found.describe(excerpts=True)
