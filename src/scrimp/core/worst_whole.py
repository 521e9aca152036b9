"""What is found in requests of one beginning, looked at once for all whose messages bring nothing more."""

from __future__ import annotations

from scrimp.core.forgetting import forget_oldest
from scrimp.core.settings import CacheSettings
from scrimp.core.worst_parts import PLAIN, all_plain_fields, look
from scrimp.core.worst_seen import Seen
from scrimp.facts.model import Model
from scrimp.wire.request import Body

__all__ = ["Wholes"]

_REMEMBERED = 256


class Wholes:
    """What `look` finds in tools and system, by the beginning of a request."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[CacheSettings, Seen]] = {}

    def of(self, asks: CacheSettings | None, body: Body, model: Model) -> Seen:
        """What `look` finds in a body with plain messages, or `PLAIN` where more has to be looked at.

        `asks` is one object for all requests with these tools and this system prompt for this model, and for
        no others: so has whoever read them remembered their beginning.
        """
        if asks is None or "cache_control" in body or not all_plain_fields(body):
            return PLAIN
        known = self._known.get(id(asks))
        if known is None:  # `asks` is kept with it: no other object has that number meanwhile
            seen = look(body, model, PLAIN)
            seen.whole = True
            known = self._known[id(asks)] = asks, seen
            forget_oldest(self._known, _REMEMBERED)
        return known[1]
