"""The fixture `scrimp_prompt_snapshot`: a small JSON file for each snapshot, in a folder beside the test."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scrimp.calls import body_of
from scrimp.emulator import Emulator
from scrimp.testing.figures import figures
from scrimp.testing.recording import Recording
from scrimp.testing.snapshot import RENEW, decode, encode, take
from scrimp.testing.snapshot_diff import describe

__all__ = ["FOLDER", "PromptSnapshot"]

FOLDER = "prompt_snapshots"


class PromptSnapshot:
    """Compares prompts with what is kept; call it once for each prompt of a test."""

    def __init__(self, test_file: Path, test_name: str, *, update: bool) -> None:
        """`update` keeps prompts as they are now instead of comparing them."""
        self._folder = test_file.parent / FOLDER
        self._stem = f"{test_file.stem}.{_plain(test_name)}"
        self._update = update
        self._taken = 0

    def __call__(
        self,
        prompt: Mapping[str, Any] | Recording | Emulator,
        *,
        name: str | None = None,
        messages: bool = False,
    ) -> None:
        """Fail when the prefix of `prompt` is not the one that is kept.

        `prompt` is a request (arguments of `messages.create`), or a run, whose first one is taken. The prefix
        is tools and system; `messages` adds the messages, for prompts that carry examples there. Raises
        AssertionError when it differs or none is kept, `InputError` for a file that is no snapshot,
        `RequestError` for what is no request.
        """
        __tracebackhide__ = True
        body = _body(prompt)
        found = take(body, messages=messages)
        path = self._path(name)
        if self._update:
            _write(path, encode(found))
            return
        if not path.is_file():
            raise AssertionError(
                f"no snapshot of this prompt is kept in {_shown(path)}: make it with {RENEW}"
            )
        difference = describe(decode(path.read_bytes(), path), found, body, _shown(path))
        if difference is not None:
            raise AssertionError(difference)

    def _path(self, name: str | None) -> Path:
        """Further snapshots of one test are told apart by their names, else by number."""
        self._taken += 1
        part = _plain(name) if name else str(self._taken) if self._taken > 1 else None
        return self._folder / (f"{self._stem}.{part}.json" if part else f"{self._stem}.json")


def _body(prompt: Mapping[str, Any] | Recording | Emulator) -> Mapping[str, Any]:
    __tracebackhide__ = True
    if isinstance(prompt, Mapping):
        return body_of(prompt)
    figures(prompt)  # fails where nothing was billed
    recording = prompt if isinstance(prompt, Recording) else Recording(prompt)
    body = recording.calls[0].body
    if body is None:
        raise AssertionError(f"{recording.name}: the first request is no longer known: pass its body instead")
    return body


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _shown(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _plain(name: str) -> str:
    """A name as part of a file name."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-")
