"""How much memory bodies may take, all connections together."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from typing import NamedTuple

from scrimp.gateway.buffered import Buffered
from tests.gateway.doors import MODEL, Door, door, encoded
from tests.patience import PATIENCE, HeldBack, eventually


def body_of(size: int) -> bytes:
    text = "word " * (size // 5)
    return encoded({"model": MODEL, "max_tokens": 5, "messages": [{"role": "user", "content": text}]})


class Reply(NamedTuple):
    status: int
    retry_after: str | None
    body: bytes


def post(found: Door, body: bytes, *, chunked: bool = False, **headers: str) -> Reply:
    """Over a connection that stays open until the answer is read, as those of clients do."""
    sent = {
        "x-api-key": "sk-test",
        "anthropic-version": "2023-06-01",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    parts = [body[start : start + 10_000] for start in range(0, len(body), 10_000)]
    with closing(HTTPConnection("127.0.0.1", found.gateway.port, timeout=PATIENCE)) as line:
        line.request("POST", "/v1/messages", iter(parts) if chunked else body, sent, encode_chunked=chunked)
        with line.getresponse() as answer:
            return Reply(answer.status, answer.headers["retry-after"], answer.read())


def refused(reply: Reply) -> bool:
    error = json.loads(reply.body)["error"]
    return (reply.status, error["type"], reply.retry_after) == (429, "rate_limit_error", "1")


def test_what_is_kept_is_given_back() -> None:
    buffered = Buffered(100)
    assert buffered.take(100)
    assert not buffered.take(1)
    buffered.give_back(1)
    buffered.give_back(50)
    assert buffered.take(50)


def test_bodies_that_are_too_large_together_are_refused_for_now() -> None:
    emulator = HeldBack(times=1)
    with door(emulator, limits={"buffered": 100_000, "retries": 0}) as found:
        with ThreadPoolExecutor() as pool:
            first = pool.submit(post, found, body_of(60_000))
            eventually(lambda: emulator.held == 1)
            assert refused(post(found, body_of(60_000)))
            assert refused(post(found, gzip.compress(body_of(60_000)), content_encoding="gzip"))
            assert post(found, body_of(20_000)).status == 200
            emulator.may_answer.set()
            assert first.result().status == 200
        assert post(found, body_of(60_000)).status == 200
        assert post(found, gzip.compress(body_of(60_000)), content_encoding="gzip").status == 200
        assert still_takes(found)


def still_takes(found: Door) -> bool:
    """Whether refusals gave back what they kept: else many of them fill the room."""
    for _ in range(20):
        assert refused(post(found, body_of(150_000)))
    return post(found, body_of(80_000)).status == 200


def test_a_body_in_parts_is_refused_before_all_of_it_came() -> None:
    with door(limits={"buffered": 100_000}) as found:
        assert refused(post(found, body_of(3_000_000), chunked=True, transfer_encoding="chunked"))
        assert not found.emulator.requests
