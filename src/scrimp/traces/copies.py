"""Recordings given twice: a call counts once, however many files hold it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec
import orjson

from scrimp.traces.corpus import Corpus
from scrimp.traces.recorded_calls import unusable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scrimp.traces.exchanges import Exchange

__all__ = ["without_copies"]


def without_copies(corpus: Corpus) -> tuple[Corpus, int]:
    """The corpus with each billed call once, the first as read, and how many copies were left out.

    Exchanges with one message id (where no id was recorded: one run and place in it) and the same request are
    one call.
    """
    alike: dict[object, list[Exchange]] = defaultdict(list)
    for exchanges in corpus.sources.values():
        for exchange in exchanges:
            if unusable(exchange) is None:
                alike[_name(exchange)].append(exchange)
    copies = {id(copy) for group in alike.values() if len(group) > 1 for copy in _repeated(group)}
    sources: Mapping[str, list[Exchange]] = {
        source: [exchange for exchange in exchanges if id(exchange) not in copies]
        for source, exchanges in corpus.sources.items()
    }
    return msgspec.structs.replace(corpus, sources=sources), len(copies)


def _name(exchange: Exchange) -> object:
    response = exchange.response
    named = response.get("id") if isinstance(response, dict) else None
    return named if isinstance(named, str) and named else (exchange.source, exchange.run, exchange.seq)


def _repeated(group: Iterable[Exchange]) -> Iterable[Exchange]:
    seen = set()
    for exchange in group:
        request = orjson.dumps(exchange.body, option=orjson.OPT_SORT_KEYS)
        if request in seen:
            yield exchange
        seen.add(request)
