"""What a step of a conversation brings: its blocks, where its messages end, what the user said."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import msgspec

from scrimp.core.prompt import is_input
from scrimp.wire.request import Block, add_message

__all__ = ["SUMMARY", "Step", "first_image", "positions_of", "read_on"]

SUMMARY = "compaction"
"""The kind of block that is a summary by the API, a hollow one too."""

_kind = attrgetter("kind")


class Step(msgspec.Struct, frozen=True, gc=False):
    """Some messages of a request: their blocks, and the kinds of those.

    For each message, the positions up to its end, and the last one up to it with user input (-1: none).
    """

    blocks: list[Block]
    kinds: set[str]
    positions: list[int]
    inputs: list[int]


def read_on(messages: Sequence[Any], first: int, start: int, asked: int) -> Step:
    """The messages from number `first` on, which begin at position `start`; `asked` is the input before.

    Raises `RequestError`.
    """
    blocks: list[Block] = []
    positions: list[int] = []
    inputs: list[int] = []
    at = 0
    for index in range(first, len(messages)):
        add_message(blocks, index, messages[index])
        end = len(blocks)
        if at < end and blocks[at].role == "user" and any(map(is_input, blocks[at:])):
            asked = index
        at = end
        positions.append(start + at)
        inputs.append(asked)
    return Step(blocks, set(map(_kind, blocks)), positions, inputs)


def positions_of(seen: Sequence[Block], messages: range, start: int) -> list[int]:
    """For each of `messages`, whose blocks `seen` begin at position `start`, the positions up to its end."""
    found, at, count = [], 0, len(seen)
    for message in messages:
        while at < count and seen[at].message == message:
            at += 1
        found.append(start + at)
    return found


def first_image(seen: Sequence[Block], start: int) -> int:
    """Where the first image is, where `seen` begins at position `start`; -1: nowhere."""
    return next((position for position, block in enumerate(seen, start) if block.kind == "image"), -1)
