"""What child processes do in the tests of warming.

    python -m tests.warming.children URL LEASES SECONDS [PROCESSES]

A child warms the prefix and writes one line: whether it sent a request, and why or why not. Of several
processes each does so, once all of them have begun.
"""

from __future__ import annotations

import os
import sys

import anthropic

import scrimp
from scrimp.stores.leases import Leases

REQUEST = {"model": "claude-sonnet-5", "system": "You are a careful assistant. " * 500}


def main(url: str, path: str, seconds: str, processes: str = "1") -> None:
    """Warm once a process."""
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(int(processes) - 1):
        if not os.fork():
            break
    with anthropic.Anthropic(base_url=url, api_key="key", max_retries=0) as client:
        warmth = scrimp.warm(client, REQUEST, leases=Leases(path, lease_seconds=float(seconds)))
    os.write(1, f"{warmth.sent} {warmth.why}\n".encode())  # in one piece: others write there too


if __name__ == "__main__":
    main(*sys.argv[1:])
