"""What to do next where a report has nothing to say."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.console import Console

from scrimp.core.budget_words import name_of
from scrimp.stores.ledger import Ledger, Query

__all__ = ["nothing_found", "nothing_kept"]

_NEXT = (
    "Calls are recorded by the middleware (anthropic.Anthropic(middleware=[scrimp.Middleware()])) and by the "
    "gateway: `scrimp run -- COMMAND` sends one command's calls through it, `scrimp serve` everybody's."
)


def nothing_kept(out: Console) -> None:
    """There is no ledger, or nothing in it."""
    out.print("The ledger is empty: no call has been recorded yet.")
    out.print(_NEXT, markup=False)
    folder = Path.home() / ".claude" / "projects"
    if next(folder.glob("*/*.jsonl"), None) is not None:
        out.print(
            f"Claude Code keeps transcripts of its own in {folder}; they are no part of the ledger. "
            "`scrimp diagnose` and `scrimp replay` read them.",
            markup=False,
        )


def nothing_found(out: Console, ledger: Ledger, asked: Query, filters: str) -> None:
    """The ledger has calls, but none of those asked for; or none at all. `filters` are those of `asked`."""
    days = ledger.totals(["day"])
    if not days:
        nothing_kept(out)
        return
    calls = sum(total.attempts for total in days)
    ever = ledger.totals((), msgspec.structs.replace(asked, since=None, until=None))[0].attempts
    if filters and not ever:
        none = f"none of the {calls:,} calls in the ledger is such"
        out.print(f"{name_of(filters)} finds nothing, at no time: {none}.", markup=False)
        return
    out.print(
        f"No such calls. The ledger has {calls:,}, from {days[0].key[0]} to {days[-1].key[0]}: "
        "--since all shows them.",
        markup=False,
    )
