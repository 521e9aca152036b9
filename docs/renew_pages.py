"""Put what the commands of some pages print below them; a test fails while the two differ.

python docs/renew_pages.py             # every one of these pages
python docs/renew_pages.py what-if     # that one alone
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PAGES = ("audit", "estimate", "what-if")
SESSION = re.compile(r"(?<=```console\n)\$ scrimp (.*)\n[^`]*(?=```)")


def main(*names: str) -> None:
    """Run every command of these pages again."""
    for name in names or PAGES:
        page = PROJECT / "docs" / f"{name}.md"
        page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")


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
    main(*sys.argv[1:])
