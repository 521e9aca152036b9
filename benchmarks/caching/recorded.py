"""Recorded agent runs as scenarios: their own bodies, answers and markers, moved to the days of the suite.

Where a recording has no times, answers and tools take as long as in the made-up scenarios; where it does not
have the definitions of the tools, tools of the recorded names are made up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.caching.texts import Texts
from benchmarks.caching.traffic import BETWEEN, LEARNING_STARTS, WRITING, Call, Habit
from scrimp.errors import InputError
from scrimp.traces.corpus import read_corpus
from scrimp.traces.exchanges import Exchange
from scrimp.traces.recorded_calls import unusable
from scrimp.wire.markers import MarkerEdit
from scrimp.wire.request import automatic_ttl, blocks, with_markers

__all__ = ["RECORDED", "Recorded"]

_TRACES = Path(__file__).parents[3] / "shared" / "traces" / "exchanges"


class Recorded:
    """The runs of one source; those that began first are learned from, the others judged."""

    expert: Habit | None = None
    """Nobody's: the markers that were recorded are the caller's own."""

    def __init__(self, name: str, folder: str, about: str) -> None:
        self.name = name
        self.about = about
        self._folder = _TRACES / folder

    def populations(self, *, seed: int, runs: int) -> tuple[list[Call], list[Call]]:
        """The calls of `runs` runs at most, twice; raises `InputError` without the recordings."""
        whole = self._whole
        half = min(runs, len(whole) // 2)
        learning = _calls(whole[:half], self.name, LEARNING_STARTS, Random(f"{seed} {self.name} learn"))
        start = max(call.ended_at for call in learning) + BETWEEN
        judged = whole[half:][:runs]
        return learning, _calls(judged, self.name, start, Random(f"{seed} {self.name} judge"))

    @cached_property
    def _whole(self) -> list[list[Exchange]]:
        """The usable calls of each run, in order; runs in the order they began."""
        if not self._folder.is_dir():
            raise InputError("its recordings are not there: put the corpus beside the checkout")
        runs: dict[str, list[Exchange]] = defaultdict(list)
        for exchanges in read_corpus([self._folder]).sources.values():
            for exchange in exchanges:
                if unusable(exchange) is None:
                    runs[exchange.run].append(exchange)
        for run in runs.values():
            run.sort(key=lambda exchange: exchange.seq)
        return sorted(runs.values(), key=lambda run: (run[0].at if run[0].timed else 0.0, run[0].run))


def _calls(runs: Sequence[Sequence[Exchange]], label: str, start: float, random: Random) -> list[Call]:
    """Every call of the runs, the first of them at `start`."""
    tools = _made_up_tools(runs, label)
    calls: list[Call] = []
    earliest = min((run[0].at for run in runs if run[0].timed), default=0.0)
    begin = start
    for run in runs:
        at = start + run[0].at - earliest if run[0].timed else begin
        calls += _run_calls(run, label, at, tools, random)
        begin += random.expovariate(1 / 240.0)
    return sorted(calls, key=lambda call: (call.at, call.key))


def _run_calls(
    run: Sequence[Exchange], label: str, at: float, tools: list[Any], random: Random
) -> Iterator[Call]:
    first = run[0].at
    for number, exchange in enumerate(run):
        body, own = _unmarked(exchange.body)
        if tools and not body.get("tools"):
            body = {**body, "tools": tools}
        output = exchange.usage.output_tokens if exchange.usage is not None else 0
        started = at + exchange.at - first if exchange.timed else at
        first_event = started + 1.2 * random.lognormvariate(0.0, 0.35)
        ended = first_event + output / WRITING
        answer = exchange.response.get("content") if isinstance(exchange.response, Mapping) else None
        yield Call(
            run=exchange.run,
            number=number,
            label=label,
            at=started,
            first_event_at=first_event,
            ended_at=ended,
            body=body,
            own=own,
            answer=tuple(answer or ({"type": "text", "text": "Done."},)),
            output_tokens=output,
        )
        if not exchange.timed:
            at = ended + min(240.0, 4.0 * random.lognormvariate(0.0, 0.9))


def _unmarked(body: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[MarkerEdit, ...]]:
    """The body without markers, and the markers it had."""
    own = [MarkerEdit(block.path, block.ttl) for block in blocks(body) if block.ttl is not None]
    ttl = automatic_ttl(body)
    if ttl is not None:
        own.append(MarkerEdit((), ttl))
    return dict(with_markers(body, [MarkerEdit(edit.path, None) for edit in own])), tuple(own)


def _made_up_tools(runs: Sequence[Sequence[Exchange]], label: str) -> list[Any]:
    """Tools under the names that the runs call, where the definitions were not recorded."""
    if all(exchange.body.get("tools") for run in runs for exchange in run):
        return []
    names = {
        block.value["name"]
        for run in runs
        for block in blocks(run[-1].body)
        if block.kind == "tool_use" and isinstance(block.value, Mapping)
    }
    made = Texts(Random(label)).tools(len(names))
    return [{**tool, "name": name} for tool, name in zip(made, sorted(names), strict=True)]


RECORDED = (
    Recorded("rec-openhands", "openhands_swebench", "OpenHands on SWE-bench tasks, as recorded, times too"),
    Recorded("rec-moatless", "moatless_swebench", "moatless-tools on SWE-bench tasks, as recorded"),
)
