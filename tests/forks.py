"""Processes that need not import the SDK once more: each is a fork of one that has."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

__all__ = ["Forks", "Line"]

_SERVER = Path(__file__).with_name("fork_server.py")


class Line:
    """A line to a process that forks, at the socket `place`: runs one program after the other."""

    def __init__(self, place: Path) -> None:
        """Raises OSError where no process forks, or it ends just now."""
        self._connection = socket.socket(socket.AF_UNIX)
        try:
            self._connection.connect(str(place))
            self._answers = self._connection.makefile("r", encoding="utf-8")
            if self._answers.readline() != "ready\n":
                self._answers.close()
                raise ConnectionError(f"{place}: the process that forks has ended")
        except OSError:
            self._connection.close()
            raise

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
            self._connection.sendall(f"{json.dumps(task)}\n".encode())
            status = self._answers.readline()
            assert status, "the process that forks has ended"
            told = (files[name].read_text(encoding="utf-8") for name in ("stdout", "stderr"))
            return subprocess.CompletedProcess(words, int(status), *told)

    def close(self) -> None:
        """No more is to be run."""
        self._answers.close()
        self._connection.close()


class Forks:
    """Runs Python files and modules as processes of `python`, in which `modules` are imported already.

    Where workers test side by side, the first of them imports for all.
    """

    def __init__(self, folder: Path, python: str | Path, *modules: str, path: str | None = None) -> None:
        """`path` is the PYTHONPATH that the modules are imported under; by default that of this process.

        Who shares `folder` shares what is imported.
        """
        words = [str(python), str(_SERVER), *modules]
        self.place = place = folder / sha256(json.dumps([words, path]).encode()).hexdigest()[:8]
        env = {**os.environ, "PYTHONIOENCODING": "utf-8", **({} if path is None else {"PYTHONPATH": path})}
        self._server: subprocess.Popen[str] | None = None
        with place.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                self._line = Line(place)
            except OSError:
                words.insert(2, str(place))
                self._server = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=env, text=True
                )
                assert self._server.stdout
                assert self._server.stdout.readline() == "ready\n"
                self._line = Line(place)
        self.run = self._line.run

    def leave(self) -> None:
        """No more is to be run; what is imported ends when all have left."""
        self._line.close()

    def wait(self) -> None:
        """Wait until it has ended, where it was begun here."""
        if self._server:
            self._server.communicate()
