"""Processes that need not import the SDK once more: each is a fork of one that has."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

__all__ = ["Forks"]

_SERVER = Path(__file__).with_name("fork_server.py")


class Forks:
    """Runs Python files and modules as processes of `python`, in which `modules` are imported already."""

    def __init__(self, python: str | Path, *modules: str, path: str | None = None) -> None:
        """`path` is the PYTHONPATH that the modules are imported under; by default that of this process."""
        own = {} if path is None else {"PYTHONPATH": path}
        self._server = subprocess.Popen(
            [python, _SERVER, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONIOENCODING": "utf-8", **own},
            text=True,
        )

    def run(
        self,
        *argv: str | Path,
        env: Mapping[str, str],
        cwd: Path | None = None,
        typed: str = "",
        errors: Sequence[str] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Run a file, or `-m` and a module, with arguments.

        `env` is all its environment, `errors` name warnings that are errors.
        """
        asked, answers = self._server.stdin, self._server.stdout
        assert asked is not None
        assert answers is not None
        with TemporaryDirectory() as folder:
            files = {name: Path(folder) / name for name in ("stdin", "stdout", "stderr")}
            for name, path in files.items():
                path.write_text(typed if name == "stdin" else "", encoding="utf-8")
            words = [str(word) for word in argv]
            task = {
                **{name: str(path) for name, path in files.items()},
                "argv": words,
                "cwd": str(cwd or Path.cwd()),
                "env": dict(env),
                "errors": list(errors),
            }
            asked.write(f"{json.dumps(task)}\n")
            asked.flush()
            status = answers.readline()
            assert status, "the process that forks has ended"
            told = (files[name].read_text(encoding="utf-8") for name in ("stdout", "stderr"))
            return subprocess.CompletedProcess(words, int(status), *told)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.communicate()
