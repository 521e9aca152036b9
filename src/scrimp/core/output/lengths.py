"""How long the replies of one kind get, and how many tokens let nearly all of them come to their end.

Of the last replies only the length is kept, in steps of at most an eighth. Of n replies that are like the
next one, the next is longer than the k-th shortest with a probability of at most (n + 1 - k) / (n + 1),
whatever lengths are distributed like; that is the bound taken once there are enough of them for it. Before,
the longest is a bound of a larger risk; for the smaller one it is stretched as a tail asks for that falls
with the square of the length. Recorded tails fall faster or about as fast.

A reply that was cut shows that more is needed, not how much: what is given grows by half at once.
"""

from __future__ import annotations

from math import ceil, floor, isqrt

__all__ = ["ENOUGH", "RISK", "Lengths", "length", "step_of"]

RISK = (3, 400)
"""The share of replies that may be longer than what is given, as a fraction: below the 1 % that is promised,
because the next replies are never quite like the last."""

ENOUGH = 20
"""Replies from which a kind of its own is told by its own lengths alone."""

_WINDOW = 512
_LIFTED = 100
"""Replies for which what was given after a cut holds at least."""

_FINE = 4
_CERTAIN = RISK[1] // RISK[0]
"""Replies of which the longest is a bound of that risk by itself."""


def step_of(tokens: int) -> int:
    """The number of the step that `tokens` are in: exact below 16, then eight to a doubling."""
    shift = max(0, tokens.bit_length() - _FINE)
    return min(8 * shift + (tokens >> shift), 255)


def length(step: int) -> int:
    """The most tokens in a step."""
    shift = max(0, step // 8 - 1)
    return ((step - 8 * shift + 1) << shift) - 1


class Lengths:
    """The lengths of the last replies of one kind."""

    __slots__ = ("_given", "_left", "_lifted", "_steps")

    def __init__(self, kept: bytes = b"") -> None:
        """`kept` is what another one kept; more than fits is left out."""
        self._steps = bytearray(kept[-_WINDOW:])
        self._lifted = self._left = 0
        self._given: int | None = None

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def kept(self) -> bytes:
        """The lengths, oldest first, a byte each."""
        return bytes(self._steps)

    def saw(self, tokens: int) -> None:
        """A reply came to its end after so many tokens, all that was billed as output."""
        self._add(tokens)
        self._left = max(0, self._left - 1)

    def cut(self, tokens: int, otherwise: int = 0) -> None:
        """A reply was cut after so many tokens; `otherwise` is what the next gets at least."""
        more = tokens + tokens // 2 + 1
        self._lifted = max(more, otherwise, self._lifted if self._left else 0)
        self._left = _LIFTED
        self._add(more)

    def given(self, otherwise: int, *, stretched: int = 1) -> int:
        """Tokens to give the next reply; until there are enough of them to tell, `otherwise`, or so many
        times the longest where that is more."""
        known = self._known()
        if len(self) < ENOUGH:
            known = max(otherwise, stretched * length(max(self._steps, default=0)))
        return max(known, self._lifted) if self._left else known

    def _add(self, tokens: int) -> None:
        self._steps.append(step_of(tokens))
        if len(self) > _WINDOW:
            del self._steps[0]
        self._given = None

    def _known(self) -> int:
        if self._given is None:
            self._given = self._bound() if self._steps else 0
        return self._given

    def _bound(self) -> int:
        count = len(self._steps)
        longer = floor((count + 1) * RISK[0] / RISK[1])
        if longer:
            return length(sorted(self._steps)[-longer])
        return ceil(length(max(self._steps)) * isqrt(10_000 * _CERTAIN // count) / 100)
