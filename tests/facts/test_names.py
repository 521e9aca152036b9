"""However a provider or router spells a model id, it is the same model; an unknown one is never free."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.facts import Model, Rates, default

NOW = date(2026, 11, 21)

SPELLINGS = """
claude-opus-5-5                                        claude-opus-5-5
claude-opus-5-5[1m]                                    claude-opus-5-5
claude-opus-5-5[1M]                                    claude-opus-5-5
Claude-Opus-5-5                                        claude-opus-5-5
claude-opus-5-5-20260922                               claude-opus-5-5
claude-opus-5.5                                        claude-opus-5-5
claude-5-5-opus                                        claude-opus-5-5
claude-opus-5                                          claude-opus-5
claude-opus-5-0                                        claude-opus-5
claude-opus-5-latest                                   claude-opus-5
claude-sonnet-4-5-20250929                             claude-sonnet-4-5
claude-sonnet-4-0                                      claude-sonnet-4
claude-sonnet-4-20250514                               claude-sonnet-4
claude-4-sonnet-20250514                               claude-sonnet-4
claude-4.5-sonnet                                      claude-sonnet-4-5
claude-opus-4-20250514                                 claude-opus-4
claude-opus-4-1-20250805                               claude-opus-4-1
claude-haiku-4-5-20251001                              claude-haiku-4-5
claude-3-7-sonnet-latest                               claude-3-7-sonnet
claude-sonnet-3-7                                      claude-3-7-sonnet
claude-3-5-sonnet-20240620                             claude-3-5-sonnet
claude-3-5-sonnet-latest                               claude-3-5-sonnet
claude-3.5-haiku                                       claude-3-5-haiku
claude-2.1                                             claude-2.1
claude-2                                               claude-2.0
anthropic/claude-haiku-4.5                             claude-haiku-4-5
anthropic/claude-haiku-4.5:beta                        claude-haiku-4-5
openrouter/anthropic/claude-3.7-sonnet:thinking        claude-3-7-sonnet
litellm_proxy/claude-sonnet-5-5                        claude-sonnet-5-5
litellm_proxy/anthropic/claude-3-5-sonnet-20241022     claude-3-5-sonnet
vercel_ai_gateway/anthropic/claude-opus-4.8            claude-opus-4-8
databricks-claude-sonnet-4-6                           claude-sonnet-4-6
anthropic.claude-3-5-haiku-20241022-v1:0               claude-3-5-haiku
anthropic.claude-3-5-haiku-20241022-v1%3A0             claude-3-5-haiku
anthropic.claude-3-5-sonnet-20241022-v2:0              claude-3-5-sonnet
anthropic.claude-3-sonnet-20240229-v1:0:200k           claude-3-sonnet
anthropic.claude-v2                                    claude-2.0
anthropic.claude-v2:1                                  claude-2.1
anthropic.claude-instant-v1                            claude-instant-1.2
us.anthropic.claude-sonnet-4-5-20250929-v1:0           claude-sonnet-4-5
us.anthropic.claude-sonnet-4-6                         claude-sonnet-4-6
global.anthropic.claude-opus-5-5                       claude-opus-5-5
us-gov.anthropic.claude-opus-5                         claude-opus-5
bedrock/us.anthropic.claude-opus-4-8                   claude-opus-4-8
arn:aws:bedrock:us-east-1:012345678901:inference-profile/us.anthropic.claude-3-7-sonnet-20250219-v1:0 claude-3-7-sonnet
arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0 claude-haiku-4-5
claude-sonnet-4-5@20250929                             claude-sonnet-4-5
claude-3-5-sonnet-v2@20241022                          claude-3-5-sonnet
vertex_ai/claude-opus-5@default                        claude-opus-5
projects/p/locations/global/publishers/anthropic/models/claude-fable-5-2 claude-fable-5-2
"""  # noqa: E501 - one spelling a line


@pytest.mark.parametrize(("spelling", "model_id"), [line.split() for line in SPELLINGS.strip().splitlines()])
def test_a_spelling_means_its_model(spelling: str, model_id: str) -> None:
    model = default().resolve(spelling)
    assert (model.id, model.known, model.estimated) == (model_id, True, False)


@pytest.mark.parametrize("model", default().models, ids=lambda model: model.id)
def test_every_model_answers_to_its_own_names(model: Model) -> None:
    for name in (model.id, *model.aliases, f"{model.id}[1m]", f"anthropic/{model.id}"):
        assert default().resolve(name).id == model.id


@pytest.mark.parametrize(
    ("spelling", "provider"),
    [
        ("claude-opus-5-5", "anthropic"),
        ("anthropic/claude-opus-5-5", "anthropic"),
        ("us.anthropic.claude-opus-5-5", "bedrock"),
        ("anthropic.claude-opus-5-5", "bedrock"),
        ("claude-sonnet-4-5@20250929", "vertex"),
    ],
)
def test_the_provider_is_read_from_the_id(spelling: str, provider: str) -> None:
    assert default().resolve(spelling).provider == provider


@pytest.mark.parametrize(
    ("spelling", "usd_in"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3"),
        ("eu.anthropic.claude-opus-5-5", "4.4"),
        ("us-gov.anthropic.claude-haiku-5-5", "0.12"),
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", "3"),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "3"),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", "3"),  # older models have no regional premium
        ("anthropic/claude-opus-5.5-fast", "8"),
    ],
)
def test_an_id_may_carry_its_own_price(spelling: str, usd_in: str) -> None:
    rates = default().resolve(spelling).rates(NOW, prompt_tokens=1)
    assert rates.input == Decimal(usd_in) * 10**6


def test_the_long_window_is_asked_for_by_suffix() -> None:
    assert default().resolve("claude-sonnet-4-6[1m]").long_context is True
    assert default().resolve("claude-sonnet-4-6").long_context is False


DEAREST = Rates(10 * 10**6, 12_500_000, 20 * 10**6, 10**6, 50 * 10**6)  # Fable 5's, the dearest in each


@pytest.mark.parametrize(
    "spelling",
    ["claude-nonsense-9", "gpt-5", "", "claude", "claude-opus-4-12", "arn:aws:bedrock:x:1:application/abc"],
)
def test_an_unknown_model_costs_the_dearest_current_rates(spelling: str) -> None:
    model = default().resolve(spelling)
    assert model.rates(NOW, prompt_tokens=1) == DEAREST
    assert (model.known, model.estimated) == (False, True)
    assert model.reason is not None
    assert "dearest" in model.reason


def test_an_unknown_model_in_fast_mode_costs_the_dearest_fast_rates() -> None:
    model = default().resolve("claude-opus-9-fast")
    assert model.rates(NOW, prompt_tokens=1).output == 150 * 10**6
    assert model.estimated is True


def test_a_model_published_elsewhere_has_that_price() -> None:
    model = default().resolve("claude-v1")  # genai-prices: $8 in, $24 out, no cache
    plain = 8 * 10**6
    assert model.rates(NOW, prompt_tokens=1) == Rates(plain, plain, plain, plain, 24 * 10**6)
    assert (model.known, model.estimated) == (False, False)
    assert model.reason is not None
    assert "genai-prices" in model.reason


@given(
    st.text(max_size=60) | st.from_regex(r"(us\.)?(anthropic[./])?claude-[a-z0-9.@:-]{0,30}", fullmatch=True)
)
def test_no_id_is_ever_free_or_fatal(spelling: str) -> None:
    model = default().resolve(spelling)
    rates = model.rates(NOW, prompt_tokens=1)
    assert min(rates.input, rates.write_5m, rates.write_1h, rates.read, rates.output) > 0
