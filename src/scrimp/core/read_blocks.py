"""What a step of a conversation brings: where its messages end, what the user said, its first image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scrimp.core.prompt import is_input
from scrimp.wire.request import Block

__all__ = ["SUMMARY", "Steps", "first_image", "steps_of"]

SUMMARY = "compaction"
"""The kind of block that is a summary by the API, a hollow one too."""


class Steps(NamedTuple):
    """For each of some messages, the positions up to its end, and the last one up to it with user input (-1:
    none)."""

    positions: list[int]
    inputs: list[int]


def steps_of(seen: Sequence[Block], messages: range, start: int, last: int) -> Steps:
    """The steps of `messages`, whose blocks `seen` begin at position `start`; `last` is the input before."""
    found, at, count = Steps([], []), 0, len(seen)
    for message in messages:
        while at < count and (block := seen[at]).message == message:
            at += 1
            if is_input(block):
                last = message
        found.positions.append(start + at)
        found.inputs.append(last)
    return found


def first_image(seen: Sequence[Block], start: int) -> int:
    """Where the first image is, where `seen` begins at position `start`; -1: nowhere."""
    return next((position for position, block in enumerate(seen, start) if block.kind == "image"), -1)
