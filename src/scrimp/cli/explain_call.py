"""One recorded call among those that shared its cache: foreseen, billed, missed, and what would be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson

from scrimp.cli.explain_model import Explained, block_rows, price_list
from scrimp.cli.explain_place import Place
from scrimp.cli.input import Recordings
from scrimp.core.bill import bill
from scrimp.core.plan import Plan, Range
from scrimp.core.reproduce import Reproduced, reproduce
from scrimp.core.summary import measure_source
from scrimp.core.workspace import Asked, Workspace
from scrimp.diagnosing import diagnose_corpus
from scrimp.errors import InputError, PlanError, TraceError
from scrimp.facts.models import Facts
from scrimp.traces.corpus import Corpus, recorded_sources
from scrimp.traces.diagnosed import Finding
from scrimp.traces.files import read_lines
from scrimp.traces.sizes import Sizes
from scrimp.traces.transcript_prompts import transcript_calls
from scrimp.traces.transcript_sources import transcript_sources

__all__ = ["companions", "explain_call"]

_SESSION = "a session file holds no system prompt and no tools: they are the first, opaque blocks"
_SUB_AGENTS = "subagents"


def companions(path: Path) -> list[Path]:
    """The files that belong to one run: a Claude Code session and its sub-agents; else the file alone."""
    inside = path.parent.name == _SUB_AGENTS
    folder = path.parent.parent if inside else path.parent / path.name.split(".jsonl")[0]
    session = folder.parent / f"{folder.name}.jsonl" if inside else path
    others = sorted((folder / _SUB_AGENTS).glob("*.jsonl*")) if (folder / _SUB_AGENTS).is_dir() else []
    return [one for one in dict.fromkeys((session, *others, path)) if one.is_file()]


def explain_call(place: Place, recordings: Recordings) -> Explained:
    """The call at `place` among `recordings`. Raises TraceError where it is not, or is not a billed call."""
    corpus, facts = recordings.corpus, recordings.facts
    if place.path is None:
        raise InputError(f"{place.name}: name the file that the call is in")
    skipped: Counter[str] = Counter()
    wanted = _Wanted(place, corpus)
    for calls in _sources(corpus, facts, skipped):
        found = [at for at, one in enumerate(calls) if wanted.is_it(one)]
        if len(found) > 1:
            raise TraceError(_which(place, [calls[at].measured.call.where for at in found]))
        if found:
            return _explained(calls, found[0], corpus, facts)
    raise TraceError(wanted.nothing(skipped))


class _Wanted:
    """Which call is meant, and what to say where it is not among the billed ones."""

    def __init__(self, place: Place, corpus: Corpus) -> None:
        self._place = place
        self._path = str(place.path)
        self._numbers: set[int] = set()
        self._ids = _message_ids(corpus)
        self._message = place.message or _message_on_line(place, corpus)

    def is_it(self, one: Reproduced) -> bool:
        """Whether a call is the one at the place."""
        call = one.measured.call
        of_file = call.where.startswith((f"{self._path}:", f"{self._path} "))
        if of_file:
            self._numbers.add(call.seq)
        if self._message:
            own = self._ids.get(call.where) or call.where.rpartition(" ")[2]
            return of_file and own == self._message
        if self._place.line is not None:
            return call.where == f"{self._path}:{self._place.line}"
        if self._place.number is not None:
            return of_file and call.seq == self._place.number
        return of_file

    def nothing(self, skipped: Counter[str]) -> str:
        """Why the call was not found, and what there is."""
        place, left = self._place, "; ".join(f"{count:,} {why}" for why, count in skipped.most_common(3))
        hint = f" (left out: {left})" if left else ""
        if place.line is not None:
            return f"{place.path}:{place.line}: no billed call on this line{hint}"
        if place.number is not None and self._numbers:
            least, most = min(self._numbers), max(self._numbers)
            return f"{place.path}: no call {place.number}: its calls have the numbers {least} to {most}"
        return f"{place.path}: no billed call {self._message or 'in it'}{hint}"


def _which(place: Place, places: Sequence[str]) -> str:
    if place.whole_file:
        return f"{place.path}: which of its {len(places):,} calls? Add :LINE, #NUMBER or #MESSAGE_ID"
    return f"{place.path}: {len(places):,} calls are meant, name one: {', '.join(places[:3])}, …"


def _message_ids(corpus: Corpus) -> dict[str, str]:
    """Where an exchange is → the message id of its answer."""
    return {
        exchange.where: str(exchange.response["id"])
        for exchanges in corpus.sources.values()
        for exchange in exchanges
        if isinstance(exchange.response, Mapping) and exchange.response.get("id")
    }


def _message_on_line(place: Place, corpus: Corpus) -> str:
    """The message id on a line of a session; empty for exchanges, whose line is the call."""
    if place.line is None or place.path is None or place.path not in corpus.transcripts:
        return ""
    for number, line in read_lines(place.path, []):
        if number == place.line:
            return _id_in(line)
    return ""


def _id_in(line: bytes) -> str:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return ""
    data = found.get("data") if isinstance(found, dict) else None
    inner = data.get("message") if isinstance(data, dict) else found
    message = inner.get("message") if isinstance(inner, dict) else None
    return str(message.get("id") or "") if isinstance(message, dict) else ""


def _sources(corpus: Corpus, facts: Facts, skipped: Counter[str]) -> Iterator[list[Reproduced]]:
    for _, recorded in recorded_sources(corpus, facts, sizer=Sizes(), skipped=skipped):
        yield reproduce(measure_source(recorded))
    sessions = transcript_sources(corpus.transcripts, [], skipped=skipped)
    for source, judged in sessions.items():
        yield reproduce(transcript_calls(judged, facts, source=source))


def _explained(calls: Sequence[Reproduced], at: int, corpus: Corpus, facts: Facts) -> Explained:
    one = calls[at]
    measured = one.measured
    call, usage = measured.call, measured.call.usage
    plan = _planned(calls[: at + 1], facts)
    written = usage.cache_creation_input_tokens
    estimate = call.sized.estimate
    body = _body(corpus, call.where)
    return Explained(
        what="call",
        where=call.where,
        prices=price_list(call.model, call.model.id, call.day, usage.total_input),
        run=call.run,
        seq=call.seq,
        at=call.at if call.timed else None,
        tokens=None if body is None else Range(estimate.low, estimate.mid, estimate.high),
        blocks=block_rows(
            call.prompt,
            measured.ends,
            plan.markers if plan else (),
            read=usage.cache_read_input_tokens,
            written=written,
        ),
        expected=one.outcome,
        plan=plan,
        usage=usage,
        bill=bill(usage, call.model, at=call.day, facts=facts),
        finding=_finding(corpus, facts, call.where),
        body=body,
        missing=(_SESSION,) if body is None else _partial(corpus, call.where),
    )


def _planned(calls: Sequence[Reproduced], facts: Facts) -> Plan | None:
    """What scrimp would have done with the last of `calls`, having watched those before it as they went out.

    None where it would have found no plan that keeps its promises.
    """
    last = calls[-1].measured.call
    workspace = Workspace(facts)
    for one in calls:
        call = one.measured.call
        if call.workspace != last.workspace or (not last.timed and call.run != last.run):
            continue
        asked = Asked(call.prompt, call.sized, call.model, call.rules, call.day)
        try:
            planned = workspace.decide(asked, call.at, label=call.label)
        except PlanError:
            continue
        if call is last:
            return planned.plan
        sent = planned.untouched()
        workspace.sent(sent, call.at, call.began_at or call.at)
        workspace.billed(sent, call.usage)
    return None


def _finding(corpus: Corpus, facts: Facts, where: str) -> Finding | None:
    try:
        found = diagnose_corpus(msgspec.structs.replace(corpus, faults=[]), facts).found
    except TraceError:
        return None
    return next((one for one in found if one.where == where), None)


def _body(corpus: Corpus, where: str) -> Mapping[str, Any] | None:
    exchanges = (one for source in corpus.sources.values() for one in source)
    return next((one.body for one in exchanges if one.where == where), None)


def _partial(corpus: Corpus, where: str) -> tuple[str, ...]:
    exchanges = (one for source in corpus.sources.values() for one in source)
    partial = next((one.partial for one in exchanges if one.where == where), None)
    return (f"the request was recorded in part: {partial}",) if partial else ()
