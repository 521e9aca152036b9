"""Asking a model for the words of a session state, in the cheaper of two ways.

The agent's own model may go on from its own prompt, of which the cache still holds most, and pays its own
prices. Another model reads the old turns as a text that no cache holds, at prices of its own. What costs
less is worked out from both models' prices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from scrimp.core.summarize.obligations import Obligation
from scrimp.core.summarize.parting import Parted, Sizes, length
from scrimp.facts.model import Model

__all__ = ["Asking", "asking", "own_prompt_is_cheaper"]

Message = Mapping[str, Any]

_ANSWER = 1_500
"""Tokens that a summary has, by the default limit below and what models write under it."""

_MOST = 4_000
_LONGEST_RESULT = 4_000
"""Characters of one tool result that another model is shown."""

_NOT_FOR_IT = frozenset({"messages", "max_tokens", "stream", "stop_sequences", "model", "thread"})
_TASK = (
    "Write down the state of this session for whoever takes it up: the goal, what was asked for and what was "
    "forbidden, what was found out and decided and why, what was changed where, what failed, and what is "
    "still open. Be brief and exact, at most 600 words; names, paths and numbers word for word. "
    "Call no tool, and answer with that text alone."
)


class Asking(msgspec.Struct, frozen=True):
    """A request for a summary, and whether it goes on from the agent's own prompt."""

    request: Mapping[str, Any]
    own: bool


def asking(
    parted: Parted, messages: Sequence[Message], *, agent: Mapping[str, Any] | None, other: str, own: bool
) -> Asking:
    """The request; `agent` is the agent's own, `other` the model that is asked otherwise."""
    if own and agent is not None:
        rest = {name: value for name, value in agent.items() if name not in _NOT_FOR_IT}
        thinking = agent.get("thinking")
        budget = thinking.get("budget_tokens", 0) if isinstance(thinking, Mapping) else 0
        asked = {"role": "user", "content": [{"type": "text", "text": _TASK}]}
        whole = {"model": agent["model"], "max_tokens": _MOST + budget, "messages": [*messages, asked]}
        return Asking({**rest, **whole}, own=True)
    text = "\n\n".join(_shown(messages[at]) for at in parted.gone)
    known = _listed(parted)
    content = f"<session>\n{text}\n</session>\n\n{known}{_TASK}"
    request = {"model": other, "max_tokens": _MOST, "messages": [{"role": "user", "content": content}]}
    return Asking(request, own=False)


def own_prompt_is_cheaper(
    parted: Parted, messages: Sequence[Message], *, sizes: Sizes, cached: int, other: Model
) -> bool:
    """Whether reading the agent's prompt again, `cached` tokens of it from the cache, costs less."""
    whole = max(length(messages, sizes), cached)
    own = sizes.model.rates(prompt_tokens=whole)
    old = length([messages[at] for at in parted.gone], Sizes(other))
    cheap = other.rates(prompt_tokens=old)
    by_own = cached * own.read + (whole - cached) * own.input + _ANSWER * own.output
    return by_own <= old * cheap.input + _ANSWER * cheap.output


def _listed(parted: Parted) -> str:
    if parted.before is None:
        return ""
    earlier: list[Obligation] = parted.before.obligations
    said = "\n".join([parted.before.words, *(one.text for one in earlier)])
    return f"Before that:\n{said}\n\n"


def _shown(message: Message) -> str:
    content = message.get("content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content or ()
    return "\n".join(
        f"{message.get('role')}: {_block(block)}" for block in blocks if isinstance(block, Mapping)
    )


def _block(block: Mapping[str, Any]) -> str:
    match block.get("type"):
        case "text":
            return str(block.get("text"))
        case "tool_use":
            given = msgspec.json.encode(block.get("input")).decode()
            return f"calls {block.get('name')} {given[:_LONGEST_RESULT]}"
        case "tool_result":
            content = block.get("content")
            texts = content if isinstance(content, list) else [{"text": content}]
            said = "\n".join(str(part.get("text") or "") for part in texts if isinstance(part, Mapping))
            return f"result: {said[:_LONGEST_RESULT]}"
        case kind:
            return f"({kind})"
