"""Runs Python files in forks of a process that has already imported what takes long. Standard library only.

    python tests/fork_server.py MODULE…

Reads one task a line, as JSON (`argv`, `cwd`, `env`, `errors`, and the files `stdin`, `stdout`, `stderr`),
and answers each with a line that holds its exit status. `argv` begins with a file, or with `-m` and a module,
as it does after `python`. A fork ends as any interpreter does, with all that is
registered to be done then; one that takes longer than two minutes is ended.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

_SECONDS = 120


def main() -> None:
    """Serve tasks until the input ends."""
    for name in sys.argv[1:]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # no fork looks through it for garbage, nor copies it by looking
    for line in iter(sys.stdin.readline, ""):
        task = json.loads(line)
        child = os.fork()
        if not child:
            _become(task)
            _run(task["argv"])
            return
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


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
    # The reader of tasks may hold some of them already.
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open to the end
    os.environ.clear()
    os.environ.update(task["env"])
    os.chdir(task["cwd"])
    for name in task["errors"]:
        module, _, kind = name.rpartition(".")
        warnings.filterwarnings("error", category=getattr(importlib.import_module(module), kind))


if __name__ == "__main__":
    main()
