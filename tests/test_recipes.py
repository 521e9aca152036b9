"""The caching recipes as a user runs them, and what each of them is billed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from scrimp.testing import Recording, assert_cache_read_share, assert_no_bust
from scrimp.wire.response import Usage
from tests.forks import Forks

RECIPES = Path(__file__).parents[1] / "examples" / "caching"
MUCH = 512
"""Tokens; the model of the recipes caches no shorter prefix, and no question is as long."""


QUESTION = 50
"""Tokens; no question and answer of a recipe is longer."""


@pytest.fixture
def ran(forks: Forks) -> Callable[[str], str]:
    """What a recipe prints; its warnings are errors."""

    def printed(name: str) -> str:
        done = forks.run(RECIPES / f"{name}.py", env=os.environ, errors=["builtins.Warning"])
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return printed


def billed(run: Recording) -> list[Usage]:
    return [call.billed.usage for call in run.calls]


def writers(usages: list[Usage]) -> list[int]:
    """Which calls wrote a prefix worth the name."""
    return [at for at, usage in enumerate(usages) if usage.cache_creation_input_tokens >= MUCH]


def test_every_recipe_is_run_here_and_named_on_the_page() -> None:
    recipes = {path.stem for path in RECIPES.glob("*.py")} - {"connect", "texts"}
    tests = Path(__file__).read_text(encoding="utf-8")
    page = (RECIPES.parents[1] / "docs" / "caching.md").read_text(encoding="utf-8")
    assert len(recipes) == 6
    for name in recipes:
        assert f'ran("{name}")' in tests
        assert f"../examples/caching/{name}.py" in page


def test_a_single_block_is_written_once(scrimp_run: Recording, ran: Callable[[str], str]) -> None:
    ran("single_block")
    first, *others = billed(scrimp_run)
    assert len(others) == 2
    assert first.cache_creation_input_tokens > 2000
    assert all(usage.cache_read_input_tokens > 2000 for usage in others)
    assert writers([first, *others]) == [0]
    assert_no_bust(scrimp_run)


def test_several_blocks_are_written_at_the_rate_they_change(
    scrimp_run: Recording, ran: Callable[[str], str]
) -> None:
    ran("several_blocks")
    ada, ada_again, grace, grace_again = billed(scrimp_run)
    assert ada_again.cache_read_input_tokens >= ada.cache_creation_input_tokens - QUESTION
    # The second customer reads the rules, and has a file of her own written.
    rules, file = grace.cache_read_input_tokens, grace.cache_creation_input_tokens
    assert rules > MUCH
    assert file > MUCH
    assert abs(rules + file - ada.cache_creation_input_tokens) < QUESTION
    assert grace_again.cache_read_input_tokens >= rules + file - QUESTION
    assert writers([ada, ada_again, grace, grace_again]) == [0, 2]


def test_warming_writes_before_the_first_question(scrimp_run: Recording, ran: Callable[[str], str]) -> None:
    said = ran("warming")
    warm, *questions = billed(scrimp_run)
    assert scrimp_run.calls[0].body is not None
    assert scrimp_run.calls[0].body["max_tokens"] == 0
    assert warm.output_tokens == 0
    assert f"{warm.cache_creation_input_tokens:,} tokens written" in said
    assert len(questions) == 3
    assert all(usage.cache_read_input_tokens >= warm.cache_creation_input_tokens for usage in questions)
    assert writers(questions) == []
    assert_no_bust(scrimp_run)


def test_the_monitor_shows_calls_and_sums_and_has_no_alarm_to_raise(
    scrimp_run: Recording, ran: Callable[[str], str]
) -> None:
    said = ran("monitor")
    usages = billed(scrimp_run)
    assert writers(usages) == [0]
    assert "ALARM" not in said
    for usage in usages:
        assert re.search(rf"read +{usage.cache_read_input_tokens:,}  \$0\.0", said)
    cost = sum(call.billed.cost for call in scrimp_run.calls)
    assert f"contract questions: 3 calls, ${cost / 10**12:.9f}".rstrip("0") in said


def test_sessions_share_what_the_first_one_wrote(scrimp_run: Recording, ran: Callable[[str], str]) -> None:
    ran("shared_across_sessions")
    usages = billed(scrimp_run)
    assert len(usages) == 6
    assert writers(usages) == [0]
    assert all(usage.cache_read_input_tokens > MUCH for usage in usages[1:])


def test_what_changes_stands_behind_what_does_not(scrimp_run: Recording, ran: Callable[[str], str]) -> None:
    ran("static_prefix_dynamic_suffix")
    first, *others = billed(scrimp_run)
    assert len(others) == 2
    assert writers([first, *others]) == [0]
    for usage in others:
        # Instructions and examples are read, the clauses that were retrieved are not.
        assert usage.cache_read_input_tokens > 2000
        assert usage.input_tokens + usage.cache_creation_input_tokens > 100
    assert assert_cache_read_share(scrimp_run) >= 0.55


def test_without_a_key_a_recipe_brings_its_own_api(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: Callable[[str], str]
) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path))
    said = ran("single_block")
    assert said.startswith("No ANTHROPIC_API_KEY: these calls go to an emulator on localhost")
    assert len(re.findall(r"read +2,\d{3} ", said)) == 2
    assert "ANTHROPIC_API_KEY" not in os.environ
