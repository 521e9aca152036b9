"""`# scrimp: ignore[rule]`: a line's own word that a finding is meant."""

from __future__ import annotations

import re
from collections.abc import Collection

from scrimp.core.lint.finding import RULES

__all__ = ["ignored"]

_COMMENT = re.compile(r"#\s*scrimp:\s*ignore(?:\[([^\]]*)\])?")


def ignored(source: str) -> dict[int, Collection[str]]:
    """Line → the rules it ignores: those in brackets, or all."""
    found: dict[int, Collection[str]] = {}
    for number, line in enumerate(source.splitlines(), start=1):
        comment = _COMMENT.search(line)
        if comment:
            found[number] = {name.strip() for name in comment[1].split(",")} if comment[1] else RULES
    return found
