"""The command line: `scrimp COMMAND …`; every command lives in a module of its own name."""

from __future__ import annotations

from scrimp.cli.app import main

__all__ = ["main"]
