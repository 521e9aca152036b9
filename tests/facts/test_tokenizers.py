"""The published vocabulary, and the factors fitted with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.facts.models import resolve
from scrimp.facts.tokenizers import (
    BuiltinTool,
    builtin_tokens,
    fitted_factors,
    hidden_prompt,
    token_factors,
)
from scrimp.facts.vocabulary import vocabulary_count

FAMILIES = ("claude-3", "claude-4.7")
AROUND = {"messages", "results_beside", "thinking_on", "answers", "answer_schema"}
COUNTED = {
    "vocabulary",
    "numbers",
    "indents",
    "joints",
    "long_words",
    "unbroken",
    "letter_runs",
    "schema",
    "tools",
    "eager_tools",
    "tool_uses",
    "parameters",
    "results",
    "thinking",
    "sealed",
    "images",
}


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        # counted with tokenizer.json of package "anthropic" 0.38.0 itself, by its own library
        ("", 0),
        ("Hello, world", 3),
        ("What is the capital of France?", 7),
        ("def f(x):\n    return x + 1\n", 11),
        ("na\u00efve caf\u00e9 \u2014 \u00bd \ufb01", 9),
        ("\u6f22\u5b57\u304b\u306a\u4ea4\u3058\u308a\u6587", 10),
        ("1234567 89", 3),
        ("<EOT> is text", 6),
        ("\U0001f642\U0001f643", 6),
        ("\t\t  x", 3),
    ],
)
def test_the_vocabulary_is_the_published_one(text: str, tokens: int) -> None:
    assert vocabulary_count(text) == tokens


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_counted_by_at_most_its_bytes(text: str) -> None:
    # NFKC may lengthen a text, by 11 code points for one at the most (U+FDFA is 18).
    count = vocabulary_count(text)
    assert bool(count) == bool(text)
    assert count <= 33 * len(text.encode("utf-8", "replace"))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_project_the_corpus_never_held_gets_the_common_factors(family: str) -> None:
    common = token_factors(family)
    assert token_factors(family, "nobody/nothing") == common
    assert common.without is None


def test_held_out_factors_are_others_and_say_so() -> None:
    common, held_out = token_factors("claude-3"), token_factors("claude-3", "crmne/ruby_llm")
    assert held_out.without == "crmne/ruby_llm"
    assert held_out.factors != common.factors
    assert held_out.factors.keys() == common.factors.keys()


@pytest.mark.parametrize("family", FAMILIES)
def test_factors_are_of_things_that_are_counted(family: str) -> None:
    assert set(token_factors(family).factors) <= COUNTED | AROUND


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_that_is_rendered_shortens_a_prompt(family: str) -> None:
    factors = dict(token_factors(family).factors)
    # Long unbroken strings are the one thing later models split less finely than the published vocabulary.
    assert abs(factors.pop("unbroken", 0.0)) < 0.1
    assert min(factors.values()) >= 0


def test_the_newer_family_has_more_tokens_for_the_same_text() -> None:
    # "Roughly 30 % more" (models overview); the bills of coding agents say 30 to 45 %.
    older, newer = (token_factors(family).factors["vocabulary"] for family in FAMILIES)
    assert 1.25 < newer / older < 1.45


@pytest.mark.parametrize(
    ("model", "auto", "forced"),
    [  # "Tool use" page, tool use system prompt tokens; 3.5 and 4 as recorded
        ("claude-haiku-4-5", 496, 588),
        ("claude-sonnet-4-6", 497, 589),
        ("claude-3-5-haiku-20241022", 264, 355),
        ("claude-sonnet-4-20250514", 313, 323),
        ("claude-3-opus-20240229", 530, 300),
        ("claude-opus-4-8", 290, 410),
        ("claude-opus-5", 286, 406),
        ("claude-sonnet-5", 354, 474),
        ("claude-fable-5-2", 354, 474),  # none published: Sonnet 5's
    ],
)
def test_hidden_prompts_stay_near_what_is_published(model: str, auto: int, forced: int) -> None:
    found = resolve(model)
    prompt = hidden_prompt(token_factors(found.tokenizer).tool_prompts, found, model)
    assert prompt.auto == pytest.approx(auto, abs=12)
    assert prompt.forced == pytest.approx(forced, abs=12)


def test_a_dated_snapshot_may_have_its_own_hidden_prompt() -> None:
    model = resolve("claude-3-5-sonnet-20240620")
    prompts = fitted_factors("claude-3").tool_prompts
    assert hidden_prompt(prompts, model, "us.anthropic.claude-3-5-sonnet-20240620-v1:0").auto == 294
    assert hidden_prompt(prompts, model, "claude-3-5-sonnet-20241022").auto == 313


def test_what_was_fitted_replaces_what_was_published() -> None:
    fitted = fitted_factors(
        "claude-3", {"auto opus-3": 500.0, "vocabulary": 1.1}, {"schema": 0.1}, without="a/b"
    )
    opus = next(prompt for prompt in fitted.tool_prompts if prompt.name == "opus-3")
    assert (opus.auto, opus.forced) == (500.0, 300)
    assert fitted.factors == {"vocabulary": 1.1}
    assert (fitted.without, fitted.spread) == ("a/b", {"schema": 0.1})


def test_the_longest_known_start_of_a_type_counts() -> None:
    known = {"web_": BuiltinTool(10, ""), "web_search_": BuiltinTool(20, "")}
    assert builtin_tokens(known, "web_search_20250305") == 20
    assert builtin_tokens(known, "web_fetch_20250910") == 10
    assert builtin_tokens(known, "telepathy_20300101") == 1_000
