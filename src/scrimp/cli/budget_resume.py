"""`scrimp budget resume`: go on after a ledger was lost."""

from __future__ import annotations

import time
from itertools import groupby

import click

from scrimp.cli.budget_options import AS_JSON, ledger, spoken
from scrimp.cli.budget_views import limit_json, usd
from scrimp.cli.output import console, print_json
from scrimp.core.budget import Standing
from scrimp.core.budget_words import per_window

__all__ = ["resume"]


@click.command("resume")
@AS_JSON
def resume(*, as_json: bool) -> None:
    """Go on after the ledger was damaged, moved or deleted.

    The limits outlive it, but what was spent of them is not known any more, so that no limited call goes out.
    If the old ledger can be put back, do that instead. Else this counts anew, from what the present ledger
    says.
    """
    budgets = ledger().budgets
    resumed = budgets.resume()
    limits = budgets.limits()
    standings: dict[str, list[Standing]] = {one.id: [] for one in limits} | {
        id_: list(found) for id_, found in groupby(budgets.standings(time.time()), lambda one: one.limit.id)
    }
    if as_json:
        listed = [limit_json(limit, standings[limit.id]) for limit in limits]
        print_json({"resumed": resumed, "limits": listed})
        return
    if not resumed:
        console().print("Nothing to resume: every limit counts in this ledger.")
        return
    console().print("The limits hold again, and count from what this ledger says:")
    for limit in limits:
        spent = max((one.spent for one in standings[limit.id]), default=0)
        line = f"  {spoken(limit.scope)}: {usd(spent)} of {usd(limit.amount)} {per_window(limit)} is spent"
        console().print(line, markup=False, soft_wrap=True)
