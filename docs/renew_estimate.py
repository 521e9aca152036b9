"""Put what the commands of docs/estimate.md print below them; a test fails while the two differ.

python docs/renew_estimate.py
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "docs" / "estimate.md"
SESSION = re.compile(r"(?<=```console\n)\$ scrimp (.*)\n[^`]*(?=```)")


def main() -> None:
    """Run every command of the page again."""
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def renewed(text: str) -> str:
    """The page with what its commands print now."""
    return SESSION.sub(lambda found: f"$ scrimp {found[1]}\n{printed(found[1])}", text)


def printed(arguments: str) -> str:
    """What `scrimp` prints, eighty columns wide."""
    command = [sys.executable, "-m", "scrimp", *shlex.split(arguments)]
    env = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(command, cwd=PROJECT, env=env, check=True, capture_output=True, text=True)
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


if __name__ == "__main__":
    main()
