"""The last turns of a conversation as far as loops are concerned: what was asked for, and what came of it.

A turn is an answer of the model with what followed it. It is known by digests: of its tool calls (name and
canonical input), or of its text where it calls none, and of what came back, cache markers left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

__all__ = ["POLLING", "Turn", "goes_on", "is_spoken_to", "last_turns", "stretch"]

Block = Mapping[str, Any]

POLLING = (
    "BashOutput",
    "TaskOutput",
    "AgentOutput*",
    "*poll*",
    "*wait*",
    "*sleep*",
    "*status*",
    "*progress*",
)
"""Names of tools that are asked the same again until the answer changes; case does not count."""

_WAITS = re.compile(rb"\b(sleep|wait|watch|poll)\b")
_PENDING = re.compile(
    r"(?i)\b(pending|queued|running|starting|waiting|scheduled|not ready|in[ _-](progress|queue))\b"
)
_FAILED = re.compile(r"(?i)fail|error|not found|no such")
_SHORT = 400
"""Characters of a result that says how something stands; what is longer says more than that."""

_REFUSED = r"(?:denied|rejected|declined|refused|cancell?ed|interrupted)"
_DENIED = re.compile(
    rf"(?i)\buser\b[^.]{{0,40}}\b(?:{_REFUSED}|(?:doesn't|does not|didn't|did not) (?:want|approve|allow))\b"
    rf"|\b{_REFUSED} by (?:the )?user\b"
)
_WORD = re.compile(r"[^\W\d_]+|\d")
_DONE = frozenset(
    {"ok", "okay", "done", "success", "successful", "successfully", "succeeded", "complete", "completed"}
    | {"status", "result", "true", "null", "none", "clicked", "scrolled", "pressed", "typed", "sent", "saved"}
    | {"added", "updated", "created", "deleted", "removed", "inserted", "written", "moved"}
)
"""What tools say that have nothing to tell."""

_REMINDER = re.compile(r"\s*<[a-z]+-[a-z-]+>")
"""How texts begin that a client adds by itself: `<system-reminder>`, `<local-command-stdout>`, …"""

_encoder = msgspec.json.Encoder(order="sorted")


class Turn:
    """One turn. `tool` names the first tool called (None: none was), `asked` is a digest."""

    def __init__(self, tool: str | None, asked: bytes, after: _After, *, waits: bool) -> None:
        self.tool, self.asked = tool, asked
        self._waits, self._after = waits, after

    @cached_property
    def waits(self) -> bool:
        """Whether it asks for something that takes time, by its call or its results: no loop to ask again."""
        said = self._told
        return self._waits or (
            len(said) <= _SHORT and bool(_PENDING.search(said)) and not _FAILED.search(said)
        )

    @cached_property
    def is_weak(self) -> bool:
        """Whether its like says little: somebody wrote the same again, or a tool said no more than "ok".

        Who does something is answered the same however often it is done: a key pressed, a row added.
        """
        if self.tool is None:
            return True
        return len(self._told) <= _SHORT and _DONE.issuperset(_WORD.findall(self._told.lower()))

    @cached_property
    def is_denied(self) -> bool:
        """Whether a person would not have it, who is there and may go on like that."""
        return bool(_DENIED.search(self._told))

    @cached_property
    def came(self) -> bytes | None:
        """The digest of what came back; None where nothing says what it was."""
        after = self._after
        return _digest([after.results, after.said]) if after.whole else None

    @cached_property
    def failed(self) -> bytes | None:
        """The digest of its errors, where every result is one."""
        return _digest(self._after.results) if self._after.fails else None

    @cached_property
    def _told(self) -> str:
        """What its results say; of what is no text only that it is there."""
        blocks = (block for content in self._after.results for block in _parts(content))
        return "\n".join(str(block.get("text", block.get("type"))) for block in blocks)

    def is_like(self, other: Turn) -> bool:
        """Whether the same was asked for and the same came back; results are read where it matters alone."""
        return self.asked == other.asked and self.came is not None and self.came == other.came


class _After(NamedTuple):
    """What followed an answer: results of its calls, `whole` where there is one of each, and words."""

    results: Sequence[Any]
    said: Sequence[str]
    whole: bool
    fails: bool


def last_turns(messages: Sequence[Any], most: int, polling: Sequence[str] = POLLING) -> list[Turn]:
    """The last turns that were answered, newest first; fewer where one is not understood."""
    found: list[Turn] = []
    for answer, after in _pairs(messages):
        turn = _turn(answer, after, polling)
        if turn is None or len(found) == most:
            break
        found.append(turn)
    return found


def stretch(messages: Sequence[Any]) -> int:
    """How many answers the model has given since somebody last wrote to it: all of them for one task."""
    count, in_answer = 0, False
    for message in reversed(messages):
        role = message.get("role") if isinstance(message, Mapping) else None
        if role == "user" and not any(_is_result(block) for block in _blocks(message)):
            break
        count += role == "assistant" and not in_answer
        in_answer = role == "assistant" or (in_answer and role == "system")
    return count


def goes_on(messages: Sequence[Any]) -> bool:
    """Whether the model calls a tool in these messages."""
    answers = (one for one in messages if isinstance(one, Mapping) and one.get("role") == "assistant")
    return any(block.get("type") == "tool_use" for one in answers for block in _blocks(one))


def is_spoken_to(messages: Sequence[Any]) -> bool:
    """Whether somebody writes to the model in these messages, beside results of tools."""
    said = (one for one in messages if isinstance(one, Mapping) and one.get("role") == "user")
    blocks = (block for one in said for block in _blocks(one) if not _is_result(block))
    return any(not _REMINDER.match(str(block.get("text"))) for block in blocks)


def _pairs(messages: Sequence[Any]) -> Iterator[tuple[list[Block], list[Block]]]:
    """Answers with what followed each, newest first; neighbours of one role are one."""
    after: list[Block] = []
    answer: list[Block] = []
    for message in reversed(messages):
        role = message.get("role") if isinstance(message, Mapping) else None
        if role == "assistant":
            answer = [*_blocks(message), *answer]
        elif role == "user":
            if answer:
                yield answer, after
                answer, after = [], []
            after = [*_blocks(message), *after]
    if answer:
        yield answer, after


def _turn(answer: Sequence[Block], after: Sequence[Block], polling: Sequence[str]) -> Turn | None:
    calls = [block for block in answer if block.get("type") == "tool_use"]
    results = {str(block.get("tool_use_id")): block for block in after if _is_result(block)}
    said = [block.get("text") for block in after if block.get("type") == "text"]
    words = [text for text in said if isinstance(text, str) and not (calls and _REMINDER.match(text))]
    if not calls:
        texts = [block.get("text") for block in answer if block.get("type") == "text"]
        asked = _digest(texts) if any(texts) else None
        only_words = _After((), words, whole=True, fails=False)
        return None if asked is None else Turn(None, asked, only_words, waits=False)
    inputs = _packed([[call.get("name"), call.get("input")] for call in calls])
    if inputs is None:
        return None
    answered = [results.get(str(call.get("id"))) for call in calls]
    contents = [_unmarked(result.get("content")) for result in answered if result is not None]
    whole = len(contents) == len(calls)
    fails = whole and all(result is not None and result.get("is_error") is True for result in answered)
    waits = bool(_WAITS.search(inputs)) or any(_polls(call.get("name"), polling) for call in calls)
    return Turn(
        str(calls[0].get("name")), _sealed(inputs), _After(contents, words, whole, fails), waits=waits
    )


def _polls(name: Any, polling: Sequence[str]) -> bool:
    lowered = str(name).lower()
    return any(fnmatchcase(lowered, pattern.lower()) for pattern in polling)


def _is_result(block: Block) -> bool:
    return block.get("type") == "tool_result"


def _blocks(message: Mapping[str, Any]) -> list[Block]:
    return _parts(message.get("content"))


def _parts(content: Any) -> list[Block]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content if isinstance(block, Mapping)] if isinstance(content, list) else []


def _unmarked(content: Any) -> Any:
    """Content with one spelling for one text, and without cache markers, which move from step to step."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        return content
    return [
        {name: value for name, value in block.items() if name != "cache_control"}
        if isinstance(block, Mapping)
        else block
        for block in content
    ]


def _packed(value: Any) -> bytes | None:
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None


def _digest(value: Any) -> bytes | None:
    packed = _packed(value)
    return None if packed is None else _sealed(packed)


def _sealed(packed: bytes) -> bytes:
    return blake2b(packed, digest_size=16).digest()
