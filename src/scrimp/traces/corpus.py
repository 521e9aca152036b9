"""Recordings of every kind under some paths: exchanges by source, and the transcript files among them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import orjson

from scrimp.core.recorded import RecordedCall
from scrimp.errors import InputError, StoreError, TraceError
from scrimp.facts.models import Facts
from scrimp.stores.capture import Capture, is_capture
from scrimp.traces.exchanges import Exchange, in_time_order, read_exchange
from scrimp.traces.files import Fault, Faults, find_files, read_lines
from scrimp.traces.pi_sessions import is_pi_session, pi_lines
from scrimp.traces.recorded_calls import Sizer, recorded_call, unusable

__all__ = ["Corpus", "read_corpus", "recorded_sources"]

Advance = Callable[[int], None]


class Corpus(msgspec.Struct):
    """What was found: `sources` maps a source to its exchanges as recorded, `transcripts` are whole files.

    `faults` names every line that could not be read.
    """

    sources: dict[str, list[Exchange]]
    transcripts: list[Path]
    faults: Faults

    @property
    def exchanges(self) -> int:
        """How many recorded calls of every kind there are."""
        return sum(map(len, self.sources.values()))


def read_corpus(paths: Iterable[str | Path], advance: Advance = lambda _: None) -> Corpus:
    """Read every recording under `paths`; `advance(1)` is called after each file.

    Raises `TraceError` for a path that is not there; bad lines, and files and folders that cannot be opened,
    are in `faults`.
    """
    corpus = Corpus(defaultdict(list), [], [])
    for path in find_files(paths, corpus.faults):
        try:
            _add_file(corpus, path)
        except TraceError as error:  # it cannot be opened: the others are read all the same
            corpus.faults.append(Fault(path, 0, str(error).removeprefix(f"{path}: ")))
        advance(1)
    return corpus


def recorded_sources(
    corpus: Corpus,
    facts: Facts,
    *,
    sizer: Sizer,
    at: date | None = None,
    route: str | None = None,
    skipped: Counter[str] | None = None,
) -> Iterator[tuple[str, list[RecordedCall]]]:
    """Each source's billed calls in time order; what cannot be used is counted by reason in `skipped`."""
    left_out: Counter[str] = Counter() if skipped is None else skipped
    for source, exchanges in corpus.sources.items():
        usable = []
        for exchange in exchanges:
            reason = unusable(exchange)
            if reason:
                left_out[reason] += 1
            else:
                usable.append(exchange)
        calls = []
        for exchange in in_time_order(usable):
            try:
                calls.append(recorded_call(exchange, facts, sizer, at=at, route=route))
            except InputError:
                left_out["request is malformed"] += 1
        if calls:
            yield source, calls


def _record(path: Path, number: int, line: bytes, faults: Faults) -> Mapping[str, Any] | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        faults.append(Fault(path, number, f"not JSON: {error}"))
        return None
    if not isinstance(record, dict):
        faults.append(Fault(path, number, "not a JSON object"))
        return None
    return record


def _add_file(corpus: Corpus, path: Path) -> None:
    if is_capture(path):
        _add_captured(corpus, path)
        return
    for number, line in read_lines(path, corpus.faults):
        record = _record(path, number, line, corpus.faults)
        if record is None:
            continue
        if is_pi_session(record):
            _add_pi(corpus, path, record)
            return
        if "request" not in record:
            corpus.transcripts.append(path)
            return
        _add(corpus, path, number, record)


def _add_pi(corpus: Corpus, path: Path, first: Mapping[str, Any]) -> None:
    """A session of the pi coding agent: an entry a line, or all of them in one object."""
    entries: list[Any] | None = first.get("entries")
    if entries is None:
        lines = read_lines(path, corpus.faults)
        found = (_record(path, number, line, corpus.faults) for number, line in lines)
        entries = [record for record in found if record is not None]
    repo = first.get("source_repo")
    for number, line in enumerate(pi_lines(entries, source=repo if isinstance(repo, str) else None), start=1):
        _add(corpus, path, number, line)


def _add_captured(corpus: Corpus, path: Path) -> None:
    capture = Capture(path)
    try:
        for number, exchange in enumerate(capture.exchanges(), start=1):
            _add(corpus, path, number, exchange)
    except StoreError as error:
        corpus.faults.append(Fault(path, 0, str(error)))
    finally:
        capture.close()


def _add(corpus: Corpus, path: Path, number: int, record: Mapping[str, Any]) -> None:
    try:
        exchange = read_exchange(record, f"{path}:{number}", path.parent.name)
    except InputError as error:
        corpus.faults.append(Fault(path, number, str(error).removeprefix(f"{path}:{number}: ")))
        return
    corpus.sources[exchange.source].append(exchange)
