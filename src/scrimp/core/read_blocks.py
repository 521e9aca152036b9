"""What a step of a conversation brings: where its messages end, what the user said, its first image."""

from __future__ import annotations

from collections.abc import Sequence

from scrimp.core.prompt import is_input
from scrimp.wire.request import Block

__all__ = ["SUMMARY", "first_image", "inputs_of", "positions_of"]

SUMMARY = "compaction"
"""The kind of block that is a summary by the API, a hollow one too."""


def inputs_of(seen: Sequence[Block], messages: range, before: list[int]) -> list[int]:
    """For each of `messages`, the last one up to it with input of the user."""
    said = {block.message for block in seen if is_input(block)}
    last = before[-1] if before else -1
    return [last := index if index in said else last for index in messages]


def positions_of(seen: Sequence[Block], messages: range, start: int) -> list[int]:
    """For each of `messages`, the positions up to its end."""
    ends, at, last = [], 0, len(seen)
    for index in messages:
        while at < last and seen[at].message == index:
            at += 1
        ends.append(start + at)
    return ends


def first_image(seen: Sequence[Block], start: int) -> int:
    """Where the first image is, where `seen` begins at position `start`; -1: nowhere."""
    return next((position for position, block in enumerate(seen, start) if block.kind == "image"), -1)
