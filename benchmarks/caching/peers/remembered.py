"""What a peer answered before, kept in its environment for as long as nothing there changes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TypeAlias

import msgspec

from scrimp.wire.markers import TTL, MarkerEdit

__all__ = ["Placed", "Remembered", "key_of"]

Placed: TypeAlias = list[tuple[list[str | int], TTL]]
"""Paths with the TTL of the marker there."""


class _File(msgspec.Struct):
    fingerprint: bytes
    answers: dict[bytes, Placed]


class Remembered:
    """Answers by question, in one file that whoever finishes last replaces."""

    def __init__(self, environment: Path, script: Path) -> None:
        self._path = environment / "caching-markers.msgpack"
        fingerprint = _fingerprint(environment, script)
        self._file = _File(fingerprint, {})
        try:
            found = msgspec.msgpack.decode(self._path.read_bytes(), type=_File)
        except (OSError, msgspec.DecodeError):
            return
        if found.fingerprint == fingerprint:
            self._file = found

    def __contains__(self, asked: bytes) -> bool:
        return key_of(asked) in self._file.answers

    def __getitem__(self, asked: bytes) -> tuple[MarkerEdit, ...]:
        return tuple(MarkerEdit(tuple(path), ttl) for path, ttl in self._file.answers[key_of(asked)])

    def add(self, asked: Sequence[bytes], answers: Sequence[Placed]) -> None:
        """Keep what was answered to each question."""
        self._file.answers.update((key_of(line), answer) for line, answer in zip(asked, answers, strict=True))
        ours = self._path.with_suffix(f".{os.getpid()}")
        ours.write_bytes(msgspec.msgpack.encode(self._file))
        ours.replace(self._path)


def key_of(asked: bytes) -> bytes:
    """A short name for a question."""
    return blake2b(asked, digest_size=16).digest()


def _fingerprint(environment: Path, script: Path) -> bytes:
    """Of the versions installed there and of what asks them."""
    installed = sorted(path.name for path in environment.glob("lib/python*/site-packages/*.dist-info"))
    code = [path.read_bytes() for path in (script, script.with_name("blocks.py"))]
    return key_of(b"\n".join([*(name.encode() for name in installed), *code]))
