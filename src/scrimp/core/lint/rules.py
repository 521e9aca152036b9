"""All rules over one module."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from scrimp.core.lint.betas import betas
from scrimp.core.lint.code import Code
from scrimp.core.lint.compaction import compaction
from scrimp.core.lint.fanout import fanout
from scrimp.core.lint.finding import Finding
from scrimp.core.lint.ignoring import ignored
from scrimp.core.lint.markers import markers
from scrimp.core.lint.models import models
from scrimp.core.lint.requests import requests
from scrimp.core.lint.subtraction import subtraction
from scrimp.core.lint.trims import trims
from scrimp.core.lint.volatile import volatile
from scrimp.facts.models import Facts

__all__ = ["lint"]


def lint(source: str, *, day: date, facts: Facts) -> list[Finding]:
    """The cost bugs of one module in the order of its lines, those its comments ignore left out.

    `day` decides which models are retired. Raises SyntaxError where the source is no Python.
    """
    code = Code(source)
    quiet = ignored(source, code)
    found = sorted(set(_all(code, day, facts)))
    return [one for one in found if one.rule not in quiet.get(one.line, ())]


def _all(code: Code, day: date, facts: Facts) -> Iterator[Finding]:
    calls = list(requests(code))
    yield from betas(code, calls)
    yield from volatile(code, calls)
    yield from subtraction(code)
    yield from trims(code, calls)
    yield from models(code, calls, facts, day)
    yield from markers(code, calls, facts)
    yield from fanout(code, calls)
    yield from compaction(code, calls)
