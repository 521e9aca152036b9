"""Rules of the provider that changed over time: each value with the day it holds from and its source."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from typing import Generic, Literal, TypeVar

import msgspec

__all__ = ["CachingSince", "Confidence", "Dated", "Rule", "Rules"]

Confidence = Literal["documented", "observed", "second-hand", "inferred"]
"""How a fact is known: from the provider's documents, from recorded traffic, from others, or by inference."""

T = TypeVar("T")


class Dated(msgspec.Struct, Generic[T], frozen=True, forbid_unknown_fields=True):
    """One value of a rule and the day it holds from."""

    since: date = msgspec.field(name="from")
    value: T
    source: str
    confidence: Confidence


class CachingSince(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first day a provider had a prompt cache."""

    since: date = msgspec.field(name="from")
    source: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class Rule(Generic[T]):
    """A value that changed over time; call it with a day. `rows` are ordered by day."""

    rows: tuple[Dated[T], ...]

    def __call__(self, at: date | None = None) -> T:
        """The value on a day: the last one begun, or the first one before all (no day: the newest)."""
        return self.row(at).value

    def row(self, at: date | None = None) -> Dated[T]:
        """The value on a day together with its source."""
        if at is None:
            return self.rows[-1]
        begun = [row for row in self.rows if row.since <= at]
        return begun[-1] if begun else self.rows[0]


@dataclass(frozen=True, slots=True)
class Rules:
    """Every dated rule of the prompt cache and of billing.

    `lookback` counts positions tested from a marker backwards, its own included. `tool_prompt_after` names
    the section after whose last block the hidden tool-use system prompt bills.
    """

    lookback: Rule[int]
    max_markers: Rule[int]
    max_markers_in_thread: Rule[int]
    ttl_1h: Rule[bool]
    automatic_caching: Rule[bool]
    nested_blocks_are_positions: Rule[bool]
    merging_shifts_positions: Rule[bool]
    images_break_messages: Rule[bool]
    cache_diagnostics: Rule[bool]
    tool_prompt_after: Rule[Literal["tools", "system"]]
    caching_since: dict[str, CachingSince]

    def caches(self, provider: str, at: date | None = None) -> bool:
        """Whether a provider had a prompt cache on a day (a provider nobody listed counts as anthropic)."""
        begun = self.caching_since.get(provider, self.caching_since["anthropic"]).since
        return at is None or at >= begun

    def named(self) -> dict[str, Rule[int] | Rule[bool] | Rule[Literal["tools", "system"]]]:
        """Every dated rule by its name, for display."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "caching_since"}
