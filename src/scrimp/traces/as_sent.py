"""Recorded requests with the markers put back that a recording in part left out and bills show."""

from __future__ import annotations

import msgspec

from scrimp.core.unseen import with_unseen_markers
from scrimp.facts.models import Facts
from scrimp.traces.corpus import Corpus, recorded_sources
from scrimp.traces.exchanges import Exchange
from scrimp.traces.recorded_calls import Sizer
from scrimp.wire.markers import MarkerEdit
from scrimp.wire.request import with_markers

__all__ = ["as_sent"]


def as_sent(corpus: Corpus, facts: Facts, sizer: Sizer) -> Corpus:
    """`corpus` with each request as its client must have sent it, as far as earlier bills tell."""
    in_part = {name: own for name, own in corpus.sources.items() if any(one.partial for one in own)}
    edits: dict[str, MarkerEdit] = {}
    for _, calls in recorded_sources(Corpus(in_part, [], []), facts, sizer=sizer):
        for call in with_unseen_markers(calls):
            if call.inferred:
                marker = call.prompt.markers[0]
                edits[call.where] = MarkerEdit(call.prompt.blocks[marker.position].path, marker.ttl)
    sources = {name: [_sent(one, edits) for one in own] for name, own in corpus.sources.items()}
    return Corpus(sources, corpus.transcripts, corpus.faults)


def _sent(exchange: Exchange, edits: dict[str, MarkerEdit]) -> Exchange:
    edit = edits.get(exchange.where)
    if edit is None:
        return exchange
    return msgspec.structs.replace(exchange, body=with_markers(exchange.body, [edit]))
