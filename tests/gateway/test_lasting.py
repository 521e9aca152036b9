"""Work beside the calls begins again where it fails, and is told of once."""

from __future__ import annotations

import asyncio

import pytest

from scrimp.errors import ScrimpWarning
from scrimp.gateway.lasting import lasting
from tests.patience import PATIENCE


def test_what_fails_begins_again_and_is_told_of_once_for_each_kind() -> None:
    failures: list[Exception] = [KeyError("a prompt"), KeyError("a prompt"), ZeroDivisionError("a prompt")]

    async def work() -> None:
        if failures:
            raise failures.pop()

    with pytest.warns(ScrimpWarning) as told:
        asyncio.run(asyncio.wait_for(lasting("pruning", work, rest=0.001), PATIENCE))
    assert not failures
    assert [str(one.message) for one in told] == [
        "scrimp: pruning failed (ZeroDivisionError) and begins again",
        "scrimp: pruning failed (KeyError) and begins again",
    ]


def test_it_ends_when_it_is_cancelled() -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(lasting("waiting", lambda: asyncio.sleep(60)), 0.01))
