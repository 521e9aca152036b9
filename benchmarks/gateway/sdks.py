"""Three majors of the official SDK through the gateway to the emulator: what was billed is in the ledger.

    python -m benchmarks.gateway.sdks [--calls 1800]

Every version runs in an environment of its own (`make sdks`) and is given a base URL and a key, nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from scrimp.core.budget import Scope
from scrimp.core.money import usd
from scrimp.core.record import Record
from scrimp.emulator import Agent, Emulator, Fault
from scrimp.gateway.serving import Gateway, Stores
from scrimp.gateway.settings import Budget, Serve, Settings, Upstream
from scrimp.stores.keys import Key, KeyStore
from scrimp.stores.ledger import Ledger
from scrimp.stores.sqlite_ledger import SqliteLedger

__all__ = ["FAULTS", "VERSIONS", "Through", "mismatches", "python_of", "session", "through"]

PROJECT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]
VERSIONS = ("0.125.0", "1.17.0", "2.11.0")

FAULTS = (
    Fault("overloaded", times=None, every=17),
    Fault("rate_limit", times=None, every=23, seconds=0.001),
    Fault("server_error", times=None, every=29),
    Fault("cut", times=None, every=37),
    Fault("disconnect", times=None, every=41),
    Fault("stream_error", times=None, every=43),
)

_SESSION = Path(__file__).with_name("session.py")
_UPSTREAM_KEY = "upstream-key-of-the-organisation"
_LIMITS = (Scope("organisation"), Scope("user", "u_1"), Scope("key", "sdk"))
_PLENTY = 10**6 * 10**12


class Through(NamedTuple):
    """A gateway in front of an emulator; `secret` is a virtual key."""

    gateway: Gateway
    emulator: Emulator
    ledger: Ledger
    secret: str


@contextmanager
def through(folder: Path, emulator: Emulator) -> Iterator[Through]:
    """Serve inside the block: virtual keys only, three limits, mode safe, a ledger on disk."""
    settings = Settings(
        serve=Serve(port=0, auth="keys", upstream="emulated"),
        upstreams={"emulated": Upstream(base_url=emulator.url)},
        budgets=tuple(Budget(scope=scope, amount=_PLENTY) for scope in _LIMITS),
    )
    with (
        closing(KeyStore(folder / "keys.sqlite")) as keys,
        closing(SqliteLedger(folder / "ledger.sqlite")) as ledger,
    ):
        secret = keys.create(Key(name="sdk", user="u_1", created_at=time.time()))
        stores = Stores(keys=keys, ledger=ledger, learned=False)
        with Gateway(settings, upstream_keys={"emulated": _UPSTREAM_KEY}, stores=stores) as gateway:
            yield Through(gateway, emulator, ledger, secret)


def python_of(version: str) -> Path | None:
    """An interpreter that has one version of the SDK; None where it is not installed."""
    found = PROJECT / ".sdks" / version / "bin" / "python"
    return found if found.exists() else None


def _alone(python: Path, *words: str | Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([python, *words], capture_output=True, text=True, check=False, env=env, timeout=600)


def session(run: Run, at: Through, *kind: str) -> dict[str, Any]:
    """What a session printed that `run` ran; raises AssertionError with its last words where it failed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC")}
    done = run(_SESSION, at.gateway.url, *kind, env={**environment, "ANTHROPIC_API_KEY": at.secret})
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)  # type: ignore[no-any-return]  # any JSON


def mismatches(at: Through, ids: Sequence[str]) -> list[str]:
    """What ledger, limits, the emulator's bill and the clients do not agree on, in words; empty: nothing."""
    at.ledger.flush()
    return list(_mismatches(at, ids))


def _mismatches(at: Through, ids: Sequence[str]) -> Iterator[str]:
    records = list(at.ledger.records())
    complete = {one.message_id: one.cost for one in at.emulator.bill if one.outcome == "complete"}
    exact = {str(record.message_id): record.cost for record in records if record.measured and record.cost}
    if exact != complete:
        odd = {one for one in {*exact, *complete} if exact.get(one) != complete.get(one)}
        yield f"{len(odd):,} complete calls differ: " + "; ".join(
            f"{one}: billed {complete.get(one)}, recorded {exact.get(one)}" for one in sorted(odd)[:3]
        )
    missing = set(ids) - set(exact)
    if missing:
        yield f"{len(missing):,} messages reached a client and are not in the ledger"
    yield from _broken_off(at, records)
    if len({record.id for record in records}) != len(records):
        yield "a record is there twice"
    yield from _budgets(at, records)


def _budgets(at: Through, records: Sequence[Record]) -> Iterator[str]:
    """Limits count what the ledger has; of calls that broke off, the most that they can have been billed."""
    known = sum(record.cost for record in records)
    broken = any(not record.measured for record in records)
    for standing in at.ledger.budgets.standings(time.time()):
        if standing.held or standing.overrun:
            yield f"{standing.limit.id}: {standing.held} p$ held, {standing.overrun} above the holds"
        if standing.spent < known or (standing.spent > known and not broken):
            yield f"{standing.limit.id}: {standing.spent} p$ spent, the ledger has {known}"


def _broken_off(at: Through, records: Sequence[Record]) -> Iterator[str]:
    """Of streams that broke off the input is exact, and the output an estimate that is marked as one."""
    cut = {one.message_id: one.usage for one in at.emulator.bill if one.outcome == "cut off"}
    for record in records:
        if record.measured or record.message_id is None:
            continue
        billed = cut.pop(record.message_id, None)
        if billed is None:
            yield f"{record.message_id} was not cut off, but is recorded as an estimate"
        elif billed.total_input != record.usage.total_input:
            yield f"{record.message_id}: input of {billed.total_input}, recorded {record.usage.total_input}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every version, print a table, and return the exit code."""
    options = _parser().parse_args(arguments)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False, pad_edge=False)
    for name in (
        "SDK",
        "calls",
        "answered",
        "broken",
        "records",
        "billed",
        "seconds",
        "slowest",
        "differences",
    ):
        table.add_column(name, justify="left" if name in ("SDK", "differences") else "right")
    faults = 0
    for version in VERSIONS:
        python = python_of(version)
        if python is None:
            print(f"SDK {version} is not installed: run `make sdks`", file=sys.stderr)
            return 1
        row, found = _measured(version, python, options.calls)
        table.add_row(*row, "\n".join(found) or "none")
        faults += len(found)
    console = Console(highlight=False, emoji=False)
    console.width = max(console.width, 110)
    console.print(table)
    return 1 if faults else 0


def _measured(version: str, python: Path, calls: int) -> tuple[list[str], list[str]]:
    with (
        tempfile.TemporaryDirectory(prefix="scrimp-sdks-") as name,
        Emulator(Agent()) as emulator,
        through(Path(name), emulator) as at,
    ):
        every = session(partial(_alone, python), at, "every")
        for fault in FAULTS:
            emulator.inject(fault)
        begin = time.monotonic()
        many = session(partial(_alone, python), at, "many", str(calls))
        seconds = time.monotonic() - begin
        at.gateway.stop()
        found = mismatches(at, [*every["ids"], *many["ids"]])
        records, billed = sum(1 for _ in at.ledger.records()), emulator.total
    broken = sum(many["broken"].values())
    asked = calls + len(every["ids"])
    answered = len(many["ids"]) + len(every["ids"])
    figures = [f"{figure:,}" for figure in (asked, answered, broken, records)]
    return [version, *figures, f"${usd(billed)}", f"{seconds:.1f}", f"{many['slowest']:.1f} s"], found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway.sdks", description=__doc__)
    parser.add_argument("--calls", type=int, default=1_800, help="mixed calls of each version (1,800)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
