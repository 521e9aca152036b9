"""What scrimp wrote down during the run, against what the upstream counted."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from benchmarks.gateway.bodies import Usage
from benchmarks.gateway.upstream import Sums
from scrimp.core.record import Record
from scrimp.stores.sqlite_ledger import SqliteLedger

__all__ = ["Books", "audited", "counted"]

_RATES = Usage(plain=3_000_000, written=3_750_000, read=300_000, output=15_000_000)
"""Picodollars a token of Claude Sonnet 4.5, from the provider's pricing page."""


class Books(NamedTuple):
    """Both sides; `held` and `spent` are those of every limit, in picodollars."""

    counted: Sums
    kept: Sums
    billed: int
    cost: int
    unmeasured: int
    held: dict[str, int]
    spent: dict[str, int]

    @property
    def faults(self) -> list[str]:
        """What is not as it should be, in words; empty: all is there, sums are exact, nothing is held."""
        return list(self._faults())

    def _faults(self) -> Iterator[str]:
        for name, count in self.counted.items():
            if self.kept[name] != count:
                yield f"{name}: the upstream counted {count:,}, the ledger has {self.kept[name]:,}"
        if self.cost != self.billed:
            yield f"cost: {self.billed:,} p$ billed, the ledger has {self.cost:,}"
        if self.unmeasured:
            yield f"{self.unmeasured:,} records are estimates"
        yield from (f"{limit}: {amount:,} p$ still held" for limit, amount in self.held.items() if amount)
        for limit, amount in self.spent.items():
            if amount != self.billed:
                yield f"{limit}: {amount:,} p$ spent, {self.billed:,} billed"


def counted(port: int) -> Sums:
    """What the upstream on `port` answered so far."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/sums", timeout=10) as answer:
        sums: Sums = json.loads(answer.read())
    return sums


def audited(path: Path, sums: Sums) -> Books:
    """Read the ledger at `path`, once nobody writes to it any more."""
    kept: Sums = dict.fromkeys(sums, 0)
    cost = unmeasured = 0
    with closing(SqliteLedger(path)) as ledger:
        for record in ledger.records():
            _add(kept, record)
            cost += record.cost
            unmeasured += not record.measured
        standings = ledger.budgets.standings(time.time())
    return Books(
        counted=sums,
        kept=kept,
        billed=sum(rate * sums[name] for name, rate in _RATES._asdict().items()),
        cost=cost,
        unmeasured=unmeasured,
        held={standing.limit.id: standing.held for standing in standings},
        spent={standing.limit.id: standing.spent for standing in standings},
    )


def _add(kept: Sums, record: Record) -> None:
    usage = record.usage
    kept["requests"] += 1
    kept["plain"] += usage.input_tokens
    kept["written"] += usage.cache_creation_input_tokens
    kept["read"] += usage.cache_read_input_tokens
    kept["output"] += usage.output_tokens
