"""What child processes do in the tests of stores: `python -m tests.stores.children WHAT PATH [ARGUMENTS]`.

A child writes the ids that were acknowledged to its standard output, one to a line.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from scrimp.core.record import Record
from scrimp.errors import StoreError
from scrimp.stores.promise import Promise, kept
from scrimp.stores.sqlite_ledger import SqliteLedger
from tests.stores.records import record

IN_FLIGHT = 1000
THREADS = 40


def acknowledge(name: str, written: Promise[Any]) -> None:
    if written.exception() is None:
        os.write(1, f"{name}\n".encode())  # a short write to a pipe is whole or not at all


def flood(path: str) -> None:
    """Forty threads keep a thousand records in flight, until killed."""
    ledger = SqliteLedger(path)
    room = threading.Semaphore(IN_FLIGHT)

    def done(name: str, written: Promise[Any]) -> None:
        acknowledge(name, written)
        room.release()

    def work(thread: int) -> None:
        for number in range(10**9):
            room.acquire()
            name = f"{thread}-{number}"
            ledger.submit(record(id=name, cost=number)).add_done_callback(partial(done, name))

    for thread in range(THREADS):
        threading.Thread(target=work, args=(thread,)).start()


def write(path: str, prefix: str, count: str) -> None:
    """Records of its own, and the shared ones that other processes write too."""
    ledger = SqliteLedger(path)
    for number in range(int(count)):
        for name in (f"{prefix}-{number}", f"shared-{number}"):
            acknowledge(name, ledger.submit(record(id=name, cost=1)))
    ledger.close()


def leave(path: str) -> None:
    """Submits and ends, waiting for nothing."""
    ledger = SqliteLedger(path)
    atexit.register(lambda: ledger.submit(record(id="at exit")))
    for number in range(500):
        ledger.submit(record(id=f"{number}"))


def leave_worker(path: str) -> None:
    """The same in a child of multiprocessing, which runs no atexit handlers."""
    ledger = SqliteLedger(path)
    ledger.record(record(id="parent"))

    def work() -> None:
        for number in range(500):
            ledger.submit(record(id=f"{number}"))

    worker = multiprocessing.get_context("fork").Process(target=work)
    worker.start()
    worker.join(30)
    sys.exit(worker.exitcode)


def fork(path: str) -> None:
    """Parent and child go on with one ledger; the parent closes it while the child still writes."""
    ledger = SqliteLedger(path)
    stop = threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            name = f"thread-{number}"
            ledger.record(record(id=name))
            acknowledge(name, kept(None))
            number += 1

    writing = threading.Thread(target=work)
    writing.start()
    reader = ledger.records()
    for round_ in range(5):
        next(reader, None)
        child = os.fork()
        if child == 0:
            _keep(ledger, f"child-{round_}", 20)
            ledger.totals(["run"])
            os._exit(0)
        _keep(ledger, f"parent-{round_}", 20)
        os.waitpid(child, 0)
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        _keep(ledger, "last-child-before", 5)
        os.read(read_end, 1)
        _keep(ledger, "last-child-after", 5)
        os.kill(os.getpid(), signal.SIGKILL)
    stop.set()
    writing.join()
    ledger.close()
    os.write(write_end, b"!")
    os.wait()


def _keep(ledger: SqliteLedger, prefix: str, count: int) -> None:
    for number in range(count):
        name = f"{prefix}-{number}"
        ledger.record(record(id=name))
        acknowledge(name, kept(None))


def full_disk(path: str) -> None:
    """Files may grow no further after a while, and then again."""
    ledger = SqliteLedger(path, busy_seconds=1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ledger.record(record(id="first"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
    acknowledge("first", kept(None))
    faults = _until_it_fails(ledger)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    _keep(ledger, "after", 20)
    print(f"fault: {faults}", file=sys.stderr)
    ledger.close()


def _until_it_fails(ledger: SqliteLedger) -> str:
    for number in range(100_000):
        item: Record = record(id=f"before-{number}", notes=("x" * 1000,))
        try:
            ledger.record(item)
        except StoreError as error:
            return str(error)
        acknowledge(item.id, kept(None))
    return "none"


def read_only(path: str) -> None:
    """A folder in which this process may create nothing."""
    if os.geteuid() == 0:
        os.setuid(65534)
    ledger = SqliteLedger(Path(path) / "ledger.sqlite")
    for use in (lambda: ledger.record(record()), ledger.totals):
        try:
            use()
        except StoreError as error:
            print(error, file=sys.stderr)
    ledger.close()


WHAT: dict[str, Callable[..., None]] = {
    function.__name__: function
    for function in (flood, write, leave, leave_worker, fork, full_disk, read_only)
}

if __name__ == "__main__":
    WHAT[sys.argv[1]](*sys.argv[2:])
