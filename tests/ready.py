"""What takes long to import, of what most programs in these tests need: they are forks of what has it."""

from __future__ import annotations

import anthropic
import anyio

import scrimp
import scrimp.middleware
import scrimp.stores.opening

__all__ = ["anthropic"]

for package in (anyio, scrimp):
    # pytest rewrites the asserts of all that brings a plugin, and warns where it comes too late.
    package.__doc__ = f"{package.__doc__}\nPYTEST_DONT_REWRITE"
