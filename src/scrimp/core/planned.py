"""A request as it is understood, and the plan for it with what that was made from."""

from __future__ import annotations

from datetime import date

import msgspec

from scrimp.core.cache import CacheRules
from scrimp.core.carry.seen import Edited
from scrimp.core.passes.mark import Situation
from scrimp.core.plan import Plan
from scrimp.core.prompt import Digest, Prompt
from scrimp.core.settings import CacheSettings
from scrimp.core.tokens.estimator import Sized
from scrimp.core.worst_seen import Seen
from scrimp.facts.model import Model

__all__ = ["Asked", "Planned"]


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A request as it is understood: its prompt, measured before any bill, and what holds on its day.

    `whole` says that all of the prompt is billed, by this model: see `may_shorten`. `edited` is what the API
    takes out of the history before the model reads it: the prompt is without it. `looked` is what
    `look_at_messages` finds in the messages, `opening` the chain where they begin, and `asks` the settings
    that the cache depends on, where those are known; `plain` says that messages nobody looked at `are_plain`.
    """

    prompt: Prompt
    sized: Sized
    model: Model
    rules: CacheRules
    day: date | None
    whole: bool = False
    edited: Edited | None = None
    looked: Seen | None = None
    opening: Digest | None = None
    asks: CacheSettings | None = None
    plain: bool = False


class Planned(msgspec.Struct, frozen=True, gc=False):
    """A plan with what it was made from.

    `previous` is the message id of the conversation's last answer, `writing` the prefixes that this request
    is the first to write. `too_short` says that no part of the prompt can be in the cache (`is_too_short`).
    """

    asked: Asked
    situation: Situation
    plan: Plan
    previous: str | None = None
    writing: tuple[Digest, ...] = ()
    too_short: bool = False

    @property
    def prompt(self) -> Prompt:
        """The prompt under the caller's own markers."""
        return self.asked.prompt

    @property
    def model(self) -> Model:
        """The model asked for."""
        return self.asked.model

    @property
    def static_tokens(self) -> int:
        """About how many tokens tools and system are."""
        end = self.asked.prompt.static_end
        return self.situation.ends[end] if end >= 0 else 0

    def untouched(self) -> Planned:
        """The same request as the caller wrote it: nothing is changed, everything is foreseen."""
        return msgspec.structs.replace(self, plan=self.plan.untouched())
