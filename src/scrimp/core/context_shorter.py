"""How much shorter the prompts of conversations turn out than they look: what is cleared of them later on.

Levers that act afterwards, and the provider, may take out of a prompt what stands in its messages. What that
comes to is seen from the bill, and counts for the next step of the same conversation.
"""

from __future__ import annotations

from collections.abc import Sequence

from scrimp.core.forgetting import forget_oldest
from scrimp.core.prompt import Digest
from scrimp.wire.response import Usage

__all__ = ["Shorter"]

_CONVERSATIONS, _OPEN = 4_096, 10_000
_LEAST = 20
"""What is less than a twentieth may be off by estimate."""


class Shorter:
    """Tokens that were missing from the last prompt of each conversation; bounded."""

    def __init__(self) -> None:
        self._missing: dict[Digest, int] = {}
        self._open: dict[int, tuple[Digest, int, bool]] = {}

    def by(self, chain: Sequence[Digest]) -> int:
        """Tokens by which the prompt that goes on with `chain` is likely to be shorter than it looks."""
        return next((self._missing[one] for one in reversed(chain) if one in self._missing), 0)

    def asked(self, step: int, chain: Sequence[Digest], tokens: int) -> None:
        """A step goes out as it is, and looks as if it had so many tokens."""
        self._open[step] = (chain[-1], tokens, any(one in self._missing for one in chain))
        forget_oldest(self._open, _OPEN)

    def answered(self, step: int, usage: Usage) -> None:
        """What it had."""
        name, tokens, known = self._open.pop(step, (b"", 0, False))
        missing = max(0, tokens - usage.total_input)
        if usage.total_input and name and (known or missing * _LEAST > tokens):
            self._missing[name] = missing
            forget_oldest(self._missing, _CONVERSATIONS)

    def forget(self, step: int) -> None:
        """A step that is asked anew, or was never answered."""
        self._open.pop(step, None)
