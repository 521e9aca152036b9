"""The score of one fan-out, the same for threads and tasks: what goes next, what came back, how it ends."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from scrimp.core.fanout import Schedule, Start
from scrimp.errors import FanoutError
from scrimp.fanning.requests import Call

__all__ = ["Board", "News"]


class News(NamedTuple):
    """What happened to request `number`; `result` is its answer, or the error it ended with."""

    number: int
    what: Literal["began", "answered", "failed"]
    result: Any = None


class Board:
    """Every request ends with exactly one result, in the order of the requests."""

    def __init__(self, calls: Sequence[Call], limit: int) -> None:
        self._calls = calls
        self._results: list[Any] = [None] * len(calls)
        self._failed: set[int] = set()
        self._streamed: set[int] = set()
        self._schedule = Schedule([call.path for call in calls], limit=limit)

    @property
    def done(self) -> bool:
        """Whether every request has its result."""
        return self._schedule.done

    def take(self) -> list[Start]:
        """The requests that go now."""
        return self._schedule.take(time.monotonic())

    def hear(self, news: News) -> None:
        """Keep the score.

        A message that was streamed only so that its start could be seen, and broke off after it, is asked for
        again: a call without streaming would have been sent again by the SDK. It now reads the prefix.
        """
        if news.what == "began":
            self._streamed.add(news.number)
            self._schedule.began(news.number)
        elif news.what == "failed" and news.number in self._streamed:
            self._streamed.discard(news.number)
            self._schedule.again(news.number)
        else:
            self._results[news.number] = news.result
            self._schedule.ended(news.number, answered=news.what == "answered")
            if news.what == "failed":
                self._failed.add(news.number)

    def close_streams(self) -> list[Any]:
        """What is still open when nobody will get the results: the `close` of each stream, called."""
        return [
            result.close()
            for call, result in zip(self._calls, self._results, strict=True)
            if call.kind != "message" and hasattr(result, "close")
        ]

    def results(self, *, return_exceptions: bool) -> list[Any]:
        """The results in order; raises `FanoutError` from the first error, unless errors are returned."""
        if self._failed and not return_exceptions:
            first = min(self._failed)
            raise FanoutError(
                f"{len(self._failed)} of {len(self._results)} requests failed, number {first} first "
                f"({type(self._results[first]).__name__}): the answers of the others are in its .results",
                self._results,
            ) from self._results[first]
        return self._results
