"""Files that may not be read, even where tests are run by root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["powerless"]

NOBODY = 65534


@contextmanager
def powerless() -> Iterator[None]:
    """As somebody whom permissions hold back."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
