"""Usages of every form, right and wrong."""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["usages"]

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
