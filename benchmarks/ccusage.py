"""What was spent by day, beside ccusage on the same sessions: each command as users run it, start included.

scrimp reads everything (its index is deleted before each run), then once more with nothing changed, then with
one file that has grown by one call. Tokens and dollars of every day have to be the same.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.ccusage_sessions import session_files, write_copies
from benchmarks.timing import Contender, Section, compare

__all__ = ["measure_ccusage"]

_VERSION = "20.0.24"
_PLACE = Path(".sdks/ccusage")
_CENT_PART = 1e-4
"""Dollars a day may differ by: ccusage adds up floating-point numbers."""


class _Sums(NamedTuple):
    """A day's plain, written, read and output tokens, and its dollars."""

    plain: int
    written: int
    read: int
    output: int
    usd: float


class _Bench(NamedTuple):
    """The commands, and where they look."""

    folder: Path
    files: list[Path]
    ccusage: str | None

    def scrimp_days(self) -> dict[str, _Sums]:
        """The days by scrimp."""
        command = [
            str(Path(sys.executable).with_name("scrimp")),
            "audit",
            "--only",
            "spend",
            "--by",
            "day",
            "--json",
        ]
        lines = json.loads(self._run([*command, str(self.folder / "projects")]))["by"]["day"]
        return {
            line["name"]: _Sums(
                line["input"],
                line["write_5m"] + line["write_1h"],
                line["read"],
                line["output"],
                float(line["usd"]),
            )
            for line in lines
        }

    def ccusage_days(self) -> dict[str, _Sums]:
        """The days by ccusage, with the prices it was built with."""
        days = json.loads(self._run([str(self.ccusage), "daily", "--json", "--offline"]))["daily"]
        names = ("inputTokens", "cacheCreationTokens", "cacheReadTokens", "outputTokens", "totalCost")
        return {day["period"]: _Sums._make(day[name] for name in names) for day in days}

    def forget(self) -> None:
        """Delete scrimp's index."""
        shutil.rmtree(self.folder / "home", ignore_errors=True)

    def grow(self) -> None:
        """One more call at the end of one file: its last answer once more, under another id."""
        file = self.files[0]
        answers = [line for line in file.read_bytes().splitlines() if b'"type":"assistant"' in line]
        line: dict[str, Any] = json.loads(answers[-1])
        line["message"]["id"] = f"msg_grown_{file.stat().st_size}"
        with file.open("ab") as end:
            end.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")

    def _run(self, command: list[str]) -> bytes:
        where = {
            **os.environ,
            "CLAUDE_CONFIG_DIR": str(self.folder),
            "SCRIMP_HOME": str(self.folder / "home"),
            "TZ": "UTC",
        }
        return subprocess.run(
            command, env=where, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ).stdout


def measure_ccusage(folder: Path, *, size: int, rounds: int, seed: int, given: Path | None = None) -> Section:
    """Seconds for about `size` bytes, of copies of the sessions below `given` or of made up ones.

    Raises ValueError when a day differs.
    """
    files = write_copies(session_files(folder / "made-up", given, seed=seed), folder / "sessions", size=size)
    bench = _Bench(folder / "sessions", files, _ccusage())
    cold = "scrimp, nothing read before"
    contenders = [
        Contender(cold, _after(bench.forget, bench.scrimp_days)),
        Contender("scrimp, nothing changed", _after(bench.scrimp_days, bench.scrimp_days)),
        Contender("scrimp, one file has grown", _after(bench.grow, bench.scrimp_days)),
    ]
    if bench.ccusage is not None:
        _check(bench)
        contenders.append(Contender(f"ccusage {_VERSION} daily --offline", lambda: bench.ccusage_days))
    rows = compare(contenders, baseline=cold, rounds=rounds)
    total = sum(file.stat().st_size for file in files)
    peer = "tokens and dollars of every day equal" if bench.ccusage else "ccusage is not there: npm is needed"
    read = f"{total / 1e6:,.0f} MB in {len(files):,} sessions, all in the system's cache"
    about = f"{read}, {os.cpu_count()} cores; {peer}"
    return Section("ccusage", "What was spent, by day", "s", about, rows)


def _after(prepare: Callable[[], object], run: Callable[[], object]) -> Callable[[], Callable[[], object]]:
    def prepared() -> Callable[[], object]:
        prepare()
        return run

    return prepared


def _check(bench: _Bench) -> None:
    ours, theirs = bench.scrimp_days(), bench.ccusage_days()
    for day in sorted(ours.keys() | theirs.keys()):
        our, their = ours.get(day), theirs.get(day)
        if our is None or their is None or our[:4] != their[:4] or abs(our.usd - their.usd) > _CENT_PART:
            raise ValueError(f"{day}: scrimp counts {our}, ccusage {their}")


def _ccusage() -> str | None:
    """The program itself, without the script that starts it; installed by npm where it is not there yet."""
    program = "node_modules/@ccusage/*/bin/ccusage*"
    npm = shutil.which("npm")
    if not any(_PLACE.glob(program)) and npm is not None:
        command = [npm, "install", "--prefix", str(_PLACE), "--no-fund", "--no-audit", "--loglevel", "error"]
        subprocess.run([*command, f"ccusage@{_VERSION}"], check=True)
    return next((str(path.resolve()) for path in _PLACE.glob(program)), None)
