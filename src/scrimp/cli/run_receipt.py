"""The receipt of a run: what it spent and saved, against the least possible, and what to change first."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from scrimp.cli.numbers import dollars, percent, tokens
from scrimp.cli.run_floor import Floor, FloorKeeper
from scrimp.core import money
from scrimp.core.budget import Crossing, Refusal
from scrimp.core.causes import FIXES, Cause, Diagnosis
from scrimp.core.record import Record, Tags
from scrimp.runs import Run

__all__ = ["Receipt", "Tally", "receipt_json", "receipt_lines"]


class Receipt(msgspec.Struct, frozen=True):
    """Everything a receipt says. Money in picodollars; `estimated` is the part of `spent` without a bill.

    `asked` is what the last call that was not sent could have cost. `change` is the cause of misses that lost
    most among those that something can be done about, and `change_lost` what they lost. `failed` are calls
    that were answered with an error, by status; those that limits stopped here are in `refused`.
    """

    name: str
    run_id: str
    seconds: float
    calls: int
    refused: int
    asked: int
    spent: int
    estimated: int
    saved: int
    input_tokens: int
    read_tokens: int
    output_tokens: int
    budget: int | None = None
    floor: Floor | None = None
    worst: Diagnosis | None = None
    change: Cause | None = None
    change_lost: int = 0
    failed: Mapping[int, int] = {}


class Tally(FloorKeeper):
    """Hears of every call of a run, from any thread."""

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.Lock()
        self._lost: Counter[Cause] = Counter()
        self._worst: Diagnosis | None = None
        self._refused = self._asked = 0
        self._spent = self._estimated = self._saved = 0

    def recorded(self, record: Record) -> None:
        """See `office.listening.Listener`."""
        with self._guard:
            self._spent += record.cost
            self._estimated += 0 if record.measured else record.cost
            self._saved += record.saved or 0

    def missed(self, diagnosis: Diagnosis, tags: Tags) -> None:  # noqa: ARG002 - as listeners are called
        """See `office.listening.Listener`."""
        with self._guard:
            self._lost[diagnosis.cause] += diagnosis.lost
            if diagnosis.bust and (self._worst is None or diagnosis.lost > self._worst.lost):
                self._worst = diagnosis

    def crossed(self, crossing: Crossing) -> None:
        """See `office.listening.Listener`."""

    def refused(self, refusal: Refusal, tags: Tags) -> None:  # noqa: ARG002 - as listeners are called
        """See `office.listening.Listener`."""
        with self._guard:
            self._refused += 1
            self._asked = refusal.asked

    def receipt(self, run: Run, seconds: float, *, budget: int | None, errors: Mapping[int, int]) -> Receipt:
        """The receipt of `run`, which lasted so many seconds; `errors` are answers to calls, by status."""
        usage, floor = run.usage, self.floor()
        with self._guard:
            change, lost = _change(self._lost)
            return Receipt(
                name=run.name,
                run_id=run.id,
                seconds=seconds,
                calls=usage.calls,
                refused=self._refused,
                asked=self._asked,
                spent=self._spent,
                estimated=self._estimated,
                saved=self._saved,
                input_tokens=usage.input,
                read_tokens=usage.read,
                output_tokens=usage.output,
                budget=budget,
                floor=floor,
                worst=self._worst,
                change=change,
                change_lost=lost,
                failed=_failed(errors, self._refused),
            )


def receipt_lines(receipt: Receipt) -> Iterator[str]:
    """The receipt for people, each line at most 80 columns where names are short."""
    yield f"scrimp: {receipt.name}: {_calls(receipt.calls)} in {_duration(receipt.seconds)}"
    yield f"  spent   {_usd(receipt.spent)}{_of_budget(receipt)}{_estimated(receipt)}"
    if receipt.calls:
        yield f"  saved   {_saved(receipt.saved)}"
        share = receipt.read_tokens / receipt.input_tokens if receipt.input_tokens else 0.0
        yield (
            f"  cache   {percent(share)} of {tokens(receipt.input_tokens)} tokens of input read; "
            f"{tokens(receipt.output_tokens)} of output"
        )
    if receipt.floor is not None:
        yield f"  floor   {_floor(receipt.floor)}"
    if receipt.worst is not None:
        worst = receipt.worst
        place = f" at {worst.path}" if worst.path else ""
        yield f"  worst   {worst.cause}{place}: {_usd(worst.lost)} lost by one miss"
    if receipt.change is not None:
        yield f"  change  {FIXES[receipt.change]} ({_usd(receipt.change_lost)} lost)"
    if receipt.refused:
        most = _usd(receipt.asked)
        yield f"  stopped {_calls(receipt.refused)} not sent: the last could have cost up to {most}"
        if receipt.budget is not None and receipt.asked > receipt.budget:
            yield "          no such call fits: lower its max_tokens (CLAUDE_CODE_MAX_OUTPUT_TOKENS)"
    if receipt.failed:
        yield f"  failed  {_errors(receipt.failed)}"
    elif not receipt.calls and not receipt.refused:
        yield "  nothing was billed: does the command read ANTHROPIC_BASE_URL?"


_REFUSED = 402
_STATUSES = {
    400: "the request was not taken",
    401: "no valid key was shown",
    402: "a budget is exceeded at the upstream",
    403: "the key may not do that",
    404: "there is no such model or path",
    408: "the request came too slowly",
    413: "the request is too large",
    429: "too many requests",
    502: "the upstream could not be reached",
    503: "budgets could not be checked, or the upstream is down",
    504: "the upstream took too long to answer",
    529: "the upstream is overloaded",
}


def _failed(errors: Mapping[int, int], refused: int) -> Mapping[int, int]:
    """Errors but for the calls that were refused here: those are told of apart."""
    rest = dict(errors)
    rest[_REFUSED] = rest.get(_REFUSED, 0) - refused
    return {status: count for status, count in sorted(rest.items()) if count > 0}


def _errors(failed: Mapping[int, int]) -> str:
    said = []
    for status, count in sorted(failed.items(), key=lambda one: -one[1]):
        words = f" {_STATUSES[status]}" if status in _STATUSES else ""
        said.append(f"{_calls(count)}: {status}{words}")
    return "; ".join(said)


def receipt_json(receipt: Receipt) -> dict[str, Any]:
    """The documented JSON of a receipt."""
    floor, worst = receipt.floor, receipt.worst
    return {
        "run": receipt.name,
        "run_id": receipt.run_id,
        "seconds": round(receipt.seconds, 3),
        "calls": receipt.calls,
        "refused": receipt.refused,
        "failed": {str(status): count for status, count in receipt.failed.items()},
        "asked_usd": money.dollars(receipt.asked),
        "spent_usd": money.dollars(receipt.spent),
        "estimated_usd": money.dollars(receipt.estimated),
        "budget_usd": None if receipt.budget is None else money.dollars(receipt.budget),
        "saved_usd": money.dollars(receipt.saved),
        "input_tokens": receipt.input_tokens,
        "read_tokens": receipt.read_tokens,
        "output_tokens": receipt.output_tokens,
        "floor": None
        if floor is None
        else {
            "calls": floor.calls,
            "input_usd": money.dollars(floor.least),
            "billed_input_usd": money.dollars(floor.billed),
        },
        "worst_miss": None
        if worst is None
        else {
            "cause": worst.cause,
            "path": worst.path,
            "lost_usd": money.dollars(worst.lost),
            "fix": worst.fix,
        },
        "change": None
        if receipt.change is None
        else {
            "cause": receipt.change,
            "lost_usd": money.dollars(receipt.change_lost),
            "fix": FIXES[receipt.change],
        },
    }


def _change(lost: Counter[Cause]) -> tuple[Cause | None, int]:
    """The cause that lost most among those that somebody can do something about."""
    avoidable = ((cause, amount) for cause, amount in lost.items() if _avoidable(cause) and amount > 0)
    return max(avoidable, key=lambda pair: pair[1], default=(None, 0))


def _avoidable(cause: Cause) -> bool:
    return not FIXES[cause].startswith("None")


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count:,} calls"


def _saved(amount: int) -> str:
    if amount < 0:
        return f"−{_usd(amount)} so far: what was written to the cache has yet to be read (estimated)"
    return f"{_usd(amount)} against the requests as they were written (estimated)"


def _floor(floor: Floor) -> str:
    times = f"{floor.billed / floor.least:.2f}" if floor.least else "1.00"
    return f"{_usd(floor.least)} of input is the least any caching could have paid; {times} × it was"


def _of_budget(receipt: Receipt) -> str:
    return "" if receipt.budget is None else f" of a budget of {_usd(receipt.budget)}"


def _estimated(receipt: Receipt) -> str:
    return f" ({_usd(receipt.estimated)} of it estimated)" if receipt.estimated else ""


def _usd(amount: int) -> str:
    return dollars(money.dollars(abs(amount)))


def _duration(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{seconds:.1f} s"
