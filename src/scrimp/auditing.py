"""`scrimp.auditing.audit(…)`: where the tokens of recorded calls went, and what to change, in dollars.

found = audit(["~/.claude/projects"])
print(found.calibration, found.tax, found.levers)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import msgspec

from scrimp.core.audit.gathering import CalibrationSums, FloorSums, MissSums, SpanSums
from scrimp.core.audit.headway import Headway
from scrimp.core.audit.idle import IdleTimes
from scrimp.core.audit.levers import LeverSums
from scrimp.core.audit.model import SECTIONS, Audit, Section
from scrimp.core.audit.replays import Sourced, sampled
from scrimp.core.audit.results import ResultSums
from scrimp.core.audit.tax import TaxSums
from scrimp.core.audit.ttl_fit import TtlSums
from scrimp.core.audit.walk import Walk
from scrimp.core.bill import bill
from scrimp.core.bill import day_of as day_at
from scrimp.core.causes import Cause, Diagnosis
from scrimp.core.record import Record
from scrimp.core.recorded import RecordedCall
from scrimp.core.replay import replay_floor
from scrimp.core.reproduce import Measured, reproduce
from scrimp.core.summary import Foreseen, foreseen
from scrimp.errors import StoreError, TraceError
from scrimp.facts.models import Facts, default
from scrimp.stores.ledger_schema import LEDGER
from scrimp.stores.opening import LEDGER_FILE
from scrimp.stores.sqlite_ledger import SqliteLedger
from scrimp.traces.copies import without_copies
from scrimp.traces.corpus import Corpus, read_corpus
from scrimp.traces.diagnosed import Finding, diagnose_exchanges
from scrimp.traces.diagnosed_transcripts import diagnose_judged
from scrimp.traces.exchanges import Exchange
from scrimp.traces.files import Fault
from scrimp.traces.garbage import few_collections
from scrimp.traces.recorded_calls import day_of, unusable
from scrimp.traces.replays import replayable
from scrimp.traces.transcript_calibration import JudgedCall
from scrimp.traces.transcript_needles import with_needles_of
from scrimp.traces.transcript_prompts import transcript_calls
from scrimp.traces.transcript_runs import as_sent, run_of
from scrimp.traces.transcript_sources import by_source, transcript_sources
from scrimp.traces.transcript_uses import with_uses

__all__ = ["audit"]

Advance = Callable[[int], None]

_WalkSums = TaxSums | ResultSums | TtlSums | LeverSums

_COPY = "copy of a call that another file holds"
_FOREVER = float("inf")
_PARTS = 16
"""About how many levers are replayed on a source."""
_HOUR = frozenset({"ttl-1h"})
"""The lever that the lifetimes are told from, where no other is asked for."""


class _Window(msgspec.Struct, frozen=True):
    """The calls asked for: from `since` on and before `until`; those without a time only without bounds."""

    since: float = -_FOREVER
    until: float = _FOREVER

    def holds(self, at: float, *, timed: bool) -> bool:
        return self.since <= at < self.until if timed else self == _Window()


class _Source(msgspec.Struct, frozen=True):
    """One source, ready to be looked at: its calls in time order and how the model foresaw their bills.

    `files` is what it stands for in a progress bar, `balanced` are runs whose calls went to more than one
    provider.
    """

    name: str
    calls: list[Measured]
    foreseen: Foreseen
    findings: Iterator[Finding | None]
    files: int
    balanced: frozenset[str] = frozenset()


class _Sums:
    """Everything an audit adds up, and the sections that were asked for."""

    def __init__(self, only: Collection[Section], window: _Window, facts: Facts, advance: Advance) -> None:
        self.only = frozenset(only)
        self.window = window
        self.headway = Headway(advance, _PARTS)
        self.span = SpanSums()
        self.calibration = CalibrationSums()
        self.floor = FloorSums()
        self.tax = TaxSums()
        self.results = ResultSums()
        self.misses = MissSums()
        self.ttl = TtlSums()
        only_levers = None if "levers" in self.only else _HOUR
        self.levers = LeverSums(facts, self.headway.part, only_levers)
        self.skipped: Counter[str] = Counter()
        self.ids: set[str] = set()
        self.doubtful = 0
        self.subscription = False

    def take(self, source: _Source) -> None:
        """Look at one source."""
        self.headway.begin(source.files)
        self.calibration.add(source.name, source.foreseen)
        inside = [self.window.holds(one.call.at, timed=one.call.timed) for one in source.calls]
        self._take_floor(source.calls, inside)
        self._walk(source.calls, inside)
        if self.only & {"ttl", "levers"}:
            self.levers.replay(Sourced(source.calls, source.foreseen, inside, source.balanced))
        if self.only & {"misses", "levers"}:
            idle = IdleTimes(source.calls)
            for finding in source.findings:
                self._take_finding(finding, idle)
        self.headway.end()

    def _walk(self, calls: list[Measured], inside: list[bool]) -> None:
        sums: list[_WalkSums] = []
        if "tax" in self.only:
            sums.append(self.tax)
        if self.only & {"results", "levers"}:
            sums.append(self.results)
        if self.only & {"ttl", "levers"}:
            sums.append(self.ttl)
        if "levers" in self.only:
            sums.append(self.levers)
        if not sums:
            return
        walk = Walk()
        for measured, counts in zip(calls, inside, strict=True):
            walked = walk.take(measured)
            if counts:
                for one in sums:
                    one.add(walked)
        for one in sums:
            one.end_source()

    def _take_floor(self, calls: list[Measured], inside: list[bool]) -> None:
        for measured, least, counts in zip(calls, replay_floor(calls), inside, strict=True):
            if counts:
                self.floor.add(measured, least)

    def _take_finding(self, finding: Finding | None, idle: IdleTimes) -> None:
        if finding is None:
            self.misses.add("", None)
        elif self.window.holds(finding.at, timed=finding.timed):
            self.misses.add(finding.where, finding.diagnosis, idle.of(finding.where))


def audit(
    paths: Iterable[str | Path],
    *,
    only: Collection[Section] = SECTIONS,
    since: date | None = None,
    until: date | None = None,
    facts: Facts | None = None,
    advance: Advance = lambda _: None,
) -> Audit:
    """Audit recordings of every kind under `paths`: Claude Code sessions, exchanges, captures, ledgers.

    A ledger (the file, or scrimp's home folder) has bills and misses but no prompts; a call that another
    recording holds too counts there.

    Computes the sections in `only`; `since` and `until` are days in UTC, both included. Sources are looked
    at one after another, so that no more than the largest is in memory. `advance` is told of each file three
    times: found, read, and looked at in all its levers. Raises `TraceError` for paths that do not exist and
    where no billed call is found.
    """
    known = facts or default()
    ledgers, recordings = _told_apart(paths)
    files: list[int] = []

    def found(done: int) -> None:
        files.append(done)
        advance(done)

    corpus = read_corpus(recordings, found)
    sums = _Sums(only or SECTIONS, _window(since, until), known, advance)
    with few_collections():
        for source in _sources(corpus, known, sums, sum(files), advance):
            sums.take(source)
    for ledger in ledgers:
        _book_ledger(ledger, known, sums, corpus.faults)
    if not sums.span.calls:
        raise TraceError(
            "no billed call was found: pass Claude Code sessions, exchanges, a capture or a ledger"
        )
    return _audit(sums, corpus.faults)


def _window(since: date | None, until: date | None) -> _Window:
    return _Window(
        -_FOREVER if since is None else datetime.combine(since, time(), UTC).timestamp(),
        _FOREVER if until is None else datetime.combine(until + timedelta(days=1), time(), UTC).timestamp(),
    )


def _sources(corpus: Corpus, facts: Facts, sums: _Sums, files: int, advance: Advance) -> Iterator[_Source]:
    """Each source in turn; what every billed call of it cost is booked on the way. `files` were found."""
    single, copies = without_copies(corpus)
    if copies:
        sums.skipped[_COPY] += copies
    left = 2 * (files - len(corpus.transcripts))
    for number, (name, exchanges) in enumerate(single.sources.items()):
        share = left // (len(single.sources) - number)
        left -= share
        one = Corpus({name: exchanges}, [], corpus.faults)
        _book_exchanges(one, facts, sums)
        for found in replayable(one, facts, skipped=sums.skipped):
            findings = diagnose_exchanges(one, facts, Counter())
            balanced = _balanced(exchanges)
            yield _Source(found.source, found.calls, found.foreseen, findings, share, balanced)
    for paths in by_source(corpus.transcripts).values():
        judged = transcript_sources(
            paths,
            corpus.faults,
            skipped=sums.skipped,
            advance=advance,
            seen=sums.ids,
        )
        for name, calls in judged.items():
            yield _transcripts(name, calls, facts, sums, len(paths))


def _transcripts(name: str, judged: list[JudgedCall], facts: Facts, sums: _Sums, files: int) -> _Source:
    sums.subscription = True
    if "levers" in sums.only:
        runs = [run_of(one.placed.path) for one in as_sent(judged)]
        judged = with_needles_of(judged, sampled(runs) or frozenset(runs))
    found = reproduce(with_uses(transcript_calls(judged, facts, source=name), judged))
    calls = [msgspec.structs.replace(one.measured, dealt=one.dealt) for one in found]
    for measured in calls:
        _book(measured.call, facts, sums)
    for one in judged:
        if not one.placed.call.output_reliable and sums.window.holds(one.step.at, timed=True):
            sums.doubtful += 1
    return _Source(name, calls, foreseen(found), diagnose_judged(judged, facts), files)


def _balanced(exchanges: Iterable[Exchange]) -> frozenset[str]:
    providers: dict[str, set[str]] = defaultdict(set)
    for exchange in exchanges:
        if unusable(exchange) is None:
            providers[exchange.run].add(exchange.provider)
    return frozenset(run for run, found in providers.items() if len(found) > 1)


def _book(call: RecordedCall, facts: Facts, sums: _Sums) -> None:
    if sums.window.holds(call.at, timed=call.timed):
        paid = bill(call.usage, call.model, at=call.day, facts=facts)
        sums.span.add(call.source, call.run, call.at if call.timed else None, paid)
        sums.levers.bills.add(call.source, call.run, call.where, paid)
        sums.levers.bills.add_premium(call.where, call.usage, call.model, call.day, paid)


def _book_exchanges(corpus: Corpus, facts: Facts, sums: _Sums) -> None:
    for name, exchanges in corpus.sources.items():
        for exchange in exchanges:
            usage = exchange.usage
            if unusable(exchange) or usage is None:
                continue
            response = exchange.response
            if isinstance(response, Mapping) and isinstance(response.get("id"), str):
                sums.ids.add(response["id"])
            if sums.window.holds(exchange.at, timed=exchange.timed):
                model, day = facts.resolve(exchange.model), day_of(exchange)
                paid = bill(usage, model, at=day, facts=facts)
                sums.span.add(name, exchange.run, exchange.at if exchange.timed else None, paid)
                sums.levers.bills.add(name, exchange.run, exchange.where, paid)
                sums.levers.bills.add_premium(exchange.where, usage, model, day, paid)


def _told_apart(paths: Iterable[str | Path]) -> tuple[list[Path], list[Path]]:
    """Ledgers, and everything else; a folder that holds a ledger is both."""
    ledgers, others = [], []
    for path in map(Path, paths):
        inside = path.expanduser() / LEDGER_FILE
        if _is_ledger(path.expanduser()):
            ledgers.append(path.expanduser())
            continue
        others.append(path)
        if _is_ledger(inside):
            ledgers.append(inside)
    return ledgers, others


def _is_ledger(path: Path) -> bool:
    """Whether a file is a ledger, by the mark that SQLite keeps at byte 68."""
    if path.suffix != ".sqlite" or not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(72)
    return head.startswith(b"SQLite format 3") and int.from_bytes(head[68:72], "big") == LEDGER.mark


def _book_ledger(path: Path, facts: Facts, sums: _Sums, faults: list[Fault]) -> None:
    try:
        with closing(SqliteLedger(path)) as ledger:
            for record in ledger.records():
                _book_record(record, f"{path} {record.message_id or record.id}", facts, sums)
    except StoreError as error:
        faults.append(Fault(path, 0, str(error)))


def _book_record(record: Record, where: str, facts: Facts, sums: _Sums) -> None:
    usage, at = record.usage, record.started_at
    if not (usage.total_input or usage.output_tokens) or not sums.window.holds(at, timed=True):
        return
    if record.message_id in sums.ids:
        sums.skipped[_COPY] += 1
        return
    model, day = facts.resolve(record.model), day_at(at)
    paid = bill(usage, model, at=day, facts=facts)
    source, run = "/".join(record.tags.run) or "ledger", record.tags.run_ids[:1] or (record.call_id,)
    sums.span.add(source, run[0], at, paid)
    sums.levers.bills.add(source, run[0], where, paid)
    sums.levers.bills.add_premium(where, usage, model, day, paid)
    sums.misses.add(where, _told_miss(record))


def _told_miss(record: Record) -> Diagnosis | None:
    """The miss that the ledger names."""
    if record.miss not in set(Cause):
        return None
    read = record.usage.cache_read_input_tokens
    return Diagnosis(
        cause=Cause(record.miss),
        promised=max(record.predicted_read or 0, read),
        read=read,
        lost=record.lost or 0,
    )


def _audit(sums: _Sums, faults: list[Fault]) -> Audit:
    span, only = sums.span, sums.only
    misses, ttl, when = sums.misses.result(), sums.ttl.result(), sums.span.span()
    levers = sums.levers.result(sums.results, misses, when, span.billed) if "levers" in only else None
    hour = sums.levers.saved_by_an_hour()
    if ttl is not None and hour is not None:
        ttl = msgspec.structs.replace(ttl, saved_by_1h=hour)
    return Audit(
        span=when,
        calls=span.calls,
        runs=len(span.runs),
        billed=span.billed,
        input_billed=span.input_billed,
        output_billed=span.output_billed,
        subscription=sums.subscription,
        output_doubtful=sums.doubtful,
        calibration=sums.calibration.result(),
        floor=sums.floor.result(),
        tax=sums.tax.result(span.input_billed) if "tax" in only else None,
        results=sums.results.result(span.input_billed) if "results" in only else None,
        misses=misses if "misses" in only else None,
        ttl=ttl if "ttl" in only else None,
        levers=levers,
        skipped=dict(sums.skipped),
        faults=tuple(map(str, faults)),
    )
