"""Recordings of every kind by source, ready to be replayed, and how the model foresees their bills."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date

import msgspec

from scrimp.core.recorded import RecordedCall
from scrimp.core.reproduce import Measured, Reproduced, reproduce
from scrimp.core.summary import Foreseen, foreseen, measure_source
from scrimp.core.unseen import with_unseen_markers
from scrimp.facts.models import Facts
from scrimp.traces.copies import without_copies
from scrimp.traces.corpus import Corpus, recorded_sources
from scrimp.traces.sizes import Sizes
from scrimp.traces.transcript_calibration import JudgedCall
from scrimp.traces.transcript_prompts import transcript_calls
from scrimp.traces.transcript_sources import transcript_sources
from scrimp.traces.transcript_uses import with_uses

__all__ = ["ROUTE", "Replayable", "one_prompt_each", "replayable"]

ROUTE = "anthropic"
"""All calls are replayed on one route: recordings balanced over providers would miss every other cache."""

_COPY = "copy of a call that another file holds"

_SAMPLINGS = "billed for several samplings of the provider's own tools"

Advance = Callable[[int], None]


class Replayable(msgspec.Struct, frozen=True):
    """The calls of one source in time order, and how the model foresaw the bills they really had."""

    source: str
    calls: list[Measured]
    foreseen: Foreseen


def replayable(
    corpus: Corpus,
    facts: Facts,
    *,
    skipped: Counter[str],
    at: date | None = None,
    needles: bool = False,
    advance: Advance = lambda _: None,
) -> Iterator[Replayable]:
    """Each source with its calls at the prices and rules of day `at`, or of each call's own day.

    What cannot be used is counted by reason in `skipped`; `advance(1)` is called after each transcript read.
    `needles` keeps what messages of transcripts name, so that what a lever takes out can be missed later.
    """
    single, copies = without_copies(corpus)
    if copies:
        skipped[_COPY] += copies
    yield from _exchanges(single, facts, skipped, at)
    sessions = transcript_sources(
        corpus.transcripts, corpus.faults, skipped=skipped, advance=advance, needles=needles
    )
    for source, calls in sessions.items():
        yield _transcripts(source, calls, facts, at)


def _exchanges(corpus: Corpus, facts: Facts, skipped: Counter[str], at: date | None) -> Iterator[Replayable]:
    sizer = Sizes()
    recorded = recorded_sources(corpus, facts, sizer=sizer)
    replayed = recorded_sources(corpus, facts, sizer=sizer, at=at, route=ROUTE, skipped=skipped)
    for (source, everything), (_, on_one_route) in zip(recorded, replayed, strict=True):
        as_billed, calls = (
            with_unseen_markers(one_prompt_each(several)) for several in (everything, on_one_route)
        )
        if len(calls) < len(everything):
            skipped[_SAMPLINGS] += len(everything) - len(calls)
        if not calls:
            continue
        found = reproduce(measure_source(as_billed))
        measured = measure_source(calls)
        kept_to_route = all(one.timed and one.workspace == calls[0].workspace for one in as_billed)
        yield Replayable(source, _dealt(measured, found) if kept_to_route else measured, foreseen(found))


def one_prompt_each(calls: Sequence[RecordedCall]) -> list[RecordedCall]:
    """The calls without those whose bill sums several prompts: between them the provider's own tools ran."""
    return [
        call for call in calls if not call.server_tools or call.usage.total_input <= call.sized.estimate.high
    ]


def _transcripts(source: str, calls: list[JudgedCall], facts: Facts, at: date | None) -> Replayable:
    found = reproduce(with_uses(transcript_calls(calls, facts, source=source), calls))
    again = (
        with_uses(transcript_calls(calls, facts, source=source, at=at), calls)
        if at
        else [one.measured for one in found]
    )
    return Replayable(source, _dealt(again, found), foreseen(found))


def _dealt(calls: Sequence[Measured], found: Sequence[Reproduced]) -> list[Measured]:
    """The calls with what their bills show and no recorded call explains: it happens to every policy."""
    return [
        msgspec.structs.replace(measured, dealt=one.dealt) for measured, one in zip(calls, found, strict=True)
    ]
