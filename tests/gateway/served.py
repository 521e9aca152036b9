"""`scrimp serve` as a process of its own, in front of an emulator, with a home of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import anthropic

from scrimp.core.budget import Standing
from scrimp.core.record import Record
from scrimp.emulator import Emulator
from scrimp.stores.sqlite_ledger import SqliteLedger
from tests.patience import PATIENCE, eventually


class Served:
    """One that runs."""

    def __init__(self, process: subprocess.Popen[bytes], home: Path, emulator: Emulator, url: str) -> None:
        self.process = process
        self.home = home
        self.emulator = emulator
        self.url = url

    def sdk(self, **options: Any) -> anthropic.Anthropic:
        """The official SDK, with only its base URL set."""
        return anthropic.Anthropic(**{"base_url": self.url, "api_key": "sk-test", **options})

    def page(self, path: str) -> str:
        """What a page of the gateway says; of an error too."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=PATIENCE) as answer:  # noqa: S310 - our own
                found: bytes = answer.read()
        except HTTPError as error:
            found = error.read()
        return found.decode()

    def ready(self) -> bool:
        """Whether the gateway says that it is ready; a worker that is just dying says nothing."""
        try:
            return bool(json.loads(self.page("/readyz"))["status"] == "ok")
        except OSError:
            return False

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        lines = [line.rpartition(" ") for line in self.page("/metrics").splitlines()]
        return sum(float(value) for sample, _, value in lines if sample.partition("{")[0] == name)

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        listed = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,ppid=,command="], capture_output=True, text=True, check=True
        )
        found = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
        mine = str(self.process.pid)
        return [int(pid) for pid, parent, what in found if parent == mine and "spawn_main" in what]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to stop; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(2 * PATIENCE)

    def log(self) -> str:
        """What it has said on standard error."""
        return (self.home / "stderr.txt").read_text(encoding="utf-8")

    def said(self, event: str) -> list[dict[str, Any]]:
        """The lines of its log that tell of such an event."""
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def records(self) -> list[Record]:
        """What is in the ledger."""
        with closing(SqliteLedger(self.home / "ledger.sqlite")) as ledger:
            return list(ledger.records())

    def standings(self, now: float) -> list[Standing]:
        """How the limits stand."""
        with closing(SqliteLedger(self.home / "ledger.sqlite")) as ledger:
            return list(ledger.budgets.standings(now))


@contextmanager
def served(
    folder: Path, emulator: Emulator, *arguments: str, settings: str = "", ready: bool = True
) -> Iterator[Served]:
    """`scrimp serve` with these arguments; told to stop at the end, unless it has ended by then."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    (folder / "scrimp.toml").write_text(settings, encoding="utf-8")
    command = [sys.executable, "-m", "scrimp", "serve", "--config", str(folder / "scrimp.toml"), "--json"]
    own = {"SCRIMP_HOME": str(home), "PYTHONUNBUFFERED": "1", "ANTHROPIC_API_KEY": "sk-test"}
    env = {**os.environ, **own}
    with emulator, (home / "stderr.txt").open("wb") as log:
        where = ["--port", "0", "--upstream", emulator.url]
        process = subprocess.Popen(
            [*command, *where, *arguments], env=env, cwd=folder, stdout=subprocess.PIPE, stderr=log
        )
        try:
            one = Served(process, home, emulator, _announced(process))
            if ready:
                eventually(one.ready)
            yield one
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(2 * PATIENCE)
            assert process.stdout
            process.stdout.close()


def _announced(process: subprocess.Popen[bytes]) -> str:
    """The address that it says it has; empty where it ends without."""
    assert process.stdout
    text = b""
    for line in process.stdout:
        text += line
        if line == b"}\n":
            break
    url: str = json.loads(text)["url"] if text else ""
    return url
