"""Recordings of every kind by source, each call on the route and under the rules that it was billed by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec

from scrimp.core.recorded import RecordedCall
from scrimp.core.reproduce import Measured
from scrimp.core.summary import measure_source
from scrimp.core.unseen import with_unseen_markers
from scrimp.facts.models import Facts
from scrimp.traces.copies import without_copies
from scrimp.traces.corpus import Corpus, recorded_sources
from scrimp.traces.replays import one_prompt_each
from scrimp.traces.sizes import Sizes
from scrimp.traces.transcript_prompts import transcript_calls
from scrimp.traces.transcript_sources import transcript_sources
from scrimp.traces.transcript_uses import with_uses

__all__ = ["as_billed"]

_NOT_JUDGED = "billed for several samplings, or for writes that do not add up"


def as_billed(
    corpus: Corpus, facts: Facts, *, skipped: Counter[str], advance: Callable[[int], None] = lambda _: None
) -> Iterator[tuple[str, list[Measured]]]:
    """Each source with its calls in time order; `advance(1)` is called after each transcript read."""
    single, _ = without_copies(corpus)
    for source, calls in recorded_sources(single, facts, sizer=Sizes(), skipped=skipped):
        kept = one_prompt_each(_in_previews([call for call in calls if _adds_up(call)]))
        if len(kept) < len(calls):
            skipped[_NOT_JUDGED] += len(calls) - len(kept)
        if kept:
            yield source, measure_source(with_unseen_markers(kept))
    sessions = transcript_sources(corpus.transcripts, corpus.faults, skipped=skipped, advance=advance)
    for source, judged in sessions.items():
        yield source, with_uses(transcript_calls(judged, facts, source=source), judged)


def _adds_up(call: RecordedCall) -> bool:
    """Whether what was written is what was written for each lifetime, where the bill says both."""
    return call.usage.cache_creation is None or call.usage.split_known


def _in_previews(calls: Sequence[RecordedCall]) -> list[RecordedCall]:
    """Bills that show a cache before the day it was there for all: that account was in a preview of it."""
    early = {call.workspace for call in calls if not call.rules.caches and _shows_cache(call)}
    return [
        msgspec.structs.replace(call, rules=msgspec.structs.replace(call.rules, caches=True))
        if call.workspace in early and not call.rules.caches
        else call
        for call in calls
    ]


def _shows_cache(call: RecordedCall) -> bool:
    usage = call.usage
    return usage.cache_creation_input_tokens + usage.cache_read_input_tokens > 0
