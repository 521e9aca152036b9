"""What the demo's report says, as plain values; page and terminal tables are drawn from the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

__all__ = ["Bar", "Basis", "CalibrationSummary", "Report", "RunRow", "Split", "Step"]

Basis = Literal["measured", "estimated"]
"""Measured: what the provider billed, at its published prices. Estimated: worked out by scrimp's model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSummary:
    """How well the model reproduces what was billed; shares and errors are fractions of one.

    `cache_*`: calls whose predicted reads and writes each lie within 1 % of what was billed; `warm_*` the
    same for calls that read an entry no recorded call wrote. `token_*`: total input predicted before any bill
    of the run was seen, against the billed total. `model_usd` and `billed_usd`: the same calls priced by the
    model and by their recorded usage. `caching_*`: the part of `cache_*` whose route caches at all, given
    where others are among them. A group without calls has count 0 and is left out. `left_out` says which
    calls could not be judged, and why.
    """

    runs: int
    calls: int
    cache_calls: int
    cache_within_1pct: float
    caching_calls: int = 0
    caching_within_1pct: float = 0.0
    warm_calls: int = 0
    warm_within_1pct: float = 0.0
    token_calls: int = 0
    token_median_error: float = 0.0
    token_p95_error: float = 0.0
    token_coverage: float = 0.0
    model_usd: Decimal | None = None
    billed_usd: Decimal | None = None
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """The bill of all runs under one policy, in USD; `note` says in a few words how it came about."""

    name: str
    usd: Decimal
    basis: Basis
    note: str = ""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run: its calls, its bill in USD by bar name (None where it was not billed), its cache reads.

    `read_share` is the fraction of its `input_tokens` read from the cache under the report's `after` policy.
    Rows of one `group` follow each other; groups that have a name get a subtotal.
    """

    run: str
    calls: int
    usd: Mapping[str, Decimal | None]
    read_share: float
    input_tokens: int = 0
    group: str = ""


@dataclass(frozen=True, slots=True)
class Split:
    """How the input tokens of one call are paid for: at full price, written to the cache, read from it."""

    plain: int
    write: int
    read: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call of a run, in tokens: what the prompt was made of, and how it was billed.

    `write` and `read` are None where the recording carries no cache split; `plain` is then the whole input.
    `planned` is how the same prompt would be billed under the report's `after` policy.
    """

    index: int
    tools: int
    system: int
    earlier_messages: int
    earlier_results: int
    new: int
    plain: int
    write: int | None
    read: int | None
    planned: Split | None = None

    @property
    def prompt(self) -> int:
        """Tokens of the whole prompt, by content."""
        return self.tools + self.system + self.earlier_messages + self.earlier_results + self.new


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything on the page.

    `bars` in the order they are shown; `before`, `after` and `floor` name three of them: the bill as it was,
    the bill with scrimp, the least any caching could have paid. `steps` holds the runs that can be looked at
    step by step, the first one first. `generated_from` names the recordings; `scope` says what the dollars
    include; `remarks` are sentences on where the difference comes from. Raises ValueError when a name does
    not fit.
    """

    title: str
    calibration: CalibrationSummary
    bars: tuple[Bar, ...]
    before: str
    after: str
    floor: str | None = None
    runs: tuple[RunRow, ...] = ()
    steps: Mapping[str, tuple[Step, ...]]
    generated_from: str
    scope: str = ""
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [bar.name for bar in self.bars]
        wanted = {self.before, self.after} | ({self.floor} if self.floor else set())
        if len(set(names)) != len(names) or not wanted <= set(names):
            raise ValueError(f"before, after and floor must name bars, each once; the bars are {names}")
        for row in self.runs:
            if set(row.usd) != set(names):
                raise ValueError(f"run {row.run!r} has amounts for {sorted(row.usd)}, the bars are {names}")

    def bar(self, name: str) -> Bar:
        """Return the bar of that name."""
        return next(bar for bar in self.bars if bar.name == name)
