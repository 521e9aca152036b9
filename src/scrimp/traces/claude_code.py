"""What Claude Code does that decides whether a call still finds its prefix in the cache.

Observed in recorded sessions; the version numbers are the client's.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from scrimp.core.continuity import Scope, Step
from scrimp.facts.models import resolve

if TYPE_CHECKING:
    from scrimp.traces.transcript_calls import TranscriptCall

__all__ = [
    "ANSWER_BYTES_PER_TOKEN",
    "RESULT_BYTES_PER_TOKEN",
    "has_one_marker",
    "home_of",
    "is_resumed",
    "loads_tools",
    "step_of",
    "thinking_after",
]

THINKING_BY_PROMPT = ((2, 1, 13), (2, 1, 38))
"""Versions that asked for thinking prompt by prompt: what skills, commands and plans start ran without it."""

TOOLS_IN_PREFIX = ((2, 1, 109), (2, 1, 208))
"""Versions in which the first tool loaded by a tool search changed the prompt before the messages."""

ONE_MARKER_SINCE = (2, 1, 42)
"""Earlier versions also marked the message before the last, where the parent's entry ends: turns of up to 27
blocks still read it. Since then turns of 20 blocks do and turns of 27 do not."""

DESKTOP = "claude-desktop"
NUMBER = re.compile(r"\d+")
ANSWER_BYTES_PER_TOKEN = 3.8
RESULT_BYTES_PER_TOKEN = 3.1
"""Bytes of a tool result to a token, the median of results that were billed apart."""


@lru_cache(maxsize=256)
def version_of(text: str | None) -> tuple[int, ...]:
    """A client version as numbers to compare; empty where unknown."""
    return tuple(int(number) for number in NUMBER.findall(text or "")[:3])


def home_of(folder: str | None) -> str:
    """The first three parts of a working directory: whose machine it is."""
    return "/".join((folder or "").replace("\\", "/").split("/")[:3])


def thinking_after(call: TranscriptCall, *, before: bool | None) -> bool | None:
    """The thinking setting a call was sent with, given the setting of its parent; None where unknown."""
    first, last = THINKING_BY_PROMPT
    if not first <= version_of(call.version) <= last:
        return None
    if call.new.thinking is not None:
        return call.new.thinking
    return before is not False


def loads_tools(call: TranscriptCall) -> bool:
    """Whether the call brings a tool definition that stands before the messages."""
    first, last = TOOLS_IN_PREFIX
    return call.new.tool_references > 0 and first <= version_of(call.version) <= last


def has_one_marker(call: TranscriptCall) -> bool:
    """Whether no message but the last carries a marker."""
    return version_of(call.version) >= ONE_MARKER_SINCE


def is_resumed(call: TranscriptCall) -> bool:
    """Whether the client was restarted since the parent call; it then renders the first messages anew.

    The command line says so. The desktop app does not, but leaves out the line that closes a turn.
    """
    if any(hook.startswith("SessionStart:resume") for hook in call.new.hooks):
        return True
    new = call.new
    return call.entrypoint == DESKTOP and new.prompts > 0 and not new.tools and not new.turn_closed


def step_of(
    call: TranscriptCall, parent: TranscriptCall | None, scope: Scope, *, at: float, thinking: bool | None
) -> Step:
    """A call as the continuity model sees it before it is answered. `parent` is the call it extends."""
    new = call.new
    turn_ended = parent is not None and parent.reply.tool_uses == 0 and not new.tools
    answer_blocks = parent.reply.blocks if parent is not None else 0
    return Step(
        id=call.message_id,
        parent=call.parent_id,
        scope=scope,
        at=at,
        total=call.usage.total_input,
        begins=not call.parent_lost,
        prompted=turn_ended and new.prompts > 0,
        typed_bytes=new.text_bytes + new.result_bytes,
        answer=_answer_tokens(parent) if parent is not None else None,
        touched_at=new.touched_at,
        thinking=thinking,
        drops_thinking=not resolve(call.model).features.thinking_kept,
        planning=new.permission_mode == "plan",
        compacted=new.compacted,
        resumed=is_resumed(call),
        switches_effort=_switches_effort(call, parent),
        one_marker=has_one_marker(call),
        blocks=new.blocks + answer_blocks,
        answer_blocks=answer_blocks,
        unmarked=round(new.trailing_bytes / RESULT_BYTES_PER_TOKEN),
    )


def _switches_effort(call: TranscriptCall, parent: TranscriptCall | None) -> bool:
    recorded = [one.effort for one in (call, parent) if one is not None and one.effort is not None]
    return "effort" in call.new.commands or len(set(recorded)) > 1


def _answer_tokens(call: TranscriptCall) -> int | None:
    """How long an answer is as input: as billed where recorded, by its text where nothing is hidden."""
    if call.output_reliable:
        return call.usage.output_tokens
    if call.reply.thinking_blocks:
        return None
    return round((call.reply.text_bytes + call.reply.tool_use_bytes) / ANSWER_BYTES_PER_TOKEN)
