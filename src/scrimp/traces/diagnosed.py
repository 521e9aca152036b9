"""Why recorded calls missed the cache: exchanges go through the very watch that live traffic goes through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from scrimp.core.causes import Diagnosis
from scrimp.core.diagnose import Call, Watch
from scrimp.core.lengths import Lengths
from scrimp.core.recorded import RecordedCall
from scrimp.core.settings import cache_settings
from scrimp.core.tokens.judged import has_placeholder
from scrimp.errors import InputError
from scrimp.facts.models import Facts
from scrimp.traces.corpus import Corpus
from scrimp.traces.exchanges import Exchange, in_time_order
from scrimp.traces.recorded_calls import recorded_call, unusable
from scrimp.traces.sizes import Sizes

__all__ = ["Finding", "diagnose_exchanges"]


_USUAL_WAIT, _LONGEST_WAIT = 3.0, 10.0
"""Seconds from a request to the first event of its answer, where only one time or both ends were recorded."""


class Finding(msgspec.Struct, frozen=True):
    """One diagnosed call and where it is: file and line (or message), run, number in it, model, start.

    `at` is epoch seconds, `timed` says whether it was recorded."""

    diagnosis: Diagnosis
    where: str
    run: str
    seq: int | None
    model: str
    at: float
    timed: bool


class _Workspace:
    """The watch of one cache, and what its bills revealed of lengths."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.lengths = Lengths()


def diagnose_exchanges(corpus: Corpus, facts: Facts, skipped: Counter[str]) -> Iterator[Finding | None]:
    """A finding, or None, for every billed call of `corpus`; `skipped` counts what cannot be judged."""
    sizes = Sizes()
    for exchanges in corpus.sources.values():
        yield from _source(exchanges, facts, sizes, skipped)


def _source(
    exchanges: Iterable[Exchange], facts: Facts, sizes: Sizes, skipped: Counter[str]
) -> Iterator[Finding | None]:
    workspaces: dict[str, _Workspace] = {}
    usable = []
    for exchange in exchanges:
        reason = unusable(exchange)
        if reason:
            skipped[reason] += 1
        else:
            usable.append(exchange)
    for exchange in in_time_order(usable):
        try:
            recorded = recorded_call(exchange, facts, sizes)
        except InputError:
            skipped["request is malformed"] += 1
            continue
        # Calls without times are known to share a cache only within their run.
        key = exchange.workspace if exchange.timed else f"{exchange.workspace} {exchange.run}"
        diagnosis = _diagnosed(workspaces.setdefault(key, _Workspace()), exchange, recorded)
        reason = _not_judged(recorded)
        if reason is None:
            yield _finding(diagnosis, recorded) if diagnosis is not None else None
        elif recorded.cached:
            skipped[reason] += 1


def _diagnosed(workspace: _Workspace, exchange: Exchange, recorded: RecordedCall) -> Diagnosis | None:
    prompt, usage, model = recorded.prompt, recorded.usage, recorded.model
    call = Call(
        prompt=prompt,
        settings=cache_settings(
            exchange.body, model=prompt.model, default_effort=model.features.default_effort or "high"
        ),
        ends=workspace.lengths.ends(prompt, recorded.sizes, usage.total_input),
        total=usage.total_input,
        rules=recorded.rules,
        model=model,
        day=recorded.day,
        at=recorded.at,
        run=recorded.run,
        wrote_for=_wrote_for(exchange),
    )
    watched = workspace.watch.expect(call)
    diagnosis = workspace.watch.judge(watched, usage, provider=_verdict(exchange.response))
    workspace.lengths.reveal(prompt, usage)
    return diagnosis


def _verdict(response: Any) -> str | None:
    """What the API itself says of a miss, where it was asked ("Cache diagnostics")."""
    told = response.get("diagnostics") if isinstance(response, Mapping) else None
    reason = told.get("cache_miss_reason") if isinstance(told, Mapping) else None
    kind = reason.get("type") if isinstance(reason, Mapping) else None
    return kind if isinstance(kind, str) else None


def _wrote_for(exchange: Exchange) -> float:
    """How long the first event can have been in coming; a whole answer can take much longer."""
    if not exchange.timed:
        return 0.0
    if exchange.ended_at is None or exchange.ended_at <= exchange.at:
        return _USUAL_WAIT
    return min(exchange.ended_at - exchange.at, _LONGEST_WAIT)


def _not_judged(recorded: RecordedCall) -> str | None:
    if not recorded.complete:
        return "the request was recorded in part"
    if recorded.server_tools:
        return "the bill holds the provider's own tool runs"
    if has_placeholder(recorded.prompt.blocks):
        return "redaction placeholders in the request"
    return None


def _finding(diagnosis: Diagnosis, recorded: RecordedCall) -> Finding:
    return Finding(
        diagnosis=diagnosis,
        where=recorded.where,
        run=recorded.run,
        seq=recorded.seq,
        model=recorded.model.id,
        at=recorded.at,
        timed=recorded.timed,
    )
