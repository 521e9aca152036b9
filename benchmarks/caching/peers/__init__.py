"""Markers of other tools, each made by that tool's own published code in its own environment.

A peer's code reads a skeleton of the body: every block in its place, with short stand-ins for what it says.
No peer decides by the words, so bodies of one structure are asked about once. `make sdks` installs the peers.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import orjson

from benchmarks.caching.peers.remembered import Placed, Remembered, key_of
from benchmarks.caching.traffic import Call
from scrimp.errors import ScrimpError
from scrimp.wire.markers import MarkerEdit

__all__ = ["PEERS", "Advice", "consult", "key_of", "skeleton"]

Body = dict[str, Any]
Advice = Mapping[bytes, Sequence[MarkerEdit]] | str
"""Markers by the key of the skeleton, or why there are none."""

PEERS = {
    "litellm": ("litellm", "litellm_markers.py"),
    "langchain": ("langchain-anthropic", "langchain_markers.py"),
    "pydantic-ai": ("pydantic-ai", "pydantic_ai_markers.py"),
}
"""The environment and the script of each."""

_ENVIRONMENTS = Path(__file__).parents[3] / ".sdks"
_QUIET = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONWARNINGS": "ignore"}


def consult(names: Iterable[str], calls: Iterable[Call]) -> dict[str, Advice]:
    """What each peer does with each call; the peers work side by side.

    Raises `ScrimpError` where a peer's code fails or loses content.
    """
    asked = list({skeleton(call.body): None for call in calls})
    names = list(names)
    with ThreadPoolExecutor(max(1, len(names))) as pool:
        return dict(zip(names, pool.map(lambda name: _advice(name, asked), names), strict=True))


def skeleton(body: Body) -> bytes:
    """`body` with stand-ins for its words; the same for every body of the same structure."""
    names = {tool["name"]: f"tool_{number}" for number, tool in enumerate(body.get("tools") or ())}
    place = _Places(names)
    return orjson.dumps(
        {
            "model": body["model"],
            "tools": [_tool(names[tool["name"]]) for tool in body.get("tools") or ()],
            "system": place.content(body.get("system") or []),
            "messages": [
                {"role": message["role"], "content": place.content(message["content"])}
                for message in body["messages"]
            ],
        }
    )


class _Places:
    """Numbers blocks as they come, and calls of tools so that their results find them."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names
        self._next = 0
        self._uses: dict[str, str] = {}

    def content(self, content: Any) -> Any:
        return self._text() if isinstance(content, str) else [self._block(block) for block in content]

    def _text(self) -> str:
        self._next += 1
        return f"text {self._next}"

    def _block(self, block: Body) -> Body:
        kind, text = block["type"], self._text()
        if kind == "text":
            return {"type": kind, "text": text}
        if kind == "thinking":
            return {"type": kind, "thinking": text, "signature": "signed"}
        if kind == "tool_use":
            identity = self._uses[block["id"]] = f"toolu_{self._next}"
            return {"type": kind, "id": identity, "name": self._names.get(block["name"], "tool"), "input": {}}
        if kind == "tool_result":
            return {"type": kind, "tool_use_id": self._uses[block["tool_use_id"]], "content": text}
        raise ScrimpError(f"no peer was shown how to read a block of type {kind!r}")


def _tool(name: str) -> Body:
    return {"name": name, "description": name, "input_schema": {"type": "object", "properties": {}}}


def _advice(name: str, asked: Sequence[bytes]) -> Advice:
    environment, script = PEERS[name]
    home = _ENVIRONMENTS / environment
    python = home / "bin" / "python"
    if not python.exists():
        return "not installed; run `make sdks`"
    remembered = Remembered(home, Path(__file__).with_name(script))
    new = [line for line in asked if line not in remembered]
    if new:
        remembered.add(new, _ask(name, python, script, new))
    return {key_of(line): remembered[line] for line in asked}


def _ask(name: str, python: Path, script: str, asked: Sequence[bytes]) -> list[Placed]:
    """What the peer's code answers, line by line."""
    done = subprocess.run(
        [python, Path(__file__).with_name(script)],
        input=b"".join(line + b"\n" for line in asked),
        env={**os.environ, **_QUIET},
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise ScrimpError(f"{name}: its code failed: {done.stderr.decode(errors='replace')[-2000:]}")
    return msgspec.json.decode(b"[%b]" % b",".join(done.stdout.splitlines()), type=list[Placed])
