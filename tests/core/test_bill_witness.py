"""A second witness for money: genai-prices prices the same usages, and must come to the same picodollar."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction

from genai_prices import Usage as TheirUsage
from genai_prices import calc_price
from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.core.bill import bill
from scrimp.facts import default
from scrimp.wire.response import CacheCreation, ServerToolUse, Usage

BATCHES_SINCE = date(2026, 10, 14)  # genai-prices knows batch prices from this day on
AGREED = [
    "claude-fable-5-2", "claude-mythos-5-2", "claude-fable-5-1", "claude-fable-5", "claude-opus-5-5",
    "claude-opus-5", "claude-opus-4-8", "claude-opus-4-7", "claude-opus-4-6", "claude-opus-4-5",
    "claude-sonnet-5-5", "claude-sonnet-5", "claude-sonnet-4-6", "claude-haiku-5-5", "claude-haiku-4-5",
]  # fmt: skip
FAST = {"claude-fable-5-2", "claude-mythos-5-2", "claude-opus-5-5", "claude-opus-5", "claude-opus-4-8"}
COUNTS = st.one_of(st.integers(0, 2_000), st.integers(0, 260_000))


def theirs(usage: Usage, model_id: str, day: date, context: dict[str, str]) -> Fraction:
    """US dollars by genai-prices, whose input count includes what was written and read."""
    tools = usage.server_tool_use
    price = calc_price(
        TheirUsage(
            input_tokens=usage.total_input,
            cache_read_tokens=usage.cache_read_input_tokens,
            cache_write_tokens=usage.cache_creation_input_tokens,
            cache_write_1h_tokens=usage.write_1h,
            output_tokens=usage.output_tokens,
            web_searches=tools.web_search_requests if tools else 0,
        ),
        model_id,
        provider_id="anthropic",
        genai_request_timestamp=datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
        price_context=context,
    )
    return Fraction(price.total_price)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(AGREED),
    st.tuples(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.integers(0, 3)),
    st.dates(date(2026, 2, 17), date(2026, 11, 21)),
    st.sampled_from(["standard", "batch", "fast"]),
)
def test_genai_prices_comes_to_the_same_amount(
    model_id: str, counts: tuple[int, int, int, int, int, int], day: date, mode: str
) -> None:
    model = default().resolve(model_id)
    assert model.released is not None
    day = max(day, model.released)
    if model_id == "claude-sonnet-5-5":
        day = max(day, date(2026, 10, 7))  # before, reads cost 0.1x, which genai-prices does not know
    if mode == "fast" and model_id not in FAST:
        mode = "standard"
    if mode == "batch":
        day = max(day, BATCHES_SINCE)
    plain, five, hour, read, output, searches = counts
    usage = Usage(
        input_tokens=plain,
        output_tokens=output,
        cache_creation_input_tokens=five + hour,
        cache_read_input_tokens=read,
        cache_creation=CacheCreation(five, hour),
        server_tool_use=ServerToolUse(web_search_requests=searches),
        service_tier="batch" if mode == "batch" else "standard",
        speed="fast" if mode == "fast" else "standard",
    )
    context = {"batch": {"processing": "batch"}, "fast": {"speed": "fast"}, "standard": {}}[mode]
    made = bill(usage, model, at=day)
    assert Fraction(made.total, 10**12) == theirs(usage, model_id, day, context)
    assert made.notes == ()
