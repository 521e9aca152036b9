"""Calls in the order they go out, where a lever has moved some of them in time."""

from __future__ import annotations

from collections.abc import Sequence

from scrimp.core.reproduce import Measured

__all__ = ["in_time_order"]


def in_time_order(calls: Sequence[Measured]) -> list[int]:
    """The places of `calls` by their start; those that start together keep their order."""
    return sorted(range(len(calls)), key=lambda place: calls[place].call.at)
