"""A server in a process of its own, so that what it costs is not counted as its client's.

    python -m benchmarks.emulating emulator|fixed

Prints its address, and serves until its standard input ends. The emulator's answers have as many words as the
request allows tokens (`max_tokens`); `fixed` is uvicorn with one answer for everything.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from scrimp.emulator import Answer, Emulator, text
from scrimp.emulator.line import App
from scrimp.emulator.server import Server

__all__ = ["Kind", "serving"]

Kind = Literal["emulator", "fixed"]

_FIXED = json.dumps(
    {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5-5",
        "content": [text("word " * 64)],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 64},
    }
).encode()


@contextmanager
def serving(kind: Kind) -> Iterator[str]:
    """The base URL of a server that runs inside the block."""
    command = [sys.executable, "-m", "benchmarks.emulating", kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


def _say(body: dict[str, Any]) -> Answer:
    words = int(body["max_tokens"])
    return Answer((text("word " * words),), output_tokens=words)


def _fixed() -> App:
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_FIXED))],
    }

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send(start)
        await send({"type": "http.response.body", "body": _FIXED})

    return app


def _main(kind: str) -> None:
    app = _fixed() if kind == "fixed" else Emulator(_say).app
    server = Server(app)
    server.start()
    print(f"http://{server.host}:{server.port}", flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    _main(*sys.argv[1:])
