"""Runs Python files in forks of a process that has already imported what takes long. Standard library only.

    python tests/fork_server.py SOCKET MODULE…

Says `ready` once it listens at SOCKET, and ends when the last who came there has left. Each is served by a
fork of its own, which says `ready` too, then reads one task a line, as JSON (`argv`, `cwd`, `env`, `errors`,
and the files `stdin`, `stdout`, `stderr`), and answers each with a line that holds its exit status. `argv`
begins with a file, or with `-m` and a module, as after `python`. What runs ends as any interpreter does, with
all that is registered to be done then; if it takes longer than ten minutes it is ended.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import warnings
from pathlib import Path
from typing import Any

_SECONDS = 600
_LOOK = 0.2
"""Seconds until who has left is missed."""


def main() -> None:
    """Serve whoever comes, until all have left."""
    place, *modules = sys.argv[1:]
    for name in modules:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # no fork looks through it for garbage, nor copies it by looking
    Path(place).unlink(missing_ok=True)  # of one that has ended
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(place)
        listening.listen()
        print("ready", flush=True)
        came = left = 0
        while not came or left < came:
            if select.select([listening], [], [], _LOOK)[0]:
                connection, _ = listening.accept()
                if not os.fork():
                    listening.close()
                    _serve(connection)
                    return
                connection.close()
                came += 1
            while left < came and os.waitpid(-1, os.WNOHANG)[0]:
                left += 1


def _serve(connection: socket.socket) -> None:
    tasks = connection.makefile("r", encoding="utf-8")
    connection.sendall(b"ready\n")
    for line in iter(tasks.readline, ""):
        task = json.loads(line)
        child = os.fork()
        if not child:
            tasks.close()
            connection.close()
            _become(task)
            _run(task["argv"])
            return
        _, status = os.waitpid(child, 0)
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _run(argv: list[str]) -> None:
    if argv[0] == "-m":
        sys.argv, sys.path[0] = argv[1:], str(Path.cwd())
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = argv, str(Path(argv[0]).parent)
        runpy.run_path(argv[0], run_name="__main__")


def _become(task: dict[str, Any]) -> None:
    """Take on what a process of its own would have been started with."""
    signal.alarm(_SECONDS)
    for number, name, flags in (
        (0, "stdin", os.O_RDONLY),
        (1, "stdout", os.O_WRONLY),
        (2, "stderr", os.O_WRONLY),
    ):
        opened = os.open(task[name], flags)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open to the end
    os.environ.clear()
    os.environ.update(task["env"])
    os.chdir(task["cwd"])
    for name in task["errors"]:
        module, _, kind = name.rpartition(".")
        warnings.filterwarnings("error", category=getattr(importlib.import_module(module), kind))


if __name__ == "__main__":
    main()
