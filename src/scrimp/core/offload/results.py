"""The tool results of a request: what each says, which call it answers, and whether the model has seen it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec

from scrimp.core.offload.fetch_tool import FETCH
from scrimp.core.offload.hidden_turn import THINKING
from scrimp.core.offload.source import Hints, hints_of
from scrimp.wire.request import Body

__all__ = [
    "Result",
    "Whose",
    "beginning",
    "find_results",
    "has_fetched",
    "has_thought",
    "hints_around",
    "with_texts",
]

_SAID, _TOLD = 3, 2
"""Texts of the model and of the user before a result that say what is looked for."""


class Whose(msgspec.Struct, frozen=True):
    """The call that a result answers: the tool's name and its input."""

    tool: str
    asked: Any


class Result(msgspec.Struct, frozen=True):
    """One text of a tool result, whole.

    `message`, `block` and `part` say where it stands; `part` is the index in a list of contents, -1 where the
    content is the text itself. `new` says that no answer has followed it yet.
    """

    message: int
    block: int
    part: int
    use: str
    whose: Whose
    text: str
    new: bool


def beginning(body: Body) -> Sequence[Any] | None:
    """The messages before the first answer; None where there is no answer yet, so that all of them are."""
    messages = body["messages"]
    for at, message in enumerate(messages):
        if isinstance(message, Mapping) and message.get("role") == "assistant":
            return cast("Sequence[Any]", messages[:at])
    return None


def has_fetched(body: Body) -> bool:
    """Whether the model has called the tool before in this conversation."""
    return any(block.get("type") == "tool_use" and block.get("name") == FETCH for block in _answers(body))


def has_thought(body: Body) -> bool:
    """Whether there is thinking in this conversation."""
    return any(block.get("type") in THINKING for block in _answers(body))


def find_results(body: Body, least: int) -> list[Result]:
    """The texts of at least so many characters in tool results, errors left out, in their order."""
    uses: dict[str, Whose] = {}
    found: list[Result] = []
    answered = -1
    for at, message in enumerate(body["messages"]):
        if _is_answer(message):
            answered = at
            uses.update(_uses(message.get("content")))
        elif isinstance(message, Mapping):
            found += _results(at, message.get("content"), uses, least)
    return [msgspec.structs.replace(one, new=True) if one.message > answered else one for one in found]


def _results(message: int, content: Any, uses: Mapping[str, Whose], least: int) -> Iterator[Result]:
    for number, block in enumerate(content if isinstance(content, (list, tuple)) else ()):
        if not isinstance(block, Mapping) or block.get("type") != "tool_result" or block.get("is_error"):
            continue
        use = str(block.get("tool_use_id"))
        whose = uses.get(use, Whose("", None))
        for part, text in _texts(block.get("content")):
            if len(text) >= least:
                yield Result(message, number, part, use, whose, text, new=False)


def hints_around(body: Body, result: Result) -> Hints:
    """What is looked for with the call of a new result: its input, the task, and what the model said last."""
    said: list[str] = []
    told: list[str] = []
    for message in reversed(body["messages"][: result.message]):
        texts = list(_plain_texts(message.get("content"))) if isinstance(message, Mapping) else []
        (said if _is_answer(message) else told).extend(reversed(texts))
        if len(said) >= _SAID and len(told) >= _TOLD:
            break
    return hints_of(result.whose.asked, *told[:_TOLD], *said[:_SAID])


def with_texts(body: Body, texts: Sequence[tuple[Result, str]]) -> Body:
    """`body` with other texts in these results, and with nothing else changed; shares what it can."""
    messages = list(body["messages"])
    for result, text in texts:
        message = messages[result.message]
        content = list(message["content"])
        content[result.block] = _replaced(content[result.block], result.part, text)
        messages[result.message] = {**message, "content": content}
    return {**body, "messages": messages}


def _replaced(block: Mapping[str, Any], part: int, text: str) -> Mapping[str, Any]:
    if part < 0:
        return {**block, "content": text}
    parts = list(block["content"])
    parts[part] = {**parts[part], "text": text}
    return {**block, "content": parts}


def _answers(body: Body) -> Iterator[Mapping[str, Any]]:
    """The blocks of all answers."""
    for message in body["messages"]:
        content = message.get("content") if _is_answer(message) else None
        for block in content if isinstance(content, (list, tuple)) else ():
            if isinstance(block, Mapping):
                yield block


def _is_answer(message: Any) -> bool:
    return isinstance(message, Mapping) and message.get("role") == "assistant"


def _uses(content: Any) -> Iterator[tuple[str, Whose]]:
    for block in content if isinstance(content, (list, tuple)) else ():
        if isinstance(block, Mapping) and block.get("type") == "tool_use":
            yield str(block.get("id")), Whose(str(block.get("name")), block.get("input"))


def _texts(content: Any) -> Iterator[tuple[int, str]]:
    """The texts of a result's content, by index."""
    if isinstance(content, str):
        yield -1, content
    elif isinstance(content, (list, tuple)):
        for number, part in enumerate(content):
            text = part.get("text") if isinstance(part, Mapping) and part.get("type") == "text" else None
            if isinstance(text, str):
                yield number, text


def _plain_texts(content: Any) -> Iterator[str]:
    """What a message says outside of tool results."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, (list, tuple)):
        yield from (text for _, text in _texts(content))
