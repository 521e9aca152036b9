"""Why calls of Claude Code sessions missed the cache, told from their bills (`core.diagnose_bills`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from scrimp.core.bill import day_of
from scrimp.core.causes import Cause, Diagnosis
from scrimp.core.continuity import Known
from scrimp.core.diagnose_bills import CAUSES, Signs, StaticLengths, lifetime, missed, why
from scrimp.core.diagnose_loss import loss_of
from scrimp.facts.models import Facts
from scrimp.traces.diagnosed import Finding
from scrimp.traces.files import Fault
from scrimp.traces.transcript_calibration import COPY, JudgedCall, PlacedCall, judged_calls, placed_calls
from scrimp.traces.transcripts import read_transcripts

__all__ = ["diagnose_judged", "diagnose_transcripts"]

_LONGEST_LINE = 4
"""Calls looked back at: an entry older than that has been read since, or is gone."""


def diagnose_transcripts(
    paths: Iterable[str | Path], facts: Facts, skipped: Counter[str], faults: list[Fault]
) -> Iterator[Finding | None]:
    """A finding, or None, for every call of the sessions under `paths`, in the order they were answered.

    Raises `TraceError` for paths that do not exist; lines that cannot be read are in `faults`.
    """
    calls: dict[str, PlacedCall] = {}
    for session in read_transcripts(paths, faults, skipped):
        for placed in placed_calls(session):
            if placed.call.duplicate:
                skipped[COPY] += 1
            else:
                calls[placed.call.message_id] = placed
    sessions = _Sessions(calls, facts)
    for judged in judged_calls(calls):
        yield sessions.finding(judged)


def diagnose_judged(judged: Sequence[JudgedCall], facts: Facts) -> Iterator[Finding | None]:
    """A finding, or None, for every call of one source that was judged already, in the order given."""
    sessions = _Sessions({one.step.id: one.placed for one in judged}, facts)
    return map(sessions.finding, judged)


class _Sessions:
    """The calls judged so far: their lines, where static prefixes end, what was told of each conversation."""

    def __init__(self, calls: Mapping[str, PlacedCall], facts: Facts) -> None:
        self._calls = calls
        self._facts = facts
        self._known: dict[str, Known] = {}
        self._began_with: dict[str, int] = {}
        self._static = StaticLengths()
        self._told: dict[str, Cause] = {}

    def finding(self, judged: JudgedCall) -> Finding | None:
        """What there is to say of one call; it is then known itself."""
        step, bill = judged.step, judged.bill
        parent = self._known.get(step.parent or "")
        miss = parent is not None and missed(step, judged.forecast, bill)
        found = self._diagnosed(judged) if miss else None
        if parent is not None and not miss:
            self._told.pop(_talk(judged.placed), None)
        if miss or (parent is None and step.begins):
            self._static.learn(step, bill.read)
        began_with = step.total if step.begins else 0
        self._began_with[step.id] = self._began_with[parent.step.id] if parent is not None else began_with
        self._known[step.id] = Known(step, bill, lifetime(bill, parent), step.thinking)
        return found

    def _diagnosed(self, judged: JudgedCall) -> Finding:
        placed, step, bill = judged.placed, judged.step, judged.bill
        line = self._line(step.parent)
        cause, detail = why(
            step, judged.forecast, bill=bill, line=line, signs=self._signs(placed), static=self._static
        )
        also = CAUSES.get(judged.lasting) if cause is Cause.EXPIRED else None
        promised = max(min(judged.forecast.expected, step.total), bill.read)
        usage, talk = placed.call.usage, _talk(placed)
        model = self._facts.resolve(placed.call.model)
        rates = model.rates(day_of(step.at), prompt_tokens=usage.total_input, fast=usage.speed == "fast")
        diagnosis = Diagnosis(
            cause=cause,
            promised=promised,
            read=bill.read,
            lost=loss_of(usage, promised - bill.read, rates),
            detail=detail,
            also=(also,) if also is not None and also is not cause else (),
            quiet=self._told.get(talk) is cause,
        )
        self._told[talk] = cause
        return Finding(
            diagnosis=diagnosis,
            where=f"{placed.path} {step.id}",
            run=placed.path.name.split(".")[0],
            seq=None,
            model=model.id,
            at=step.at,
            timed=True,
        )

    def _line(self, parent: str | None) -> list[Known]:
        """The calls a call descends from, its parent first."""
        line: list[Known] = []
        while parent is not None and parent in self._known and len(line) < _LONGEST_LINE:
            line.append(self._known[parent])
            parent = line[-1].step.parent
        return line

    def _signs(self, placed: PlacedCall) -> Signs:
        call = placed.call
        parent = self._calls.get(call.parent_id or "")
        speeds = {one.usage.speed or "standard" for one in (call, *([parent.call] if parent else []))}
        return Signs(
            began_with=self._began_with.get(call.parent_id or "", 0),
            images=call.new.images > 0,
            interrupted=call.new.interrupted,
            speed=len(speeds) > 1,
        )


def _talk(placed: PlacedCall) -> str:
    return f"{placed.path} {placed.conversation}"
