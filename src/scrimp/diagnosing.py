"""`scrimp.diagnose(…)`: why calls did not read the cache as they should have.

for finding in scrimp.diagnose("recordings/").misses:
    print(finding.where, finding.diagnosis.describe(excerpts=True))

scrimp.diagnose([first_request, second_request]).misses    # before anything is sent
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from scrimp.core.causes import Cause
from scrimp.core.diagnose import Watch
from scrimp.core.diagnose_planned import call_of
from scrimp.core.money import dollars
from scrimp.core.workspace import Planned, Workspace
from scrimp.errors import RequestError, TraceError
from scrimp.facts.models import Facts, default
from scrimp.traces.corpus import Corpus, read_corpus
from scrimp.traces.diagnosed import Finding, diagnose_exchanges
from scrimp.traces.diagnosed_transcripts import diagnose_transcripts
from scrimp.traces.files import Fault
from scrimp.wire.response import CacheCreation, Usage

__all__ = ["Findings", "diagnose", "diagnose_corpus"]

_BETWEEN = 5.0
"""Seconds that requests without times are taken to be apart: soon enough for any cache."""


class Findings(msgspec.Struct):
    """What was found in `calls` judged calls; `skipped` counts what could not be judged, by reason.

    `found` holds every diagnosis, first calls too; `misses` those that are busts: what had been paid for and
    was not read. `estimated` says that no bill was there and the cache model stood in for it.
    """

    found: list[Finding]
    calls: int = 0
    skipped: Counter[str] = msgspec.field(default_factory=Counter)
    faults: list[Fault] = msgspec.field(default_factory=list)
    estimated: bool = False

    @property
    def misses(self) -> list[Finding]:
        """The busts, dearest first."""
        busts = [finding for finding in self.found if finding.diagnosis.bust]
        return sorted(busts, key=lambda finding: -finding.diagnosis.lost)

    @property
    def lost(self) -> Decimal:
        """US dollars lost by all misses, against reading what they should have read."""
        return dollars(sum(finding.diagnosis.lost for finding in self.misses))

    def by_cause(self) -> dict[Cause, list[Finding]]:
        """The misses by cause, the dearest cause first, and of each the dearest miss first."""
        groups: dict[Cause, list[Finding]] = {}
        for finding in self.misses:
            groups.setdefault(finding.diagnosis.cause, []).append(finding)
        return dict(sorted(groups.items(), key=lambda item: -sum(f.diagnosis.lost for f in item[1])))


def diagnose(
    what: str | Path | Iterable[str | Path] | Sequence[Mapping[str, Any]], *, facts: Facts | None = None
) -> Findings:
    """Name the cause of every cache miss in recordings, or between requests.

    `what` is a path (or paths) of recorded exchanges, a capture or transcripts; or request bodies in the
    order they will be sent, seconds apart, whose bills are then estimated. Raises `TraceError` for paths
    that do not exist, `RequestError` for a body that is no Messages request.
    """
    known = facts or default()
    given = [what] if isinstance(what, (str, Path)) else list(what)
    bodies = [one for one in given if isinstance(one, Mapping)]
    if bodies:
        if len(bodies) != len(given):
            raise RequestError("pass paths or request bodies, not both")
        return _diagnose_requests(bodies, known, time.time())
    return diagnose_corpus(read_corpus([one for one in given if isinstance(one, (str, Path))]), known)


def diagnose_corpus(
    corpus: Corpus, facts: Facts, advance: Callable[[int], None] = lambda _: None
) -> Findings:
    """Judge every call of recordings that were read; `advance(1)` is called for each."""
    result = Findings([], faults=list(corpus.faults))
    exchanges = diagnose_exchanges(corpus, facts, result.skipped)
    _take(result, exchanges, advance)
    if corpus.transcripts:
        _take(result, diagnose_transcripts(corpus.transcripts, facts, result.skipped, result.faults), advance)
    if not result.calls:
        raise TraceError("no billed call was found: pass recorded exchanges, a capture or transcripts")
    return result


def _take(result: Findings, found: Iterable[Finding | None], advance: Callable[[int], None]) -> None:
    for finding in found:
        result.calls += 1
        advance(1)
        if finding is not None:
            result.found.append(finding)


def _diagnose_requests(bodies: Sequence[Mapping[str, Any]], facts: Facts, now: float) -> Findings:
    workspace, watch = Workspace(facts), Watch()
    result = Findings([], estimated=True)
    for number, body in enumerate(bodies):
        at = now + _BETWEEN * number
        planned = workspace.plan(body, at)
        if planned is None:
            result.skipped["the next turn of a thread"] += 1
            continue
        planned = planned.untouched()
        watched = watch.expect(call_of(planned, body))
        usage = _expected(planned)
        workspace.sent(planned, at, at)
        watch.began(watched, at)
        found = watch.judge(watched, usage)
        result.calls += 1
        if found is not None:
            where = f"request {number + 1}"
            result.found.append(Finding(found, where, "", number, planned.model.id, at, timed=False))
    return result


def _expected(planned: Planned) -> Usage:
    """The bill that the cache model expects."""
    outcome = planned.plan.chosen.outcome
    return Usage(
        input_tokens=outcome.plain,
        cache_creation_input_tokens=outcome.written,
        cache_read_input_tokens=outcome.read,
        cache_creation=CacheCreation(outcome.write_5m, outcome.write_1h),
    )
