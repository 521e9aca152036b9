"""Seconds of mixed load with all going wrong upstream; `python -m benchmarks.soak` does it for minutes."""

from __future__ import annotations

import socket
from pathlib import Path

from benchmarks.soak import soak


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_nothing_is_lost_twice_or_held_and_nobody_hangs(tmp_path: Path) -> None:
    outcome = soak(3.0, folder=tmp_path, port=free_port())
    assert outcome.faults == []
    assert outcome.late == 0
    assert outcome.ended["message"] > 10
    assert outcome.ended["stream"] > 10
    assert outcome.ended["left a message"] + outcome.ended["left a stream"] > 0
    assert outcome.ended["402"] > 0  # the poor key ran out of money
    assert sum(outcome.ended.values()) == outcome.calls
    assert outcome.billed > 20
