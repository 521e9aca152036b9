"""Prompts of which the provider's cache can hold no part, so that there is nothing to plan for them."""

from __future__ import annotations

from collections.abc import Sequence

from scrimp.core.cache import Cache, CacheRules
from scrimp.core.lengths import shared_out
from scrimp.core.passes.mark import Situation
from scrimp.core.plan import Range, kept_as_it_is
from scrimp.core.planned import Asked, Planned
from scrimp.core.prompt import Prompt

__all__ = ["is_too_short", "left_alone"]


def is_too_short(prompt: Prompt, total: Range, rules: CacheRules) -> bool:
    """Whether the whole prompt is shorter than any entry, as far as can be estimated, and asks for none.

    Such requests go out as they are and nothing is learned from them. If the estimate was wrong after all, an
    entry was not written that might have been: what is billed is what the caller's own request costs.
    """
    return total.high < rules.minimum and not prompt.markers and prompt.automatic is None


def left_alone(
    asked: Asked, total: Range, cache: Cache, now: float, ends: Sequence[int] | None = None
) -> Planned:
    """The plan for such a request: it teaches nothing, as conversations begin where caching can.

    `ends` are its lengths up to each position, where it was not measured.
    """
    situation = Situation(
        asked.prompt,
        shared_out(asked.sized.sizes, total.mid) if ends is None else ends,
        total.mid,
        cache,
        asked.rules,
        asked.model.rates(asked.day, prompt_tokens=total.mid),
        (),
        now,
    )
    return Planned(asked, situation, kept_as_it_is(situation, total), too_short=True)
