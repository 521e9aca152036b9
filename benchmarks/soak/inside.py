"""`scrimp`, and each of its processes says how many bytes it has in use.

    python -m benchmarks.soak.inside serve --config scrimp.toml

What a process has resident hides a small leak for as long as it fits into what is free in between: what
counts is what is in use. `SOAK_FIGURES` names the folder for the figures, a file for each process. With
`SOAK_LEAK` that many bytes leak with every call, a hundred calls' worth at a time, to see whether the soak
notices.
"""

from __future__ import annotations

import ctypes
import gc
import os
import re
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from scrimp.cli import main
from scrimp.gateway.app import App

__all__ = ["FIGURES", "LEAK"]

FIGURES, LEAK = "SOAK_FIGURES", "SOAK_LEAK"
_EVERY = 5.0
"""Seconds; not more often, because what waits to be collected is collected before: it is no leak, and comes
and goes by ten megabytes. What is in use goes up and down by half of one: so not more seldom either."""

_AT_ONCE = 100
_PYTHON = re.compile(rb"# bytes in allocated blocks\s*=\s*([\d,]+)")
_FIELDS = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"


class _MallInfo(ctypes.Structure):
    """`struct mallinfo2` of glibc."""

    _fields_ = [(name, ctypes.c_size_t) for name in _FIELDS.split()]


def _look(into: Path) -> None:
    """Write down what is in use, again and again."""
    malloc = None
    with suppress(OSError, AttributeError):
        malloc = ctypes.CDLL(None).mallinfo2
        malloc.restype = _MallInfo
    while True:
        gc.collect()
        used = _of_python()
        if malloc is not None:
            found = malloc()
            used += found.uordblks + found.hblkhd
        fresh = into.with_suffix(".new")
        fresh.write_text(str(used))
        fresh.rename(into)
        time.sleep(_EVERY)


def _of_python() -> int:
    """Bytes of small objects in use, which Python tells on the standard error only."""
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        sys._debugmallocstats()  # noqa: SLF001 - there is no other way to ask
        os.dup2(kept, 2)
        os.close(kept)
        file.seek(0)
        said = file.read()
    if b"Traceback" in said:  # of another thread, just now
        os.write(2, said)
    found = _PYTHON.search(said)
    return 0 if found is None else int(found[1].replace(b",", b""))


def _leaking(size: int) -> None:
    kept: list[bytes] = []
    serve, calls = App.__call__, 0

    async def leaky(self: App, first: Any, *others: Any) -> None:  # who takes nothing is taken for a factory
        nonlocal calls
        calls += 1
        if calls % _AT_ONCE == 0:
            kept.append(bytes(_AT_ONCE * size))
        await serve(self, first, *others)

    leaking: Any = leaky
    App.__call__ = leaking  # type: ignore[method-assign]  # to leak is all that it is for


if FIGURES in os.environ:  # in every process: those of workers load this module anew
    if LEAK in os.environ:
        _leaking(int(os.environ[LEAK]))
    _INTO = Path(os.environ[FIGURES]) / f"{os.getpid()}"
    threading.Thread(target=_look, args=(_INTO,), name="soak-figures", daemon=True).start()

if __name__ == "__main__":
    sys.exit(main())
