"""Reading Claude Code transcripts: usage summed, each call counted once. The baseline is the `json` module.

`read_lines` decodes a line's usage and nothing else; `read_transcripts` also links calls into conversations
and measures what came in between. Lines alone are read to show what the disk and the
interpreter cost. ccusage takes part where it is installed; it groups by day and prices besides.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.timing import Contender, Section, compare
from benchmarks.transcripts import write_transcripts
from scrimp.traces.files import Faults, read_lines
from scrimp.traces.transcripts import read_transcripts
from scrimp.wire.response import Usage

__all__ = ["Sum", "json_sum", "measure_reading", "scrimp_sum", "usage_sum"]

Sum = tuple[int, int, int, int, int]
"""Calls, and their plain, written, read and output tokens."""


class _Message(msgspec.Struct):
    id: str = ""
    usage: Usage | None = None


class _Line(msgspec.Struct):
    message: _Message | None = None


_billed = msgspec.json.Decoder(_Line)


def measure_reading(folder: Path, *, size: int, rounds: int, seed: int) -> Section:
    """Gigabytes per second over about `size` bytes written below `folder`.

    Raises ValueError when the sums differ.
    """
    files = write_transcripts(folder, size=size, seed=seed)
    sums = {scrimp_sum(files), usage_sum(files), json_sum(files)}
    if len(sums) > 1:
        raise ValueError(f"the readers differ: {sums}")
    total = sum(file.stat().st_size for file in files)
    gigabytes = total / 1e9
    baseline = "json: json.loads of every line"
    contenders = [
        Contender("scrimp: read_lines, usage only", lambda: lambda: usage_sum(files), gigabytes, rate=True),
        Contender("scrimp: read_transcripts", lambda: lambda: scrimp_sum(files), gigabytes, rate=True),
        Contender(baseline, lambda: lambda: json_sum(files), gigabytes, rate=True),
        Contender("lines only, nothing parsed", lambda: lambda: _count_lines(files), gigabytes, rate=True),
    ]
    ccusage = shutil.which("ccusage")
    if ccusage is not None:
        run = partial(_run_ccusage, ccusage, folder)
        contenders.append(Contender("ccusage daily --offline", lambda: run, gigabytes, rate=True))
    rows = compare(contenders, baseline=baseline, rounds=rounds)
    about = f"{total / 1e6:,.0f} MB in {len(files)} sessions; usage summed, repeated calls counted once"
    return Section("reading", "Reading transcripts", "GB/s", about, rows)


def scrimp_sum(files: Iterable[Path]) -> Sum:
    """The sum by scrimp's reader of transcripts."""
    faults: Faults = []
    return _sum(
        call.usage
        for session in read_transcripts(files, faults)
        for conversation in session.conversations
        for call in conversation.calls
        if not call.duplicate
    )


def usage_sum(files: Iterable[Path]) -> Sum:
    """The sum by scrimp's reader of lines, decoding nothing but usage: of each message id the last counts."""
    usages: dict[str, Usage] = {}
    faults: Faults = []
    for file in files:
        for _, line in read_lines(file, faults):
            message = _billed.decode(line).message
            if message is not None and message.usage is not None:
                usages[message.id] = message.usage
    return _sum(usages.values())


def json_sum(files: Iterable[Path]) -> Sum:
    """The same sum by the standard library."""
    usages: dict[str, dict[str, Any]] = {}
    for file in files:
        with file.open("rb") as lines:
            for line in lines:
                record = json.loads(line)
                if record["type"] == "assistant":
                    usages[record["message"]["id"]] = record["message"]["usage"]
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    plain, written, read, output = (sum(usage[name] for usage in usages.values()) for name in names)
    return len(usages), plain, written, read, output


def _sum(usages: Iterable[Usage]) -> Sum:
    calls = plain = written = read = output = 0
    for usage in usages:
        calls += 1
        plain += usage.input_tokens
        written += usage.cache_creation_input_tokens
        read += usage.cache_read_input_tokens
        output += usage.output_tokens
    return calls, plain, written, read, output


def _count_lines(files: Iterable[Path]) -> int:
    count = 0
    for file in files:
        with file.open("rb") as lines:
            count += sum(1 for _ in lines)
    return count


def _run_ccusage(command: str, folder: Path) -> None:
    where = {**os.environ, "CLAUDE_CONFIG_DIR": str(folder)}
    subprocess.run([command, "daily", "--json", "--offline"], env=where, check=True, capture_output=True)
