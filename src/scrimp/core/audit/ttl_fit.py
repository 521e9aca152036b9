"""How well the cache lifetimes that were paid for fit the times between calls.

The recorded calls are gone through with an entry for every position of every prefix: written when a bill
shows a write of it, used when a bill shows a read over it.
"""

from __future__ import annotations

from collections.abc import Iterator

from scrimp.core.audit.model import GAPS, Gaps, Paid, TtlFit
from scrimp.core.audit.walk import Walked, billed_rates, bounds_of
from scrimp.core.cache import TTL_SECONDS
from scrimp.core.prompt import Digest
from scrimp.facts.prices import Rates

__all__ = ["TtlSums"]

_FIVE, _HOUR = TTL_SECONDS["5m"], TTL_SECONDS["1h"]
_UP_TO = (10.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, float("inf"))


class _Entry:
    """A written position: when it was last used, whether it was read, and after how long at most.

    `renews` says that it was written where an entry for 1h would have been read.
    """

    __slots__ = ("five", "hour", "last", "longest", "rates", "reads", "renews")

    def __init__(self, five: int, hour: int, at: float, rates: Rates, *, renews: bool) -> None:
        self.five = five
        self.hour = hour
        self.last = at
        self.rates = rates
        self.reads = 0
        self.renews = renews
        self.longest = 0.0


class TtlSums:
    """Adds up the fit of lifetimes of calls as they are walked, source by source."""

    def __init__(self) -> None:
        self._entries: dict[Digest, _Entry] = {}
        self._calls = 0
        self._written = Paid()
        self._never_read = self._wasted = 0
        self._expired = self._rewritten = self._premiums = 0
        self._not_needed = self._spared = 0
        self._gap_calls = [0] * len(GAPS)
        self._gap_tokens = [0] * len(GAPS)

    def add(self, walked: Walked) -> None:
        """Take one call of the source being walked."""
        call = walked.call
        self._calls += 1
        self._count_gap(walked)
        usage, rates = call.usage, billed_rates(call)
        amount = usage.write_5m * rates.write_5m + usage.write_1h * rates.write_1h
        self._written += Paid(0, usage.write_5m, usage.write_1h, 0, amount)
        self._use(walked)
        for prefix, five, hour in _writes(walked):
            before = self._entries.get(prefix)
            renews = before is not None and _outlived(before, call.at)
            if before is not None:
                self._end(before)
            if renews:
                self._expired += five + hour
                self._rewritten += five * (rates.write_5m - rates.read) + hour * (rates.write_1h - rates.read)
            self._entries[prefix] = _Entry(five, hour, call.at, rates, renews=renews)

    def end_source(self) -> None:
        """The source is over: nothing reads its entries any more."""
        for entry in self._entries.values():
            self._end(entry)
        self._entries = {}

    def result(self) -> TtlFit | None:
        """The section, or None where no call was taken."""
        if not self._calls:
            return None
        return TtlFit(
            written=self._written,
            never_read=self._never_read,
            wasted=self._wasted,
            expired=self._expired,
            rewritten=self._rewritten,
            saved_by_1h=self._rewritten - self._premiums,
            one_hour=self._written.write_1h,
            hour_not_needed=self._not_needed,
            spared_by_5m=self._spared,
            gaps=tuple(map(Gaps, GAPS, self._gap_calls, self._gap_tokens)),
        )

    def _count_gap(self, walked: Walked) -> None:
        if walked.gap is None or not walked.call.timed:
            return
        number = next(number for number, up_to in enumerate(_UP_TO) if walked.gap <= up_to)
        self._gap_calls[number] += 1
        self._gap_tokens[number] += walked.shared

    def _use(self, walked: Walked) -> None:
        """What the bill shows as read is read: its entries live on from here."""
        call, entries = walked.call, self._entries
        read, at = call.usage.cache_read_input_tokens, call.at
        for prefix, end in zip(call.prompt.prefixes, walked.measured.ends, strict=True):
            if end > read:
                return
            entry = entries.get(prefix)
            if entry is not None:
                entry.reads += 1
                entry.longest = max(entry.longest, at - entry.last)
                entry.last = at

    def _end(self, entry: _Entry) -> None:
        """An entry is over: what it was good for is known."""
        rates, five, hour = entry.rates, entry.five, entry.hour
        if not entry.reads:
            self._never_read += five + hour
            self._wasted += five * (rates.write_5m - rates.input) + hour * (rates.write_1h - rates.input)
        if hour and entry.longest <= _FIVE:
            self._not_needed += hour
            self._spared += hour * (rates.write_1h - rates.write_5m)
        if not entry.renews:
            self._premiums += five * (rates.write_1h - rates.write_5m)


def _outlived(entry: _Entry, now: float) -> bool:
    """Whether an entry for 5m is written again so soon that one for 1h would have been read."""
    return bool(entry.five) and _FIVE < now - entry.last <= _HOUR


def _writes(walked: Walked) -> Iterator[tuple[Digest, int, int]]:
    """Each position a call wrote: its prefix, and its tokens written for 5m and for 1h."""
    read, hour_end, five_end, _ = bounds_of(walked.call)
    start = 0
    for prefix, end in zip(walked.call.prompt.prefixes, walked.measured.ends, strict=True):
        if end > read and start < five_end:
            hour = max(0, min(end, hour_end) - max(start, read))
            five = max(0, min(end, five_end) - max(start, hour_end))
            if hour or five:
                yield prefix, five, hour
        start = end
