"""Where alerts go: what every way out has in common, and the two that stay on this machine."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeAlias

from scrimp.alerting.alert import Alert
from scrimp.core.budget_words import name_of
from scrimp.errors import InputError, ScrimpError

__all__ = ["LOG", "LOOK_UP", "Command", "DeliveryError", "Left", "Sink", "log_alert"]

Left: TypeAlias = Callable[[], float]
"""How many seconds there are still: endless, until the program comes to its end."""

LOOK_UP = 0.1
"""Seconds between two looks at whether the program has come to its end."""

LOG = logging.getLogger("scrimp.alerts")
"""Alerts are logged here as warnings, and as errors what became of those that could not be delivered."""

_ERROR_BYTES = 300


class DeliveryError(ScrimpError):
    """An alert did not arrive. `again`: it may another time, after `after` seconds where that is known."""

    def __init__(self, why: str, *, again: bool, after: float | None = None) -> None:
        super().__init__(why)
        self.again = again
        self.after = after


class Sink(Protocol):
    """Takes alerts out, one after the other, in a thread of its own."""

    @property
    def name(self) -> str:
        """What to call it where it fails: no secret in it."""
        ...

    @property
    def attempts(self) -> int:
        """How often an alert is tried at most."""
        ...

    def send(self, alert: Alert, left: Left) -> None:
        """Deliver an alert. Raises DeliveryError, also when no seconds are `left` any more."""
        ...


def log_alert(alert: Alert) -> None:
    """Log an alert as a warning; the record's `alert` has all of it."""
    LOG.warning("%s", alert.text, extra={"alert": alert})


class Command:
    """Runs a program for each alert, which is given it as JSON on its standard input. Never a shell.

    Its output is dropped; what it says on standard error is logged where it fails. It is killed with
    everything it started when it takes longer than `timeout` seconds.
    """

    attempts = 1

    def __init__(self, argv: Sequence[str], *, timeout: float = 10.0) -> None:
        if isinstance(argv, str) or not argv or not all(isinstance(word, str) for word in argv):
            raise InputError("the command for alerts is a list: the program and its arguments, one by one")
        self._argv = tuple(argv)
        self._timeout = timeout

    @property
    def name(self) -> str:
        """The program; its arguments may hold secrets."""
        return f"command {Path(self._argv[0]).name}"

    def send(self, alert: Alert, left: Left) -> None:
        """See `Sink`."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(alert.json())
            given.seek(0)
            try:
                program = subprocess.Popen(  # noqa: S603 - the user's own command, without a shell
                    self._argv,
                    stdin=given,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    start_new_session=True,
                )
            except OSError as error:
                raise DeliveryError(f"cannot be run: {error.strerror}", again=False) from None
            status = _ended(program, time.monotonic() + self._timeout, left)
            if status is None:
                _kill(program)
                raise DeliveryError("took too long and was killed", again=False)
            if status != 0:
                said.seek(0)
                words = name_of(said.read(_ERROR_BYTES).decode(errors="replace"))
                raise DeliveryError(
                    f"ended with status {status}" + (f": {words}" if words else ""), again=False
                )


def _ended(program: subprocess.Popen[bytes], ends_at: float, left: Left) -> int | None:
    """The status a program ended with; None where it did not in time."""
    while True:
        allowed = min(ends_at - time.monotonic(), left())
        with suppress(subprocess.TimeoutExpired):
            return program.wait(max(0.0, min(allowed, LOOK_UP)))
        if allowed <= 0:
            return None


def _kill(program: subprocess.Popen[bytes]) -> None:
    if os.name == "posix":
        os.killpg(program.pid, signal.SIGKILL)
    else:
        program.kill()
    program.wait()
