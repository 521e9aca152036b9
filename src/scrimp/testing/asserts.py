"""What tests assert of a run. A comparison that does not hold raises AssertionError and shows the bill.

    assert_cost(run) <= "0.02"                  # US dollars, exact: a string, a Decimal, an int
    assert_cache_read_share(run) >= 0.8
    assert_no_bust(run)

The comparison itself raises, so no `assert` is needed in front; one does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Generic, TypeVar

from scrimp.core.money import dollars, usd
from scrimp.errors import InputError
from scrimp.testing.busts import Miss, explained, misses
from scrimp.testing.figures import AnyRun, Figures, as_recording, figures

__all__ = ["CacheReadShare", "Cost", "assert_cache_read_share", "assert_cost", "assert_no_bust"]

N = TypeVar("N", Decimal, Fraction)

_FAULTS: dict[Callable[[Any, Any], bool], str] = {
    le: "more than",
    lt: "not less than",
    ge: "less than",
    gt: "not more than",
    eq: "not",
    ne: "exactly",
}


class _Measured(Generic[N]):
    """A figure of a run whose comparisons raise AssertionError where they do not hold."""

    __hash__ = None  # type: ignore[assignment]  # comparing is asserting

    def __init__(self, value: N, found: Figures, run: AnyRun) -> None:
        self.value: N = value
        self._figures = found
        self._run = run

    def __le__(self, limit: object) -> bool:
        __tracebackhide__ = True
        return self._check(le, limit)

    def __lt__(self, limit: object) -> bool:
        __tracebackhide__ = True
        return self._check(lt, limit)

    def __ge__(self, limit: object) -> bool:
        __tracebackhide__ = True
        return self._check(ge, limit)

    def __gt__(self, limit: object) -> bool:
        __tracebackhide__ = True
        return self._check(gt, limit)

    def __eq__(self, limit: object) -> bool:
        __tracebackhide__ = True
        return self._check(eq, limit)

    def __ne__(self, limit: object) -> bool:
        __tracebackhide__ = True
        return self._check(ne, limit)

    def __repr__(self) -> str:
        return f"<{self._shown(self.value)}, {_calls(self._figures.calls)}>"

    def _check(self, holds: Callable[[Any, Any], bool], limit: object) -> bool:
        __tracebackhide__ = True
        wanted = self._read(limit)
        if not holds(self.value, wanted):
            said = [self._headline(_FAULTS[holds], wanted), "", self._figures.table(), "", *self._details()]
            raise AssertionError("\n".join(said).rstrip())
        return True

    def _read(self, limit: object) -> N:
        raise NotImplementedError

    def _shown(self, value: N) -> str:
        raise NotImplementedError

    def _headline(self, fault: str, wanted: N) -> str:
        raise NotImplementedError

    def _details(self) -> list[str]:
        recording = as_recording(self._run)
        missed: list[Miss] = [] if recording is None else misses(recording)
        return ["Calls that read less than they could have:", *explained(missed)] if missed else []


class Cost(_Measured[Decimal]):
    """US dollars of a run, exact; `value` is a Decimal."""

    def _read(self, limit: object) -> Decimal:
        __tracebackhide__ = True
        if isinstance(limit, (str, int, Decimal)) and not isinstance(limit, bool):
            try:
                wanted = Decimal(limit)
            except InvalidOperation:
                wanted = Decimal("NaN")
            if wanted.is_finite():
                return wanted
        raise InputError(f'{limit!r} is no exact amount of US dollars: write it as a string, like "0.02"')

    def _shown(self, value: Decimal) -> str:
        return f"${value:f}"

    def _headline(self, fault: str, wanted: Decimal) -> str:
        return (
            f"{self._figures.name} cost ${self.value:f}, {fault} ${wanted:f}: "
            f"{_apart(self.value, wanted)}{_calls(self._figures.calls)}"
        )

    def _details(self) -> list[str]:
        spent = self._figures.by_category()
        return [*([f"Spent on {spent}."] if spent else []), *super()._details()]


class CacheReadShare(_Measured[Fraction]):
    """Tokens read from the cache as a share of all input; `value` is a Fraction from 0 to 1."""

    def _read(self, limit: object) -> Fraction:
        __tracebackhide__ = True
        try:
            if isinstance(limit, (str, int, float, Decimal, Fraction)) and not isinstance(limit, bool):
                wanted = Fraction(str(limit))  # 0.8 as it is written, not as binary stores it
                if 0 <= wanted <= 1:
                    return wanted
        except ValueError:
            pass
        raise InputError(f"{limit!r} is no share: write a number from 0 to 1, like 0.8")

    def _shown(self, value: Fraction) -> str:
        return f"{float(100 * value):.4g} %"

    def _headline(self, fault: str, wanted: Fraction) -> str:
        total = self._figures.total
        return (
            f"{self._figures.name} read {self._shown(self.value)} of its input from the cache, {fault} "
            f"{self._shown(wanted)}: {total.read:,} of {total.input:,} tokens, {_calls(self._figures.calls)}"
        )

    def _details(self) -> list[str]:
        total = self._figures.total
        written = total.write_5m + total.write_1h
        lines = [f"Not read: {written:,} tokens written, {total.plain:,} plain."]
        if not total.read and not written:
            lines.append(
                "Nothing was cached: no request had a marker on a prefix that is long enough for one."
            )
        return [*lines, *super()._details()]


def assert_cost(run: AnyRun) -> Cost:
    """US dollars of everything billed in `run`, to compare with a limit: `assert_cost(run) <= "0.02"`.

    Raises AssertionError when nothing was billed, `InputError` for a float: money is exact here.
    """
    __tracebackhide__ = True
    found = figures(run)
    return Cost(dollars(found.total.cost), found, run)


def assert_cache_read_share(run: AnyRun) -> CacheReadShare:
    """Cache reads as a share of all input tokens, to compare: `assert_cache_read_share(run) >= 0.8`.

    The first use of a prefix is always written, so that a short run reads a smaller share than a long one.
    """
    __tracebackhide__ = True
    found = figures(run)
    if not found.total.input:
        raise AssertionError(f"{found.name} had no input tokens")
    return CacheReadShare(Fraction(found.total.read, found.total.input), found, run)


def assert_no_bust(run: AnyRun) -> None:
    """Fail where a call did not read a prefix that it should have read; each miss is shown with its cause."""
    __tracebackhide__ = True
    found = figures(run)
    recording = as_recording(run)
    if recording is None:
        raise InputError("a scrimp.run keeps sums only: pass the fixture scrimp_run, or an Emulator")
    busts = [miss for miss in misses(recording) if miss.diagnosis.bust]
    if busts:
        lost = usd(sum(miss.diagnosis.lost for miss in busts))
        said = "1 call" if len(busts) == 1 else f"{len(busts):,} calls"
        headline = (
            f"{found.name}: {said} of {found.calls:,} did not read what was cached for them, ${lost} lost"
        )
        raise AssertionError("\n".join([headline, "", *explained(busts), "", found.table()]))


def _apart(value: Decimal, wanted: Decimal) -> str:
    apart = value - wanted
    return "" if not apart else f"${abs(apart):f} {'over' if apart > 0 else 'under'}, "


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count:,} calls"
