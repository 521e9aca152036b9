"""docs/myths.md: built from code that runs, up to date, and with no figure that was typed."""

from __future__ import annotations

import re
import sys
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from scrimp.core.lint.rules import lint

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "myths.md").read_text(encoding="utf-8")
ENTRIES = PAGE.split("\n### ")[1:]
# Dollars per million tokens of Sonnet 5.5: plain, written for five minutes, read, output
PRICES = (Decimal(2), Decimal("2.50"), Decimal("0.10"), Decimal(10))


@pytest.fixture(scope="module")
def built() -> Any:
    """The script that writes the page."""
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(DOCS))
        yield import_module("renew_myths")
    for name in [name for name in sys.modules if name == "renew_myths" or name.split(".")[0] == "myths"]:
        del sys.modules[name]


def entry(title: str) -> str:
    return next(one for one in ENTRIES if one.startswith(title))


def bills(text: str) -> dict[str, tuple[int, ...]]:
    """What each snippet of a table was billed: calls, plain, written, read, output."""
    rows = re.findall(r"^\| (as told|instead)[^|]* \| ([\d,| ]+) \| \$[\d.]+ \|$", text, re.MULTILINE)
    return {name: tuple(int(cell.replace(",", "")) for cell in cells.split(" | ")) for name, cells in rows}


def dollars(text: str) -> dict[str, Decimal]:
    return {
        name: Decimal(amount)
        for name, amount in re.findall(r"^\| (as told|instead)[^\n]*\$([\d.]+) \|$", text, re.MULTILINE)
    }


def test_the_page_is_up_to_date(built: Any) -> None:
    assert built.page() == PAGE, "renew it: make docs"


def test_no_figure_is_typed(built: Any) -> None:
    myths = [myth for section in built.SECTIONS.values() for myth in section]
    assert len(myths) == len(ENTRIES) >= 25
    for myth in myths:
        assert not re.search(r"\$\s?\d|\d\s?%", myth.true), myth.title


def test_what_is_to_be_written_instead_has_nothing_to_lint(built: Any) -> None:
    shape = sys.modules["myths.shape"]
    for section in built.SECTIONS.values():
        for myth in section:
            code = shape._LINTED + shape.dedent(myth.instead)
            assert lint(code, day=shape.DAY, facts=shape.FACTS) == [], myth.title


def test_the_rules_of_lint_stand_beside_the_snippets_they_find() -> None:
    named = set(re.findall(r"^\[`scrimp lint`\]\(lint.md\) says: `([\w-]+)`$", PAGE, re.MULTILINE))
    assert named == {
        "no-op-beta",
        "clock-in-prefix",
        "unordered-prefix",
        "cold-fan-out",
        "cached-subtracted",
        "blind-trim",
        "text-after-compaction",
    }


def test_what_is_written_instead_costs_less() -> None:
    compared = {one.splitlines()[0]: dollars(one) for one in ENTRIES if len(dollars(one)) == 2}
    assert len(compared) >= 10
    refused = compared.pop("Keep only the last few messages")  # it did not come to its end
    assert refused["as told"] < refused["instead"]
    assert all(cost["instead"] < cost["as told"] for cost in compared.values())


@pytest.mark.parametrize(
    ("title", "told", "instead"),
    [
        ("Prompt caching needs its beta header", (0, 0), (1, 2)),
        ("One `cache_control` at the top", (3, 0), (1, 2)),
        ("A timestamp in the system prompt", (3, 0), (1, 2)),
        ("The same JSON is the same prompt", (2, 0), (1, 1)),
        ("Eight parallel calls", (8, 0), (1, 7)),
        ("The cache lives five minutes", (3, 0), (1, 2)),
    ],
)
def test_prefixes_are_written_and_read_as_often_as_the_rules_say(
    title: str, told: tuple[int, int], instead: tuple[int, int]
) -> None:
    found = bills(entry(title))
    prefix = found["instead"][2]  # written once
    for name, (writes, reads) in (("as told", told), ("instead", instead)):
        _, _, written, read, _ = found[name]
        assert read == reads * prefix
        assert writes * prefix <= written <= writes * prefix * 1.03  # what is told may carry a little more


def test_a_hit_does_not_make_an_hour_of_it() -> None:
    _, _, written, read, _ = bills(entry("A hit upgrades"))["as told"]
    assert written == read  # written, read twice, and written again: two of each


@pytest.mark.parametrize(
    "title", ["Prompt caching needs", "Marking is free", "A timestamp", "Eight parallel", "The same JSON"]
)
def test_the_dollars_are_tokens_times_prices(title: str) -> None:
    for name, (_, *tokens) in bills(entry(title)).items():
        exact = sum(count * price for count, price in zip(tokens, PRICES, strict=True)) / 10**6
        assert dollars(entry(title))[name] == round(exact, 6)


def test_sums_that_can_be_done_by_hand() -> None:
    # 40 prompts of 21,000 + 2,500 k: the last, 118,500, is written; 2,671,500 are read at 0.10
    assert "2,671,500 tokens, $0.26715 of its $0.7634 (35 %)" in " ".join(entry("Cache reads").split())
    # 8 prompts of 6,200 + 500 k, 2,400 out: 63,600 x 2 + 24,000; 9,700 x 2.50 + 53,900 x 0.10 + 24,000
    assert "$0.1512 without a cache, $0.05364 with one" in " ".join(entry("The system prompt").split())
    # (170,500 x 2 + 40,000) / (17,000 + 4,000); (25,600 x 2.50 + 144,900 x 0.10 + 40,000) / 21,000
    assert "cost 18.1 times" in " ".join(entry("Ten steps").split())
    assert "5.6 times with one" in " ".join(entry("Ten steps").split())
    # premium 0.25 over 0.95; 1 over 0.95
    assert "0.26 reads" in entry("Caching pays")
    assert "hour by 1.05, so by the second" in " ".join(entry("Caching pays").split())
    # 20 prompts of 8,500 + 1,900 k: 44,600 written at 2.50, 486,400 read, 80,000 out; written at 4.00
    assert "$0.24014 with five minutes and $0.30704" in " ".join(entry("The hour").split())


def test_both_sides_of_the_cliff_are_shown() -> None:
    rows = re.findall(
        r"^\| ([\d,]+) \| \$(\S+) \| \$(\S+) \| \$(\S+) \(", entry("A cheaper model"), re.MULTILINE
    )
    told = [[Decimal(cell.replace(",", "")) for cell in row] for row in rows]
    # 400 tokens of answer at 10, 0.50 (2.50 beyond 100,000) and 5; the prompt at 0.10, 0.10 (0.50) and 1
    assert [row[:3] for row in told] == [
        [Decimal(90_000), Decimal("0.013"), Decimal("0.0092")],
        [Decimal(120_000), Decimal("0.016"), Decimal("0.061")],
    ]
    for tokens, stay, _, old in told:
        # the older tokenizer makes about a quarter fewer tokens
        assert old == pytest.approx(tokens * Decimal("0.75") / 10**6 + Decimal("0.0015"), rel=Decimal("0.05"))
        assert old > stay


def test_clearing_is_shown_where_it_pays_and_where_it_does_not() -> None:
    text = " ".join(entry("Clearing old tool results").split())
    assert "after 24 calls, the clearing one included (12 while" in text
    found = re.search(
        r"40 steps costs \$(\S+) uncleared, \$(\S+) when .* once, \$(\S+) when .* 100 steps cost \$(\S+) "
        r"uncleared, and \$(\S+) when .* \((\d+) % less\)",
        text,
    )
    assert found is not None
    kept, often, seldom, long, much = (Decimal(amount) for amount in found.groups()[:5])
    # prompts of 8,500 + 1,900 k: the last written at 2.50, all before it read at 0.10; 400 out of each
    for steps, cost in ((40, kept), (100, long)):
        prompts = [8_500 + 1_900 * step for step in range(steps)]
        micros = prompts[-1] * Decimal("2.50") + sum(prompts[:-1]) * Decimal("0.10") + 4_000 * steps
        assert cost == micros / 10**6
    assert kept < seldom < often
    assert much < long
    assert round(100 * (1 - much / long)) == int(found[6])


def test_minimums_say_which_are_inferred_and_which_disputed() -> None:
    text = entry("Every marked prefix")
    assert text.count("(inferred)") == 1
    assert "`claude-fable-5-2` (inferred)" in text
    disputed = re.findall(r"`([\w-]+)` \(disputed\)", text)
    assert sorted(disputed) == ["claude-fable-5", "claude-opus-4-7", "claude-opus-4-8", "claude-sonnet-4-6"]
    for model in disputed:
        assert re.search(rf"(2,048|4,096) on `{model}`", " ".join(text.split()))


def test_the_parts_of_a_tool_are_told_apart() -> None:
    text = " ".join(entry("Tools cost nothing").split())
    found = re.search(
        r"was (\d+) tokens, and (\d+) .* the (\d+) more about (\d+) .* and (\d+) a system prompt", text
    )
    assert found is not None
    without, beside, more, definition, hidden = map(int, found.groups())
    assert beside - without == more == definition + hidden
    assert hidden == 354  # what Sonnet 5 has published for it
    assert "estimated" in text


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Thinking that is not shown", "Effort steers how much there is; only `max_tokens` bounds it."),
        ("Streaming is cheaper", "as users report (the provider publishes nothing on it)"),
        ("Keep only the last few", "reads none of them: at best tools and system"),
    ],
)
def test_no_more_is_claimed_than_is_known(title: str, words: str) -> None:
    assert words in " ".join(entry(title).split())


def test_the_page_says_which_parts_of_the_emulator_are_choices() -> None:
    top = " ".join(PAGE[: PAGE.index("**The prompt cache**")].split())
    assert "the emulator had to choose: what stands for a cleared tool result" in top
    assert "as the provider does" not in top
