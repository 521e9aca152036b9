"""Group commit: one thread, batches in order, and nobody left waiting whatever happens."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Sequence

import pytest

from scrimp.errors import StoreError
from scrimp.stores.promise import Promise
from scrimp.stores.writer import Writer, wait
from tests.patience import PATIENCE, eventually


class Pages:
    """Somewhere to write: keeps every batch; `gate` holds it up, `faults` are raised first."""

    def __init__(self, *faults: Exception) -> None:
        self.batches: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.faults = list(faults)

    def write(self, items: Sequence[str]) -> None:
        self.gate.wait(10)
        if self.faults:
            raise self.faults.pop(0)
        self.batches.append(list(items))


def closed_for_good(writer: Writer[str]) -> None:
    """Until no thread of it is left that could still raise."""
    writer.close()
    eventually(lambda: all(thread.name != "scrimp pages" for thread in threading.enumerate()))


def test_what_comes_while_it_writes_is_one_batch() -> None:
    pages = Pages()
    writer = Writer(pages.write, name="pages")
    pages.gate.clear()
    done = [writer.submit("first")]
    while writer._queue:
        time.sleep(0.001)
    done += [writer.submit(f"{number}") for number in range(50)]
    pages.gate.set()
    for future in done:
        future.result(10)
    assert pages.batches == [["first"], [f"{number}" for number in range(50)]]
    writer.close()


def test_a_failed_batch_fails_alone() -> None:
    pages = Pages(StoreError("no room"))
    writer = Writer(pages.write, name="pages")
    with pytest.raises(StoreError, match="no room"):
        writer.submit("lost").result(10)
    writer.submit("kept").result(10)
    writer.flush(10)
    assert pages.batches == [["kept"]]
    writer.close()


def test_a_fault_of_ours_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(str(args.exc_value)))
    pages = Pages(ZeroDivisionError("a bug"))
    writer = Writer(pages.write, name="pages")
    pages.gate.clear()
    first = writer.submit("taken")
    while writer._queue:
        time.sleep(0.001)
    second = writer.submit("queued")
    pages.gate.set()
    with pytest.raises(StoreError, match="not written"):
        first.result(10)
    second.result(10)
    writer.submit("later").result(10)
    assert pages.batches == [["queued"], ["later"]]
    closed_for_good(writer)
    assert seen == ["a bug"]


def test_without_a_thread_the_caller_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    pages = Pages()
    writer = Writer(pages.write, name="pages")
    assert writer.submit("a").done()
    assert writer.submit("b").done()
    assert pages.batches == [["a"], ["b"]]


def test_the_thread_ends_when_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scrimp.stores.writer.LINGER", 0.05)
    pages = Pages()
    writer = Writer(pages.write, name="once")
    writer.submit("a").result(10)
    [thread] = [thread for thread in threading.enumerate() if thread.name == "scrimp once"]
    assert not thread.daemon  # the interpreter waits for it
    thread.join(10)
    assert not thread.is_alive()
    writer.submit("b").result(10)
    assert pages.batches == [["a"], ["b"]]
    writer.close()


def test_a_stalled_disk_is_an_error_in_time() -> None:
    pages = Pages()
    pages.gate.clear()
    writer = Writer(pages.write, name="pages")
    future = writer.submit("a")
    with pytest.raises(StoreError, match=r"pages: not written within 0\.05 seconds"):
        wait(future, 0.05, "pages")
    with pytest.raises(StoreError, match="not written within"):
        writer.flush(0.05)
    pages.gate.set()
    future.result(10)
    writer.close()


def test_who_waits_is_told_before_anything_else_can_go_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(str(args.exc_value)))

    def complain() -> None:
        raise UserWarning("as an error")

    pages = Pages()
    writer = Writer(pages.write, name="pages", after=complain)
    for item in "ab":
        assert writer.submit(item).result(10) is None
    writer.flush(10)
    assert pages.batches == [["a"], ["b"]]
    closed_for_good(writer)
    assert "as an error" in seen


def test_what_nobody_waits_for_goes_with_what_comes_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scrimp.stores.writer.MOMENT", 60.0)
    pages = Pages()
    writer = Writer(pages.write, name="pages")
    writer.submit("before").result(10)
    left = [writer.submit(item, awaited=False) for item in "ab"]
    time.sleep(0.05)
    assert not any(future.done() for future in left)
    writer.submit("c").result(10)
    assert pages.batches == [["before"], ["a", "b", "c"]]
    assert all(future.done() for future in left)
    writer.submit("d", awaited=False)
    writer.flush(10)
    assert pages.batches[2:] == [["d"]]
    writer.submit("e", awaited=False)
    writer.close()  # the thread does not stay for its moment
    [thread] = [thread for thread in threading.enumerate() if thread.name == "scrimp pages"]
    thread.join(10)
    assert not thread.is_alive()
    assert pages.batches[3:] == [["e"]]


def test_what_nobody_waits_for_is_written_a_moment_later() -> None:
    pages = Pages()
    writer = Writer(pages.write, name="pages")
    writer.submit("before").result(10)
    told = threading.Event()
    writer.submit("alone", awaited=False).add_done_callback(lambda _: told.set())
    assert told.wait(10)
    assert pages.batches == [["before"], ["alone"]]
    writer.close()


def test_what_nobody_waits_for_is_written_at_once_for_who_blocks_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scrimp.stores.writer.MOMENT", 60.0)
    pages = Pages()
    writer = Writer(pages.write, name="pages")
    writer.submit("before").result(10)
    left, blocked = [writer.submit(item, awaited=False) for item in "ab"]
    blocked.result(10)
    assert left.done()
    assert pages.batches == [["before"], ["a", "b"]]
    writer.close()


def test_what_is_awaited_after_all_shares_a_batch_with_what_the_loop_has_at_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scrimp.stores.writer.MOMENT", 60.0)
    pages = Pages()
    writer = Writer(pages.write, name="pages")

    async def caller(number: int) -> None:
        await asyncio.wait_for(writer.submit(f"{number}", awaited=False), PATIENCE / 2)

    async def main() -> None:
        await writer.submit("before")
        await asyncio.gather(*map(caller, range(5)))

    asyncio.run(main())
    assert pages.batches == [["before"], ["0", "1", "2", "3", "4"]]
    writer.close()


def test_many_that_nobody_waits_for_do_not_wait_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scrimp.stores.writer.MOMENT", 60.0)
    monkeypatch.setattr("scrimp.stores.writer.ENOUGH", 5)
    pages = Pages()
    writer = Writer(pages.write, name="pages")
    writer.submit("before").result(10)
    for future in [writer.submit(f"{number}", awaited=False) for number in range(5)]:
        future.result(10)
    assert pages.batches == [["before"], ["0", "1", "2", "3", "4"]]
    writer.close()


def test_what_a_loop_has_at_hand_shares_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scrimp.stores.writer.MOMENT", 60.0)
    pages = Pages()
    writer = Writer(pages.write, name="pages")

    async def caller(number: int) -> None:
        for step in "abc":
            time.sleep(0.002)  # work, in which an idle thread would have begun
            await asyncio.wait_for(writer.submit(f"{step}{number}"), PATIENCE / 2)

    async def main() -> None:
        await asyncio.gather(*map(caller, range(5)))

    for _ in range(2):  # in another loop as well
        asyncio.run(main())
    first, *rest = pages.batches
    assert first == ["a0", "a1", "a2", "a3", "a4"]
    assert [sorted(batch) for batch in [first, *rest]] == [
        [f"{step}{n}" for n in range(5)] for step in "abcabc"
    ]
    writer.close()


async def busy(writer: Writer[str], items: str) -> list[Promise[None]]:
    """A loop that has something to do in each of its turns, and brings an item in each."""
    promises = []
    for item in items:
        promises.append(writer.submit(item))
        await asyncio.sleep(0)
        time.sleep(0.001)
    return promises


def test_what_a_busy_loop_brings_turn_by_turn_shares_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scrimp.stores.writer.MOMENT", 60.0)
    pages = Pages()
    writer = Writer(pages.write, name="pages")

    async def main() -> None:
        await writer.submit("before")  # a loop with nothing else to do is not kept waiting
        await asyncio.wait_for(asyncio.gather(*await busy(writer, "abcdefgh")), PATIENCE / 2)

    asyncio.run(main())
    assert pages.batches == [["before"], [*"abcdefgh"]]
    writer.close()


def test_what_a_batch_lets_go_on_shares_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scrimp.stores.writer.MOMENT", 60.0)
    pages = Pages()
    writer = Writer(pages.write, name="pages")

    async def caller(number: int) -> None:
        await writer.submit(f"a{number}")
        time.sleep(0.002)  # what it has to do before it goes on
        await writer.submit(f"b{number}")

    async def main() -> None:
        pages.gate.clear()
        first = asyncio.gather(*map(caller, range(3)))
        while not writer._writing:
            await asyncio.sleep(0.001)
        second = asyncio.ensure_future(caller(3))  # has nothing to wait for but the batch before
        await asyncio.sleep(0.01)
        pages.gate.set()
        await asyncio.wait_for(asyncio.gather(first, second), PATIENCE / 2)

    asyncio.run(main())
    assert pages.batches == [["a0", "a1", "a2"], ["a3", "b0", "b1", "b2"], ["b3"]]
    writer.close()


@pytest.mark.parametrize(("items", "moment", "enough"), [("abcd", 60.0, 4), ("a", 0.005, 1000)])
def test_a_busy_loop_keeps_nobody_waiting_for_long(
    items: str, moment: float, enough: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scrimp.stores.writer.MOMENT", moment)
    monkeypatch.setattr("scrimp.stores.writer.ENOUGH", enough)
    pages = Pages()
    writer = Writer(pages.write, name="pages")

    async def main() -> None:
        begun, until = await busy(writer, items), time.monotonic() + PATIENCE / 2
        while not begun[-1].done() and time.monotonic() < until:
            await asyncio.sleep(0)
            time.sleep(0.001)
        assert begun[-1].done()

    asyncio.run(main())
    writer.close()


def test_who_blocks_a_loop_is_not_kept_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scrimp.stores.writer.MOMENT", 60.0)
    pages = Pages()
    writer = Writer(pages.write, name="pages")

    async def main() -> None:
        for item in "ab":
            writer.submit(item).result(10)  # the loop gets no turn until this is done

    asyncio.run(main())
    assert pages.batches == [["a"], ["b"]]
    writer.close()


def test_nothing_is_left_where_the_thread_ends_just_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scrimp.stores.writer.LINGER", 0.0)
    monkeypatch.setattr("scrimp.stores.writer.MOMENT", 1e-6)
    switched = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    pages = Pages()
    writer = Writer(pages.write, name="pages")
    kept: list[None] = []

    def submit(number: int) -> None:
        names = [f"{number}-{step}" for step in range(150)]
        kept.extend([writer.submit(name, awaited=name.endswith("0")).result(10) for name in names])

    try:
        threads = [threading.Thread(target=submit, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switched)
    assert len(kept) == 6 * 150
    written = [item for batch in pages.batches for item in batch]
    assert sorted(written) == sorted(f"{number}-{step}" for number in range(6) for step in range(150))
    closed_for_good(writer)
