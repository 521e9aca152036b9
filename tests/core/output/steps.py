"""Steps and answers made up for tests of `scrimp.Output`, and an agent that goes through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scrimp.core.levers import Answered, Step
from scrimp.core.output import Output
from scrimp.core.record import Tags
from scrimp.core.task_type import with_task_type
from scrimp.core.workspace import Workspace
from scrimp.facts.models import default
from scrimp.wire.response import Usage

NOON = 1_795_000_000.0
ASKED: dict[str, Any] = {
    "model": "claude-opus-4-5",
    "max_tokens": 4_096,
    "messages": [{"role": "user", "content": "How far is it to the moon?"}],
}


def step_of(
    body: Mapping[str, Any],
    tags: Tags | None = None,
    *,
    now: float = NOON,
    workspace: Workspace | None = None,
) -> Step:
    """A step as the office would show it."""
    held = workspace or Workspace(default())
    model = default().resolve(str(body["model"]))
    return Step(
        dict(body), model, with_task_type(tags or Tags(), body), now, lambda body: held.look(body, now)
    )


def sent(lever: Output, body: Mapping[str, Any], tags: Tags | None = None) -> Mapping[str, Any]:
    """What goes out for a body."""
    change = lever.change(step_of(body, tags))
    return body if change is None else change.body


def answered(tokens: int, reason: str = "end_turn", *, complete: bool = True) -> Answered:
    """An answer of so many tokens."""
    return Answered(Usage(input_tokens=10, output_tokens=tokens), reason, complete, NOON)


def replies(lever: Output, tokens: Sequence[int], body: Mapping[str, Any], tags: Tags | None = None) -> int:
    """Replies that want so many tokens, one after the other; how many of them are cut."""
    cut = 0
    for wanted in tokens:
        step = step_of(body, tags)
        change = lever.change(step)
        given = (body if change is None else change.body)["max_tokens"]
        cut += wanted > given
        lever.answered(step, answered(min(wanted, given), "max_tokens" if wanted > given else "end_turn"))
    return cut
