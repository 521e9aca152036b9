"""Whose texts are whose: a handle leads to a text only within the scope that kept it."""

from __future__ import annotations

from hashlib import blake2b

from scrimp.core.record import Tags

__all__ = ["OPEN", "scope_of"]

_BYTES = 16

OPEN = ""
"""The scope of calls of which neither key nor user is known."""


def scope_of(tags: Tags) -> str:
    """The scope of a call: its virtual key and its user, as one digest that names neither.

    Not its run: a conversation that another run takes up keeps its handles.
    """
    if tags.key is None and tags.user is None:
        return OPEN
    named = repr((tags.key, tags.user)).encode("utf-8", "surrogatepass")
    return blake2b(named, digest_size=_BYTES).hexdigest()
