"""A user's facts add models and override fields; every fault is one line with file, model and field."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.errors import FactsError
from scrimp.facts import Rates, default, load

NOW = date(2026, 11, 21)
CACHE = {"write_5m": "1.25", "write_1h": "2", "read": "0.1"}
NEW = """
[[models]]
id = "claude-opus-6"
aliases = ["our-best"]
window = 2000000
[[models.prices]]
from = 2026-12-01
input = "6"
write_5m = "7.5"
write_1h = "12"
read = "0.3"
output = "30"
tiers = [{ above = 500000, input = "12", write_5m = "15", write_1h = "24", read = "0.6", output = "60" }]
"""


def price(**fields: Any) -> dict[str, Any]:
    row = {"from": date(2026, 1, 1), "input": "1", "output": "5", **CACHE, **fields}
    return {"models": [{"id": "mine", "prices": [row]}]}


@pytest.mark.parametrize("overlay", [NEW, NEW.encode()], ids=["text", "bytes"])
def test_a_new_model_is_added(overlay: str | bytes) -> None:
    facts = load([overlay])
    model = facts.resolve("anthropic/claude-opus-6[1m]")
    assert facts.resolve("our-best").id == model.id == "claude-opus-6"
    assert (model.known, model.estimated, model.window) == (True, False, 2_000_000)
    assert model.rates(NOW, prompt_tokens=500_000).output == 30 * 10**6
    assert model.rates(NOW, prompt_tokens=500_001, batch=True).output == 30 * 10**6


def test_a_new_model_is_careful_about_what_it_was_not_told() -> None:
    model = load([NEW]).resolve("claude-opus-6")
    assert (model.cache_minimum, model.features.thinking_binding, model.features.prefill) == (
        4096,
        "always",
        False,
    )
    assert model.source == "your facts"


def test_an_override_keeps_what_it_does_not_name() -> None:
    bundled = default().resolve("claude-opus-5-5")
    facts = load(
        [{"models": [{"id": "claude-opus-5-5", "cache_minimum": 700, "features": {"prefill": True}}]}]
    )
    model = facts.resolve("claude-opus-5-5")
    assert (model.cache_minimum, model.features.prefill) == (700, True)
    assert model.features.thinking_binding == bundled.features.thinking_binding
    assert model.rates(NOW, prompt_tokens=1) == bundled.rates(NOW, prompt_tokens=1)
    assert default().resolve("claude-opus-5-5").cache_minimum == 512


def test_an_override_of_prices_replaces_them_all() -> None:
    row = {"from": date(2026, 1, 1), "input": "1", "output": "2", **CACHE}
    facts = load([{"models": [{"id": "claude-haiku-5-5", "prices": [row], "aliases": ["cheap"]}]}])
    expected = Rates(10**6, 1_250_000, 2 * 10**6, 100_000, 2 * 10**6)
    assert facts.resolve("cheap").rates(NOW, prompt_tokens=200_000) == expected


def test_later_files_win() -> None:
    files = [{"models": [{"id": "claude-opus-5-5", "cache_minimum": size}]} for size in (100, 200)]
    assert load(files).resolve("claude-opus-5-5").cache_minimum == 200


def test_rules_multipliers_and_fees_can_be_overridden() -> None:
    rule = {"from": date(2024, 1, 1), "value": 30, "source": "measured", "confidence": "observed"}
    facts = load(
        [
            {
                "rules": {"lookback": [rule]},
                "pricing": {"batch": "0.25"},
                "fees": {"web_search": {"usd": "0.02", "from": date(2026, 1, 1), "source": "contract"}},
            }
        ]
    )
    assert facts.rules.lookback(NOW) == 30
    assert facts.resolve("claude-opus-5-5").rates(NOW, prompt_tokens=1, batch=True).input == 10**6
    assert facts.web_search_fee == 2 * 10**10


def test_unknown_models_follow_the_dearest_of_all_files() -> None:
    facts = load([price(input="90", output="900")])
    rates = facts.resolve("claude-nonsense-9").rates(NOW, prompt_tokens=1)
    assert (rates.input, rates.output) == (90 * 10**6, 900 * 10**6)


@pytest.mark.parametrize(
    ("overlay", "words"),
    [
        ("models = [", ["your facts", "not valid TOML"]),
        (b"\xff", ["your facts", "not valid TOML"]),
        ("[[model]]\nid = 'x'", ["unknown section 'model'"]),
        ("[[models]]\nname = 'x'", ["without an id"]),
        ("[[models]]\nid = 'mine'", ["'mine'", "prices"]),
        ({"models": [{"id": "mine", "prices": []}]}, ["'mine'", "no prices"]),
        (price(input="cheap"), ["'mine'", "input", "'cheap' is not a decimal number"]),
        (price(input="-1"), ["'mine'", "input", "not an amount"]),
        (price(input="NaN"), ["'mine'", "input", "not an amount"]),
        (price(output="0"), ["'mine'", "output", "zero"]),
        (price(input="0.0000001"), ["'mine'", "input", "decimals"]),
        (price(input="0.000001"), ["'mine'", "fewer decimals"]),
        (price(input=1), ["'mine'", "prices[0].input", "Expected `str`"]),
        (price(inptu="1"), ["'mine'", "prices[0]", "inptu"]),
        (price(read=None), ["'mine'", "give read, or say features.caching = false"]),
        (price(read=""), ["'mine'", "read", "''"]),
        ({"models": [{"id": "claude-opus-5", "tokenizer": "gpt"}]}, ["'claude-opus-5'", "tokenizer", "gpt"]),
        (
            {"models": [{"id": "claude-opus-5", "aliases": ["claude-opus-4-1"]}]},
            ["claude-opus-4-1", "names both"],
        ),
        (
            {"models": [{"id": "m", "prices": [price()["models"][0]["prices"][0]] * 2}]},
            ["'m'", "order rows by `from`"],
        ),
        ({"pricing": {"batch": "half"}}, ["pricing", "multiplier"]),
        ({"pricing": {"batch": "-1"}}, ["pricing", "multiplier"]),
        ({"fees": {"web_search": {"usd": "x"}}}, ["fees.web_search", "'x'"]),
        ({"rules": {"lookbck": []}}, ["rules.lookbck", "unknown rule"]),
        ({"rules": {"lookback": []}}, ["rules.lookback", "at least one row"]),
        ({"models": "x"}, ["models", "Expected `array`"]),
    ],
)
def test_a_fault_names_its_place_in_one_line(overlay: Any, words: list[str]) -> None:
    with pytest.raises(FactsError) as caught:
        load([overlay])
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message


def test_a_fault_names_which_of_several_files() -> None:
    with pytest.raises(FactsError, match="your facts file 2"):
        load([NEW, "models = ["])


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
SECTIONS = [
    "as_of", "caching_since", "fees", "image_rules", "models", "pricing", "rules", "unknown",
]  # fmt: skip
FIELDS = ["aliases", "features", "fast", "image_rule", "prices", "released", "source", "tokenizer", "window"]


@given(
    st.dictionaries(st.sampled_from(SECTIONS), JUNK, max_size=2)
    | st.dictionaries(st.sampled_from(FIELDS), JUNK, max_size=3).map(
        lambda fields: {"models": [{"id": "claude-opus-5-5", **fields}]}
    )
    | st.dictionaries(st.sampled_from([*CACHE, "input", "output", "tiers", "until", "from"]), JUNK).map(
        lambda fields: price(**fields)
    )
    | st.text(max_size=30)
)
def test_junk_is_refused_or_harmless(overlay: Any) -> None:
    fault: FactsError | None = None
    facts = default()
    try:
        facts = load([overlay])
    except FactsError as refused:
        fault = refused
    assert fault is None or "\n" not in str(fault)
    assert facts.resolve("claude-opus-5-5").rates(NOW, prompt_tokens=1).input > 0
