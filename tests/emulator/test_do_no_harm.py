"""Whatever valid request comes, in whatever order: what goes out is valid, says the same, costs no more."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from scrimp.core.workspace import Planned, Workspace
from scrimp.emulator.ids import Ids
from scrimp.emulator.measure import Estimated
from scrimp.emulator.provider import Provider, Serving
from scrimp.emulator.refusals import Refusal
from scrimp.emulator.replies import as_replies
from scrimp.facts.models import default
from scrimp.wire.loads import loads
from scrimp.wire.request import with_markers
from scrimp.wire.splice import splice_markers
from tests.copies import copied
from tests.emulator.random_requests import NEVER_MARKED, first_request, marked, next_request

NOW = 1_795_000_000.0  # 2026-11-18
GAPS = st.sampled_from([0.0, 2.0, 2.0, 20.0, 200.0, 299.0, 301.0, 1_500.0, 3_590.0, 3_700.0, 90_000.0])
HEADERS = {"anthropic-version": "2023-06-01"}
MEASURE = Estimated()


class Office:
    """A workspace before the emulator, which is asked twice: as the caller wrote it, and as planned."""

    def __init__(self) -> None:
        self.workspace = Workspace(default())
        self.provider = Provider(
            default(), as_replies(None), measure=MEASURE, ids=Ids("s"), route="anthropic", retires=False
        )

    def served(self, body: dict[str, Any], account: str, now: float) -> Serving | Refusal:
        """The emulator's answer to a request, with its entries written and its bill booked."""
        asked = self.provider.ask(copied(body), HEADERS, now)
        serving = self.provider.serve(asked, account, now, "req")
        if isinstance(serving, Serving):
            self.provider.began(serving, now + 1)
            self.provider.settle(serving, began_at=now + 1, ended_at=now + 2)
        return serving


def said(body: dict[str, Any]) -> bytes:
    """A request without its markers, strings as the text blocks they stand for, in the order as written."""

    def unmarked(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        kept = {key: item for key, item in value.items() if key != "cache_control"}
        if kept.get("type") == "tool_result" and isinstance(kept.get("content"), list):
            kept["content"] = [unmarked(block) for block in kept["content"]]
        return kept

    def listed(content: Any) -> Any:
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        return [unmarked(block) for block in content] if isinstance(content, list) else content

    body = unmarked(body)
    body = {key: listed(item) if key in ("tools", "system") else item for key, item in body.items()}
    body["messages"] = [{**message, "content": listed(message["content"])} for message in body["messages"]]
    return orjson.dumps(body)


def marked_blocks(body: dict[str, Any]) -> list[dict[str, Any]]:
    """What carries a marker, in render order; the request itself last."""
    found = [*(body.get("tools") or ())]
    for content in (body.get("system"), *(message["content"] for message in body["messages"])):
        for block in content if isinstance(content, list) else ():
            inner = block.get("content")
            found += inner if block["type"] == "tool_result" and isinstance(inner, list) else []
            found.append(block)
    return [block for block in [*found, body] if "cache_control" in block]


def check_markers(body: dict[str, Any]) -> None:
    """At most four (three in a thread), where they may be, every 1h before every 5m."""
    blocks = marked_blocks(body)
    assert len(blocks) <= (3 if body.get("thread") else 4)
    lifetimes = [block["cache_control"].get("ttl", "5m") for block in blocks]
    assert lifetimes == sorted(lifetimes)  # "1h" < "5m"
    for block in blocks:
        assert block["cache_control"]["type"] == "ephemeral"
        assert not block.get("defer_loading")
        assert block.get("type") not in NEVER_MARKED
        assert block.get("type") != "text" or block["text"]


def check_plan(planned: Planned, body: dict[str, Any]) -> dict[str, Any]:
    """The request that goes out, after all that can be said of it without asking the API."""
    plan = planned.plan
    event("edited" if plan.edits else "untouched")
    sent = dict(with_markers(body, plan.edits))
    assert said(sent) == said(body)
    assert loads(splice_markers(orjson.dumps(body), plan.edits)) == sent
    assert plan.chosen.expected_cost <= plan.own.expected_cost
    if plan.edits:
        check_markers(sent)
    else:
        assert sent == body
    return sent


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_planned_requests_are_taken_say_the_same_and_cost_no_more(data: st.DataObject) -> None:
    office = Office()
    now = NOW
    conversations = [data.draw(first_request()) for _ in range(data.draw(st.integers(1, 2)))]
    for _ in range(data.draw(st.integers(1, 7))):
        number = data.draw(st.integers(0, len(conversations) - 1))
        body = data.draw(marked(conversations[number]))
        conversations[number] = data.draw(next_request(conversations[number]))
        now += data.draw(GAPS)
        before = orjson.dumps(body)
        own = office.served(body, "own", now)
        event(f"refused: {own.message[:40]}" if isinstance(own, Refusal) else "taken")
        label = data.draw(st.sampled_from([None, "a", "b"]))
        again = data.draw(st.sampled_from([False] * 5 + [True]))
        planned = office.workspace.plan(body, now, again=again, label=label)
        assert planned is not None
        assert orjson.dumps(body) == before
        if isinstance(own, Refusal):
            continue
        serving = office.served(check_plan(planned, body), "planned", now)
        assert isinstance(serving, Serving), serving
        assert [marker.position for marker in serving.prompt.markers] == sorted(
            marker.position for marker in planned.plan.markers
        )
        assert serving.prompt.digests == planned.prompt.digests
        after = data.draw(st.sampled_from(["billed", "billed", "billed", "cut off", "never sent"]))
        if after != "never sent":
            office.workspace.sent(planned, now, now + 1)
        if after == "billed":
            office.workspace.billed(planned, serving.usage, serving.message["id"])
