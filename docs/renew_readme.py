"""Put the demo's real print, shortened, into the README; a test fails while the two differ.

python docs/renew_readme.py
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"<!-- demo output -->.*?<!-- /demo output -->", re.DOTALL)
RUNS_SHOWN = 3
"""Runs shown of each agent; the others are counted."""


def main() -> None:
    """Run the demo and replace the block."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "scrimp", "demo"]
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    block = "\n".join(
        ["<!-- demo output -->", "```text", *shortened(done.stdout), "```", "<!-- /demo output -->"]
    )
    README.write_text(BLOCK.sub(lambda _: block, README.read_text(encoding="utf-8")), encoding="utf-8")


def shortened(text: str) -> list[str]:
    """The print with the first runs of each agent and the number of the others."""
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    kept: list[str] = []
    agent, runs = "", 0
    for line in lines:
        if agent and line.startswith("  "):
            runs += 1
            if runs > RUNS_SHOWN:
                continue
        elif runs > RUNS_SHOWN:
            kept.append(f"  ⋮ {runs - RUNS_SHOWN} more runs of {agent}")
        if not line.startswith("  "):
            agent, runs = line.split("  ")[0] if line.startswith(("OpenHands", "moatless-tools")) else "", 0
        kept.append(line)
    return kept


if __name__ == "__main__":
    main()
