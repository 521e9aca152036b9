"""The sums of a run, whatever recorded it, and the table that failures show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from scrimp.core.bill import CATEGORIES, Category
from scrimp.core.money import PICODOLLARS, dollars, usd
from scrimp.emulator import Billed, Emulator
from scrimp.errors import InputError
from scrimp.runs import Run
from scrimp.testing.recording import Recording

__all__ = ["AnyRun", "Figures", "Row", "as_recording", "figures"]

AnyRun = Recording | Emulator | Run
"""What may be asserted on: what the fixtures recorded, an emulator as a whole, a `scrimp.run`."""

_COLUMNS = ("call", "model", "plain", "write 5m", "write 1h", "read", "output", "dollars")
_MOST_ROWS = 40
_NAMES: dict[Category, str] = {
    "input": "plain input",
    "write_5m": "5m writes",
    "write_1h": "1h writes",
    "read": "reads",
    "output": "output",
    "web_search": "web searches",
}


class Row(NamedTuple):
    """One call, or all of them: tokens by what they cost, and picodollars."""

    call: str
    model: str
    plain: int
    write_5m: int
    write_1h: int
    read: int
    output: int
    cost: int

    @property
    def input(self) -> int:
        """Every token of input, cached or not."""
        return self.plain + self.write_5m + self.write_1h + self.read

    def cells(self, places: int) -> tuple[str, ...]:
        """As the table shows it, dollars with so many decimals."""
        cost = f"${dollars(self.cost):.{places}f}"
        return (self.call, self.model, *(f"{count:,}" for count in self[2:7]), cost)


class Figures(NamedTuple):
    """A run in figures. `rows` and `shares` (picodollars by category) are empty where only sums are known."""

    name: str
    calls: int
    total: Row
    rows: Sequence[Row]
    shares: Sequence[tuple[Category, int]]

    def table(self) -> str:
        """What was billed, one line a call; the middle of a long run is left out."""
        places = max(_places(row.cost) for row in (*self.rows, self.total))
        shown = [row.cells(places) for row in self.rows]
        if len(shown) > _MOST_ROWS:
            left_out = len(shown) - _MOST_ROWS
            half = _MOST_ROWS // 2
            shown = [*shown[:half], ("…", f"{left_out:,} more calls", *[""] * 6), *shown[-half:]]
        return _aligned([_COLUMNS, *shown, self.total.cells(places)])

    def by_category(self) -> str:
        """Where the money went, dearest first; empty where only sums are known."""
        spent = sorted(((amount, name) for name, amount in self.shares if amount), reverse=True)
        return ", ".join(
            f"{_NAMES[name]} ${usd(amount)} ({_percent(amount, self.total.cost)})" for amount, name in spent
        )


def as_recording(run: AnyRun) -> Recording | None:
    """The calls of a run one by one, or None for a `scrimp.run`, which keeps sums only."""
    if isinstance(run, Emulator):
        return Recording(run)
    return run if isinstance(run, Recording) else None


def figures(run: AnyRun) -> Figures:
    """A run in figures. Raises `InputError` for what is no run, AssertionError when nothing was billed."""
    __tracebackhide__ = True
    if not isinstance(run, AnyRun):
        raise InputError(
            f"{type(run).__name__} is not a run: pass the fixture scrimp_run, a part of it, an Emulator, "
            "or a scrimp.run"
        )
    recording = as_recording(run)
    found = _recorded(recording) if recording is not None else _summed(run)  # type: ignore[arg-type]  # a Run
    if not found.calls:
        raise AssertionError(_nothing_billed(found.name, recording))
    return found


def _recorded(recording: Recording) -> Figures:
    rows = [_row(str(number), entry) for number, entry in enumerate(recording.bill, 1)]
    shares = [
        (category, sum(entry.bill.amount(category) for entry in recording.bill)) for category in CATEGORIES
    ]
    return Figures(recording.name, len(rows), _sum(rows), rows, shares)


def _summed(run: Run) -> Figures:
    usage = run.usage
    cost = int(run.cost * PICODOLLARS)
    total = Row(
        "all",
        "",
        usage.plain,
        usage.write_5m,
        usage.write_1h,
        usage.read,
        usage.output,
        cost,
    )
    return Figures(f"run {run.name!r}", usage.calls, total, (), ())


def _row(number: str, entry: Billed) -> Row:
    usage = entry.usage
    return Row(
        number,
        entry.model,
        usage.input_tokens,
        usage.write_5m,
        usage.write_1h,
        usage.cache_read_input_tokens,
        usage.output_tokens,
        entry.cost,
    )


def _sum(rows: Sequence[Row]) -> Row:
    sums = [sum(row[at] for row in rows) for at in range(2, len(_COLUMNS))]  # type: ignore[misc]  # all int
    return Row("all", "", *sums)


def _nothing_billed(name: str, recording: Recording | None) -> str:
    said = f"{name}: no call was billed, so there is nothing to assert on."
    if recording is None:
        return f"{said} Was the client made with scrimp.Middleware(), and were its calls inside the run?"
    asked = [request for request in recording.emulator.requests if request.method == "POST"]
    if not asked:
        return (
            f"{said} No request arrived: does the agent take its base URL from ANTHROPIC_BASE_URL, "
            "or from the fixture scrimp_url?"
        )
    arrived = "1 request" if len(asked) == 1 else f"{len(asked):,} requests"
    return f"{said} {arrived} arrived, none was answered; the last was POST {asked[-1].path}."


def _places(amount: int) -> int:
    """Decimals that show an amount exactly."""
    return len(usd(amount).partition(".")[2])


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "0 %"


def _aligned(rows: Iterable[Sequence[str]]) -> str:
    """Columns of text: names to the left, numbers to the right."""
    rows = list(rows)
    widths = [max(len(row[at]) for row in rows) for at in range(len(_COLUMNS))]
    lines = (
        "  ".join(
            cell.ljust(width) if at == 1 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(f"  {line.rstrip()}" for line in lines)
