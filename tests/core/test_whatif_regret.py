"""Regret: what a text names, when removed content was needed, and what fetching it again is charged."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.whatif.changed import Changed
from scrimp.core.whatif.clearing import ClearToolUses
from scrimp.core.whatif.refetch import CALL_TOKENS
from scrimp.core.whatif.regret_needles import MOST, NEEDLES, needles_of, needles_of_block
from tests.core.loops import ASK, RESULT, SYSTEM, TASK, loop, totals
from tests.patience import within

# Claude Opus 5, picodollars a token.
WRITE_5M, READ, OUTPUT = 6_250_000, 500_000, 25_000_000
PATH = "src/deep/cache_rules.py"


def named(*texts: str) -> frozenset[int]:
    """The needles that these texts are, each as a whole."""
    return frozenset(map(hash, texts))


@pytest.mark.parametrize(
    ("text", "needles"),
    [
        ("see src/core/cache.py for it.", {"src/core/cache.py", "cache.py"}),
        (r"in C:\drafts\notes.txt.", {"/drafts/notes.txt", "notes.txt"}),
        ("call parse_usage then readPrompt", {"parse_usage", "readPrompt"}),
        ("sha 1a2b3c4 and 99812", {"1a2b3c4", "99812"}),
        ('it said "no such table"', {"no such table"}),
        ("the implementation understands everything", {"the implementation understands everything"}),
        ("plain words of a sentence", {"plain words of a sentence"}),
        ("too short: 1234, abc_1, a/b", {"too short: 1234, abc_1, a/b"}),
        ("    12→    return total_input + 1\n", {"total_input", "return total_input + 1"}),
    ],
)
def test_needles_are_paths_identifiers_numbers_quotes_and_whole_lines(text: str, needles: set[str]) -> None:
    assert needles_of(text) - named(text.strip()) == named(*needles) - named(text.strip())
    assert needles_of(text) >= named(*needles)


def test_a_block_names_what_its_input_or_result_says_at_any_depth() -> None:
    use = {
        "type": "tool_use",
        "id": "t",
        "name": "x",
        "input": {"edits": [{"file_path": PATH}, {"line": 123456}]},
    }
    assert needles_of_block(use) == named(PATH, "cache_rules.py", "cache_rules", "123456")
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": PATH}]}
    assert needles_of_block(result) >= named(PATH, "cache_rules.py")
    assert needles_of_block({"type": "thinking", "thinking": PATH}) == frozenset()
    assert needles_of_block({"type": "tool_result", NEEDLES: named("kept")}) == named("kept")


def test_few_needles_of_a_block_are_kept_and_odd_texts_take_no_time() -> None:
    assert len(needles_of(" ".join(f"name_of_{number}" for number in range(3 * MOST)))) == MOST
    begun = process_time()
    for text in ("a" * 300_000, "ab/" * 100_000, "aB" * 150_000, '"' * 300_000, "a.b-" * 70_000):
        needles_of(text)
    assert within(process_time() - begun, 10)


@given(st.text("aZ_9/. \"'", max_size=200), st.text("aZ_9/. \"'", max_size=200))
def test_a_line_names_the_same_whatever_lines_are_around_it(one: str, other: str) -> None:
    assert needles_of(f"{one}\n{other}") == needles_of(one) | needles_of(other)


def told(step: int, _: int) -> str:
    return f"found {PATH}" if step == 0 else f"nothing in step {step}"


def asked_at(*steps: int) -> Changed:
    """Six steps of which the first result names a path, and the tool inputs of `steps` too.

    All results but the last are cleared with the third step.
    """
    calls = loop(
        [[RESULT]] * 6,
        told=told,
        asked=lambda step, _: f"open {PATH}" if step in steps else f"step {step}",
    )
    return ClearToolUses(trigger=5_000, keep=1, clear_at_least=1_900).apply(calls)


def test_what_was_said_again_before_is_no_regret() -> None:
    for steps in ((), (1,), (1, 4), (2, 5)):
        found = asked_at(*steps)
        assert found.removed is not None
        assert (found.removed.uses, found.removed.charged, sum(found.extra)) == (0, 0, 0)


def test_a_path_that_stood_only_in_a_cleared_result_is_fetched_again_and_carried() -> None:
    found = asked_at(3, 4)
    # The third step's call is the first that is sent without it; its answer, in the next call, names it.
    assert found.removed is not None
    assert (found.removed.uses, found.removed.used) == (1, RESULT - 20)
    context = SYSTEM + TASK + 3 * ASK + RESULT + 2 * 20 + 3
    assert totals(found.calls)[3] == context
    fetched = context * READ + CALL_TOKENS * OUTPUT + (CALL_TOKENS + RESULT) * WRITE_5M
    carried = (CALL_TOKENS + RESULT) * READ
    # At the fifth step all but the last are cleared again, what came back too: it is carried once before.
    assert list(found.extra[:5]) == [0, 0, 0, 0, fetched]
    assert found.extra[5] == carried
    assert found.removed.charged == sum(found.extra)
    assert found.removed.share == (RESULT - 20) / found.removed.taken


def test_removed_text_that_nobody_recorded_is_said_to_be_unknown() -> None:
    calls = loop([[RESULT]] * 6)
    for one in calls:
        for block in one.call.prompt.blocks:
            if block.kind == "tool_result":
                block.value.pop("content", None)
    found = ClearToolUses(trigger=5_000, keep=1).apply(calls)
    assert any("100 % of the removed tokens have no recorded text" in note for note in found.notes)
