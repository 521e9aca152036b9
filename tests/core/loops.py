"""Agent loops made up for what-if tests: tool uses with results, every block's tokens stated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from itertools import accumulate
from typing import Any

from scrimp.core.prompt import Reading, read_prompt
from scrimp.core.recorded import RecordedCall
from scrimp.core.reproduce import Measured
from scrimp.core.tokens.estimator import Estimate, Sized
from scrimp.facts.models import default
from scrimp.wire.response import Usage
from tests.core.recordings import CLOSING, RULES

SYSTEM, TASK, ASK, RESULT = 2_000, 500, 50, 1_000
"""Tokens of the system prompt, the task, a tool use and its result."""

Step = Sequence[int]
"""One step of a loop: the tokens of each result of its parallel tool uses."""

Says = Callable[[int, int], str]
"""What the use or result `number` of step `step` says."""


def loop(
    steps: Sequence[Step],
    *,
    model: str = "claude-opus-5",
    gap: float = 10.0,
    start: float = 0.0,
    run: str = "run",
    asked: Says = lambda step, number: f"ask {step} {number}",
    told: Says = lambda step, number: f"told {step} {number}",
    nested: bool = False,
    thinking: int = 0,
    tool: Callable[[int], str] = lambda _: "look",
    spoken: Sequence[int] = (),
) -> list[Measured]:
    """A call before the first step and one after each; every prompt is marked at its end for five minutes.

    `nested` puts what a result says into a block of its own; `thinking` are tokens thought in each step.
    After the steps in `spoken` the model answers and the user goes on (10 tokens each), no call between.
    """
    messages: list[dict[str, Any]] = [{"role": "user", "content": [text(f"task of {run}")]}]
    sizes = [SYSTEM, TASK]
    calls = [_measured(messages, sizes, model, start, run, 0)]
    for step, results in enumerate(steps):
        uses, answers = [], []
        thought = [{"type": "thinking", "thinking": f"hm {step}", "signature": "s"}] if thinking else []
        for number in range(len(results)):
            name = f"t{step}.{number}"
            uses.append(
                {"type": "tool_use", "id": name, "name": tool(step), "input": {"q": asked(step, number)}}
            )
            said: Any = told(step, number)
            content = [text(said)] if nested else said
            answers.append({"type": "tool_result", "tool_use_id": name, "content": content})
        messages += [
            {"role": "assistant", "content": [*thought, *uses]},
            {"role": "user", "content": answers},
        ]
        sizes += [thinking] * bool(thinking) + [ASK] * len(results)
        for size in results:
            sizes += [size, 0] if nested else [size]
        if step in spoken:
            messages += [{"role": "assistant", "content": [text(f"done {step}")]}]
            messages += [{"role": "user", "content": [text(f"go on {step}")]}]
            sizes += [10, 10]
        calls.append(_measured(messages, sizes, model, start + gap * (step + 1), run, step + 1))
    return calls


def text(said: str) -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": said}


def ids(measured: Measured, kind: str) -> list[str]:
    """The ids of the tool uses (or results) of a prompt, in order."""
    field = "id" if kind == "tool_use" else "tool_use_id"
    return [block.value[field] for block in measured.call.prompt.blocks if block.kind == kind]


def totals(calls: Sequence[Measured]) -> list[int]:
    """The input of each call in tokens."""
    return [one.call.usage.total_input for one in calls]


def _measured(
    messages: list[dict[str, Any]], sizes: list[int], model_id: str, at: float, run: str, seq: int
) -> Measured:
    model = default().resolve(model_id)
    body = {"system": [text("system")], "messages": [dict(message) for message in messages]}
    last = dict(messages[-1])
    last["content"] = [*last["content"][:-1], {**last["content"][-1], "cache_control": {"type": "ephemeral"}}]
    body["messages"] = [*messages[:-1], last]
    total = sum(sizes) + CLOSING
    around = [0.0] * (len(sizes) - 1) + [float(CLOSING)]
    call = RecordedCall(
        run=run,
        seq=seq,
        at=at,
        timed=True,
        day=date(2026, 11, 1),
        workspace="anthropic source",
        source="source",
        where=f"{run}:{seq}",
        model=model,
        prompt=read_prompt(body, Reading(key=model.id)),
        sized=Sized([float(size) for size in sizes], around, Estimate(total, total, total)),
        rules=RULES,
        usage=Usage(input_tokens=total, output_tokens=100),
        complete=True,
        server_tools=False,
    )
    return Measured(call, list(accumulate(sizes)), model.rates(call.day, prompt_tokens=total))
