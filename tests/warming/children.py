"""What child processes do in the tests of warming.

    python -m tests.warming.children

Reads lines of URL LEASES SECONDS. Each begins a process, whose id is written; the process warms the prefix
and writes one line: whether it sent a request, and why or why not.
"""

from __future__ import annotations

import os
import signal
import sys

import anthropic

import scrimp
from scrimp.stores.leases import Leases

REQUEST = {"model": "claude-sonnet-5", "system": "You are a careful assistant. " * 500}


def main() -> None:
    """Begin processes until the input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who has ended is gone
    print("ready", flush=True)
    for line in iter(sys.stdin.readline, ""):
        child = os.fork()
        if not child:
            warm(*line.split())
            return
        os.write(1, f"{child}\n".encode())


def warm(url: str, path: str, seconds: str) -> None:
    """Warm once."""
    with anthropic.Anthropic(base_url=url, api_key="key", max_retries=0) as client:
        warmth = scrimp.warm(client, REQUEST, leases=Leases(path, lease_seconds=float(seconds)))
    os.write(1, f"{warmth.sent} {warmth.why}\n".encode())  # in one piece: others write there too


if __name__ == "__main__":
    main()
