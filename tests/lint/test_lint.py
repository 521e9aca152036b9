"""Every seeded bug is found where it stands, and nothing else is."""

from __future__ import annotations

from datetime import date

import pytest

from scrimp.core.lint.finding import FIXES, RULES
from scrimp.core.lint.rules import lint
from scrimp.facts.models import default
from tests.lint.snippets_right import RIGHT
from tests.lint.snippets_wrong import WRONG

DAY = date(2026, 11, 21)


def found(code: str, day: date = DAY) -> list[str]:
    return sorted(f"{one.line}: {one.rule}" for one in lint(code, day=day, facts=default()))


@pytest.mark.parametrize(("expected", "code"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_cost_bug_is_found(expected: list[str], code: str) -> None:
    assert found(code) == sorted(expected)


@pytest.mark.parametrize("code", [code for _, code in RIGHT], ids=[name for name, _ in RIGHT])
def test_what_is_right_is_left_alone(code: str) -> None:
    assert found(code) == []


def test_there_is_a_wrong_snippet_for_every_rule_and_enough_of_all() -> None:
    assert {line.partition(": ")[2] for _, expected, _ in WRONG for line in expected} == set(RULES)
    assert len(WRONG) + len(RIGHT) >= 60
    assert set(FIXES) == set(RULES)


def test_code_that_cannot_be_parsed_says_where() -> None:
    with pytest.raises(SyntaxError) as refused:
        found("import os\ndef (\n")
    assert refused.value.lineno == 2


def test_a_model_is_retired_from_its_day_on() -> None:
    """Claude Sonnet 4.5 is announced to retire on 2026-11-30; nothing is said more than 90 days before."""
    code = 'model = "claude-sonnet-4-5-20250929"\n'
    says = [[one.says for one in lint(code, day=day, facts=default())] for day in (
        date(2026, 8, 31), date(2026, 9, 1), date(2026, 11, 29), date(2026, 11, 30))]  # fmt: skip
    assert says == [
        [],
        *[["'claude-sonnet-4-5-20250929' will not be served from 2026-11-30 on"]] * 2,
        ["'claude-sonnet-4-5-20250929' is not served since 2026-11-30"],
    ]
