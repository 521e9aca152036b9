"""How many tokens a text is, by the published vocabulary: the same for every model."""

from __future__ import annotations

from scrimp.core.tokens.sampling import Sampler
from scrimp.core.tokens.texts import count_text

__all__ = ["tokens_of"]

_WHOLE = 131_072
"""Characters up to which all of a text is counted; of a longer one evenly spread parts are."""


def tokens_of(text: str) -> int:
    """Tokens of a text, about."""
    found = count_text(text) if len(text) <= _WHOLE else Sampler().count(text, count_text)
    return max(found[0], 1)
