"""How close a prediction must be to count as right."""

from __future__ import annotations

__all__ = ["tolerance"]


def tolerance(total: int) -> float:
    """How far a prediction may be from the bill and still count: 1 % of total input and 16 tokens."""
    return total / 100 + 16
