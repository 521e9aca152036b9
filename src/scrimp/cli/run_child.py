"""The command that `scrimp run` runs: what it finds in its environment, and the signals it gets."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self, TypeAlias

from scrimp.errors import InputError

__all__ = ["BASE_URL", "child_environment", "run_child"]

BASE_URL = "ANTHROPIC_BASE_URL"

_FORWARDED = [
    getattr(signal, name)
    for name in ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
]
"""What reaches this process alone. A terminal sends Ctrl-C and its size to the command as well."""

_KILLED = 128
_LOOK_SECONDS = 0.5


def child_environment(url: str, env: Mapping[str, str]) -> dict[str, str]:
    """The environment with the gateway in it.

    Claude Code sends every tool of its MCP servers with each request when the base URL is not the
    provider's, unless it is told that tool search works there ("LLM gateway configuration").
    """
    own = {BASE_URL: url}
    if BASE_URL not in env:
        own["ENABLE_TOOL_SEARCH"] = env.get("ENABLE_TOOL_SEARCH", "true")
    return {**env, **own}


def run_child(command: Sequence[str], env: Mapping[str, str]) -> int:
    """Run `command` until it ends; signals meant for it are passed on. Its exit status, as a shell has it.

    Raises `InputError` where there is no such program.
    """
    program = shutil.which(command[0], path=env.get("PATH"))
    if program is None:
        raise InputError(f"{command[0]}: no such program on the PATH")
    with _Forwarding() as forwarding:
        child = subprocess.Popen([program, *command[1:]], env=dict(env))  # noqa: S603 - the user's own command
        forwarding.to(child)
        status = _ended(child)
    return _KILLED - status if status < 0 else status


def _ended(child: subprocess.Popen[bytes]) -> int:
    """Its status when it has ended. A signal just before a wait without end would be seen only after it."""
    while True:
        with suppress(subprocess.TimeoutExpired):
            return child.wait(_LOOK_SECONDS)


class _Forwarding:
    """Passes signals on, those too that come before there is a command.

    Ctrl-C goes to the command by itself, which decides what it means.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._before: dict[int, _Handler] = {}

    def to(self, child: subprocess.Popen[bytes]) -> None:
        """Here is the command."""
        self._child = child
        while self._early:
            child.send_signal(self._early.pop(0))

    def __enter__(self) -> Self:
        for number in _FORWARDED:
            self._before[number] = signal.signal(number, self._came)
        self._before[signal.SIGINT] = signal.signal(signal.SIGINT, lambda *_: None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _came(self, number: int, _: FrameType | None) -> None:
        if self._child is None:
            self._early.append(number)
        elif self._child.poll() is None:
            self._child.send_signal(number)


_Handler: TypeAlias = Callable[[int, FrameType | None], Any] | int | None
