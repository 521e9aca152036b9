"""How often `scrimp.LoopGuard` would have stopped recorded agents: false alarms, and loops that were real.

    python -m benchmarks.loops TRACES

Every conversation is walked through step by step with the defaults, as the guard would have seen it; limits
of steps are learned per source, from conversations before. An alarm counts as false unless the conversation
is one of those that were looked at and found to go round in circles.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from benchmarks.recorded_conversations import Conversation, conversations
from scrimp.core.levers import Answered, Change, Step
from scrimp.core.loop_guard import LoopGuard
from scrimp.core.record import Tags
from scrimp.errors import LoopStopped
from scrimp.facts.models import default
from scrimp.wire.response import Usage

__all__ = ["REAL_LOOPS", "Alarm", "alarms"]

REAL_LOOPS = (
    "test_tool_choice[anthropic-list-single-tool]",  # a forced tool: get_weather Paris, 50 times
    "test_anthropic_agent_kickoff_structured_output_with_tools",  # the same structured output, 25 times
)
"""Conversations that go round in circles, by a part of their name: each was read."""


class Alarm(NamedTuple):
    """A conversation that the guard would have stopped: why, and before which of its answers."""

    conversation: Conversation
    stopped: LoopStopped
    answer: int

    @property
    def real(self) -> bool:
        """Whether it went round in circles indeed."""
        return any(name in self.conversation.name for name in REAL_LOOPS)


def alarms(recorded: Iterable[Conversation], seen: Counter[str]) -> list[Alarm]:
    """What the guard stops; `seen` counts conversations and answers by source."""
    guard, found = LoopGuard(), []
    for one in recorded:
        stopped = _walked(guard, one, seen)
        if stopped is not None:
            found.append(stopped)
    return found


def _walked(guard: LoopGuard, one: Conversation, seen: Counter[str]) -> Alarm | None:
    model, tags = default().resolve(one.model), Tags(agent=f"{one.source} {one.name.split('/')[0]}")
    seen[one.source] += 1
    answers = 0
    for at, message in enumerate(one.messages):
        if message["role"] != "assistant":
            continue
        step = Step({"model": one.model, "messages": one.messages[:at]}, model, tags, 0.0, lambda _: None)
        change: Change | None = guard.change(step)
        if change is not None and isinstance(change.error, LoopStopped):
            return Alarm(one, change.error, answers)
        answers += 1
        seen[f"{one.source} answers"] += 1
        calls = any(
            isinstance(block, dict) and block.get("type") == "tool_use" for block in message["content"]
        )
        guard.answered(step, Answered(Usage(), "tool_use" if calls else "end_turn", complete=True, at=0.0))
    return None


def main(traces: Path) -> None:
    """Print what is found by source."""
    seen: Counter[str] = Counter()
    found = alarms(conversations(traces), seen)
    sources = [source for source in seen if not source.endswith(" answers")]
    print(f"{'source':24} {'conversations':>13} {'answers':>8} {'false alarms':>12} {'loops found':>11}")
    for source in sources:
        here = [alarm for alarm in found if alarm.conversation.source == source]
        real = sum(alarm.real for alarm in here)
        counts = f"{seen[source]:13,} {seen[f'{source} answers']:8,} {len(here) - real:12} {real:11}"
        print(f"{source:24} {counts}")
    for alarm in found:
        kind = "loop" if alarm.real else "FALSE"
        print(f"{kind}: {alarm.conversation.name}, before answer {alarm.answer + 1}: {alarm.stopped}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
