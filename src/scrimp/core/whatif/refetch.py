"""What it costs that a model needs something again which a lever had removed.

It takes one more step: the prompt is read from the cache again, the tool call is written, and what comes back
is written to the cache and carried from then on, until the lever clears it once more.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scrimp.core.carry.worth_missed import CALL_TOKENS
from scrimp.facts.prices import Rates

__all__ = ["CALL_TOKENS", "Fetched", "carrying_cost", "fetching_cost", "tokens_again"]


class Fetched(msgspec.Struct, frozen=True):
    """A removed piece that came back: the positions it had, the length of the prompt it came back to."""

    positions: range
    place: int
    tokens: int


def fetching_cost(pieces: Sequence[Fetched], context: int, rates: Rates) -> int:
    """Picodollars of one more step that fetches `pieces`, with `context` tokens before it in the cache."""
    if not pieces:
        return 0
    written = CALL_TOKENS * len(pieces)
    came_back = sum([piece.tokens for piece in pieces])
    return context * rates.read + written * rates.output + (written + came_back) * rates.write_5m


def carrying_cost(pieces: Sequence[Fetched], rates: Rates, *, warm: bool) -> int:
    """Picodollars that one more call costs because it carries `pieces` again."""
    return tokens_again(pieces) * (rates.read if warm else rates.write_5m)


def tokens_again(pieces: Sequence[Fetched]) -> int:
    """Tokens that prompts are longer by for what came back, the calls that fetched it included."""
    return sum([piece.tokens + CALL_TOKENS for piece in pieces])
