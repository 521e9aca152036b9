"""The cheap copy of a request is the SDK's own copy, but for what it does not copy."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from scrimp.emulator import Emulator
from scrimp.middleware.copying import with_body


class Leaf(str):
    """A text that must not be copied."""

    __slots__ = ()

    def __deepcopy__(self, memo: dict[int, Any]) -> Leaf:
        raise AssertionError("the body was copied")


def seen_by_middleware(text: str) -> Any:
    """The request the SDK hands to middleware for a call with this text, headers, a query and a timeout."""
    seen: list[Any] = []

    def middleware(request: Any, call_next: Any) -> Any:
        seen.append(request)
        return call_next(request)

    with (
        Emulator() as emulator,
        anthropic.Anthropic(base_url=emulator.url, api_key="k", middleware=[middleware]) as client,
    ):
        client.messages.create(
            model="claude-haiku-4-5",
            max_tokens=5,
            messages=[{"role": "user", "content": text}],
            extra_headers={"x-own": "1"},
            extra_query={"beta": "true"},
            timeout=20,
        )
    return seen[0]


def test_it_equals_the_copy_of_the_sdk() -> None:
    request = seen_by_middleware("hi")
    attributes, options, headers = dict(vars(request)), dict(vars(request.options)), dict(request.headers)
    body = {**request.json, "max_tokens": 6}
    ours, theirs = with_body(request, body), request.copy(body=body)
    assert vars(ours) == vars(theirs)
    assert type(ours) is type(theirs)
    assert ours.json is body
    assert vars(request) == attributes
    assert vars(request.options) == options
    assert request.headers == headers
    assert request.json["max_tokens"] == 5


def test_headers_of_the_copy_are_its_own() -> None:
    request = seen_by_middleware("hi")
    copied = with_body(request, request.json)
    copied.options.headers["x-own"] = "2"
    assert request.headers["x-own"] == "1"


def test_the_body_is_not_copied() -> None:
    request = seen_by_middleware("hi")
    request.json["messages"][0]["content"] = Leaf("hi")
    with pytest.raises(AssertionError, match="the body was copied"):
        request.copy(body={})
    assert with_body(request, {"model": "m"}).json == {"model": "m"}
    assert isinstance(request.json["messages"][0]["content"], Leaf)
