"""Reading recordings with few looks for garbage: what is read stays, and next to none of it is in cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["few_collections"]

_YOUNG = 500_000
_OLDER = (50, 1_000)


@contextmanager
def few_collections(after: int = _YOUNG) -> Iterator[None]:
    """Looks for garbage in cycles seldom, at first after so many new objects; also a decorator.

    As often as Python does by default it took a fifth of the time of whoever reads thousands of calls.
    """
    before = gc.get_threshold()
    gc.set_threshold(after, *_OLDER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
