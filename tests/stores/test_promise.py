"""What another thread keeps, for threads and event loops that wait for it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import pytest

from scrimp.stores.promise import Promise, kept, together
from tests.patience import PATIENCE


def test_what_many_wait_for_reaches_each_of_them() -> None:
    promises: list[Promise[int]] = [Promise() for _ in range(300)]

    def finish() -> None:
        for number, promise in enumerate(promises):
            if number % 7:
                promise.keep(number)
            else:
                promise.keep(ValueError(f"{number}"))

    async def main() -> list[int | BaseException]:
        waiting = asyncio.gather(*promises, return_exceptions=True)
        await asyncio.sleep(0)
        thread = threading.Thread(target=finish)
        thread.start()
        found = await waiting
        thread.join()
        return found

    for number, found in enumerate(asyncio.run(main())):
        assert found == number if number % 7 else str(found) == f"{number}"


def test_what_is_kept_is_not_waited_for() -> None:
    waiting = kept("done").__await__()
    with pytest.raises(StopIteration) as stopped:
        waiting.send(None)
    assert stopped.value.value == "done"


def test_threads_wait_until_it_is_kept() -> None:
    promise: Promise[int] = Promise()
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(promise.result(PATIENCE))) for _ in range(8)]
    for thread in threads:
        thread.start()
    with pytest.raises(TimeoutError):
        promise.result(0.01)
    with pytest.raises(TimeoutError):
        promise.exception(-1)
    assert not promise.done()
    assert found == []
    promise.keep(5)
    for thread in threads:
        thread.join()
    assert found == [5] * 8
    assert promise.done()
    assert promise.exception() is None


def test_an_error_is_raised_to_everybody_who_asks() -> None:
    promise: Promise[int] = kept(ValueError("no"))
    assert str(promise.exception()) == "no"
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            promise.result()


def test_who_only_waits_until_it_is_settled_is_not_told_how() -> None:
    promise: Promise[int] = Promise()

    async def main() -> bool:
        waiting = asyncio.ensure_future(promise.settled())
        await asyncio.sleep(0)
        assert not waiting.done()
        promise.keep(ValueError("no"))
        await waiting
        await promise.settled()
        return promise.done()

    assert asyncio.run(main())
    with pytest.raises(ValueError, match="no"):
        promise.result()


def test_everybody_is_told_once_whatever_another_does(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("scrimp"), "handlers", [])  # this fault is expected
    told: list[tuple[str, bool]] = []
    promise: Promise[int] = Promise()

    def fail(_: Promise[int]) -> None:
        raise ZeroDivisionError("a listener's bug")

    promise.add_done_callback(lambda promise: told.append(("before", promise.done())))
    promise.add_done_callback(fail)
    promise.add_done_callback(lambda promise: told.append(("after the fault", promise.done())))
    assert told == []
    promise.keep(1)
    promise.add_done_callback(fail)
    promise.add_done_callback(lambda promise: told.append(("late", promise.done())))
    assert told == [("before", True), ("after the fault", True), ("late", True)]
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError] * 2


def test_nobody_is_forgotten_who_asks_while_it_is_being_kept() -> None:
    for _ in range(300):
        promise: Promise[int] = Promise()
        told: list[int] = []
        go = threading.Barrier(5)

        def ask(go: threading.Barrier = go, promise: Promise[int] = promise, told: list[int] = told) -> None:
            go.wait()
            promise.add_done_callback(lambda promise: told.append(promise.result()))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        go.wait()
        promise.keep(3)
        for thread in threads:
            thread.join()
        assert told == [3] * 4


def test_cancelling_the_wait_leaves_the_promise_alone() -> None:
    promise: Promise[int] = Promise()

    async def waiting() -> int:
        return await promise

    async def main() -> None:
        task = asyncio.create_task(waiting())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert not promise.done()
    promise.keep(1)  # the loop is closed by now: nobody is woken, and nothing is raised
    assert promise.result() == 1


def test_a_closed_loop_keeps_no_other_from_being_woken() -> None:
    for _ in range(3):
        promise: Promise[int] = Promise()

        async def main(promise: Promise[int] = promise) -> int:
            threading.Timer(0.01, promise.keep, (5,)).start()
            return await promise

        assert asyncio.run(main()) == 5


def test_what_is_finished_together_goes_on_together() -> None:
    promises: list[Promise[int]] = [Promise() for _ in range(5)]
    went_on: list[int] = []
    seen: list[int] = []

    async def caller(number: int) -> None:
        went_on.append(await promises[number])

    def finish() -> None:
        with together():
            for number, promise in enumerate(promises):
                promise.keep(number)
                time.sleep(0.01)  # time enough for a loop that was woken
                seen.append(len(went_on))

    async def main() -> None:
        thread = threading.Thread(target=finish)
        waiting = [asyncio.create_task(caller(number)) for number in range(5)]
        await asyncio.sleep(0)
        thread.start()
        await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)
        thread.join()

    asyncio.run(main())
    assert seen == [0] * 5
    assert went_on == [0, 1, 2, 3, 4]


def test_a_loop_is_not_woken_from_its_own_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> list[int]:
        loop, woken = asyncio.get_running_loop(), list[object]()
        monkeypatch.setattr(loop, "call_soon_threadsafe", lambda *what: woken.append(what))
        promises: list[Promise[int]] = [Promise() for _ in range(3)]
        waiting = asyncio.gather(*promises)
        await asyncio.sleep(0)
        promises[0].keep(0)
        with together():
            promises[1].keep(1)
            promises[2].keep(2)
        found = await asyncio.wait_for(waiting, PATIENCE)
        assert not woken
        return found

    assert asyncio.run(main()) == [0, 1, 2]
