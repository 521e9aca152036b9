"""Calls as an agent makes them: bodies without markers, when they start and answer, the caller's own habit.

A `Population` is many runs of one shape. Everything in it follows from the seed, the shape and the stream;
what agents of a shape share (tools, instructions) follows from the seed and the shape alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from benchmarks.caching.texts import Texts
from scrimp.wire.markers import MarkerEdit

__all__ = ["BETWEEN", "LEARNING_STARTS", "WRITING", "Call", "Habit", "Population", "Scenario", "Talk"]

Json = dict[str, Any]

Habit = Callable[[Mapping[str, Any]], Sequence[MarkerEdit]]
"""Where a caller puts its own markers in a body."""

WRITING = 70.0
"""Output tokens a second, after the first event."""

LEARNING_STARTS = 1_793_696_400.0  # 2026-11-03, 09:00 UTC

BETWEEN = 86_400.0
"""Seconds from the end of the learning population to the judged one: nothing is cached any more."""


class Call(msgspec.Struct, frozen=True):
    """One request with its answer; times in epoch seconds, `body` without any marker.

    `own` are the caller's markers. `answer` are the blocks the model says, whatever the strategy.
    """

    run: str
    number: int
    label: str
    at: float
    first_event_at: float
    ended_at: float
    body: Json
    own: tuple[MarkerEdit, ...]
    answer: tuple[Json, ...]
    output_tokens: int

    @property
    def key(self) -> str:
        """The call's name within its population."""
        return f"{self.run}/{self.number}"


class Population:
    """Many runs of one shape, in the making."""

    def __init__(self, name: str, seed: int, stream: str, *, runs: int, start: float) -> None:
        self.name = name
        self.runs = runs
        self.start = start
        self.stream = stream
        self.random = Random(f"{seed} {name} {stream}")
        self.texts = Texts(self.random)
        self.calls: list[Call] = []
        self._seed = seed

    def fixed(self, part: str) -> Texts:
        """Texts that every population of the shape has in common."""
        return Texts(Random(f"{self._seed} {self.name} shared {part}"))

    def arrivals(self, mean_gap: float) -> Iterator[tuple[str, float]]:
        """A name and a start for each run, at random `mean_gap` seconds apart on average."""
        at = self.start
        for number in range(self.runs):
            yield f"{self.stream}{number}", at
            at += self.random.expovariate(1 / mean_gap)

    def uniform(self, low: float, high: float) -> float:
        """Seconds, or anything else, between two bounds."""
        return self.random.uniform(low, high)

    def around(self, median: float, spread: float = 0.6) -> float:
        """A positive value whose logarithm is normal: mostly near `median`, sometimes several times it."""
        return median * self.random.lognormvariate(0.0, spread)

    def in_order(self) -> list[Call]:
        """Every call by its start."""
        return sorted(self.calls, key=lambda call: (call.at, call.run, call.number))


class Scenario(msgspec.Struct, frozen=True):
    """A named shape: `about` in one line, and what fills a population with its calls.

    `expert` are the fixed markers of somebody who knows what traffic of this shape is like.
    """

    name: str
    about: str
    fill: Callable[[Population], None]
    expert: Habit

    def populations(self, *, seed: int, runs: int) -> tuple[list[Call], list[Call]]:
        """The calls of `runs` runs to learn from, and those of as many others to be judged by."""
        learning = self._population(seed, "learn", runs, LEARNING_STARTS)
        start = max(call.ended_at for call in learning) + BETWEEN
        return learning, self._population(seed, "judge", runs, start)

    def _population(self, seed: int, stream: str, runs: int, start: float) -> list[Call]:
        made = Population(self.name, seed, stream, runs=runs, start=start)
        self.fill(made)
        return made.in_order()


class Talk:
    """One conversation: what was said so far, and the calls that said it."""

    def __init__(self, made: Population, run: str, label: str, habit: Habit, fixed: Json) -> None:
        """`fixed` is the body without its messages."""
        self.made = made
        self.run = run
        self.label = label
        self.habit = habit
        self.fixed: Json = {"max_tokens": 8192, **fixed}
        self.messages: list[Json] = []
        self.ended_at = made.start
        self._asked = 0

    def user(self, content: str | Sequence[Json]) -> None:
        """The user, or a tool, says something."""
        self.messages.append(
            {"role": "user", "content": content if isinstance(content, str) else list(content)}
        )

    def ask(self, at: float, answer: Sequence[Json]) -> float:
        """Call the model at `at`; its answer joins the conversation. Returns when it ended."""
        made = self.made
        body = {**self.fixed, "messages": list(self.messages)}
        if self.fixed.get("thinking", {}).get("type") == "adaptive":
            answer = [made.texts.thinking(made.around(900)), *answer]
        output = 20 + sum(len(repr(block)) for block in answer) // 4
        first = at + made.around(1.2, 0.35)
        self.ended_at = first + output / WRITING
        made.calls.append(
            Call(
                run=self.run,
                number=self._asked,
                label=self.label,
                at=at,
                first_event_at=first,
                ended_at=self.ended_at,
                body=body,
                own=tuple(self.habit(body)),
                answer=tuple(answer),
                output_tokens=output,
            )
        )
        self._asked += 1
        self.messages.append({"role": "assistant", "content": list(answer)})
        return self.ended_at

    def use_tools(self, at: float, count: int, *, result_bytes: float = 1_500.0) -> float:
        """Call the model at `at`; it calls `count` tools, whose results are the next user turn."""
        texts, made = self.made.texts, self.made
        uses = [texts.tool_use(self.fixed["tools"]) for _ in range(count)]
        ended = self.ask(at, [texts.block(made.around(160)), *uses])
        self.user([texts.tool_result(use, min(60_000, made.around(result_bytes, 0.9))) for use in uses])
        return ended

    def say(self, at: float, size: float = 600.0) -> float:
        """Call the model at `at`; it answers with text."""
        return self.ask(at, [self.made.texts.block(self.made.around(size))])
