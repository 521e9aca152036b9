"""What the lines of a Claude Code session file say of money, and nothing else of them.

The rules are those of `conversations`: answers of the model (a sub-agent's inside a `progress` line) that
carry a usage, no synthetic message and no API error; of the lines of one call, which share a message id, the
fullest usage counts. Usual lines are decoded straight into these structs, many at a time; where one line has
another form, each of them goes through the field by field reading that every line has there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec

from scrimp.errors import ResponseError
from scrimp.traces.transcript_lines import EMPTY, line_decoder, sub_agent_decoder
from scrimp.traces.transcript_usage import usage_of
from scrimp.wire.response import Usage

__all__ = ["MOST_TOKENS", "Answer", "Answers", "Counted", "Split", "take_each", "take_lines"]

MOST_TOKENS = 10**10
"""More than this in one count is no bill but a broken file."""

Count = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]

_SYNTHETIC = "<synthetic>"
_USER = b'"type":"user"'
_TO_SUB_AGENT = b'"type":"progress","data":{"message":{'
_OPENS = _TO_SUB_AGENT.index(b"{") - len(_TO_SUB_AGENT)
_HEAD = 500
"""Bytes of a line in which its own type is looked for: past its ids, folder, version and branch."""
_LONG = 4096
"""Bytes. Shorter lines are decoded sooner than looked at."""


class Split(msgspec.Struct, omit_defaults=True, gc=False):
    """Tokens written by the lifetime they were written with."""

    ephemeral_5m_input_tokens: Count = 0
    ephemeral_1h_input_tokens: Count = 0


class Counted(msgspec.Struct, omit_defaults=True, gc=False):
    """A usage of the usual form; what is rarely more than zero stays JSON until it is known to count."""

    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_creation_input_tokens: Count = 0
    cache_read_input_tokens: Count = 0
    cache_creation: Split | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    iterations: msgspec.Raw = EMPTY
    server_tool_use: msgspec.Raw = EMPTY
    fallback_credit: msgspec.Raw = EMPTY


class _Message(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    usage: Counted | None = None


class _Carried(msgspec.Struct, gc=False):
    """A line of a sub-agent, inside one of the main conversation."""

    type: str | None = None
    timestamp: str | None = None
    message: _Message | None = None


class _Data(msgspec.Struct, rename="camel", gc=False):
    type: str | None = None
    agent_id: str | None = None
    message: _Carried | str | None = None


class _Line(msgspec.Struct, rename="camel", gc=False):
    """A line of a session: when it was written (ISO 8601), whose it is, and what answer it carries."""

    type: str | None = None
    timestamp: str | None = None
    is_sidechain: bool | None = None
    is_api_error_message: bool | None = None
    message: _Message | None = None
    data: _Data | None = None


class Answer(msgspec.Struct, gc=False):
    """The first line of an answer, with the fullest usage of all its lines. `at` is ISO 8601."""

    model: str
    at: str | None
    sub_agent: bool
    usage: Counted


Answers = dict[str, Answer]
"""Answers by message id."""

_STAYS_JSON = (b'"iterations"', b'"server_tool_use"', b'"fallback_credit"')

_lines = msgspec.json.Decoder(_Line)
_counted = msgspec.json.Decoder(Counted)


def take_lines(lines: bytearray, end: int, into: Answers) -> None:
    """Take the answers of the whole lines up to `end`.

    Raises msgspec.DecodeError or UnicodeDecodeError where a line is not of the usual form, having taken some
    of them: `take_each` then takes them all, and taking a line twice changes nothing.
    """
    with memoryview(lines) as view:
        for start, stop in _worth_decoding(lines, end):
            _take(_lines.decode_lines(view[start:stop]), into)


def _worth_decoding(lines: bytearray, end: int) -> Iterator[tuple[int, int]]:
    """Where lines are that may carry an answer: all but the long ones that say they are a user's.

    What tools gave is most of a session.
    """
    find, last = lines.find, lines.rfind
    start = at = 0
    while at + _LONG < end:
        if after := last(b"\n", at, at + _LONG) + 1:  # short lines, passed several at a time
            at = after
            continue
        after = find(b"\n", at + _LONG, end) + 1 or end
        if _is_a_users(lines, at):
            if at > start:
                yield start, at
            start = after
        at = after
    if end > start:
        yield start, end


def _is_a_users(lines: bytearray, at: int) -> bool:
    """Whether the line from `at` on says so itself, or carries one to a sub-agent that does.

    Where no brace but the line's own stands before `"type":"user"`, that is the line's own type: in a string
    its quotes would be escaped. Where `_TO_SUB_AGENT` has the first ones, it is the type of what is carried.
    """
    said = lines.find(_USER, at, at + _HEAD)
    if said < 0:
        return False
    opens = lines.find(b"{", at + 1, said)
    return opens < 0 or (opens == said + _OPENS and lines.endswith(_TO_SUB_AGENT, at, said))


def _take(lines: Iterable[_Line], into: Answers) -> None:
    for line in lines:
        message = line.message
        if message is None or (usage := message.usage) is None:
            if (data := line.data) is not None and type(data.message) is _Carried and data.message.message:
                _take_carried(line, data, data.message, into)
            continue
        if line.type != "assistant" or line.is_api_error_message or (name := message.id) is None:
            continue
        known = into.get(name)
        if known is not None:
            if usage != known.usage:
                known.usage = _fuller(usage, known.usage)
        elif message.model != _SYNTHETIC:
            into[name] = Answer(message.model or "", line.timestamp, line.is_sidechain is True, usage)


def _take_carried(line: _Line, data: _Data, carried: _Carried, into: Answers) -> None:
    if line.type == "progress" and data.type == "agent_progress" and data.agent_id is not None:
        # An API error is marked on the line that carries the answer.
        said = _Line(
            carried.type,
            carried.timestamp or line.timestamp,
            is_sidechain=True,
            is_api_error_message=line.is_api_error_message,
            message=carried.message,
        )
        _take([said], into)


def _fuller(later: Counted, before: Counted) -> Counted:
    """Of two usages of one call the one that counts: early lines of a streamed answer hold placeholders."""
    more = later.input_tokens + later.cache_creation_input_tokens + later.cache_read_input_tokens
    most = before.input_tokens + before.cache_creation_input_tokens + before.cache_read_input_tokens
    is_fuller = later.output_tokens >= before.output_tokens if more == most else more > most
    return later if is_fuller else before


def take_each(lines: bytes, into: Answers) -> Iterator[tuple[int, str]]:
    """Take the answers line by line; yields the number, from 1, of each that cannot be read, and why."""
    for number, raw in enumerate(lines.split(b"\n"), start=1):
        if not raw or raw.isspace():
            continue
        if not _is_usual(raw, into) and (reason := _take_unusual(raw, into)) is not None:
            yield number, reason


def _is_usual(raw: bytes, into: Answers) -> bool:
    """Take a line if it is of the usual form in every part."""
    if any(rare in raw for rare in _STAYS_JSON):
        return False
    try:
        _take([_lines.decode(raw)], into)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _take_unusual(raw: bytes, into: Answers) -> str | None:
    """Take a line of no usual form as every line is taken elsewhere; why it cannot be read, or None."""
    try:
        _take([_read_whole(raw)], into)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ResponseError) as error:
        return str(error) or type(error).__name__
    return None


def _read_whole(raw: bytes) -> _Line:
    line = line_decoder.decode(raw)
    role, message, at, sub_agent = line.type, line.message, line.timestamp, line.is_sidechain
    data = line.data
    if (
        role == "progress"
        and data is not None
        and data.type == "agent_progress"
        and data.agent_id is not None
    ):
        carried = sub_agent_decoder.decode(data.message)
        role, message, at, sub_agent = carried.type, carried.message, carried.timestamp or at, True
    usage = usage_of(message.usage) if message is not None and role == "assistant" else None
    if message is None or usage is None:
        return _Line()
    counted = _Message(message.id, message.model, _as_counted(usage))
    return _Line(role, at, sub_agent, line.is_api_error_message, counted)


def _as_counted(usage: Usage) -> Counted:
    """A usage read field by field, in the usual form. Raises ResponseError for counts beyond any bill."""
    fields = {name: value for name, value in msgspec.to_builtins(usage).items() if value is not None}
    if usage.fallback_credit is not None:
        fields["fallback_credit"] = {"status": {"type": usage.fallback_credit}}
    try:
        return _counted.decode(msgspec.json.encode(fields))
    except msgspec.ValidationError:
        raise ResponseError(
            f"usage counts more than {MOST_TOKENS:,} tokens: the file is broken here"
        ) from None
