"""How well prefix continuity foretells the cache bills of recorded sessions.

Calls of all sessions are predicted and settled in time order, so a forecast knows exactly the bills whose
answers had begun when the request went out. Lengths are anchored: of its own call it knows the total input.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from scrimp.core.continuity import Bill, Cause, Continuity, Forecast, Scope, Step
from scrimp.core.continuity_verdict import agrees, count, disagreement
from scrimp.core.tally import Tally
from scrimp.traces.claude_code import home_of, loads_tools, step_of, thinking_after
from scrimp.traces.transcripts import read_transcripts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from scrimp.traces.files import Fault
    from scrimp.traces.transcript_calls import Session, TranscriptCall

__all__ = ["Disagreement", "TranscriptCalibration", "calibrate_sessions", "calibrate_transcripts"]

FIRST_CALL = "first call of a conversation"
COPY = "copy of a call in another file"


class Disagreement(msgspec.Struct, frozen=True):
    """A call whose bill was not predicted. Counts in tokens."""

    kind: str
    path: Path
    message_id: str
    predicted_read: int
    predicted_write: int
    billed_read: int
    billed_write: int
    total_input: int


class TranscriptCalibration(msgspec.Struct):
    """The result. `cache` counts every call with a known parent, `main` those of main conversations alone.

    `first` counts the first calls of conversations: what they read was written by calls that are not in the
    recording, so they are counted apart (and as skipped), though predicted from earlier sessions' bills.
    `skipped` counts calls and lines left out, by reason.
    """

    runs: int = 0
    calls: int = 0
    cache: Tally = msgspec.field(default_factory=Tally)
    main: Tally = msgspec.field(default_factory=Tally)
    first: Tally = msgspec.field(default_factory=Tally)
    disagreements: list[Disagreement] = msgspec.field(default_factory=list)
    skipped: dict[str, int] = msgspec.field(default_factory=dict)
    faults: list[Fault] = msgspec.field(default_factory=list)

    def summary(self) -> dict[str, object]:
        """The figures under the names `scrimp calibrate --json` gives them; shares are of 1."""
        return {
            "runs": self.runs,
            "calls": self.calls,
            "cache": self.cache.summary(),
            "main": self.main.summary(),
            "first": {"calls": self.first.calls, "within_1pct": self.first.within_1pct},
            "disagreements": self.kinds(),
            "skipped": self.skipped,
        }

    def kinds(self) -> dict[str, int]:
        """How many calls disagree, by kind, most frequent first."""
        return dict(Counter(one.kind for one in self.disagreements).most_common())


class _Call(msgspec.Struct, frozen=True):
    """A call with what its place in the corpus says. Contents are left behind to keep memory flat."""

    call: TranscriptCall
    path: Path
    scope: Scope


def calibrate_transcripts(paths: Iterable[str | Path]) -> TranscriptCalibration:
    """Read every session under `paths` and judge the model on its calls.

    Raises TraceError for paths that do not exist; lines that cannot be read are in `faults`.
    """
    result = TranscriptCalibration()
    return _calibrated(read_transcripts(paths, result.faults, result.skipped), result)


def calibrate_sessions(sessions: Iterable[Session]) -> TranscriptCalibration:
    """Judge the model on sessions that were read already."""
    return _calibrated(sessions, TranscriptCalibration())


def _calibrated(sessions: Iterable[Session], result: TranscriptCalibration) -> TranscriptCalibration:
    calls: dict[str, _Call] = {}
    for session in sessions:
        result.runs += any(conversation.calls for conversation in session.conversations)
        for one in _calls(session):
            if one.call.duplicate:
                result.skipped[COPY] = result.skipped.get(COPY, 0) + 1
            else:
                calls[one.call.message_id] = one
    result.calls = len(calls)
    for one, step, forecast, bill, kind in _judged(calls):
        if forecast.cause is Cause.FIRST:
            count(result.first, forecast, bill, step.total)
            result.skipped[FIRST_CALL] = result.skipped.get(FIRST_CALL, 0) + 1
            continue
        count(result.cache, forecast, bill, step.total)
        if one.scope.main:
            count(result.main, forecast, bill, step.total)
        if kind:
            result.disagreements.append(_listed(one, step, forecast, bill, kind))
    return result


def _calls(session: Session) -> Iterator[_Call]:
    for conversation in session.conversations:
        for call in conversation.calls:
            scope = Scope(
                session=str(session.path),
                folder=call.cwd or "",
                workspace=f"{session.path.parent} {home_of(call.cwd)}",
                model=call.model,
                version=call.version or "",
                main=conversation.is_main,
            )
            slim = msgspec.structs.replace(
                call,
                new=msgspec.structs.replace(call.new, contents=()),
                reply=msgspec.structs.replace(call.reply, contents=()),
            )
            yield _Call(slim, session.path, scope)


def _judged(calls: dict[str, _Call]) -> Iterator[tuple[_Call, Step, Forecast, Bill, str]]:
    """Every call with its forecast and bill in the order their answers began, and how they disagree."""
    model = Continuity()
    thinking: dict[str, bool | None] = {}
    loaded_tools: set[tuple[str, bool]] = set()
    sent: dict[str, tuple[Step, Forecast]] = {}
    for at, settles, name in _in_time_order(calls):
        one, call = calls[name], calls[name].call
        if settles:
            step, forecast = sent.pop(name)
            usage = call.usage
            bill = Bill(
                usage.cache_read_input_tokens,
                usage.write_5m,
                usage.write_1h,
                usage.input_tokens,
                call.ended_at,
            )
            agreed = agrees(forecast, bill, step.total)
            kind = "" if agreed else disagreement(step, forecast, bill, model.known(step.parent))
            model.settle(step, forecast, bill)
            yield one, step, forecast, bill, kind
            continue
        parent = calls.get(call.parent_id or "")
        thinking[name] = thinking_after(call, before=thinking.get(call.parent_id or ""))
        step = step_of(call, parent.call if parent else None, one.scope, at=at, thinking=thinking[name])
        if loads_tools(call):
            conversation = (one.scope.session, one.scope.main)
            step = msgspec.structs.replace(step, loads_tools=conversation not in loaded_tools)
            loaded_tools.add(conversation)
        sent[name] = (step, model.predict(step))


def _in_time_order(calls: dict[str, _Call]) -> list[tuple[float, bool, str]]:
    """Requests going out (False) and answers beginning (True). A call never goes out before its parent."""
    moments: list[tuple[float, int, int, bool, str]] = []
    began: dict[str, float] = {}
    for name, one in calls.items():
        parent = calls.get(one.call.parent_id or "")
        earliest = began.get(parent.call.message_id, parent.call.first_at) if parent is not None else 0.0
        at = max(one.call.started_at, earliest)
        began[name] = max(one.call.first_at, at)
        moments.append((at, 1, len(moments), False, name))
        moments.append((began[name], 0 if began[name] > at else 2, len(moments), True, name))
    return [(at, settles, name) for at, _, _, settles, name in sorted(moments)]


def _listed(one: _Call, step: Step, forecast: Forecast, bill: Bill, kind: str) -> Disagreement:
    return Disagreement(
        kind=kind,
        path=one.path,
        message_id=step.id,
        predicted_read=forecast.read,
        predicted_write=forecast.write,
        billed_read=bill.read,
        billed_write=bill.written,
        total_input=step.total,
    )
