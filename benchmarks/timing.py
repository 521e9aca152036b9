"""Times contenders side by side: every round runs each of them once, starting with another one each time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median, quantiles
from time import perf_counter
from typing import NamedTuple, TypeVar

__all__ = ["Contender", "Row", "Section", "Spread", "compare", "repeated", "seconds", "spread"]

A = TypeVar("A")
T = TypeVar("T")


class Contender(NamedTuple):
    """Something to time. `prepare` runs untimed before every round and gives what is timed.

    `units` is how many of the section's units one run does, so that figures are per unit. With `rate` a
    figure is units per second instead of seconds per unit.
    """

    name: str
    prepare: Callable[[], Callable[[], object]]
    units: float = 1.0
    rate: bool = False


class Spread(NamedTuple):
    """The median of some figures, and the quartiles around it."""

    median: float
    low: float
    high: float


class Row(NamedTuple):
    """One line of a table; `ratio` is its figure over the baseline's."""

    name: str
    figure: Spread
    ratio: float
    is_baseline: bool = False
    note: str = ""


class Section(NamedTuple):
    """One table of figures in one unit, all measured in the same rounds; `about` says on what."""

    name: str
    title: str
    unit: str
    about: str
    rows: list[Row]


def compare(contenders: Sequence[Contender], *, baseline: str, rounds: int, scale: float = 1.0) -> list[Row]:
    """Time every contender `rounds` times; figures are multiplied by `scale` (1e6: seconds to µs)."""
    times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for contender in contenders:
        contender.prepare()()  # what is read, compiled or cached once is there in a service too
    for number in range(rounds):
        first = number % len(contenders)
        for contender in (*contenders[first:], *contenders[:first]):
            times[contender.name].append(seconds(contender.prepare())[0])
    figures = {
        contender.name: spread([_figure(contender, taken) * scale for taken in times[contender.name]])
        for contender in contenders
    }
    floor = figures[baseline].median
    return [
        Row(name, figure, figure.median / floor, is_baseline=name == baseline)
        for name, figure in figures.items()
    ]


def seconds(run: Callable[[], T]) -> tuple[float, T]:
    """How long `run` took, and what it gave."""
    start = perf_counter()
    result = run()
    return perf_counter() - start, result


def spread(figures: Sequence[float]) -> Spread:
    """Median and quartiles; of a single figure, that figure."""
    if len(figures) == 1:
        return Spread(figures[0], figures[0], figures[0])
    low, _, high = quantiles(figures, n=4, method="inclusive")
    return Spread(median(figures), low, high)


def repeated(function: Callable[[A], object], argument: A, times: int = 1) -> Callable[[], None]:
    """A run that calls `function` so many times: one call alone is too quick to time."""

    def run() -> None:
        for _ in range(times):
            function(argument)

    return run


def _figure(contender: Contender, taken: float) -> float:
    return contender.units / taken if contender.rate else taken / contender.units
