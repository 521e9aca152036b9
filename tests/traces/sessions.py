"""Builds lines of Claude Code session files by hand, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

START = 1_770_000_000.0
"""When every session here starts: 2026-02-02T02:40:00Z."""


def stamp(seconds: float) -> str:
    """The timestamp `seconds` after START."""
    minutes, rest = divmod(40 * 60 + seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    days, hours = divmod(hours + 2, 24)
    return f"2026-02-{2 + days:02}T{hours:02}:{minutes:02}:{rest:06.3f}Z"


def usage(
    plain: int = 3, read: int = 0, write_1h: int = 0, write_5m: int = 0, output: int = 1
) -> dict[str, Any]:
    """A usage block as the API bills it."""
    return {
        "input_tokens": plain,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": write_1h + write_5m,
        "cache_creation": {"ephemeral_5m_input_tokens": write_5m, "ephemeral_1h_input_tokens": write_1h},
        "output_tokens": output,
    }


def text(words: str) -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": words}


def tool_use(use: str, name: str = "Read") -> dict[str, Any]:
    """A tool use block."""
    return {"type": "tool_use", "id": use, "name": name, "input": {}}


def result(use: str, content: Any = "done") -> dict[str, Any]:
    """A tool result block."""
    return {"type": "tool_result", "tool_use_id": use, "content": content}


def user(uuid: str, parent: str | None, at: float, content: Any, **fields: Any) -> dict[str, Any]:
    """A line of input."""
    return {
        "type": "user",
        "uuid": uuid,
        "parentUuid": parent,
        "timestamp": stamp(at),
        "sessionId": "s1",
        "version": "2.1.205",
        "cwd": "/srv/ada/project",
        "message": {"role": "user", "content": content},
        **fields,
    }


def assistant(
    uuid: str, parent: str | None, at: float, call: str, billed: dict[str, Any], *content: Any, **fields: Any
) -> dict[str, Any]:
    """One line of an answer. `model` and `stop_reason` may be given among the fields."""
    message = {
        "id": call,
        "role": "assistant",
        "model": fields.pop("model", "claude-opus-4-6"),
        "content": list(content) or [text("ok")],
        "stop_reason": fields.pop("stop_reason", "end_turn"),
        "usage": billed,
    }
    line = user(uuid, parent, at, None, **fields)
    return {**line, "type": "assistant", "requestId": f"req_{call}", "message": message}


def system(uuid: str, parent: str | None, at: float, subtype: str, **fields: Any) -> dict[str, Any]:
    """A system line: a boundary, a closed turn, a summary."""
    line = {"type": "system", "subtype": subtype, "uuid": uuid, "parentUuid": parent}
    return {**line, "timestamp": stamp(at), "sessionId": "s1", **fields}


def agent(uuid: str, parent: str | None, at: float, name: str, said: dict[str, Any]) -> dict[str, Any]:
    """A progress line of the main conversation that carries what a sub-agent said."""
    carried = {"type": said["type"], "message": said["message"], "timestamp": stamp(at)}
    if "requestId" in said:
        carried["requestId"] = said["requestId"]
    return {
        "type": "progress",
        "uuid": uuid,
        "parentUuid": parent,
        "timestamp": stamp(at),
        "sessionId": "s1",
        "version": "2.1.37",
        "data": {"type": "agent_progress", "agentId": name, "message": carried},
    }


def hook(uuid: str, parent: str | None, at: float, name: str) -> dict[str, Any]:
    """A progress line of a hook that ran."""
    return {
        "type": "progress",
        "uuid": uuid,
        "parentUuid": parent,
        "timestamp": stamp(at),
        "data": {"type": "hook_progress", "hookName": name},
    }


def write(path: Path, *lines: dict[str, Any] | bytes) -> Path:
    """Write a session file; bytes go in as they are."""
    raw = [line if isinstance(line, bytes) else msgspec.json.encode(line) for line in lines]
    path.write_bytes(b"\n".join(raw) + b"\n")
    return path
