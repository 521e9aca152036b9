"""Awaiting futures that another thread finishes."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future

import pytest

from scrimp.stores.awaiting import awaited, together


def test_what_many_wait_for_reaches_each_of_them() -> None:
    futures: list[Future[int]] = [Future() for _ in range(300)]

    def finish() -> None:
        for number, future in enumerate(futures):
            if number % 7:
                future.set_result(number)
            else:
                future.set_exception(ValueError(f"{number}"))

    async def main() -> list[int | BaseException]:
        waiting = asyncio.gather(*map(awaited, futures), return_exceptions=True)
        await asyncio.sleep(0)
        thread = threading.Thread(target=finish)
        thread.start()
        found = await waiting
        thread.join()
        return found

    for number, found in enumerate(asyncio.run(main())):
        assert found == number if number % 7 else str(found) == f"{number}"


def test_what_is_done_is_not_waited_for() -> None:
    done: Future[str] = Future()
    done.set_result("done")
    waiting = awaited(done)
    with pytest.raises(StopIteration) as stopped:
        waiting.send(None)
    assert stopped.value.value == "done"


def test_cancelling_the_wait_leaves_the_future_alone() -> None:
    future: Future[int] = Future()

    async def main() -> None:
        task = asyncio.create_task(awaited(future))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert not future.cancelled()
    future.set_result(1)  # the loop is closed by now: nobody is woken, and nothing is raised
    assert future.result() == 1


def test_a_closed_loop_keeps_no_other_from_being_woken() -> None:
    for _ in range(3):
        future: Future[int] = Future()

        async def main(future: Future[int] = future) -> int:
            threading.Timer(0.01, future.set_result, (5,)).start()
            return await awaited(future)

        assert asyncio.run(main()) == 5


def test_what_is_finished_together_goes_on_together() -> None:
    futures: list[Future[int]] = [Future() for _ in range(5)]
    went_on: list[int] = []
    seen: list[int] = []

    async def caller(number: int) -> None:
        went_on.append(await awaited(futures[number]))

    def finish() -> None:
        with together():
            for number, future in enumerate(futures):
                future.set_result(number)
                time.sleep(0.01)  # time enough for a loop that was woken
                seen.append(len(went_on))

    async def main() -> None:
        thread = threading.Thread(target=finish)
        waiting = [asyncio.create_task(caller(number)) for number in range(5)]
        await asyncio.sleep(0)
        thread.start()
        await asyncio.wait_for(asyncio.gather(*waiting), 10)
        thread.join()

    asyncio.run(main())
    assert seen == [0] * 5
    assert went_on == [0, 1, 2, 3, 4]
