"""Why prefixes were missed: billed calls go through the watch that live traffic goes through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec

from scrimp.core.causes import Cause, Diagnosis
from scrimp.core.diagnose import Call as Sent
from scrimp.core.diagnose import Watch, Watched
from scrimp.core.lengths import Lengths
from scrimp.core.money import usd
from scrimp.core.prompt import Prompt, read_prompt
from scrimp.core.settings import cache_settings
from scrimp.core.tokens.estimator import Estimator, Ruler, read_settings
from scrimp.core.workspace import cache_rules, reading
from scrimp.emulator.provider import day_at
from scrimp.facts.model import Model
from scrimp.facts.models import default
from scrimp.testing.recording import Call, Recording
from scrimp.wire.response import Usage

__all__ = ["Miss", "explained", "misses"]

_AT_ONCE = 1e-3
"""Seconds an answer takes where the clock stands still."""

_MOST_SHOWN = 8
_MOST_NUMBERS = 12


class Miss(msgspec.Struct, frozen=True):
    """A call that did not read all it could have, and why."""

    call: Call
    diagnosis: Diagnosis

    @property
    def reason(self) -> tuple[Cause, str]:
        """What it has in common with others: the cause, and the block."""
        return self.diagnosis.cause, self.diagnosis.path


class _Workspace:
    """The watch of one workspace, and what its bills revealed of lengths."""

    def __init__(self, estimators: dict[str, Estimator], ruler: Ruler) -> None:
        self.watch = Watch()
        self._lengths = Lengths()
        self._estimators = estimators
        self._ruler = ruler

    def sent(self, call: Call, body: Mapping[str, Any]) -> Watched:
        """The request went out."""
        billed, facts = call.billed, default()
        name = str(body.get("model", ""))
        model, day, total = facts.resolve(name), day_at(billed.started_at), billed.usage.total_input
        prompt = read_prompt(body, reading(facts, model, day))
        effort = model.features.default_effort or "high"
        sent = Sent(
            prompt=prompt,
            settings=cache_settings(body, model=prompt.model, default_effort=effort),
            ends=self._lengths.ends(prompt, self._sizes(prompt, body, model, name), total),
            total=total,
            rules=cache_rules(facts, model, "anthropic", day),
            model=model,
            day=day,
            at=billed.started_at,
            wrote_for=_AT_ONCE,
            run="this run",  # calls of one test are to share what they begin with
        )
        return self.watch.expect(sent)

    def billed(self, watched: Watched, usage: Usage) -> Diagnosis | None:
        """Its bill is known."""
        found = self.watch.judge(watched, usage)
        self._lengths.reveal(watched.call.prompt, usage)
        return found

    def _sizes(self, prompt: Prompt, body: Mapping[str, Any], model: Model, name: str) -> Sequence[float]:
        estimator = self._estimators.get(name)
        if estimator is None:
            estimator = self._estimators[name] = Estimator(model, spelling=name, ruler=self._ruler)
        return estimator.measure(prompt.blocks, read_settings(body), prompt.digests).sizes


def misses(recording: Recording) -> list[Miss]:
    """Every call that missed something, in the order of the calls; first calls are none.

    Of a part of a run too: what was written before it could have been read in it. The next turns of a thread
    that the API holds are not judged: the rest of their prompts is not in the requests.
    """
    of_interest = {call.billed.request_id: call for call in recording.calls}
    workspaces: dict[str, _Workspace] = {}
    estimators: dict[str, Estimator] = {}
    ruler = Ruler()
    under_way: dict[int, Watched] = {}
    found: dict[int, Miss] = {}
    for call, stage in _in_time_order(Recording(recording.emulator).calls):
        at = workspaces.get(call.billed.workspace)
        if at is None:
            at = workspaces[call.billed.workspace] = _Workspace(estimators, ruler)
        if stage == "sent":
            body = call.body
            if body is not None and not _continues_thread(body):
                under_way[call.number] = at.sent(call, body)
        elif call.number not in under_way:
            continue
        elif stage == "began":
            at.watch.began(under_way[call.number], call.billed.first_event_at)
        else:
            diagnosis = at.billed(under_way.pop(call.number), call.billed.usage)
            asked = of_interest.get(call.billed.request_id)
            if asked is not None and diagnosis is not None and diagnosis.cause is not Cause.FIRST:
                found[asked.number] = Miss(asked, diagnosis)
    return [found[number] for number in sorted(found)]


def explained(found: Sequence[Miss]) -> list[str]:
    """Misses for people: each reason once, as the first call shows it, and which calls share it."""
    reasons: dict[tuple[Cause, str], list[Miss]] = {}
    for miss in found:
        reasons.setdefault(miss.reason, []).append(miss)
    lines = [line for alike in list(reasons.values())[:_MOST_SHOWN] for line in _told(alike)]
    if len(reasons) > _MOST_SHOWN:
        lines.append(f"  and {len(reasons) - _MOST_SHOWN:,} more reasons")
    return lines


def _told(alike: Sequence[Miss]) -> Iterator[str]:
    """Misses for one reason."""
    first, *others = alike
    told = first.diagnosis.describe(excerpts=True).splitlines()
    yield f"  call {first.call.number}: {told[0]}"
    yield from (f"  {line}" for line in told[1:])
    if others:
        numbers = [str(miss.call.number) for miss in others[:_MOST_NUMBERS]]
        if len(others) > _MOST_NUMBERS:
            numbers.append("…")
        lost = usd(sum(miss.diagnosis.lost for miss in others))
        yield f"    the same of {'call' if len(others) == 1 else 'calls'} {', '.join(numbers)}: ${lost} more"


def _in_time_order(calls: Sequence[Call]) -> Iterator[tuple[Call, str]]:
    """What happened: requests sent, answers begun and ended. At the same instant, one call after another."""
    events: list[tuple[float, int, int, Call, str]] = []
    for call in calls:
        billed = call.billed
        times = (billed.started_at, billed.first_event_at, billed.ended_at)
        for stage, at in zip(("sent", "began", "billed"), times, strict=True):
            events.append((at, call.number, len(events), call, stage))
    events.sort(key=itemgetter(0, 1, 2))
    return ((call, stage) for *_, call, stage in events)


def _continues_thread(body: Mapping[str, Any]) -> bool:
    thread = body.get("thread")
    return isinstance(thread, Mapping) and thread.get("type") == "continue"
