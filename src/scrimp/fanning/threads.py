"""Drives a fan-out of a sync client, each request in a thread of a pool."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any

from scrimp.core.fanout import Start
from scrimp.fanning.board import Board, News
from scrimp.fanning.requests import Call
from scrimp.fanning.sending import send, send_leader

__all__ = ["run_threads"]


def run_threads(calls: Sequence[Call], *, limit: int, return_exceptions: bool) -> list[Any]:
    """The results in order. After an interrupt nothing more is sent; what is under way ends first."""
    board, news = Board(calls, limit), SimpleQueue[News]()
    finished = False
    pool = ThreadPoolExecutor(min(limit, len(calls)) or 1, thread_name_prefix="scrimp-fanout")
    try:
        while not board.done:
            for start in board.take():
                future = pool.submit(copy_context().run, _send, calls[start.index], start, news)
                future.add_done_callback(partial(_ended, start.index, news))
            board.hear(news.get())
        finished = True
    finally:
        pool.shutdown(cancel_futures=True)
        while not finished and not news.empty():
            board.hear(news.get())
        if not finished:
            board.close_streams()
    return board.results(return_exceptions=return_exceptions)


def _send(call: Call, start: Start, news: SimpleQueue[News]) -> Any:
    if start.leads:
        return send_leader(call, lambda: news.put(News(start.index, "began")))
    return send(call)


def _ended(index: int, news: SimpleQueue[News], future: Future[Any]) -> None:
    if future.cancelled():
        return
    error = future.exception()
    news.put(News(index, "answered", future.result()) if error is None else News(index, "failed", error))
