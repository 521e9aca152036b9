"""Messages responses and what they billed: `usage` of a response, of a stream, of Bedrock's Converse.

Field names and meanings follow the Messages API reference (`Message`, `Usage`, `MessageDeltaUsage`, and the
beta's `iterations` and `fallback_credit`). All counts are tokens unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from scrimp.errors import ResponseError
from scrimp.wire.loads import loads

__all__ = [
    "CacheCreation",
    "Iteration",
    "OutputTokensDetails",
    "Response",
    "ServerToolUse",
    "TokenCounts",
    "Usage",
    "read_response",
    "read_usage",
    "usual_usage",
]

_ANSWERS = frozenset({"message", "fallback_message"})
"""Iterations whose counts the top-level usage includes; compaction and advisor work is billed on top."""


class CacheCreation(msgspec.Struct, frozen=True, gc=False):
    """Cache writes by the lifetime they were written with."""

    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0

    @property
    def total(self) -> int:
        """Tokens written at either lifetime."""
        return self.ephemeral_5m_input_tokens + self.ephemeral_1h_input_tokens


class ServerToolUse(msgspec.Struct, frozen=True, gc=False):
    """Requests to tools the provider runs (counts of requests, not tokens)."""

    web_search_requests: int = 0
    web_fetch_requests: int = 0
    code_execution_requests: int = 0


class OutputTokensDetails(msgspec.Struct, frozen=True, gc=False):
    """The part of `output_tokens` that was internal reasoning; the total already includes it."""

    thinking_tokens: int = 0


class TokenCounts(msgspec.Struct, frozen=True, gc=False):
    """The counts that a whole response and each of its iterations share."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation: CacheCreation | None = None

    @property
    def total_input(self) -> int:
        """Every token of the prompt: plain, written and read (the API counts them apart)."""
        return self.input_tokens + self.cache_creation_input_tokens + self.cache_read_input_tokens

    @property
    def split_known(self) -> bool:
        """Whether the writes are known by lifetime (nothing written needs no split)."""
        written = self.cache_creation_input_tokens
        return written == 0 if self.cache_creation is None else self.cache_creation.total == written

    @property
    def write_5m(self) -> int:
        """Tokens written for five minutes: all that no split gives to one hour (5m is the API's default)."""
        return self.cache_creation_input_tokens - self.write_1h

    @property
    def write_1h(self) -> int:
        """Tokens written for one hour, never more than were written at all."""
        split = self.cache_creation
        return 0 if split is None else min(split.ephemeral_1h_input_tokens, self.cache_creation_input_tokens)


class Iteration(TokenCounts, frozen=True, kw_only=True, gc=False):
    """One sampling inside a response: `message`, `compaction`, `advisor_message` or `fallback_message`.

    `model` is None where the response's own model did the work.
    """

    type: str
    model: str | None = None

    @property
    def in_total(self) -> bool:
        """Whether the top-level counts include this iteration (compaction and advisor work is on top)."""
        return self.type in _ANSWERS


class Usage(TokenCounts, frozen=True, gc=False):
    """Billed usage of one response.

    `reports_cache` is False where the cache fields were absent altogether (old recordings, Bedrock without
    caching): reads and writes are then zero because nothing was said, not because nothing happened.
    `fallback_credit` is what became of a presented credit token: `redeemed` or `not_applied`.
    """

    server_tool_use: ServerToolUse | None = None
    output_tokens_details: OutputTokensDetails | None = None
    iterations: tuple[Iteration, ...] | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    fallback_credit: str | None = None
    reports_cache: bool = True

    def merged(self, later: Mapping[str, object]) -> Usage:
        """This usage after a `message_delta`: its cumulative fields overwrite, what it lacks stays.

        Raises ResponseError as `read_usage` does.
        """
        return _resplit(msgspec.structs.replace(self, **_told(later)))


class Response(msgspec.Struct, frozen=True):
    """A Messages response: the parts that matter for money, and the whole body they were read from.

    `raw` is the very bytes received (None when read from a mapping); `body` keeps every field.
    """

    body: Mapping[str, Any]
    raw: bytes | None
    id: str | None
    model: str | None
    stop_reason: str | None
    content: list[dict[str, Any]]
    usage: Usage


def read_response(body: bytes | Mapping[str, Any]) -> Response:
    """Read the JSON body of a successful Messages call.

    Raises ResponseError when it is not JSON, is an error body, or carries no usage to meter.
    """
    raw = body if isinstance(body, bytes) else None
    message = decoded(body) if isinstance(body, bytes) else body
    if message.get("type") == "error":
        raise ResponseError("response is an error body, not a message: read it with read_error")
    usage = message.get("usage")
    if not isinstance(usage, Mapping) or usage.get("input_tokens") is None:
        raise ResponseError("response.usage.input_tokens is missing: nothing to meter in this body")
    content = message.get("content")
    return Response(
        body=message,
        raw=raw,
        id=_text(message.get("id"), "response.id"),
        model=_text(message.get("model"), "response.model"),
        stop_reason=_text(message.get("stop_reason"), "response.stop_reason"),
        content=[block for block in content if isinstance(block, dict)] if isinstance(content, list) else [],
        usage=read_usage(usage),
    )


def decoded(raw: bytes) -> Mapping[str, Any]:
    """The JSON object in `raw`; raises ResponseError when it holds anything else."""
    try:
        body = loads(raw)
    except ValueError as error:
        raise ResponseError(f"response is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise ResponseError(f"response is a JSON {type(body).__name__}, expected an object")
    return body


def read_usage(usage: Mapping[str, object]) -> Usage:
    """Read the `usage` of a Messages response, or of a Bedrock Converse one (`inputTokens`, …).

    Nulls mean zero or absent and unknown fields are ignored. Raises ResponseError, naming the field, for a
    count that is negative or not an integer (booleans included) and for a part of the wrong shape.
    """
    fields = _told_by_converse(usage) if "inputTokens" in usage else _told(usage)
    return _resplit(Usage(**{"reports_cache": False, **fields}))


def usual_usage(literal: bytes) -> Usage | None:
    """What `read_usage` makes of the JSON in `literal`; None where that has not the usual form.

    Nearly all usages are alike, and decoded straight into what they are read as. A count that is not stated
    is 0. Raises msgspec.DecodeError for what is no JSON.
    """
    # With this field the usage does report on the cache.
    # (Not by `in`: between bytes it makes an error first, and forgets it.)
    if literal.find(_CACHE_FIELD) < 0:
        return None
    try:
        usage = _usual.decode(literal)
    except msgspec.ValidationError:
        return None
    split, written = usage.cache_creation, usage.cache_creation_input_tokens
    counts = usage.input_tokens | usage.output_tokens | written | usage.cache_read_input_tokens
    if split is not None:
        counts |= split.ephemeral_5m_input_tokens | split.ephemeral_1h_input_tokens
    more = usage.iterations or usage.server_tool_use or usage.output_tokens_details
    if counts < 0 or (more and literal.find(b"-") >= 0):  # no count may be negative
        return None
    if split is None:
        return None if written else usage
    return usage if split.ephemeral_5m_input_tokens + split.ephemeral_1h_input_tokens == written else None


_CACHE_FIELD = b'"cache_read_input_tokens"'
_usual = msgspec.json.Decoder(Usage)


def _told(usage: Mapping[str, object]) -> dict[str, Any]:
    """The fields of Usage that a Messages API mapping really states (present and not null)."""
    told = _told_counts(usage, "usage")
    if "cache_read_input_tokens" in told or "cache_creation_input_tokens" in told:
        told["reports_cache"] = True
    if (tools := _part(usage, "server_tool_use", "usage")) is not None:
        told["server_tool_use"] = ServerToolUse(
            **_counts(tools, ServerToolUse.__struct_fields__, "usage.server_tool_use")
        )
    if (details := _part(usage, "output_tokens_details", "usage")) is not None:
        told["output_tokens_details"] = OutputTokensDetails(
            **_counts(details, OutputTokensDetails.__struct_fields__, "usage.output_tokens_details")
        )
    if (credit := _part(usage, "fallback_credit", "usage")) is not None:
        status = _part(credit, "status", "usage.fallback_credit") or {}
        told["fallback_credit"] = _text(status.get("type"), "usage.fallback_credit.status.type")
    if (iterations := usage.get("iterations")) is not None:
        told["iterations"] = _iterations(iterations)
    for name in ("service_tier", "speed", "inference_geo"):
        if (text := _text(usage.get(name), f"usage.{name}")) is not None:
            told[name] = text
    return told


def _told_counts(usage: Mapping[str, object], where: str) -> dict[str, Any]:
    names = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    told: dict[str, Any] = _counts(usage, names, where)
    if (split := _part(usage, "cache_creation", where)) is not None:
        told["cache_creation"] = CacheCreation(
            **_counts(split, CacheCreation.__struct_fields__, f"{where}.cache_creation")
        )
    return told


def _iterations(listed: object) -> tuple[Iteration, ...]:
    if not isinstance(listed, list | tuple):
        raise ResponseError(f"usage.iterations is {type(listed).__name__}, expected a list")
    read = []
    for index, item in enumerate(listed):
        where = f"usage.iterations[{index}]"
        if not isinstance(item, Mapping):
            raise ResponseError(f"{where} is {type(item).__name__}, expected an object")
        kind = _text(item.get("type"), f"{where}.type") or "message"
        model = _text(item.get("model"), f"{where}.model")
        read.append(Iteration(type=kind, model=model, **_told_counts(item, where)))
    return tuple(read)


def _told_by_converse(usage: Mapping[str, object]) -> dict[str, Any]:
    """The same fields from Bedrock's `TokenUsage`, where plain, read and written tokens are apart as well."""
    names = {
        "inputTokens": "input_tokens",
        "outputTokens": "output_tokens",
        "cacheReadInputTokens": "cache_read_input_tokens",
        "cacheWriteInputTokens": "cache_creation_input_tokens",
    }
    told: dict[str, Any] = {names[name]: count for name, count in _counts(usage, names, "usage").items()}
    if "cache_read_input_tokens" in told or "cache_creation_input_tokens" in told:
        told["reports_cache"] = True
    details = usage.get("cacheDetails")
    if not isinstance(details, list) or not all(isinstance(part, Mapping) for part in details):
        return told
    by_ttl = {"5m": 0, "1h": 0}
    for index, part in enumerate(details):
        if (ttl := part.get("ttl")) not in by_ttl:
            return told
        by_ttl[ttl] += _counts(part, ("inputTokens",), f"usage.cacheDetails[{index}]").get("inputTokens", 0)
    told["cache_creation"] = CacheCreation(by_ttl["5m"], by_ttl["1h"])
    return told


def _resplit(usage: Usage) -> Usage:
    """Settle a 5m/1h split that does not add up to the writes it should split.

    A stream states the split once, at its start, and overwrites the total later: a compaction's writes are
    in the first and leave the second. The iterations of the answer itself give the split where they add
    up. Otherwise a total that fell below its split leaves the split unknown, and one that grew beyond it
    keeps it: the rest then counts as written for 5 minutes, which is what server-tool results get.
    """
    total, split = usage.cache_creation_input_tokens, usage.cache_creation
    if split is None or split.total == total:
        return usage
    own = [i.cache_creation or CacheCreation() for i in usage.iterations or () if i.in_total]
    settled = CacheCreation(
        sum(part.ephemeral_5m_input_tokens for part in own),
        sum(part.ephemeral_1h_input_tokens for part in own),
    )
    if settled.total == total:
        return msgspec.structs.replace(usage, cache_creation=settled)
    return usage if total > split.total else msgspec.structs.replace(usage, cache_creation=None)


def _counts(source: Mapping[str, object], names: Iterable[str], where: str) -> dict[str, int]:
    """The counts stated under `names`, nulls left out."""
    counts = {}
    for name in names:
        count = source.get(name)
        if count is None:
            continue
        if type(count) is not int or count < 0:
            raise ResponseError(f"{where}.{name} is {count!r}, expected a whole number of at least 0")
        counts[name] = count
    return counts


def _part(source: Mapping[str, object], name: str, where: str) -> Mapping[str, object] | None:
    part = source.get(name)
    if part is not None and not isinstance(part, Mapping):
        raise ResponseError(f"{where}.{name} is {type(part).__name__}, expected an object")
    return part


def _text(value: object, where: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ResponseError(f"{where} is {type(value).__name__}, expected a string")
    return value
