"""Usage decoded straight from its bytes is what `read_usage` makes of the decoded JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import example, given

from scrimp.errors import ResponseError
from scrimp.traces.transcript_usage import usage_of
from scrimp.wire.response import read_usage
from tests.traces.sessions import usage
from tests.wire.usages import usages

if TYPE_CHECKING:
    from collections.abc import Callable


def outcome(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except ResponseError as error:
        return str(error)


@given(usages)
@example(usage(plain=3, read=10, write_1h=5, write_5m=2, output=9))
@example({**usage(read=10, write_1h=5), "cache_creation_input_tokens": 4})  # the split is of more than that
@example({"input_tokens": 3, "output_tokens": 1})  # says nothing of a cache
def test_the_short_way_comes_to_the_same_usage(told: dict[str, Any]) -> None:
    raw = msgspec.Raw(msgspec.json.encode(told))
    assert outcome(lambda: usage_of(raw)) == outcome(lambda: read_usage(told))


@pytest.mark.parametrize("raw", [b"", b"null"])
def test_an_answer_without_usage_has_none(raw: bytes) -> None:
    assert usage_of(msgspec.Raw(raw)) is None


@pytest.mark.parametrize("raw", [b"[]", b"3"])
def test_usage_of_another_shape_is_an_error(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        usage_of(msgspec.Raw(raw))
