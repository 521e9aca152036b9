"""By what spending is told apart, and its JSON: the same for `--only spend` and for the whole audit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, cast

import click

from scrimp.core.money import usd
from scrimp.core.spend import DIMENSIONS, KINDS, Dimension, Line, Spend, Sums
from scrimp.spending import Spent

__all__ = ["spend_dimensions", "spend_json", "spent_json"]

_ALSO = {"total": "", "task_type": "task", "subagent": "agent", "sub_agent": "agent", "date": "day"}


def spend_dimensions(names: Iterable[str]) -> tuple[Dimension, ...]:
    """The dimensions of `--by`, commas allowed, each once. Raises a usage error for one there is not."""
    asked = [name.strip().lower().replace("-", "_") for many in names for name in many.split(",")]
    found = []
    for name in filter(None, asked):
        known = _ALSO.get(name, name)
        if known in DIMENSIONS:
            found.append(known)
        elif known:
            near = get_close_matches(known, DIMENSIONS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(DIMENSIONS)}"
            raise click.UsageError(f"--by: nothing is told apart by {name!r}: {hint}")
    return cast("tuple[Dimension, ...]", tuple(dict.fromkeys(found)))


def spent_json(spent: Spent, by: Sequence[Dimension]) -> dict[str, Any]:
    """The documented JSON of `--only spend`."""
    return {"files": spent.files, "copies": spent.copies, **spend_json(spent.spend, by)}


def spend_json(spend: Spend, by: Sequence[Dimension]) -> dict[str, Any]:
    """The documented JSON of what was spent: in all, and the lines of each dimension."""
    return {
        "api_equivalent": spend.api_equivalent,
        "total": _sums(spend.whole),
        "by": {dimension: [_line(line) for line in spend.by(dimension)] for dimension in by},
        "guesses": spend.guesses,
    }


def _line(line: Line) -> dict[str, Any]:
    return {"name": line.name, **_sums(line.sums)}


def _sums(sums: Sums) -> dict[str, Any]:
    return {
        "calls": sums.calls,
        **dict(zip(KINDS, sums.quantities, strict=True)),
        "usd": usd(sums.cost),
        "estimated_usd": usd(sums.uncertain),
    }
