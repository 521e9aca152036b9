"""An attribute that is worked out when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

__all__ = ["lazily"]

T = TypeVar("T")


class lazily(Generic[T]):  # noqa: N801 - a decorator
    """`functools.cached_property` without its lock, which takes longer than what is worked out here.

    Two threads that ask at once both work it out; it has to be the same.
    """

    def __init__(self, work_out: Callable[[Any], T]) -> None:
        self._work_out = work_out
        self._name = work_out.__name__
        self.__doc__ = work_out.__doc__

    def __get__(self, of: Any, owner: type) -> T:
        """Asked for the first time: from then on it is found where attributes are looked for first."""
        found = self._work_out(of)
        of.__dict__[self._name] = found
        return found
