"""The stateless tax and the cost of tool results, against figures worked out by hand."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.audit.growth import verdict_of
from scrimp.core.audit.model import Paid, PartCost
from scrimp.core.audit.results import ResultSums
from scrimp.core.audit.tax import TaxSums
from scrimp.core.reproduce import Measured
from scrimp.wire.response import CacheCreation, Usage
from tests.core.audit.making import (
    CLOSING,
    PLAIN,
    READ,
    WRITE_1H,
    WRITE_5M,
    Conversation,
    result,
    text,
    three_steps,
    use,
    walked,
)


def input_of(calls: list[Measured]) -> int:
    return sum(
        one.call.usage.input_tokens * PLAIN
        + one.call.usage.write_5m * WRITE_5M
        + one.call.usage.write_1h * WRITE_1H
        + one.call.usage.cache_read_input_tokens * READ
        for one in calls
    )


def parts_of(calls: list[Measured]) -> dict[str, PartCost]:
    found = walked(TaxSums(), calls).result(input_of(calls))
    return {part.part: part for part in found.parts}


def test_every_part_of_three_steps_is_what_it_is_by_hand() -> None:
    parts = parts_of(three_steps())
    assert parts["tools"].paid == Paid(write_5m=1000, read=2000, amount=1000 * WRITE_5M + 2000 * READ)
    assert parts["tools"].again == Paid(read=2000, amount=2000 * READ)
    assert parts["system"].paid == Paid(write_5m=2000, read=4000, amount=2000 * WRITE_5M + 4000 * READ)
    assert parts["messages"].paid == parts["messages"].again == Paid(read=500 + 600, amount=1100 * READ)
    assert parts["results"].paid == Paid(read=4000, amount=4000 * READ)
    new = 500 + 4100 + 150
    assert parts["new"].paid == Paid(
        plain=3 * CLOSING, write_5m=new, amount=new * WRITE_5M + 3 * CLOSING * PLAIN
    )
    assert parts["new"].again == Paid()


def test_the_parts_add_up_to_the_bill_and_the_rest_is_beside() -> None:
    calls = three_steps()
    whole = input_of(calls)
    found = walked(TaxSums(), calls).result(whole + 7)
    assert found.amount == whole + 7
    assert found.beside == 7
    assert found.again.amount == sum(part.again.amount for part in found.parts)
    assert found.uncached_again == (2000 + 4000 + 1100 + 4000) * PLAIN
    assert found.projects["source"] == found.parts


def test_the_steps_of_a_run_show_what_each_sent_again() -> None:
    run = walked(TaxSums(), three_steps()).result(0).runs[0]
    assert [step.again for step in run.steps] == [0, 3500 * READ, 7600 * READ]
    assert [dict(step.parts) for step in run.steps] == [
        {"tools": 1000, "system": 2000, "new": 500 + CLOSING},
        {"tools": 1000, "system": 2000, "messages": 500, "new": 4100 + CLOSING},
        {"tools": 1000, "system": 2000, "messages": 600, "results": 4000, "new": 150 + CLOSING},
    ]
    assert (run.calls, run.where, run.verdict) == (3, "run:0", "too short")
    assert run.slope == pytest.approx((7753 - 3503) / 2)


def test_a_recording_in_part_has_one_static_part() -> None:
    calls = [
        msgspec.structs.replace(one, call=msgspec.structs.replace(one.call, complete=False))
        for one in three_steps()
    ]
    parts = parts_of(calls)
    assert parts["static"].paid.tokens == 3 * 3000
    assert not {"tools", "system"} & set(parts)


def test_a_second_conversation_of_a_run_sends_tools_and_system_again() -> None:
    one = Conversation().turn("user", (text("one"), 10)).call(0, read=0, write=3010)
    other = Conversation().turn("user", (text("other"), 20)).call(5, read=0, write=3020)
    assert parts_of([one, other])["tools"].again == Paid(write_5m=1000, amount=1000 * WRITE_5M)
    elsewhere = Conversation(run="another").turn("user", (text("other"), 20)).call(5, read=0, write=3020)
    assert parts_of([one, elsewhere])["tools"].again == Paid()


def test_batch_and_fast_prices_are_those_billed() -> None:
    call = Conversation().turn("user", (text("one"), 10)).call(0, read=0, write=0)
    usage = msgspec.structs.replace(call.call.usage, service_tier="batch")
    batched = msgspec.structs.replace(call, call=msgspec.structs.replace(call.call, usage=usage))
    found = walked(TaxSums(), [batched]).result(0)
    assert sum(part.paid.amount for part in found.parts) == 3013 * PLAIN // 2


def test_tool_results_are_paid_in_every_prompt() -> None:
    calls = three_steps()
    found = walked(ResultSums(), calls).result(input_of(calls))
    long, short = found.dearest
    assert (long.tool, long.tokens, long.calls, long.resent) == ("search", 4000, 2, 1)
    assert long.paid == Paid(write_5m=4000, read=4000, amount=4000 * (WRITE_5M + READ))
    assert (long.where, long.asked) == ("run:10", "a")
    assert (short.tool, short.calls, short.paid.amount) == ("fetch", 1, 50 * WRITE_5M)
    assert [tool.tool for tool in found.tools] == ["search", "fetch"]
    assert found.paid.amount == sum(tool.paid.amount for tool in found.tools) == 4000 * READ + 4050 * WRITE_5M
    assert found.share == found.paid.amount / input_of(calls)


def test_a_miss_pays_for_a_result_once_more() -> None:
    talk = Conversation().turn("user", (text("task"), 500))
    talk.turn("assistant", (use("search", 1, q="a"), 100)).turn("user", (result(1, "long"), 4000))
    calls = [talk.call(0, read=0, write=7600), talk.call(400, read=5000, write=2600)]
    found = walked(ResultSums(), calls).result(1)
    # Of the result, which ends at 7,600, the first 1,400 tokens were read and 2,600 were written again.
    assert found.paid == Paid(write_5m=6600, read=1400, amount=6600 * WRITE_5M + 1400 * READ)


def test_identical_questions_with_identical_answers_are_repeats() -> None:
    talk = Conversation().turn("user", (text("task"), 500))
    for number, says in enumerate(["same", "same", "other"]):
        talk.turn("assistant", (use("search", number, q="a"), 100)).turn("user", (result(number, says), 1000))
    call = talk.call(0, read=0, write=3500 + 3300)
    repeated = walked(ResultSums(), [call]).repeated()
    # One of the three says what was known; 20 of its 1,000 tokens stay to say so.
    assert (repeated.cases, repeated.mid, repeated.high) == (1, 980 * WRITE_5M, 1000 * WRITE_5M)


@given(st.data())
def test_parts_and_results_never_lose_a_token(data: st.DataObject) -> None:
    talk = Conversation(tools=[("a", 7), ("b", 11)], system=13)
    calls = []
    for number in range(data.draw(st.integers(1, 6))):
        talk.turn("user", (text(f"t{number}"), data.draw(st.integers(0, 50))))
        if data.draw(st.booleans()):
            talk.turn("assistant", (use("a", number), data.draw(st.integers(0, 9))))
            talk.turn("user", (result(number, "r"), data.draw(st.integers(0, 90))))
        total = 31 + sum(talk.lengths)
        read = data.draw(st.integers(0, total))
        one = talk.call(number, read=read, write=data.draw(st.integers(0, total - read)))
        usage = one.call.usage
        hour = data.draw(st.integers(0, usage.cache_creation_input_tokens))
        usage = Usage(
            input_tokens=usage.input_tokens,
            cache_creation_input_tokens=usage.cache_creation_input_tokens,
            cache_read_input_tokens=read,
            cache_creation=CacheCreation(usage.cache_creation_input_tokens - hour, hour),
        )
        calls.append(msgspec.structs.replace(one, call=msgspec.structs.replace(one.call, usage=usage)))
    whole = input_of(calls)
    tax = walked(TaxSums(), calls).result(whole)
    assert tax.beside == 0
    billed = [one.call.usage for one in calls]
    paid = sum((part.paid for part in tax.parts), Paid())
    assert paid.tokens == sum(usage.total_input for usage in billed)
    assert paid.read == sum(usage.cache_read_input_tokens for usage in billed)
    assert paid.write_1h == sum(usage.write_1h for usage in billed)
    results = walked(ResultSums(), calls).result(whole)
    fresh = [part.paid.tokens for part in tax.parts if part.part == "results"]
    assert sum(fresh) <= results.paid.tokens <= paid.tokens
    assert results.paid.amount <= whole


@pytest.mark.parametrize(
    ("totals", "verdict", "slope"),
    [
        ([100, 200, 300, 400, 500], "growing", 100.0),
        ([100, 100, 100, 100, 100], "bounded", 0.0),
        ([100, 500], "too short", 400.0),
        ([300], "too short", 0.0),
        ([500, 400, 300, 200, 100], "bounded", -100.0),
        ([100, 300, 100, 300, 100, 300, 100, 300], "bounded", pytest.approx(200 / 21)),
    ],
)
def test_growth_is_the_least_squares_line(totals: list[int], verdict: str, slope: float) -> None:
    assert verdict_of(totals) == (verdict, slope)


def test_no_call_has_no_tax() -> None:
    assert TaxSums().result(0) is None
    assert ResultSums().result(0) is None
