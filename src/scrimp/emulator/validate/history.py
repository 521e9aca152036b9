"""The order of a conversation: roles, calls and their results, what may stand where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from scrimp.core.carry.history import content_blocks
from scrimp.emulator.asked import NEWEST_VERSION, Asked
from scrimp.emulator.refusals import Refusal, invalid
from scrimp.emulator.validate.shape import content_blocks as all_blocks

__all__ = [
    "amount",
    "empty_text",
    "last_answer",
    "newer_version",
    "pairing",
    "prefill",
    "system_messages",
    "unique_ids",
]

_MOST_MESSAGES = 100_000
_PREFILL = (
    "This model does not support assistant message prefill. The conversation must end with a user message."
)
_SERVER_USES = frozenset({"server_tool_use", "mcp_tool_use", "compaction"})

_THOUGHTS = frozenset({"thinking", "redacted_thinking"})
_ID_FIELDS = {"tool_use": "id", "tool_result": "tool_use_id"}

Numbered = tuple[int, dict[str, Any]]


def amount(asked: Asked) -> Refusal | None:
    """Not too many messages."""
    found = len(asked.messages)
    if found > _MOST_MESSAGES:
        return invalid(f"messages: at most {_MOST_MESSAGES} messages are allowed, found {found}")
    return None


def empty_text(asked: Asked) -> Refusal | None:
    """Text says something; only the last answer may be empty."""
    for path, block in all_blocks(asked.body):
        if block["type"] == "text" and not block["text"] and not block.get("cache_control"):
            section = "system" if path.startswith("system") else "messages"
            return invalid(f"{section}: text content blocks must be non-empty")
    last = len(asked.messages) - 1
    for index, message in enumerate(asked.messages):
        empty = not message["content"] and message["role"] != "system"
        if empty and not (index == last and message["role"] == "assistant"):
            return invalid(
                f"messages.{index}: all messages must have non-empty content "
                "except for the optional final assistant message"
            )
    return None


def newer_version(asked: Asked) -> Refusal | None:
    """What version 2026-10-21 no longer takes inside messages ("Versions")."""
    if asked.version != NEWEST_VERSION:
        return None
    for index, message in enumerate(asked.messages):
        for number, block in enumerate(content_blocks(message)):
            path = f"messages.{index}.content.{number}"
            if message["role"] == "assistant" and block["type"] == "document":
                return invalid(f"{path}: `document` blocks are not permitted in assistant messages")
            if message["role"] == "user" and block["type"] == "text" and block.get("citations"):
                return invalid(f"{path}.text.citations: Extra inputs are not permitted")
    return None


def system_messages(asked: Asked) -> Refusal | None:
    """System messages among the others: on models that have them, after a user turn, before an answer."""
    features = asked.model.features
    runs = [(role, list(run)) for role, run in groupby(enumerate(asked.messages), _role)]
    for place, (role, run) in enumerate(runs):
        if role != "system":
            continue
        index = run[0][0]
        only_effort = all(not message["content"] and "output_config" in message for _, message in run)
        if not (features.mid_conversation_system or (only_effort and features.per_message_effort)):
            return invalid("role 'system' is not supported on this model")
        if place == 0 or not _takes_system_after(*runs[place - 1]):
            return invalid(f"messages.{index}: a system message must follow a user message")
        if place + 1 < len(runs) and runs[place + 1][0] != "assistant":
            return invalid(
                f"messages.{index}: a system message must be last or followed by an assistant message"
            )
    return None


def prefill(asked: Asked) -> Refusal | None:
    """Whether the answer may be begun for the model; a turn paused by server tools is resumed, not begun."""
    if asked.model.features.prefill or not asked.messages:
        return None
    last = asked.messages[-1]
    if last["role"] != "assistant" or _ends_in_server_work(last):
        return None
    return invalid(_PREFILL)


def last_answer(asked: Asked) -> Refusal | None:
    """How the last answer of the conversation must begin and end."""
    last = asked.messages[-1] if asked.messages else {"role": "user", "content": ""}
    if last["role"] == "assistant" and not _ends_in_server_work(last):
        words = last["content"] if isinstance(last["content"], str) else _last_text(last)
        if words != words.rstrip():
            return invalid("messages: final assistant content cannot end with trailing whitespace")
    return _thoughtless(asked) if asked.part("thinking").get("type") == "enabled" else None


def unique_ids(asked: Asked) -> Refusal | None:
    """Calls of one message have ids of their own and one result each; later messages may use them again."""
    for index, message in enumerate(asked.messages):
        seen: set[tuple[str, str]] = set()
        for number, block in enumerate(content_blocks(message)):
            field = _ID_FIELDS.get(block["type"])
            if field is None:
                continue
            key = field, block[field]
            if key in seen:
                return invalid(f"messages.{index}.content.{number}: {_repeated(*key)}")
            seen.add(key)
    return None


def pairing(asked: Asked) -> Refusal | None:
    """Calls are answered in the next turn, and results belong to calls of the turn before.

    Messages of one role in a row are one turn; system messages do not part them.
    """
    spoken = [(index, message) for index, message in enumerate(asked.messages) if message["role"] != "system"]
    turns = [list(run) for _, run in groupby(spoken, _role)]
    for place, turn in enumerate(turns):
        following = turns[place + 1] if place + 1 < len(turns) else []
        open_calls = _unanswered(turn, _results(following))
        if open_calls is not None:
            return open_calls
        strays = _strays(turn, _calls(turns[place - 1]) if place else set())
        if strays is not None:
            return strays
    return None


def _last_text(message: dict[str, Any]) -> str:
    content = content_blocks(message)
    return content[-1]["text"] if content and content[-1]["type"] == "text" else ""


def _thoughtless(asked: Asked) -> Refusal | None:
    """With a thinking budget, a turn that still calls tools begins with the thinking that led to them."""
    for index in range(len(asked.messages) - 1, -1, -1):
        message = asked.messages[index]
        kinds = [block["type"] for block in content_blocks(message)]
        if message["role"] == "assistant" and "tool_use" in kinds and kinds[0] not in _THOUGHTS:
            return invalid(
                f"messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
                f"`{kinds[0]}`. When `thinking` is enabled, a final `assistant` message must start with a "
                "thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks). "
                "We recommend you include thinking blocks from previous turns. "
                "To avoid this requirement, disable `thinking`."
            )
        if message["role"] == "assistant" or set(kinds) != {"tool_result"}:
            return None
    return None


def _repeated(field: str, identity: str) -> str:
    if field == "id":
        return "`tool_use` ids must be unique"
    return f"each tool_use must have a single result. Found multiple `tool_result` blocks with id: {identity}"


def _unanswered(turn: list[Numbered], answered: set[str]) -> Refusal | None:
    for index, message in turn:
        open_calls = [
            block["id"]
            for block in content_blocks(message)
            if block["type"] == "tool_use" and block["id"] not in answered
        ]
        if open_calls:
            return invalid(
                f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately "
                f"after: {', '.join(open_calls)}. Each `tool_use` block must have a corresponding "
                "`tool_result` block in the next message."
            )
    return None


def _strays(turn: list[Numbered], called: set[str]) -> Refusal | None:
    for index, message in turn:
        for number, block in enumerate(content_blocks(message)):
            if block["type"] == "tool_result" and block["tool_use_id"] not in called:
                return invalid(
                    f"messages.{index}.content.{number}: unexpected `tool_use_id` found in `tool_result` "
                    f"blocks: {block['tool_use_id']}. Each `tool_result` block must have a corresponding "
                    "`tool_use` block in the previous message."
                )
    return None


def _calls(turn: Iterable[Numbered]) -> set[str]:
    return {block["id"] for block in _blocks_of(turn) if block["type"] == "tool_use"}


def _results(turn: Iterable[Numbered]) -> set[str]:
    return {block["tool_use_id"] for block in _blocks_of(turn) if block["type"] == "tool_result"}


def _blocks_of(turn: Iterable[Numbered]) -> Iterator[dict[str, Any]]:
    for _, message in turn:
        yield from content_blocks(message)


def _role(numbered: Numbered) -> str:
    return str(numbered[1]["role"])


def _takes_system_after(role: str, run: list[Numbered]) -> bool:
    return role == "user" or _ends_in_server_work(run[-1][1])


def _ends_in_server_work(message: dict[str, Any]) -> bool:
    content = content_blocks(message)
    kind = content[-1]["type"] if content else ""
    return kind in _SERVER_USES or (kind.endswith("_tool_result") and kind != "tool_result")
