"""Tasks for a smaller model, or one made for them: many calls that all look easy.

A task is what calls to one model share: their label, their tools and their system prompt. Whether it is easy
is judged by what recordings show – short answers, no thinking, few steps, no tools used – and never by the
answers' quality, which no recording proves: whoever moves a task should test it on cases of their own first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import median_low

import msgspec

from scrimp.core.prompt import Digest
from scrimp.core.recorded import RecordedCall
from scrimp.core.replay import POLICIES, replay
from scrimp.core.reproduce import Measured
from scrimp.core.whatif.chosen import EVERY
from scrimp.core.whatif.model import OtherModel
from scrimp.facts.model import Model

__all__ = ["EASY_OUTPUT", "MANY_CALLS", "SmallerModel", "Task", "tasks_for_smaller"]

MANY_CALLS = 50
"""Calls of one task from which on it counts as many."""
EASY_OUTPUT = 300
"""Tokens of the middle answer that is still short, where nine in ten answers are within three times that."""
_FEW_STEPS = 2
_RARELY = 0.05

_Key = tuple[str, str | None, Digest | None]


class Task(msgspec.Struct, frozen=True):
    """The calls of one task, with what tells how hard they are; shares of one, output in tokens.

    `steps` is calls to a run, the middle of all runs. `example` is where one of the calls was recorded.
    """

    label: str | None
    model: str
    calls: int
    runs: int
    output: int
    output_p90: int
    steps: int
    thinking: float
    using_tools: float
    example: str

    @property
    def many(self) -> bool:
        """Whether there are enough of them to bother."""
        return self.calls >= MANY_CALLS

    @property
    def easy(self) -> bool:
        """Whether nothing that was recorded says that the task is hard."""
        short = self.output <= EASY_OUTPUT and self.output_p90 <= 3 * EASY_OUTPUT
        rarely = self.thinking <= _RARELY and self.using_tools <= _RARELY
        return short and rarely and self.steps <= _FEW_STEPS


class SmallerModel(msgspec.Struct, frozen=True):
    """A task on a smaller model: the bill of its calls now and then, picodollars, under their own markers."""

    task: Task
    to: str
    before: int
    after: int

    @property
    def saved(self) -> int:
        """What the smaller model saves."""
        return self.before - self.after


def tasks_for_smaller(calls: Sequence[Measured], models: Sequence[Model]) -> list[SmallerModel]:
    """Each task of one source that is easy and frequent, on the cheapest of `models`; most saved first."""
    groups: dict[_Key, list[Measured]] = defaultdict(list)
    for one in calls:
        groups[_key(one.call)].append(one)
    found = []
    for together in groups.values():
        task = _task([one.call for one in together])
        if task.many and task.easy:
            found += _cheapest(task, together, models)
    return sorted(found, key=lambda one: -one.saved)


def _key(call: RecordedCall) -> _Key:
    end = call.prompt.static_end
    return call.model.id, call.label, call.prompt.prefixes[end] if end >= 0 else None


def _task(calls: Sequence[RecordedCall]) -> Task:
    outputs = sorted(call.usage.output_tokens for call in calls)
    runs = Counter(call.run for call in calls)
    return Task(
        label=calls[0].label,
        model=calls[0].model.id,
        calls=len(calls),
        runs=len(runs),
        output=median_low(outputs),
        output_p90=outputs[(9 * len(outputs) - 1) // 10],
        steps=median_low(runs.values()),
        thinking=sum(map(_thinks, calls)) / len(calls),
        using_tools=sum(map(_uses_tools, calls)) / len(calls),
        example=calls[0].where,
    )


def _thinks(call: RecordedCall) -> bool:
    details = call.usage.output_tokens_details
    if details is not None and details.thinking_tokens:
        return True
    return any(block.kind in {"thinking", "redacted_thinking"} for block in call.prompt.blocks)


def _uses_tools(call: RecordedCall) -> bool:
    return call.server_tools or any(block.kind == "tool_use" for block in call.prompt.blocks)


def _cheapest(task: Task, calls: Sequence[Measured], models: Sequence[Model]) -> list[SmallerModel]:
    before = _bill(calls)
    bills = [
        SmallerModel(task, model.id, before, _bill(OtherModel(EVERY, model).apply(calls).calls))
        for model in models
        if model.id != task.model and all(one.call.usage.total_input <= model.window for one in calls)
    ]
    best = min(bills, key=lambda one: one.after, default=None)
    return [best] if best is not None and best.saved > 0 else []


def _bill(calls: Sequence[Measured]) -> int:
    return sum(one.input_cost + one.output_cost for one in replay(calls, POLICIES["recorded"]()))
