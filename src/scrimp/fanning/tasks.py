"""Drives a fan-out of an async client, each request in a task."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from scrimp.core.fanout import Start
from scrimp.fanning.board import Board, News
from scrimp.fanning.requests import Call
from scrimp.fanning.sending import asend, asend_leader

__all__ = ["run_tasks"]


async def run_tasks(calls: Sequence[Call], *, limit: int, return_exceptions: bool) -> list[Any]:
    """The results in order. When cancelled, every request under way is cancelled and awaited first."""
    board, news = Board(calls, limit), asyncio.Queue[News]()
    tasks: set[asyncio.Task[Any]] = set()
    finished = False
    try:
        while not board.done:
            for start in board.take():
                task = asyncio.create_task(_send(calls[start.index], start, news))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                task.add_done_callback(partial(_ended, start.index, news))
            board.hear(await news.get())
        finished = True
    finally:
        if not finished:
            await _abandon(board, tasks, news)
    return board.results(return_exceptions=return_exceptions)


async def _send(call: Call, start: Start, news: asyncio.Queue[News]) -> Any:
    if start.leads:
        return await asend_leader(call, lambda: news.put_nowait(News(start.index, "began")))
    return await asend(call)


def _ended(index: int, news: asyncio.Queue[News], task: asyncio.Task[Any]) -> None:
    error = asyncio.CancelledError("the request was cancelled") if task.cancelled() else task.exception()
    news.put_nowait(News(index, "answered", task.result()) if error is None else News(index, "failed", error))


async def _abandon(board: Board, tasks: set[asyncio.Task[Any]], news: asyncio.Queue[News]) -> None:
    """Nobody will get the results: end what is under way, and close the streams that were opened."""
    left = list(tasks)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.sleep(0)  # what ended in between says so by callback
    while not news.empty():
        board.hear(news.get_nowait())
    await asyncio.gather(*board.close_streams(), return_exceptions=True)
