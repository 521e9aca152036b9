"""Headers that are for one connection alone, whichever way they go."""

from __future__ import annotations

__all__ = ["ONE_HOP"]

ONE_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""RFC 9110, section 7.6.1, and two that older software sends."""
