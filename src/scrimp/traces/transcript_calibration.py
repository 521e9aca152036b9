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
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from scrimp.traces.files import Fault
    from scrimp.traces.transcript_calls import Session, TranscriptCall

__all__ = [
    "Disagreement",
    "JudgedCall",
    "PlacedCall",
    "TranscriptCalibration",
    "calibrate_sessions",
    "calibrate_transcripts",
    "judged_calls",
    "placed_calls",
]

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


class PlacedCall(msgspec.Struct, frozen=True):
    """A call with what its place in the corpus says. Contents are left behind to keep memory flat."""

    call: TranscriptCall
    path: Path
    scope: Scope
    conversation: str


class JudgedCall(msgspec.Struct, frozen=True):
    """A call with its forecast and its bill; `kind` names how they disagree, else is empty.

    `began_at` is when the answer began, epoch seconds. `lasting` is what the forecast's cause would be had
    every entry outlived the gap: a changed prompt is changed however long the cache lives.
    """

    placed: PlacedCall
    step: Step
    forecast: Forecast
    bill: Bill
    kind: str
    began_at: float
    lasting: Cause


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
    calls: dict[str, PlacedCall] = {}
    for session in sessions:
        result.runs += any(conversation.calls for conversation in session.conversations)
        for one in placed_calls(session):
            if one.call.duplicate:
                result.skipped[COPY] = result.skipped.get(COPY, 0) + 1
            else:
                calls[one.call.message_id] = one
    result.calls = len(calls)
    for judged in judged_calls(calls):
        one, step, forecast, bill = judged.placed, judged.step, judged.forecast, judged.bill
        if forecast.cause is Cause.FIRST:
            count(result.first, forecast, bill, step.total)
            result.skipped[FIRST_CALL] = result.skipped.get(FIRST_CALL, 0) + 1
            continue
        count(result.cache, forecast, bill, step.total)
        if one.scope.main:
            count(result.main, forecast, bill, step.total)
        if judged.kind:
            result.disagreements.append(_listed(judged))
    return result


def placed_calls(session: Session) -> Iterator[PlacedCall]:
    """Every call of a session, copies of calls in other files too."""
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
            yield PlacedCall(slim, session.path, scope, conversation.name)


def judged_calls(calls: Mapping[str, PlacedCall]) -> Iterator[JudgedCall]:
    """Every call, by message id, with its forecast and bill in the order their answers began."""
    model = Continuity()
    thinking: dict[str, bool | None] = {}
    loaded_tools: set[tuple[str, bool]] = set()
    sent: dict[str, tuple[Step, Forecast, Cause]] = {}
    for at, settles, name in _in_time_order(calls):
        one, call = calls[name], calls[name].call
        if settles:
            step, forecast, lasting = sent.pop(name)
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
            yield JudgedCall(one, step, forecast, bill, kind, at, lasting)
            continue
        parent = calls.get(call.parent_id or "")
        thinking[name] = thinking_after(call, before=thinking.get(call.parent_id or ""))
        step = step_of(call, parent.call if parent else None, one.scope, at=at, thinking=thinking[name])
        if loads_tools(call):
            conversation = (one.scope.session, one.scope.main)
            step = msgspec.structs.replace(step, loads_tools=conversation not in loaded_tools)
            loaded_tools.add(conversation)
        forecast = model.predict(step)
        sent[name] = (step, forecast, _lasting(model, step, forecast))


def _lasting(model: Continuity, step: Step, forecast: Forecast) -> Cause:
    parent = model.known(step.parent)
    if forecast.cause is not Cause.EXPIRED or parent is None:
        return forecast.cause
    return model.predict(msgspec.structs.replace(step, at=parent.step.at)).cause


def _in_time_order(calls: Mapping[str, PlacedCall]) -> list[tuple[float, bool, str]]:
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


def _listed(judged: JudgedCall) -> Disagreement:
    step, forecast, bill = judged.step, judged.forecast, judged.bill
    return Disagreement(
        kind=judged.kind,
        path=judged.placed.path,
        message_id=step.id,
        predicted_read=forecast.read,
        predicted_write=forecast.write,
        billed_read=bill.read,
        billed_write=bill.written,
        total_input=step.total,
    )
