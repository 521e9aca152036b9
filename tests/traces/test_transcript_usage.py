"""Usage decoded straight from its bytes is what `read_usage` makes of the decoded JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scrimp.errors import ResponseError
from scrimp.traces.transcript_usage import usage_of
from scrimp.wire.response import read_usage
from tests.traces.sessions import usage

if TYPE_CHECKING:
    from collections.abc import Callable

counts = st.integers(0, 3) | st.sampled_from([None, -1, 2**40, True, 1.0, "3"])
few_counts = st.integers(0, 3)
splits = st.fixed_dictionaries(
    {}, optional={"ephemeral_5m_input_tokens": counts, "ephemeral_1h_input_tokens": few_counts}
)
tokens = {
    "input_tokens": few_counts,
    "output_tokens": counts,
    "cache_creation_input_tokens": few_counts,
    "cache_read_input_tokens": counts,
    "cache_creation": splits | st.none(),
}
iterations = st.fixed_dictionaries(
    {},
    optional={
        **tokens,
        "type": st.sampled_from(["message", "compaction", None]),
        "model": st.sampled_from(["claude-opus-4-6", None]),
    },
)
usages = st.fixed_dictionaries(
    {},
    optional={
        **tokens,
        "iterations": st.lists(iterations, max_size=2) | st.none(),
        "server_tool_use": st.fixed_dictionaries({}, optional={"web_search_requests": counts}) | st.just([]),
        "output_tokens_details": st.fixed_dictionaries({}, optional={"thinking_tokens": counts}),
        "service_tier": st.sampled_from(["standard", None, 5]),
        "inference_geo": st.sampled_from(["us", "not-available"]),
        "speed": st.sampled_from(["fast", None]),
        "fallback_credit": st.sampled_from([None, {"status": {"type": "redeemed"}}]),
        "novelty": st.just({"deep": [1]}),
    },
)


def outcome(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except ResponseError as error:
        return str(error)


@given(usages)
@example(usage(plain=3, read=10, write_1h=5, write_5m=2, output=9))
@example({**usage(read=10, write_1h=5), "cache_creation_input_tokens": 4})  # the split is of more than that
@example({"input_tokens": 3, "output_tokens": 1})  # says nothing of a cache
def test_the_short_way_comes_to_the_same_usage(told: dict[str, Any]) -> None:
    raw = msgspec.Raw(msgspec.json.encode(told))
    assert outcome(lambda: usage_of(raw)) == outcome(lambda: read_usage(told))


@pytest.mark.parametrize("raw", [b"", b"null"])
def test_an_answer_without_usage_has_none(raw: bytes) -> None:
    assert usage_of(msgspec.Raw(raw)) is None


@pytest.mark.parametrize("raw", [b"[]", b"3"])
def test_usage_of_another_shape_is_an_error(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        usage_of(msgspec.Raw(raw))
