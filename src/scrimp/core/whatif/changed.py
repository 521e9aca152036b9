"""What a lever makes of recorded calls, and what every lever must do.

A lever takes the calls of one source and gives back the calls as they would have been. Levers compose by
applying one after the other to the same calls, which are replayed once, together: what two levers both save
is then saved once. A lever is causal: what it makes of a call depends on that call and on those before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from scrimp.core.reproduce import Measured

__all__ = ["Changed", "Lever", "Removed"]


class Removed(msgspec.Struct, frozen=True):
    """Content a lever took out of prompts, and how often the recorded continuation used it after all.

    `tokens` is how many input tokens the prompts are shorter by, added up over all calls; `calls` how many
    calls that is; `taken` the tokens of what was removed, each piece once. `uses` counts later uses of it
    (a path, an identifier or quoted text that only stood there), `used` the tokens of the pieces used;
    `charged` is what fetching them again is charged, picodollars, and is part of `Changed.extra`.
    """

    tokens: int = 0
    calls: int = 0
    taken: int = 0
    uses: int = 0
    used: int = 0
    charged: int = 0

    @property
    def share(self) -> float:
        """The regret: of the tokens taken, the share that was used later.

        What was fetched again may be taken and used once more, so that more could be used than was taken.
        """
        return min(self.used / self.taken, 1.0) if self.taken else 0.0

    def __add__(self, other: Removed) -> Removed:
        return Removed(
            self.tokens + other.tokens,
            self.calls + other.calls,
            self.taken + other.taken,
            self.uses + other.uses,
            self.used + other.used,
            self.charged + other.charged,
        )


class Changed(msgspec.Struct, frozen=True):
    """The calls as a lever leaves them.

    `calls[i]` is what became of the i-th call given: same number, same order. A lever may move a call in time
    (`call.at`); whoever replays puts the calls in time order. `extra[i]` is what call i costs beside its own
    input and output, picodollars: a re-fetch, a summary that had to be written; mostly 0. `touched` counts
    the calls the lever was for (None: all). `notes` are things to know about the figure, a sentence each.
    """

    calls: Sequence[Measured]
    extra: Sequence[int]
    removed: Removed | None = None
    touched: int | None = None
    notes: tuple[str, ...] = ()


class Lever(Protocol):
    """One thing that could have been done otherwise."""

    @property
    def name(self) -> str:
        """Its short name, as `--what-if` takes it."""

    def describe(self) -> str:
        """What it does, in one short line."""

    def apply(self, calls: Sequence[Measured]) -> Changed:
        """The calls of one source, in time order, as they would have been."""
