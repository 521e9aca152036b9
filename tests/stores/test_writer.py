"""Group commit: one thread, batches in order, and nobody left waiting whatever happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from scrimp.errors import StoreError
from scrimp.stores.writer import Writer, wait


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
    assert seen == ["a bug"]
    writer.close()


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


def test_a_future_cannot_be_cancelled() -> None:
    pages = Pages()
    pages.gate.clear()
    writer = Writer(pages.write, name="pages")
    future = writer.submit("a")
    assert not future.cancel()
    pages.gate.set()
    assert future.result(10) is None
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
    assert "as an error" in seen
    writer.close()
