"""What child processes do in the tests of budgets: `python -m tests.stores.budget_children WHAT PATH`."""

from __future__ import annotations

import os
import sys

from scrimp.core.budget import Ask, Held, Limit, Scope
from scrimp.stores.sqlite_ledger import SqliteLedger
from tests.stores.records import NOON

ORGANISATION = Scope("organisation")


def fork(path: str) -> None:
    """Parent and children go on with one ledger, and ask for more than there is."""
    ledger = SqliteLedger(path)
    ledger.budgets.put(Limit(scope=ORGANISATION, amount=1000))
    _ask(ledger, "before", 10)
    children = []
    for number in range(3):
        child = os.fork()
        if child == 0:
            _ask(ledger, f"child-{number}", 60)
            os._exit(0)
        children.append(child)
    _ask(ledger, "parent", 60)
    for child in children:
        os.waitpid(child, 0)
    ledger.close()


def _ask(ledger: SqliteLedger, prefix: str, count: int) -> None:
    for number in range(count):
        name = f"{prefix}-{number}"
        found = ledger.budgets.reserve(Ask(name, 10, NOON, NOON + 3600, (ORGANISATION,))).result(30)
        if isinstance(found, Held):
            os.write(1, f"held {name}\n".encode())


if __name__ == "__main__":
    {"fork": fork}[sys.argv[1]](*sys.argv[2:])
