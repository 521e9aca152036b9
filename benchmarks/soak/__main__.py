"""`python -m benchmarks.soak`: soak, print, and exit with 1 where anything is not as it should be."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

import benchmarks.soak
from benchmarks.soak.growth import Growth
from benchmarks.soak.stage import FILLING, PORT, Outcome, Told, is_judged, soak
from scrimp.cli.output import print_json

_MB = 1e6


@contextmanager
def _progress() -> Iterator[Told]:
    """A bar for each stage, on the standard error."""
    columns = (
        TextColumn("{task.description:18}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
    )
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        bars: dict[str, int] = {}

        def told(what: str, done: float, whole: float) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what, total=whole)
            progress.update(bars[what], completed=done)  # type: ignore[arg-type]  # a task's id is an int

        yield told


def _grew(what: str, growth: Growth | None) -> str:
    if growth is None:
        return f"  {what}: seen too seldom to tell"
    hours = growth.per_hour(growth.per_call), growth.per_hour(growth.unsure)
    return (
        f"  {what} grew by {growth.per_call:+.1f} ± {growth.unsure:.1f} bytes a call, "
        f"{hours[0]:+.1f} ± {hours[1]:.1f} MB an hour at this rate"
    )


def _show(outcome: Outcome) -> None:
    console = Console(highlight=False, emoji=False, soft_wrap=True)
    console.print(
        f"{outcome.filling:,} calls in {outcome.filling_seconds:.0f} s to fill it, "
        f"{outcome.settling:,} to settle it, then {outcome.calls - outcome.settling:,} calls in "
        f"{outcome.seconds:.0f} s; the slowest took {outcome.slowest:.1f} s"
    )
    console.print("  " + ", ".join(f"{times:,} × {name}" for name, times in outcome.ended.most_common()))
    last = outcome.memory[-1]
    console.print(
        f"resident memory: {outcome.start / _MB:.0f} MB at the start, {outcome.filled / _MB:.0f} MB filled, "
        f"{last.resident / _MB:.0f} MB at the end, of which {last.used / _MB:.0f} MB are in use"
    )
    console.print(_grew("in use", outcome.used))
    console.print(_grew("resident", outcome.resident))
    console.print(f"{outcome.billed:,} billed, {outcome.records:,} in the ledger")
    for fault in outcome.faults:
        console.print(f"[red]FAIL[/red]  {fault}")
    if not outcome.faults:
        flat = ", memory flat" if is_judged(outcome) else "; too short to judge memory"
        console.print(f"[green]PASS[/green]  nothing lost, nothing twice, nothing held, nobody hung{flat}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, print, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak",
        description=benchmarks.soak.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="how long it is soaked (10)")
    parser.add_argument(
        "--filling",
        type=int,
        default=FILLING,
        metavar="CALLS",
        help=f"calls for each worker that fill it before ({FILLING}); without, memory is not judged",
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that serve (1)")
    parser.add_argument("--port", type=int, default=PORT, help=f"a free port ({PORT})")
    parser.add_argument("--seed", type=int, default=1, help="seed of what clients do (1)")
    parser.add_argument(
        "--leak", type=int, default=0, metavar="BYTES", help="leak so many a call on purpose: it has to fail"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="scrimp-soak-") as name, _progress() as told:
        outcome = soak(
            options.minutes * 60,
            folder=Path(name),
            filling=options.filling,
            seed=options.seed,
            port=options.port,
            workers=options.workers,
            leak=options.leak,
            told=told,
        )
    if options.json:
        print_json(msgspec.to_builtins(outcome))
    else:
        _show(outcome)
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
