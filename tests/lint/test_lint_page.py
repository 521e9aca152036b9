"""docs/lint.md: the first snippet of every rule is found, the second is not."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from scrimp.core.lint.finding import RULES
from scrimp.core.lint.rules import lint
from scrimp.facts.models import default

PAGE = (Path(__file__).parents[2] / "docs" / "lint.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### ([\w-]+)\n(.*?)(?=^### |\Z)", PAGE, re.DOTALL | re.MULTILINE))
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def rules_of(code: str) -> set[str]:
    return {one.rule for one in lint(code, day=date(2026, 11, 21), facts=default())}


def test_every_rule_has_its_section_in_order() -> None:
    assert tuple(SECTIONS) == RULES


@pytest.mark.parametrize("rule", RULES)
def test_the_wrong_one_is_found_and_the_right_one_is_not(rule: str) -> None:
    wrong, right = CODE.findall(SECTIONS[rule])
    assert rule in rules_of(wrong)
    assert rules_of(right) == set()


def test_the_line_that_means_it_is_left_alone() -> None:
    meant = CODE.findall(PAGE.split("## The rules")[0])
    assert [rules_of(code) for code in meant] == [set()]
