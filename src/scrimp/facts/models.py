"""Everything the provider publishes, looked up by model id and by day.

facts = default()                       # the bundled facts
model = facts.resolve("us.anthropic.claude-sonnet-4-5-20250929-v1:0")
rates = model.rates(date(2026, 3, 1), prompt_tokens=250_000)
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from scrimp.errors import FactsError
from scrimp.facts.names import Name, dashed, parse_name
from scrimp.facts.reading import parse, read
from scrimp.facts.unknown import dearest, published_elsewhere

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from scrimp.facts.model import Model
    from scrimp.facts.prices import PriceRow
    from scrimp.facts.reading import Endpoint, Fee, Read
    from scrimp.facts.rules import Rules

__all__ = ["LONGEST_SPELLING", "Facts", "default", "load", "resolve"]

_BUNDLED = "models.toml"
_SPELLINGS_REMEMBERED = 1024
LONGEST_SPELLING = 1_024
"""Characters of a model's id that are looked at: what no model is called may be any text."""

_FROM_ELSEWHERE = "not in the facts: priced from genai-prices, with the limits of an unknown model"
_AT_THE_DEAREST = "not in the facts: priced at the dearest current rate of every category"


class Facts:
    """Models, rules and fees of one set of facts files; never changes once read.

    `models` are in the order of the files, `fees` are keyed `web_search`, `web_fetch`, `code_execution_hour`.
    """

    def __init__(self, found: Read) -> None:
        """Index what was read. Raises FactsError when two models claim one name."""
        self.models: tuple[Model, ...] = found.models
        self.rules: Rules = found.rules
        self.fees: Mapping[str, Fee] = found.fees
        self.endpoints: tuple[Endpoint, ...] = found.endpoints
        self.as_of: date = found.as_of
        self.web_search_fee: int = found.fees["web_search"].picodollars
        self._unknown = found.unknown
        self._index = _indexed(found.models)
        self._resolve = lru_cache(maxsize=_SPELLINGS_REMEMBERED)(self._find)

    def resolve(self, model_id: str) -> Model:
        """The model an id means, however a provider or router spells it.

        Never fails and is never free: an id nobody knows is priced from genai-prices, or else at the dearest
        current standard rate of every category (`Model.estimated`, with the reason).
        """
        return self._resolve(model_id[:LONGEST_SPELLING])

    def _find(self, model_id: str) -> Model:
        name = parse_name(model_id)
        for spelling in name.spellings:
            model = self._index.get(spelling)
            if model is not None:
                return self._as_spelled(model, name)
        return self._unknown_model(model_id, name)

    def _as_spelled(self, model: Model, name: Name) -> Model:
        return model.spelled(
            provider=name.provider,
            endpoint_factor=self._surcharge(model, name),
            long_context=name.long_context,
            fast_id=name.fast,
        )

    def _surcharge(self, model: Model, name: Name) -> Fraction:
        for endpoint in self.endpoints:
            if endpoint.provider == name.provider and name.scope in endpoint.scopes:
                newer = model.released is None or model.released >= endpoint.models_since
                return endpoint.factor if newer else Fraction(1)
        return Fraction(1)

    def _unknown_model(self, model_id: str, name: Name) -> Model:
        # Prices published elsewhere for such an id are those of standard speed, whatever the id asks for.
        published = None if name.fast else published_elsewhere(name.spellings)
        rows = published or (dearest(self._current_rows(fast=name.fast)),)
        guess = replace(
            self._unknown,
            id=model_id,
            name=model_id,
            prices=rows,
            known=False,
            estimated=published is None,
            reason=_AT_THE_DEAREST if published is None else _FROM_ELSEWHERE,
        )
        return self._as_spelled(guess, name)

    def _current_rows(self, *, fast: bool) -> list[PriceRow]:
        current = [model for model in self.models if model.retired is None] or list(self.models)
        rows = [model.prices[-1] for model in current]
        return rows + [model.fast[-1] for model in current if fast and model.fast]


def load(overlays: Sequence[bytes | str | Mapping[str, Any]] = ()) -> Facts:
    """The bundled facts with users' facts (TOML, or mappings of its shape) merged over them, in order.

    A model in an overlay is new, or overrides the fields it gives; a new one needs `id` and `prices`
    and takes the careful facts of an unknown model for the rest. Raises FactsError naming file, model
    and field.
    """
    if not overlays:
        return default()
    users = [
        (_called(place, len(overlays)), parse(overlay, _called(place, len(overlays))))
        for place, overlay in enumerate(overlays, 1)
    ]
    return Facts(read([(_BUNDLED, _bundled()), *users]))


@cache
def default() -> Facts:
    """The bundled facts, read once."""
    return Facts(read([(_BUNDLED, _bundled())]))


def resolve(model_id: str) -> Model:
    """The model an id means by the bundled facts; see `Facts.resolve`."""
    return default().resolve(model_id)


@cache
def _bundled() -> dict[str, Any]:
    return parse(resources.files(__package__).joinpath(_BUNDLED).read_bytes(), _BUNDLED)


def _called(place: int, total: int) -> str:
    return "your facts" if total == 1 else f"your facts file {place}"


def _indexed(models: Sequence[Model]) -> dict[str, Model]:
    index: dict[str, Model] = {}
    claims = [(spelling, model) for model in models for spelling in (model.id, *model.aliases)]
    for spelling, model in claims:
        for form in {spelling.lower(), dashed(spelling.lower())}:
            taken = index.setdefault(form, model)
            if taken is not model:
                raise FactsError(f"{spelling!r} names both {taken.id} and {model.id}: drop one alias")
    return index
