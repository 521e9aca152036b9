"""Synthetic Claude Code transcripts: the same files for the same seed, shaped like recorded ones.

A call is two assistant lines with one message id (an early count of its output, then the final one) and is
followed by a line with the tool's result. Every eighth session resumes the one before it and repeats its
first calls, as resumed sessions do, so that a sum without de-duplication is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import orjson

from benchmarks.conversations import MODEL, prose, source_code

__all__ = ["write_transcripts"]

_POOL = 64
"""Different texts of each kind; making up more of them would take longer than reading them."""
_SESSION_BYTES = 2_500_000
_RESUMED_EVERY, _RESUMED_LINES = 8, 60


def write_transcripts(home: Path, *, size: int, seed: int) -> list[Path]:
    """Write about `size` bytes of sessions below `home`/projects; gives the files in the order they began."""
    sessions = _Sessions(Random(seed))
    files: list[Path] = []
    before: list[bytes] = []
    written = 0
    while written < size:
        resumes = len(files) % _RESUMED_EVERY == _RESUMED_EVERY - 1
        repeated = before[:_RESUMED_LINES] if resumes else []
        before = [*repeated, *sessions.lines(size=min(_SESSION_BYTES, size - written))]
        path = home / "projects" / f"project-{len(files) % 5}" / f"{len(files):06}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(before))
        files.append(path)
        written += path.stat().st_size
    return files


class _Sessions:
    """Makes up one session after the other."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._texts = [prose(random, random.randint(200, 3_000)) for _ in range(_POOL)]
        self._results = [source_code(random, random.randint(500, 8_000)) for _ in range(_POOL)]

    def lines(self, *, size: int) -> Iterator[bytes]:
        """The lines of a new session of about `size` bytes."""
        session = self._id("")
        parent: str | None = None
        done = second = 0
        read = 12_000
        while done < size:
            for role, message in self._call(read):
                second += self._random.randrange(1, 6)
                uuid = self._id("")
                line = orjson.dumps(_line(session, role, message, (parent, uuid), second)) + b"\n"
                yield line
                done += len(line)
                parent = uuid
            read += 2_000

    def _call(self, read: int) -> Iterator[tuple[str, dict[str, Any]]]:
        random = self._random
        message, use = self._id("msg_"), self._id("toolu_")
        usage = {
            "input_tokens": 3,
            "cache_creation_input_tokens": 2_000,
            "cache_read_input_tokens": read,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 2_000},
            "output_tokens": 2,
            "service_tier": "standard",
        }
        answer = {"id": message, "type": "message", "role": "assistant", "model": MODEL}
        text = {"type": "text", "text": random.choice(self._texts)}
        yield "assistant", {**answer, "content": [text], "stop_reason": None, "usage": usage}
        call = {"type": "tool_use", "id": use, "name": "Read", "input": {"limit": random.randrange(2_000)}}
        final = {**usage, "output_tokens": random.randrange(20, 1_500)}
        yield "assistant", {**answer, "content": [call], "stop_reason": "tool_use", "usage": final}
        result = {"type": "tool_result", "tool_use_id": use, "content": random.choice(self._results)}
        yield "user", {"role": "user", "content": [result]}

    def _id(self, prefix: str) -> str:
        return f"{prefix}{self._random.getrandbits(96):024x}"


def _line(
    session: str, role: str, message: dict[str, Any], ids: tuple[str | None, str], second: int
) -> dict[str, Any]:
    parent, uuid = ids
    hour, minute = second // 3_600 % 24, second // 60 % 60
    return {
        "parentUuid": parent,
        "isSidechain": False,
        "userType": "external",
        "cwd": "/srv/project",
        "sessionId": session,
        "version": "2.1.62",
        "gitBranch": "main",
        "type": role,
        "message": message,
        "uuid": uuid,
        "timestamp": f"2026-11-{1 + second // 86_400:02}T{hour:02}:{minute:02}:{second % 60:02}.000Z",
    }
