"""Requests that are wrong in every way we could think of, as bytes; the same ones for the same seed.

Every text and key in them is a canary: nothing of it may be found in what the gateway writes.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import cycle, islice
from random import Random
from typing import Any, NamedTuple

__all__ = ["CANARY", "Case", "Wrong", "cases"]

CANARY = "PROMPT-CANARY"
KEY_CANARY = "sk-KEY-CANARY"
BODY_LIMIT = 200_000
HEAD_LIMIT = 16_384

REFUSED = frozenset({400, 401, 404, 408, 413, 431})


class Case(NamedTuple):
    """What is sent, and which statuses may come back.

    `closes`: the client sends no more after it, so that the answer may be none at all. `answers`: how many.
    `slow`: byte by byte.
    """

    name: str
    data: bytes
    statuses: frozenset[int] = REFUSED
    closes: bool = False
    answers: int = 1
    slow: bool = False


class Wrong:
    """Makes cases. `secret` is a good virtual key."""

    def __init__(self, seed: int, secret: str) -> None:
        self.random = Random(seed)  # noqa: S311 - makes up tests
        self.secret = secret

    def text(self) -> str:
        """Something a prompt may hold."""
        return f"{CANARY}-{self.random.getrandbits(64):016x} äöü 🦙"

    def body(self, **changed: Any) -> dict[str, Any]:
        """A good request."""
        messages = [{"role": "user", "content": self.text()}]
        return {"model": "claude-haiku-4-5", "max_tokens": 8, "messages": messages, **changed}

    def request(
        self,
        body: bytes = b"",
        *more: str,
        method: str = "POST",
        path: str = "/v1/messages",
        key: str | None = None,
        length: str | None = None,
    ) -> bytes:
        """A request with `more` header lines; without `length` its body's own."""
        lines = [
            f"{method} {path} HTTP/1.1",
            "host: gateway",
            f"x-api-key: {self.secret if key is None else key}",
            "anthropic-version: 2023-06-01",
            "content-type: application/json",
            *more,
            f"content-length: {len(body) if length is None else length}",
        ]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body

    def good(self) -> bytes:
        """A good request, as bytes."""
        return self.request(json.dumps(self.body()).encode())


@cache
def _bomb() -> bytes:
    return gzip.compress(b"{" + b" " * 20 * BODY_LIMIT)


def cases(seed: int, secret: str, count: int) -> Iterator[Case]:
    """`count` of them, every kind in turn."""
    wrong = Wrong(seed, secret)
    return (make(wrong) for make in islice(cycle(_KINDS), count))


def _kind(make: Callable[[Wrong], Case]) -> Callable[[Wrong], Case]:
    _KINDS.append(make)
    return make


_KINDS: list[Callable[[Wrong], Case]] = []
_OK = frozenset({200})
_ANY = frozenset({200, *REFUSED, 403, 405, 501})


@_kind
def _good(wrong: Wrong) -> Case:
    return Case("good", wrong.good(), _OK)


@_kind
def _truncated_json(wrong: Wrong) -> Case:
    body = json.dumps(wrong.body()).encode()
    return Case(
        "truncated JSON", wrong.request(body[: wrong.random.randrange(1, len(body))]), frozenset({400})
    )


@_kind
def _truncated_body(wrong: Wrong) -> Case:
    whole = wrong.good()
    return Case("truncated body", whole[: wrong.random.randrange(10, len(whole) - 1)], _ANY, closes=True)


@_kind
def _not_an_object(wrong: Wrong) -> Case:
    body = wrong.random.choice(
        [b"[]", b"null", b"3", b'"' + wrong.text().encode() + b'"', b"", b" ", b"\x00"]
    )
    return Case("not an object", wrong.request(body), frozenset({400}))


@_kind
def _wrong_types(wrong: Wrong) -> Case:
    odd: Sequence[Any] = (
        None,
        5,
        -1,
        1.5,
        True,
        "x",
        [],
        {},
        [[]],
        [None],
        {"type": 3},
        [{"type": None}],
        "",
    )
    names = (
        *("model", "messages", "system", "tools", "max_tokens", "metadata", "thinking", "tool_choice"),
        *("stream", "stop_sequences", "temperature", "cache_control", "context_management", "service_tier"),
    )
    changed = {
        name: wrong.random.choice(odd) for name in wrong.random.sample(names, wrong.random.randrange(1, 4))
    }
    return Case("wrong types", wrong.request(json.dumps(wrong.body(**changed)).encode()), _ANY)


@_kind
def _wrong_blocks(wrong: Wrong) -> Case:
    random, text = wrong.random, wrong.text()
    blocks: list[Any] = [
        {"type": "text"},
        {"type": "text", "text": None},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": text}},
        {"type": "tool_result", "tool_use_id": None, "content": [[text]]},
        {"type": "tool_use", "id": 1, "name": {}, "input": text},
        {"type": "thinking", "thinking": text, "signature": 5},
        {"type": text, text: text},
        {
            "type": "text",
            "text": text,
            "cache_control": random.choice([3, [], {}, {"type": "x"}, {"ttl": 1}]),
        },
        {"type": "document", "source": text},
        7,
        None,
        text,
    ]
    roles = ["user", "assistant", "system", "", None, 3, text]
    messages = [
        {
            "role": random.choice(roles),
            "content": random.choice([blocks, random.sample(blocks, 3), text, None, 1]),
        }
        for _ in range(random.randrange(1, 5))
    ]
    return Case("wrong blocks", wrong.request(json.dumps(wrong.body(messages=messages)).encode()), _ANY)


@_kind
def _missing(wrong: Wrong) -> Case:
    body = wrong.body()
    for name in wrong.random.sample(list(body), wrong.random.randrange(1, 3)):
        del body[name]
    return Case("missing members", wrong.request(json.dumps(body).encode()), frozenset({400}))


@_kind
def _deep(wrong: Wrong) -> Case:
    depth = wrong.random.choice([90, 900, 5_000, 90_000])
    opening = wrong.random.choice(["[", '{"a":'])
    value = opening * depth + ("]" * depth if opening == "[" else "1" + "}" * depth)
    if wrong.random.random() < 0.5:
        value = (
            '{"model":"claude-haiku-4-5","max_tokens":8,"messages":[{"role":"user","content":' + value + "}]}"
        )
    return Case("deep nesting", wrong.request(value.encode()[: BODY_LIMIT - 1]), frozenset({400, 413}))


@_kind
def _deep_tool(wrong: Wrong) -> Case:
    schema: Any = {"type": "string", "description": wrong.text()}
    for _ in range(wrong.random.choice([10, 200, 400])):
        schema = {"type": "object", "properties": {"a": schema}}
    tools = [{"name": "t", "input_schema": schema}]
    return Case("deep schema", wrong.request(json.dumps(wrong.body(tools=tools)).encode()), _ANY)


@_kind
def _odd_numbers(wrong: Wrong) -> Case:
    number = wrong.random.choice(
        ["1e400", "-0", "NaN", "Infinity", "9" * 400, "1E+2", "01", "0x10", "1_000", "8.0"]
    )
    body = json.dumps(wrong.body(max_tokens=0)).replace('"max_tokens": 0', f'"max_tokens": {number}')
    return Case("odd numbers", wrong.request(body.encode()), _ANY)


@_kind
def _invalid_utf8(wrong: Wrong) -> Case:
    bad = wrong.random.choice([b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xc0\xaf"])
    body = (
        json.dumps(wrong.body(), ensure_ascii=False).encode().replace(CANARY.encode(), CANARY.encode() + bad)
    )
    # An encoded surrogate is read by lenient readers: then it is the upstream's to judge.
    statuses = frozenset({200, 400}) if bad == b"\xed\xa0\x80" else frozenset({400})
    return Case("invalid UTF-8", wrong.request(body), statuses)


@_kind
def _surrogates(wrong: Wrong) -> Case:
    body = json.dumps(wrong.body()).replace(
        CANARY, CANARY + wrong.random.choice(["\\ud800", "\\udfff\\ud83d", "\\u0000"])
    )
    return Case("lone surrogates", wrong.request(body.encode()), _ANY)


@_kind
def _duplicates(wrong: Wrong) -> Case:
    body = json.dumps(wrong.body())
    twice = wrong.random.choice(
        ['"model": "claude-opus-4-5", ', '"messages": [], ', '"max_tokens": "x", ', '"model": 4, ']
    )
    return Case("duplicate members", wrong.request(("{" + twice + body[1:]).encode()), _ANY)


@_kind
def _too_large(wrong: Wrong) -> Case:
    return Case("too large, announced", wrong.request(b"{", length=str(BODY_LIMIT * 100)), frozenset({413}))


@_kind
def _too_large_sent(wrong: Wrong) -> Case:
    body = json.dumps(wrong.body(system=wrong.text() + "x" * BODY_LIMIT)).encode()
    chunk = b"%x\r\n%b\r\n" % (len(body), body)
    head = wrong.request(b"", "transfer-encoding: chunked").replace(b"content-length: 0\r\n", b"")
    return Case("too large, in chunks", head + chunk, frozenset({413}), closes=True)


@_kind
def _huge_header(wrong: Wrong) -> Case:
    return Case("huge header", wrong.request(b"{}", f"x-a: {CANARY}{'a' * HEAD_LIMIT}"), frozenset({431}))


@_kind
def _huge_path(wrong: Wrong) -> Case:
    return Case("huge path", wrong.request(b"{}", path="/v1/" + "a" * HEAD_LIMIT), frozenset({431, 414, 400}))


@_kind
def _many_headers(wrong: Wrong) -> Case:
    return Case(
        "many headers", wrong.request(b"{}", *(f"x-{n}: {n}" for n in range(3_000))), frozenset({431})
    )


@_kind
def _some_headers(wrong: Wrong) -> Case:
    more = [f"x-{n}: {wrong.random.getrandbits(32)}" for n in range(200)]
    return Case("two hundred headers", wrong.request(json.dumps(wrong.body()).encode(), *more), _OK)


@_kind
def _odd_headers(wrong: Wrong) -> Case:
    line = wrong.random.choice(
        [
            *("x-a", ": b", "x a: b", "x-a : b", "x-a: b\r\n folded", "x-a: \x00", "x-a: \x7f\x01"),
            *("content-length: 3", "transfer-encoding: gzip, chunked", "transfer-encoding: identity"),
            *("x-stainless-retry-count: 99999999999999999999", "x-stainless-retry-count: -1"),
            *("x-claude-code-session-id: a/@", "anthropic-beta: ,,", "traceparent: 00-zz-zz-zz"),
            *("expect: 100-continue", "connection: upgrade", "te: trailers", "x-a: ä\udcff"),
        ]
    )
    data = wrong.request(json.dumps(wrong.body()).encode(), line)
    return Case("odd header lines", data, _ANY, closes=True)


@_kind
def _odd_tags(wrong: Wrong) -> Case:
    name = wrong.random.choice(["run", "user", "team", "task-type", "agent"])
    value = wrong.random.choice(
        ["a/" * 500, "@", "/", "a@", "\udcff\udcfe", "x" * 5_000, "%00", "'; DROP TABLE records;--"]
    )
    data = wrong.request(json.dumps(wrong.body()).encode(), f"x-scrimp-{name}: {value}")
    return Case("odd tags", data, _ANY)


@_kind
def _odd_metadata(wrong: Wrong) -> Case:
    user = wrong.random.choice(
        ['{"session_id":', '{"session_id":5}', "[" * 5_000, "\\u0000", "x" * 2_000, '{"session_id":"s/@"}']
    )
    return Case(
        "odd metadata", wrong.request(json.dumps(wrong.body(metadata={"user_id": user})).encode()), _ANY
    )


@_kind
def _wrong_length(wrong: Wrong) -> Case:
    length = wrong.random.choice(
        ["-1", "abc", "1e3", "99999999999999999999", "0x10", "5, 5", "", "+5", "5 5"]
    )
    return Case(
        "wrong content-length", wrong.request(b"{}", length=length), frozenset({400, 413}), closes=True
    )


@_kind
def _chunked_garbage(wrong: Wrong) -> Case:
    head = wrong.request(b"", "transfer-encoding: chunked").replace(b"content-length: 0\r\n", b"")
    tail = wrong.random.choice(
        [
            b"zz\r\n{}\r\n0\r\n\r\n",
            b"-5\r\n{}\r\n",
            b"ffffffffffffffffff\r\n{}",
            b"2;a=b\r\n{}\r\n0\r\nx: y\r\n\r\n",
        ]
    )
    return Case("chunked garbage", head + tail, _ANY, closes=True)


@_kind
def _both_lengths(wrong: Wrong) -> Case:
    data = wrong.request(b"2\r\n{}\r\n0\r\n\r\n", "transfer-encoding: chunked")
    return Case("length and chunks", data, frozenset({400}), closes=True)


@_kind
def _unknown_path(wrong: Wrong) -> Case:
    path = wrong.random.choice(
        [
            *(
                "/v1/./messages",
                "/v1/%6dessages",
                "/V1/messages",
                "/v1/messages%3Bx",
                "/v1/messages/%2e",
                "/v1\\messages",
            ),
            *("/", "/v1", "/v1/nothing", "/v2/messages", "/v1/messages/../../etc/passwd", "/v1//messages"),
            *("/v1/messages%2f", "/%00", "/v1/messages/batches/x/../y", "//evil.example/v1/messages", "*"),
            *(
                "/v1/messages?" + "a" * 3_000,
                "/metrics/../v1/messages",
                "/v1/\udcff",
                "/.env",
                "/v1/messages;x",
            ),
        ]
    )
    data = wrong.request(json.dumps(wrong.body()).encode(), path=path)
    return Case("unknown path", data, _ANY, closes=True)


@_kind
def _unknown_method(wrong: Wrong) -> Case:
    method = wrong.random.choice(
        ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "FOO", "post", "PO ST"]
    )
    data = wrong.request(json.dumps(wrong.body()).encode(), method=method)
    return Case(f"method {method}", data, _ANY, closes=True)


@_kind
def _not_http(wrong: Wrong) -> Case:
    data = wrong.random.choice(
        [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + wrong.random.randbytes(200),
            b"GET /\r\n\r\n",
            b"POST /v1/messages HTTP/1.0\r\n\r\n",
            b"POST /v1/messages HTTP/9.9\r\nhost: a\r\n\r\n",
            wrong.random.randbytes(300),
            b"\r\n" * 50,
            b"\x00" * 100,
        ]
    )
    return Case("not HTTP", data, _ANY, closes=True)


@_kind
def _wrong_key(wrong: Wrong) -> Case:
    key = wrong.random.choice(
        [
            "",
            " ",
            f"{KEY_CANARY}-{wrong.random.getrandbits(64):x}",
            f"scrimp-{KEY_CANARY}",
            wrong.secret[:-1],
            wrong.secret + "0",
            wrong.secret.upper(),
            f"{KEY_CANARY}\udcff\udc80",
            KEY_CANARY * 100,
        ]
    )
    return Case("wrong key", wrong.request(json.dumps(wrong.body()).encode(), key=key), frozenset({401}))


@_kind
def _wrong_bearer(wrong: Wrong) -> Case:
    value = wrong.random.choice(
        ["Basic abc", "Bearer", "Bearer  ", f"Bearer {KEY_CANARY}", f"Token {wrong.secret}", "\udcff"]
    )
    data = wrong.request(json.dumps(wrong.body()).encode(), f"authorization: {value}", key="")
    return Case("wrong bearer", data, frozenset({401}))


@_kind
def _no_version(wrong: Wrong) -> Case:
    data = wrong.request(json.dumps(wrong.body()).encode()).replace(b"anthropic-version: 2023-06-01\r\n", b"")
    return Case("no version", data, frozenset({400}))


@_kind
def _packed(wrong: Wrong) -> Case:
    plain, random = json.dumps(wrong.body()).encode(), wrong.random
    packed = gzip.compress(plain)
    encoding, body, statuses = random.choice(
        [
            ("gzip", packed, _OK),
            ("deflate", zlib.compress(plain), _OK),
            ("gzip", packed[: len(packed) // 2], frozenset({400})),
            ("gzip", plain, frozenset({400})),
            ("gzip", _bomb(), frozenset({413})),
            ("br", packed, frozenset({400})),
            ("gzip, gzip", packed, frozenset({400})),
            (CANARY, packed, frozenset({400})),
        ]
    )
    return Case("packed", wrong.request(body, f"content-encoding: {encoding}"), statuses)


@_kind
def _websocket(wrong: Wrong) -> Case:
    more = (
        "connection: Upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        "sec-websocket-key: dGhlIHNhbXBsZQ==",
    )
    return Case("websocket", wrong.request(b"", *more, method="GET", length="0"), _ANY)


@_kind
def _pipelined(wrong: Wrong) -> Case:
    return Case("pipelined", wrong.good() + wrong.good() + wrong.good(), _OK, answers=3)


@_kind
def _flipped(wrong: Wrong) -> Case:
    data = bytearray(wrong.good())
    for _ in range(wrong.random.randrange(1, 6)):
        data[wrong.random.randrange(len(data))] = wrong.random.randrange(256)
    return Case("flipped bytes", bytes(data), _ANY, closes=True)


@_kind
def _other_calls(wrong: Wrong) -> Case:
    path = wrong.random.choice(
        ["/v1/messages/count_tokens", "/v1/messages/batches", "/v1/models", "/v1/complete"]
    )
    body = wrong.random.choice(
        [b"", b"{", b"[]", json.dumps(wrong.body()).encode(), wrong.random.randbytes(100)]
    )
    method = wrong.random.choice(["GET", "POST", "DELETE"])
    return Case("other calls", wrong.request(body, path=path, method=method), _ANY, closes=True)


@_kind
def _slow(wrong: Wrong) -> Case:
    return Case("sent slowly", wrong.good()[:24], frozenset({408}), slow=True)
