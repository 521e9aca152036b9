"""The requests of a made-up run: real Messages bodies with a word for each block, read as any request is.

The words tell blocks apart; their lengths are what the workload says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import msgspec

from scrimp.core.estimate.workload import Workload
from scrimp.core.prompt import Marker, Prompt, Reading, read_prompt

__all__ = ["Request", "Script", "Step", "conversation"]


@dataclass(frozen=True, slots=True)
class Request:
    """One call: its prompt under its markers, tokens up to each position, the last of them in all."""

    prompt: Prompt
    ends: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """The whole prompt."""
        return self.ends[-1]


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a run: the first `positions` of `whole`; the call before it ended at position `before`."""

    whole: Request
    positions: int
    before: int | None

    def request(self, work: Workload) -> Request:
        """The call with the markers of `work`."""
        whole, end = self.whole.prompt, self.positions
        prompt = msgspec.structs.replace(
            whole,
            blocks=whole.blocks[:end],
            digests=whole.digests[:end],
            prefixes=whole.prefixes[:end],
            ranks=whole.ranks[:end],
        )
        return Request(prompt.remarked(_markers(prompt, work, self.before)), self.whole.ends[:end])

    @property
    def tokens(self) -> int:
        """The whole prompt."""
        return self.whole.ends[self.positions - 1]


@dataclass(slots=True)
class Script:
    """A conversation as it is written: blocks with the tokens of each, in render order.

    `cleared` holds the names of the tool results of which `leaves` tokens remain. `positions` counts the
    blocks, `tokens` adds up what they were before anything was cleared.
    """

    system: list[tuple[str, int]] = field(default_factory=list)
    turns: list[tuple[str, list[tuple[str, str, int]]]] = field(default_factory=list)
    cleared: set[str] = field(default_factory=set)
    leaves: int = 0
    positions: int = 0
    tokens: int = 0

    def begin(self, name: str, tokens: int) -> None:
        """Add a block of the system prompt."""
        self.system.append((name, tokens))
        self.positions += 1
        self.tokens += tokens

    def say(self, role: str, *blocks: tuple[str, str, int]) -> None:
        """Add a message; a block is its kind (`text`, `tool_use`, `tool_result`), its name, its tokens."""
        self.turns.append((role, list(blocks)))
        self.positions += len(blocks)
        self.tokens += sum(tokens for _, _, tokens in blocks)

    @property
    def results(self) -> list[tuple[str, int]]:
        """Name and tokens of the tool results that are still there, the oldest first."""
        return [
            (name, tokens)
            for _, blocks in self.turns
            for kind, name, tokens in blocks
            if kind == "tool_result" and name not in self.cleared
        ]

    def lengths(self) -> list[int]:
        """Tokens of each position, in render order."""
        said = [tokens for _, tokens in self.system]
        for _, blocks in self.turns:
            said += [self._left(kind, name, tokens) for kind, name, tokens in blocks]
        return said

    def request(self, reading: Reading) -> Request:
        """The request, without markers."""
        body: dict[str, Any] = {
            "messages": [
                {"role": role, "content": [self._block(kind, name) for kind, name, _ in blocks]}
                for role, blocks in self.turns
            ]
        }
        if self.system:
            body["system"] = [{"type": "text", "text": name} for name, _ in self.system]
        return Request(read_prompt(body, reading), tuple(accumulate(self.lengths())))

    def _left(self, kind: str, name: str, tokens: int) -> int:
        gone = kind == "tool_result" and name in self.cleared
        return min(tokens, self.leaves) if gone else tokens

    def _block(self, kind: str, name: str) -> dict[str, Any]:
        match kind:
            case "tool_use":
                return {"type": "tool_use", "id": name, "name": "tool", "input": {}}
            case "tool_result":
                said = "cleared" if name in self.cleared else name
                return {"type": "tool_result", "tool_use_id": name, "content": said}
            case _:
                return {"type": "text", "text": name}


def conversation(work: Workload, reading: Reading, run: str) -> list[Step]:
    """The calls of one run of `work`, step by step; `run` tells runs apart.

    A prompt only grows until something is cleared: the last one before that begins with all before it.
    """
    script = Script(leaves=work.clear_leaves)
    if work.prefix:
        script.begin("prefix" if work.prefix_shared else f"prefix of {run}", work.prefix)
    script.say("user", ("text", f"task of {run}", work.task))
    positions: list[int] = []
    steps: list[Step] = []
    for number in range(work.steps):
        if number:
            _go_on(script, work, number)
        old = _too_old(script, work)
        if old:
            steps += _steps(script.request(reading), positions, len(steps))
            script.cleared |= old
        positions.append(script.positions)
    return steps + _steps(script.request(reading), positions, len(steps))


def _steps(whole: Request, positions: list[int], first: int) -> list[Step]:
    """The calls from number `first` on, as the beginnings of `whole` that they are."""
    before = [None, *(end - 1 for end in positions)]
    return [Step(whole, positions[at], before[at]) for at in range(first, len(positions))]


def _go_on(script: Script, work: Workload, step: int) -> None:
    """The answer of the call before, and what comes back to it."""
    names = [f"call {step}.{number}" for number in range(work.tool_calls)]
    uses = [("tool_use", name, 0) for name in names]
    script.say("assistant", ("text", f"answer {step}", work.output), *uses)
    results = [("tool_result", name, work.tool_result) for name in names]
    more = [("text", f"more {step}", work.growth)] if work.growth or not names else []
    script.say("user", *results, *more)


def _too_old(script: Script, work: Workload) -> set[str]:
    """The tool results that are cleared now."""
    most = work.clear_above
    if most is None or script.tokens <= most or sum(script.lengths()) <= most:
        return set()
    results = script.results
    old = results[: max(len(results) - work.clear_keep, 0)]
    freed = sum(max(tokens - work.clear_leaves, 0) for _, tokens in old)
    return {name for name, _ in old} if freed and freed >= work.clear_at_least else set()


def _markers(prompt: Prompt, work: Workload, before: int | None) -> list[Marker]:
    """The markers of a kind of caching; `before` is where the call before ended."""
    tail = len(prompt) - 1
    markers: dict[int, Marker] = {}
    if work.caching in ("prefix", "full") and prompt.static_end >= 0:
        markers[prompt.static_end] = Marker(prompt.static_end, work.ttl_of_prefix)
    if work.caching == "full" and work.steps > 1:
        for place in {tail, tail if before is None else before} - set(markers):
            markers[place] = Marker(place, work.ttl)
    if work.caching == "auto":
        markers[tail] = Marker(tail, work.ttl, automatic=True)
    return [markers[place] for place in sorted(markers)]
