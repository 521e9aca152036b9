"""Where the recipes send their calls: to the API where a key is set, else to an emulator of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import anthropic

import scrimp
from scrimp.emulator import Emulator

__all__ = ["MODEL", "connect", "show"]

MODEL = "claude-haiku-5-5"


@contextmanager
def connect() -> Iterator[anthropic.Anthropic]:
    """A client with scrimp in it, which is the one line an agent needs:

    client = anthropic.Anthropic(middleware=[scrimp.Middleware()])
    """
    with ExitStack() as stack:
        if not os.environ.get("ANTHROPIC_API_KEY"):
            print("No ANTHROPIC_API_KEY: these calls go to an emulator on localhost, and cost nothing.\n")
            os.environ["ANTHROPIC_BASE_URL"] = stack.enter_context(Emulator()).url
            os.environ["ANTHROPIC_API_KEY"] = "emulated"
        yield stack.enter_context(anthropic.Anthropic(middleware=[scrimp.Middleware()]))


def show(what: str, message: anthropic.types.Message) -> None:
    """One line on how a call was billed."""
    usage = message.usage
    written, read = usage.cache_creation_input_tokens or 0, usage.cache_read_input_tokens or 0
    tokens = f"plain {usage.input_tokens:>5,}  written {written:>6,}  read {read:>6,}"
    print(f"{what:<36}  {tokens}  ${scrimp.cost(message).usd:f}")
