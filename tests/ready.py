"""What takes long to import or to read, of what most programs here need: they are forks of what has it."""

from __future__ import annotations

import anthropic
import anyio

import scrimp
import scrimp.emulator
import scrimp.middleware
import scrimp.stores.opening
from scrimp.core.tokens.texts import count_text
from scrimp.facts.models import default

__all__ = ["anthropic"]

for package in (anyio, scrimp):
    # pytest rewrites the asserts of all that brings a plugin, and warns where it comes too late.
    package.__doc__ = f"{package.__doc__}\nPYTEST_DONT_REWRITE"

default()
for text in ("a", "ä"):  # each is measured by a vocabulary of its own
    count_text(text)
anthropic.Anthropic(api_key="none").close()  # the first client imports what speaks HTTP
