"""Token estimates before any bill: against recorded bills of small requests, and by what must always hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.prompt import Reading, read_prompt
from scrimp.core.tokens import Estimate, Estimator, Ruler, Settings, read_settings
from scrimp.facts.models import resolve
from scrimp.wire.request import blocks

WEATHER = {
    "name": "get_weather",
    "description": "Get weather",
    "input_schema": {
        "type": "object",
        "properties": {"location": {"type": "string"}},
        "required": ["location"],
    },
}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Sunny, 22C in Paris"}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def estimate(body: dict[str, Any], model: str = "claude-haiku-4-5") -> Estimate:
    return Estimator(resolve(model), spelling=model).estimate(blocks(body), read_settings(body))


def ask(text: str, **fields: Any) -> dict[str, Any]:
    return {"messages": [user(text)], **fields}


@pytest.mark.parametrize(
    ("model", "text", "billed"),
    [
        ("claude-haiku-4-5", "Hello", 8),
        ("claude-3-5-haiku-20241022", "What is the capital of France?", 14),
        ("claude-3-7-sonnet-20250219", "What is the capital of France?", 14),
        ("claude-3-haiku-20240307", "What's 2+2?", 14),
        ("claude-haiku-4-5", "List three primary colors.", 12),
        ("claude-3-5-haiku-20241022", "What's 2 + 2?", 16),
        ("claude-3-5-haiku-20241022", "Count from 1 to 3", 15),
    ],
)
def test_short_prompts_as_recorded(model: str, text: str, billed: int) -> None:
    found = estimate(ask(text), model)
    assert found.mid == pytest.approx(billed, abs=2)
    assert found.low <= billed <= found.high


@pytest.mark.parametrize(
    ("model", "choice", "billed"),
    [
        ("claude-haiku-4-5", {"type": "auto"}, 558),
        ("claude-haiku-4-5", {"type": "any"}, 650),
        ("claude-haiku-4-5", {"type": "tool", "name": "get_weather"}, 655),
        ("claude-sonnet-4-5-20250929", {"type": "auto", "disable_parallel_tool_use": True}, 350),
        ("claude-sonnet-5", {"type": "auto"}, 432),
        ("claude-sonnet-5", {"type": "any"}, 552),
    ],
)
def test_tools_bring_a_prompt_that_depends_on_model_and_choice(
    model: str, choice: dict[str, Any], billed: int
) -> None:
    found = estimate(ask("What's the weather?", tools=[WEATHER], tool_choice=choice), model)
    assert found.mid == pytest.approx(billed, rel=0.02)
    assert found.low <= billed <= found.high


def test_a_call_and_its_result_as_recorded() -> None:
    body = ask("What's the weather in Paris?", tools=[WEATHER])
    longer = {
        **body,
        "messages": [*body["messages"], {"role": "assistant", "content": [CALL]}, user([RESULT])],
    }
    # 49 such pairs on Sonnet 4.5 billed 73 tokens each.
    assert estimate(longer).mid - estimate(body).mid == pytest.approx(73, abs=6)


def test_a_budget_for_thinking_brings_a_prompt_too() -> None:
    plain, thinking = (
        estimate(ask("Hi", thinking=t)).mid for t in (None, {"type": "enabled", "budget_tokens": 1024})
    )
    assert thinking - plain == pytest.approx(29, abs=4)  # recorded: 28 to 31
    assert estimate(ask("Hi", thinking={"type": "adaptive"})).mid == plain


@pytest.mark.parametrize("field", ["output_config", "output_format"])
def test_a_schema_for_the_answer_brings_a_prompt_and_itself(field: str) -> None:
    shape = {"type": "json_schema", "schema": WEATHER["input_schema"]}
    asked = ask("Hi", **{field: {"format": shape} if field == "output_config" else shape})
    assert 100 <= estimate(asked).mid - estimate(ask("Hi")).mid <= 200  # recorded: 160 to 220 for small ones


def test_deferred_tools_are_not_in_the_prompt() -> None:
    deferred = {**WEATHER, "name": "later", "defer_loading": True}
    with_deferred = estimate(ask("Hi", tools=[WEATHER, deferred]))
    assert with_deferred == estimate(ask("Hi", tools=[WEATHER]))


def test_what_cannot_be_counted_is_within_wide_bounds() -> None:
    url = {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}}
    pdf = {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
    image, document = (estimate({"messages": [user([block])]}) for block in (url, pdf))
    assert image.low < 20
    assert image.high >= 1568
    assert document.high - document.low > 100_000


def test_a_run_of_one_letter_costs_about_a_token_for_every_three() -> None:
    found = estimate(ask("a" * 8_192))
    assert found.mid == pytest.approx(2_740, rel=0.02)  # recorded
    assert found.high - found.low > 1_000


def test_a_thousand_words_on_the_newer_tokenizer_have_more_tokens() -> None:
    text = "The quick brown fox jumps over the lazy dog while it rains. " * 80
    older, newer = (estimate(ask(text), model).mid for model in ("claude-opus-4-6", "claude-opus-4-7"))
    assert 1.1 < newer / older < 1.6  # "roughly 30 % more" (models overview)


def test_sizes_add_up_and_counting_once_is_enough() -> None:
    body = ask("What's the weather?", tools=[WEATHER], system="Be brief.")
    body["messages"] += [{"role": "assistant", "content": [CALL]}, user([RESULT, {**RESULT, "content": []}])]
    prompt = read_prompt(body, Reading("claude-haiku-4-5"))
    estimator = Estimator(resolve("claude-haiku-4-5"), ruler=Ruler())
    settings = read_settings(body)
    first = estimator.measure(prompt.blocks, settings, prompt.digests)
    again = estimator.measure(prompt.blocks, settings, prompt.digests)
    assert first == again == estimator.measure(prompt.blocks, settings)
    # What closes the prompt, three tokens, belongs to no block.
    assert sum(first.sizes) + 3 == pytest.approx(first.estimate.mid, abs=0.51)
    assert min(first.sizes) >= 0
    sizes = [estimator.block_size(block) for block in prompt.blocks]
    assert sizes == list(first.content)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("tool_choice", "auto"),
        ("tool_choice", {"type": 3}),
        ("thinking", []),
        ("output_config", {"format": "json"}),
        ("output_format", None),
    ],
)
def test_malformed_settings_count_as_not_set(kind: str, value: Any) -> None:
    assert read_settings({"messages": [], kind: value}) == Settings()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
content_blocks = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.sampled_from(
        ["text", "image", "document", "thinking", "redacted_thinking", "tool_use", "tool_result", "new_kind"]
    ),
    st.dictionaries(
        st.sampled_from(
            ["text", "source", "content", "input", "name", "thinking", "signature", "data", "title"]
        ),
        json_values,
        max_size=4,
    ),
)


@given(
    st.lists(content_blocks, max_size=4),
    content_blocks,
    st.sampled_from(["claude-haiku-4-5", "claude-opus-5"]),
)
def test_one_more_block_never_makes_a_prompt_shorter(
    content: list[dict[str, Any]], more: dict[str, Any], model: str
) -> None:
    before = estimate({"messages": [user(content)]}, model)
    after = estimate({"messages": [user([*content, more])]}, model)
    assert before.mid <= after.mid
    assert before.high <= after.high
    assert 1 <= after.low <= after.mid <= after.high
