"""Which tasks a smaller model is proposed for, and what it would have cost."""

from __future__ import annotations

import msgspec
import pytest

from scrimp.core.recorded import RecordedCall
from scrimp.core.reproduce import Measured
from scrimp.core.summary import measure_source
from scrimp.core.whatif.smaller import MANY_CALLS, tasks_for_smaller
from scrimp.facts.models import default
from scrimp.wire.request import Block
from scrimp.wire.response import OutputTokensDetails, Usage
from tests.core.recordings import recorded_call

FACTS = default()
SONNET, HAIKU = FACTS.resolve("claude-sonnet-5"), FACTS.resolve("claude-haiku-5-5")


def classify(count: int = MANY_CALLS, *, output: int = 20, steps: int = 1) -> list[RecordedCall]:
    """A task of many calls: 500 tokens of system prompt, 500 to classify, a short answer."""
    return [
        recorded_call(
            [("system", 500), (f"text {number}", 497)],
            {},
            float(number),
            Usage(input_tokens=1000, output_tokens=output),
            run=f"run {number // steps}",
        )
        for number in range(count)
    ]


def advised(calls: list[RecordedCall]) -> list[Measured]:
    return measure_source(calls)


def test_a_frequent_easy_task_goes_to_the_cheapest_model() -> None:
    (found,) = tasks_for_smaller(advised(classify()), [SONNET, HAIKU])
    assert (found.to, found.task.model, found.task.calls, found.task.runs) == (
        "claude-haiku-5-5",
        "claude-opus-5",
        MANY_CALLS,
        MANY_CALLS,
    )
    # Claude Opus 5: 5 / 25 USD per million; Claude Haiku 5.5: 0.10 / 0.50, with the same tokens.
    assert found.before == MANY_CALLS * (1000 * 5_000_000 + 20 * 25_000_000)
    assert found.after == MANY_CALLS * (1000 * 100_000 + 20 * 500_000)
    assert found.saved == found.before - found.after


def test_few_calls_long_answers_or_many_steps_are_left_alone() -> None:
    for calls in (classify(MANY_CALLS - 1), classify(output=301), classify(steps=3)):
        assert tasks_for_smaller(advised(calls), [HAIKU]) == []


def test_rare_long_answers_do_not_count_but_one_in_five_does() -> None:
    rare = [*classify(95), *classify(5, output=5000)]
    often = [*classify(80), *classify(20, output=5000)]
    assert len(tasks_for_smaller(advised(rare), [HAIKU])) == 1
    assert tasks_for_smaller(advised(often), [HAIKU]) == []


def thinks(call: RecordedCall) -> RecordedCall:
    usage = msgspec.structs.replace(call.usage, output_tokens_details=OutputTokensDetails(thinking_tokens=9))
    return msgspec.structs.replace(call, usage=usage)


def uses_tools(call: RecordedCall) -> RecordedCall:
    block: Block = msgspec.structs.replace(call.prompt.blocks[-1], kind="tool_use")
    prompt = msgspec.structs.replace(call.prompt, blocks=(*call.prompt.blocks[:-1], block))
    return msgspec.structs.replace(call, prompt=prompt)


@pytest.mark.parametrize("hard", [thinks, uses_tools])
def test_thinking_and_tools_are_signs_of_a_hard_task(hard) -> None:  # type: ignore[no-untyped-def]
    calls = classify(100)
    some = [*map(hard, calls[:6]), *calls[6:]]
    few = [*map(hard, calls[:5]), *calls[5:]]
    assert tasks_for_smaller(advised(some), [HAIKU]) == []
    assert len(tasks_for_smaller(advised(few), [HAIKU])) == 1


def test_another_system_prompt_is_another_task() -> None:
    half = MANY_CALLS // 2
    others = [
        recorded_call([("system of another", 500), ("x", 497)], {}, 1e6, call.usage, run=f"other {number}")
        for number, call in enumerate(classify(half))
    ]
    assert tasks_for_smaller(advised([*classify(half), *others]), [HAIKU]) == []


def test_a_dearer_model_and_the_same_one_are_never_proposed() -> None:
    assert tasks_for_smaller(advised(classify()), [FACTS.resolve("claude-opus-5")]) == []
    assert tasks_for_smaller(advised(classify()), [FACTS.resolve("claude-fable-5")]) == []
