"""Claude Code sessions by source: whose folder they lie in, and how the model foresees their bills."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from scrimp.traces.files import Faults
from scrimp.traces.transcript_calibration import COPY, JudgedCall, PlacedCall, judged_calls, placed_calls
from scrimp.traces.transcript_needles import with_needles
from scrimp.traces.transcripts import read_transcripts

__all__ = ["by_source", "transcript_sources"]

Advance = Callable[[int], None]


def transcript_sources(
    paths: Iterable[Path],
    faults: Faults,
    *,
    skipped: Counter[str],
    advance: Advance = lambda _: None,
    needles: bool = False,
    seen: set[str] | None = None,
) -> dict[str, list[JudgedCall]]:
    """The calls of the sessions in `paths` by folder, in the order their answers began.

    A call that several files hold counts once; copies and other lines left out are counted in `skipped` by
    reason. `advance(1)` is called after each file. `needles` keeps what each message names (it is read once
    more for that), so that what a lever removes can be missed. `seen` is as `read_transcripts` takes it.
    """
    calls: dict[str, PlacedCall] = {}
    for session in read_transcripts(paths, faults, skipped, seen):
        for placed in placed_calls(with_needles(session) if needles else session):
            if placed.call.duplicate:
                skipped[COPY] += 1
            else:
                calls[placed.call.message_id] = placed
        advance(1)
    sources: dict[str, list[JudgedCall]] = defaultdict(list)
    for call in judged_calls(calls):
        if call.step.total:
            sources[_source_of(call.placed.path)].append(call)
    return sources


def by_source(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """Transcript files by the source they are of, in the order given."""
    sources: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        sources[_source_of(path)].append(path)
    return sources


def _source_of(path: Path) -> str:
    folder = path.parent
    return folder.parent.parent.name if folder.name == "subagents" else folder.name
