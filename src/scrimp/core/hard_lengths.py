"""How many tokens the beginning of a prompt has at most, as bills have shown.

What a call was billed for its input bounds its whole prompt, and so every part of it that is rendered
whatever follows: tools and system, and the prompt itself where another goes on with it. What of it was read
from the cache or written there does not matter. (Parts in between are left out: what follows may make the
API drop some of them, as it does with thinking of earlier turns.)
"""

from __future__ import annotations

from collections.abc import Sequence

from scrimp.core.forgetting import forget_oldest
from scrimp.core.prompt import Digest, Prompt
from scrimp.wire.response import Usage

__all__ = ["HardLengths"]

_REMEMBERED = 20_000


class HardLengths:
    """Bounds by chained digest, the least recently shown forgotten first."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._remembered = remembered
        self._most: dict[Digest, int] = {}

    def learn(self, prompt: Prompt, usage: Usage) -> None:
        """Take in a bill of a request that the API has neither shortened nor handed to another model."""
        if not prompt.prefixes or not _counts_all(usage):
            return
        if prompt.blocks[-1].section == "messages":
            self._bound(prompt.prefixes[-1], usage.total_input)
        if prompt.blocks[prompt.static_end].section == "system":
            self._bound(prompt.prefixes[prompt.static_end], usage.total_input)

    def longest(self, prefixes: Sequence[Digest], first: int) -> tuple[int, int] | None:
        """The last of `prefixes`, from position `first` on, that has a bound: its position, and that."""
        if not self._most:
            return None
        position = len(prefixes)
        for tokens in map(self._most.get, reversed(prefixes)):
            position -= 1
            if position < first:
                break
            if tokens is not None:
                return position, tokens
        return None

    def _bound(self, prefix: Digest, tokens: int) -> None:
        before = self._most.pop(prefix, tokens)
        self._most[prefix] = tokens if tokens < before else before
        forget_oldest(self._most, self._remembered)


def _counts_all(usage: Usage) -> bool:
    """Whether these are all tokens of the prompt, as the model that was asked counts them."""
    return (
        usage.reports_cache
        and usage.total_input > 0
        and (
            not usage.iterations
            or all(each.type == "message" and each.model is None for each in usage.iterations)
        )
    )
