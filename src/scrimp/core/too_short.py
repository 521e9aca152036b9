"""Prompts of which the provider's cache can hold no part, so that there is nothing to plan for them."""

from __future__ import annotations

from scrimp.core.cache import CacheRules
from scrimp.core.plan import Range
from scrimp.core.prompt import Prompt

__all__ = ["is_too_short"]


def is_too_short(prompt: Prompt, total: Range, rules: CacheRules) -> bool:
    """Whether the whole prompt is shorter than any entry, as far as can be estimated, and asks for none.

    Such requests go out as they are and nothing is learned from them. If the estimate was wrong after all, an
    entry was not written that might have been: what is billed is what the caller's own request costs.
    """
    return total.high < rules.minimum and not prompt.markers and prompt.automatic is None
