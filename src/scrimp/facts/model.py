"""One model: its limits, its features, and what a token of it costs on a given day."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import msgspec

from scrimp.facts.prices import PriceRow, Rates, ladder, row_at

if TYPE_CHECKING:
    from datetime import date

__all__ = ["Compaction", "Factors", "Features", "ImageRule", "Model", "Thinking", "Tokenizer", "ToolPrompt"]

Thinking = Literal["adaptive", "enabled", "disabled", "between_tools"]
"""Values of `thinking.type` a model accepts."""

Compaction = Literal["threshold", "on_demand"]
"""Forms of server-side compaction: an edit with a trigger, or the top-level `compaction` parameter."""

Tokenizer = Literal["claude-3", "claude-4.7"]
"""Families of models that split text into the same tokens, named after the first model of each."""


class ToolPrompt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tokens of the hidden system prompt that tools bring: `tool_choice` auto or none, and any or tool."""

    auto: int
    forced: int


class ImageRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an image becomes tokens: scaled to fit both limits, then one token per patch of `patch`² pixels."""

    patch: int
    max_edge: int
    max_tokens: int
    source: str


class Features(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model accepts and how it treats history.

    `thinking_binding` says whether thinking blocks are bound to an unchanged prefix: never, for some
    accounts, or for all. `thinking_kept` says that thinking of earlier user turns stays in the
    prompt instead of being stripped. `geo_us` says that `inference_geo: "us"` is accepted and surcharged.
    """

    thinking: tuple[Thinking, ...]
    thinking_binding: Literal["none", "optional", "always"]
    thinking_kept: bool
    context_editing: bool
    compaction: tuple[Compaction, ...]
    prefill: bool
    effort: tuple[Literal["low", "medium", "high", "xhigh", "max"], ...]
    mid_conversation_system: bool
    per_message_effort: bool
    forced_tool_choice: bool
    geo_us: bool
    default_effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    tool_prompt: ToolPrompt | None = None
    caching: bool = True


@dataclass(frozen=True, slots=True)
class Factors:
    """What multiplies every rate of a request: the batch discount, the surcharge of each `inference_geo`."""

    batch: Fraction
    geo: dict[str, Fraction]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """A model as one spelling of its id means it.

    `cache_minimum` is the shortest prefix that is cached, in tokens (0 where `features.caching` is false).
    `retired` is the first day the provider's own API no longer serves it, past or announced. `inferred` names
    the fields that no document states. `endpoint_factor` is the surcharge of a cloud's regional endpoint,
    `fast_id` says the id itself asked for fast mode, `long_context` that it asked for the long window.

    `known` is False for an id that is not in the facts; `estimated` says that its price is a guess, not a
    published price, and `reason` says in one line where the price is from.
    """

    id: str
    name: str
    aliases: tuple[str, ...]
    released: date | None
    retired: date | None
    window: int
    max_output: int
    cache_minimum: int
    tokenizer: Tokenizer
    image_rule: ImageRule
    features: Features
    prices: tuple[PriceRow, ...]
    fast: tuple[PriceRow, ...]
    factors: Factors
    source: str
    as_of: date
    inferred: tuple[str, ...] = ()
    provider: str = "anthropic"
    endpoint_factor: Fraction = Fraction(1)
    long_context: bool = False
    fast_id: bool = False
    known: bool = True
    estimated: bool = False
    reason: str | None = None
    _ladders: dict[tuple[date | None, bool, bool, str | None], tuple[tuple[int, Rates], ...]] = field(
        default_factory=dict, init=False, repr=False
    )

    def rates(
        self,
        at: date | None = None,
        *,
        prompt_tokens: int,
        batch: bool = False,
        fast: bool = False,
        geo: str | None = None,
    ) -> Rates:
        """What one token of each category costs on a day, in picodollars (no day: by the newest prices).

        `prompt_tokens` is the whole prompt (plain, written and read), which decides the tier. A batch has no
        fast mode: asking for both gives the fast price undiscounted. Where fast mode is not sold, the
        standard price holds; an `inference_geo` that costs nothing extra, or that the model refuses,
        changes nothing.
        """
        if geo is not None and not (self.features.geo_us and geo in self.factors.geo):
            geo = None
        key = (at, batch, fast, geo)
        steps = self._ladders.get(key)
        if steps is None:
            steps = self._ladders[key] = self._steps(at, batch=batch, fast=fast, geo=geo)
        for above, rates in steps:
            if prompt_tokens > above:
                return rates
        return steps[-1][1]

    def sells_fast(self, at: date | None = None) -> bool:
        """Whether fast mode has a price on a day."""
        return row_at(self.fast, at) is not None

    def is_retired(self, at: date) -> bool:
        """Whether the provider's own API had stopped serving the model by a day."""
        return self.retired is not None and at >= self.retired

    def read_multiplier(self, at: date | None = None) -> Fraction:
        """A cache read's price as a share of plain input's (0.1, 0.05 or 0.025 on current models)."""
        rates = self.rates(at, prompt_tokens=0)
        return Fraction(rates.read, rates.input)

    def write_multiplier(self, at: date | None = None, *, ttl: Literal["5m", "1h"] = "5m") -> Fraction:
        """A cache write's price as a multiple of plain input's (1.25 and 2 on current models)."""
        rates = self.rates(at, prompt_tokens=0)
        return Fraction(rates.write_5m if ttl == "5m" else rates.write_1h, rates.input)

    def tier_above(self, at: date | None = None) -> int | None:
        """The prompt length beyond which the whole request gets dearer, or None where prices are flat."""
        row = row_at(self.prices, at)
        return min(tier.above for tier in row.tiers) if row is not None and row.tiers else None

    def spelled(
        self, *, provider: str, endpoint_factor: Fraction, long_context: bool, fast_id: bool
    ) -> Model:
        """This model as an id of some provider, endpoint or mode means it."""
        if provider == self.provider and endpoint_factor == 1 and not long_context and not fast_id:
            return self
        return replace(
            self,
            provider=provider,
            endpoint_factor=endpoint_factor,
            long_context=long_context,
            fast_id=fast_id,
        )

    def _steps(
        self, at: date | None, *, batch: bool, fast: bool, geo: str | None
    ) -> tuple[tuple[int, Rates], ...]:
        fast_row = row_at(self.fast, at) if fast or self.fast_id else None
        row = fast_row or row_at(self.prices, at) or self.prices[-1]
        factors = [self.endpoint_factor]
        if batch and fast_row is None:
            factors.append(self.factors.batch)
        if geo is not None:
            factors.append(self.factors.geo[geo])
        return ladder(row, factors)
