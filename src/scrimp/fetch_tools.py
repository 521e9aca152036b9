"""`scrimp.fetch_tool`, `scrimp.async_fetch_tool`: what reads offloaded texts, for the SDK's tool runner.

client.beta.messages.tool_runner(tools=[my_tool, scrimp.fetch_tool], …)
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from anthropic.lib.tools import BetaAsyncBuiltinFunctionTool, BetaBuiltinFunctionTool, ToolError
from anthropic.types.beta import BetaToolUnionParam

from scrimp.core.offload.answering import Fetched
from scrimp.core.offload.fetch_tool import DEFINITION
from scrimp.core.offload.scopes import scope_of
from scrimp.core.record import Tags
from scrimp.runs import current_tags
from scrimp.stores.offload import OffloadStore
from scrimp.stores.offload_keeping import Keeper

__all__ = ["AsyncFetchTool", "FetchTool", "async_fetch_tool", "fetch_tool"]


class FetchTool(BetaBuiltinFunctionTool):
    """The tool for a synchronous runner; `to_dict()` is its definition for `tools` of a single request.

    Texts of the `user` are found, and no others; without one, of the user of the run that a call is in.
    """

    def __init__(self, user: str | None = None, store: OffloadStore | None = None) -> None:
        self._user = user
        self._store = store

    def to_dict(self) -> BetaToolUnionParam:
        """The definition for `tools`."""
        return _definition()

    def call(self, input: object) -> str:  # noqa: A002 - the SDK's name for it
        """Answer one use of the tool. Raises the SDK's `ToolError`, which its runner makes a result of."""
        return _said(_answered(input, self._user, self._store))


class AsyncFetchTool(BetaAsyncBuiltinFunctionTool):
    """The same tool for the runner of an asynchronous client; its loop goes on while a text is read."""

    def __init__(self, user: str | None = None, store: OffloadStore | None = None) -> None:
        self._user = user
        self._store = store

    def to_dict(self) -> BetaToolUnionParam:
        """The definition for `tools`."""
        return _definition()

    async def call(self, input: object) -> str:  # noqa: A002 - the SDK's name for it
        """As `FetchTool.call`."""
        return _said(await asyncio.to_thread(_answered, input, self._user, self._store))


fetch_tool = FetchTool()
async_fetch_tool = AsyncFetchTool()


def _definition() -> BetaToolUnionParam:
    return cast("BetaToolUnionParam", dict(DEFINITION))


def _answered(asked: object, user: str | None, store: OffloadStore | None) -> Fetched:
    given: Mapping[str, Any] = asked if isinstance(asked, Mapping) else {}
    return Keeper(store).answer(given, scope_of(current_tags() if user is None else Tags(user=user)))


def _said(found: Fetched) -> str:
    if found.is_error:
        raise ToolError(found.text)
    return found.text
