"""Runs a Python file as `python` would, in a fork of a process that has already imported what takes long.

    python -S tests/fork_client.py SOCKET FILE ARGUMENT…

What it says is said once it has ended. Standard library only, and of that little: it is there to be quick.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from forks import Line  # beside this file


def main() -> int:
    """Run it, and exit as it did."""
    place, *argv = sys.argv[1:]
    done = Line(Path(place)).run(*argv, env=os.environ, cwd=Path.cwd())
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
