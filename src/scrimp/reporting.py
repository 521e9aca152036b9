"""Reading a report from a ledger: its sums, who stands out, and how tools and system grew."""

from __future__ import annotations

from collections import defaultdict

from msgspec.structs import replace

from scrimp.core.outliers import outliers
from scrimp.core.report import FINEST, Report, Standout, added
from scrimp.core.sizes import histories
from scrimp.core.totals import Total
from scrimp.stores.ledger import EVERYTHING, Ledger, Query

__all__ = ["read_report"]

_DAY = 86_400
RUN_DAYS = 31
"""Single runs are compared over this many days at most: a year may have millions of them."""

_USER, _RUN = FINEST.index("user"), FINEST.index("run")


def read_report(ledger: Ledger, query: Query = EVERYTHING, *, now: float) -> Report:
    """Everything `scrimp report` says about the records of a query. Raises StoreError."""
    finest = ledger.totals(FINEST, query)
    end = now if query.until is None else min(query.until, now)
    runs_since = max(query.since or 0.0, end - RUN_DAYS * _DAY)
    runs = ledger.totals(("run", "run_id"), replace(query, since=runs_since))
    return Report(
        since=query.since,
        until=query.until,
        whole=next(iter(added(finest, lambda _: ())), Total()),
        finest=finest,
        days=ledger.totals(("day", "model"), query),
        standouts=(*_users(finest), *_runs(runs)),
        sizes=histories(ledger.static_sizes(query)),
        runs_since=runs_since,
        kept_since=ledger.kept_since(),
    )


def _users(finest: list[Total]) -> list[Standout]:
    spent = added(finest, lambda key: (key[_USER],))
    users = {str(total.key[0]): total.cost for total in spent if total.key[0] is not None}
    return [Standout("user", one) for one in outliers(users)]


def _runs(totals: list[Total]) -> list[Standout]:
    """Runs among the runs of the same name, with what the runs inside them spent."""
    spent: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for total in totals:
        path, run_id = total.key
        if isinstance(path, tuple) and path and run_id is not None:
            spent[path[0]][str(run_id)] += total.cost
    found = [Standout("run", one, name) for name, runs in spent.items() for one in outliers(runs)]
    return sorted(found, key=lambda one: -one.outlier.amount)
