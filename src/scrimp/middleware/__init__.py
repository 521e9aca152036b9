"""scrimp inside the official SDK: one line at the client, nothing else to change.

client = anthropic.Anthropic(middleware=[scrimp.Middleware()])
"""

from __future__ import annotations

from scrimp.middleware.sdk import Middleware

__all__ = ["Middleware"]
