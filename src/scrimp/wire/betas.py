"""The `anthropic-beta` header: a list of features, where adding one must neither repeat nor lose another."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["BETAS_HEADER", "betas_in", "joined_betas"]

BETAS_HEADER = "anthropic-beta"


def betas_in(value: str | None) -> tuple[str, ...]:
    """The values of a header, in their order."""
    return tuple(part.strip() for part in (value or "").split(",") if part.strip())


def joined_betas(before: Iterable[str], added: Iterable[str]) -> str:
    """The header with what is added behind what is there already; nothing is repeated."""
    return ",".join(dict.fromkeys((*before, *added)))
