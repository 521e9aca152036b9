"""From TOML to typed facts: the bundled file, the user's files merged over it, and every fault named."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from fractions import Fraction
from itertools import pairwise, product
from typing import Any, Literal, NoReturn, TypeVar

import msgspec

from scrimp.errors import FactsError
from scrimp.facts.model import Factors, Features, ImageRule, Model, Tokenizer
from scrimp.facts.prices import PriceRow, Rates, Tier, per_million, picodollars
from scrimp.facts.rules import CachingSince, Confidence, Dated, Rule, Rules

__all__ = ["Endpoint", "Fee", "Read", "parse", "read"]

T = TypeVar("T")
_SECTIONS = frozenset(
    {"as_of", "caching_since", "fees", "image_rules", "models", "pricing", "rules", "unknown"}
)
_CACHE_PRICES = ("write_5m", "write_1h", "read")
_RULE_ROWS: dict[str, Any] = {
    "lookback": list[Dated[int]],
    "max_markers": list[Dated[int]],
    "max_markers_in_thread": list[Dated[int]],
    "ttl_1h": list[Dated[bool]],
    "automatic_caching": list[Dated[bool]],
    "nested_blocks_are_positions": list[Dated[bool]],
    "merging_shifts_positions": list[Dated[bool]],
    "images_break_messages": list[Dated[bool]],
    "cache_diagnostics": list[Dated[bool]],
    "tool_prompt_after": list[Dated[Literal["tools", "system"]]],
}


class Fee(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A price per use of something that is not a token; `usd` is an exact decimal string."""

    usd: str
    since: date = msgspec.field(name="from")
    source: str

    @property
    def picodollars(self) -> int:
        """The fee of one unit."""
        return picodollars(self.usd)


class Endpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A surcharge of one cloud's regional endpoints for models released from a day on."""

    provider: str
    scopes: tuple[str, ...]
    multiplier: str
    models_since: date
    source: str
    confidence: Confidence

    @property
    def factor(self) -> Fraction:
        """The surcharge as an exact factor."""
        return Fraction(self.multiplier)


class _Pricing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    batch: str
    geo: dict[str, str]
    source: str
    endpoints: tuple[Endpoint, ...]


class _Amounts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    input: str
    output: str
    write_5m: str | None = None
    write_1h: str | None = None
    read: str | None = None


class _TierRow(_Amounts, frozen=True, kw_only=True):
    above: int


class _Row(_Amounts, frozen=True, kw_only=True):
    since: date = msgspec.field(name="from")
    until: date | None = None
    tiers: tuple[_TierRow, ...] = ()


class _ModelRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    window: int
    max_output: int
    tokenizer: Tokenizer
    image_rule: Literal["old", "new"]
    features: Features
    prices: tuple[_Row, ...]
    source: str
    as_of: date
    name: str | None = None
    aliases: tuple[str, ...] = ()
    released: date | None = None
    retired: date | None = None
    cache_minimum: int = 0
    fast: tuple[_Row, ...] = ()
    inferred: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """Facts files as typed values; `unknown` is what unknown models are made from, and has no prices."""

    models: tuple[Model, ...]
    rules: Rules
    fees: dict[str, Fee]
    endpoints: tuple[Endpoint, ...]
    unknown: Model
    as_of: date


def parse(source: bytes | str | Mapping[str, Any], where: str) -> dict[str, Any]:
    """Read TOML, or take a mapping of the same shape. Raises FactsError naming `where`."""
    if isinstance(source, Mapping):
        found = dict(source)
    else:
        try:
            found = tomllib.loads(source.decode() if isinstance(source, bytes) else source)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
            raise FactsError(f"{where}: not valid TOML: {fault}") from None
    for name in sorted(found.keys() - _SECTIONS):
        raise FactsError(f"{where}: unknown section {name!r}; known are {', '.join(sorted(_SECTIONS))}")
    return found


def read(files: Sequence[tuple[str, dict[str, Any]]]) -> Read:
    """Merge parsed files, later over earlier, and type them; raises FactsError naming file, model, field."""
    where, bundled = files[0]
    base = _without_models(bundled)
    rows = {row["id"]: row for row in _model_tables(bundled, where)}
    origin = dict.fromkeys(rows, where)
    for where, users in files[1:]:
        base = _merged(base, _without_models(users))
        for row in _model_tables(users, where):
            started = rows.get(row["id"]) or _stranger(base, where)
            rows[row["id"]] = _merged(started, {"source": where, **row})
            origin[row["id"]] = where
    pricing = _typed(base.get("pricing"), _Pricing, f"{where}: pricing")
    factors = _factors(pricing, where)
    images = _typed(base.get("image_rules"), dict[str, ImageRule], f"{where}: image_rules")
    models = tuple(_model(row, factors, images, pricing, origin[name]) for name, row in rows.items())
    for model in models:
        if not model.prices:
            raise FactsError(
                f"{origin[model.id]}: model {model.id!r}: no prices; give [[models.prices]] tables"
            )
    unknown = _stranger(base, where) | {"id": "unknown", "source": where, "prices": []}
    return Read(
        models=models,
        rules=_rules(base, where),
        fees=_fees(base, where),
        endpoints=pricing.endpoints,
        unknown=_model(unknown, factors, images, pricing, where),
        as_of=_typed(base.get("as_of"), date, f"{where}: as_of"),
    )


def _without_models(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "models"}


def _stranger(base: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The careful facts of a model nobody knows."""
    facts = _typed(base.get("unknown"), dict[str, Any], f"{where}: unknown")
    return facts | {"as_of": base.get("as_of")}


def _model_tables(found: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    tables = _typed(found.get("models", []), list[dict[str, Any]], f"{where}: models")
    for row in tables:
        if not isinstance(row.get("id"), str) or not row["id"]:
            raise FactsError(f"{where}: a model without an id; give every [[models]] table an `id`")
    return tables


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `under`: tables merge, aliases add up, everything else replaces."""
    merged = dict(under)
    for name, value in over.items():
        before = merged.get(name)
        if name == "aliases" and isinstance(before, list) and isinstance(value, list):
            merged[name] = list(dict.fromkeys([*before, *value]))
        elif isinstance(before, Mapping) and isinstance(value, Mapping):
            merged[name] = _merged(before, value)
        else:
            merged[name] = value
    return merged


def _model(
    row: Mapping[str, Any],
    factors: Factors,
    images: Mapping[str, ImageRule],
    pricing: _Pricing,
    where: str,
) -> Model:
    place = f"{where}: model {row['id']!r}"
    typed = _typed(row, _ModelRow, place)
    _check_cache_prices(typed, place)
    given = msgspec.structs.asdict(typed)
    given |= {
        "name": typed.name or typed.id,
        "image_rule": images[typed.image_rule],
        "prices": _price_rows(typed.prices, f"{place}: prices"),
        "fast": _price_rows(typed.fast, f"{place}: fast"),
    }
    model = Model(**given, factors=factors)
    _check_exact(model, [endpoint.factor for endpoint in pricing.endpoints], place)
    return model


def _check_cache_prices(row: _ModelRow, place: str) -> None:
    """Refuse a model that caches but says not what its cache costs."""
    if not row.features.caching:
        return
    for dated in (*row.prices, *row.fast):
        for amounts in (dated, *dated.tiers):
            missing = [name for name in _CACHE_PRICES if getattr(amounts, name) is None]
            if missing:
                what = f"give {', '.join(missing)}, or say features.caching = false"
                raise FactsError(f"{place}: prices from {dated.since}: no price for the cache; {what}")


def _price_rows(rows: Sequence[_Row], place: str) -> tuple[PriceRow, ...]:
    for earlier, later in pairwise(rows):
        if later.since <= earlier.since:
            raise FactsError(f"{place}: {later.since} comes after {earlier.since}; order rows by `from`")
    return tuple(
        PriceRow(
            row.since,
            _rates(row, f"{place} from {row.since}"),
            tuple(Tier(tier.above, _rates(tier, f"{place} from {row.since}: tiers")) for tier in row.tiers),
            row.until,
        )
        for row in rows
    )


def _rates(amounts: _Amounts, place: str) -> Rates:
    given = {name: getattr(amounts, name) for name in ("input", "output", *_CACHE_PRICES)}
    rates = {name: _amount(text, f"{place}: {name}") for name, text in given.items() if text is not None}
    # A model without prompt caching bills every prompt token as plain input.
    return Rates(**dict.fromkeys(_CACHE_PRICES, rates["input"]) | rates)


def _amount(text: str, place: str) -> int:
    try:
        amount = per_million(text)
    except ValueError as fault:
        raise FactsError(f"{place}: {fault}") from None
    if amount == 0:
        raise FactsError(f"{place}: a price of zero; scrimp never books a model as free")
    return amount


def _check_exact(model: Model, surcharges: Sequence[Fraction], place: str) -> None:
    """Refuse prices that a discount or surcharge would turn into a fraction of a picodollar."""
    batches = (Fraction(1), model.factors.batch)
    extras = (Fraction(1), *model.factors.geo.values(), *surcharges)
    for row, batch, extra in product((*model.prices, *model.fast), batches, extras):
        for rates in row.all_rates:
            try:
                rates.scaled(batch * extra)
            except ValueError as fault:
                raise FactsError(f"{place}: prices from {row.since}: {fault}") from None


def _factors(pricing: _Pricing, where: str) -> Factors:
    try:
        geo = {name: Fraction(text) for name, text in pricing.geo.items()}
        factors = Factors(Fraction(pricing.batch), geo)
        surcharges = [endpoint.factor for endpoint in pricing.endpoints]
    except (ValueError, ZeroDivisionError):
        raise FactsError(f"{where}: pricing: a multiplier is not a decimal number") from None
    if min(factors.batch, *geo.values(), *surcharges) <= 0:
        raise FactsError(f"{where}: pricing: a multiplier is not above zero")
    return factors


def _fees(base: Mapping[str, Any], where: str) -> dict[str, Fee]:
    fees = _typed(base.get("fees"), dict[str, Fee], f"{where}: fees")
    for name, fee in fees.items():
        try:
            picodollars(fee.usd)
        except ValueError as fault:
            raise FactsError(f"{where}: fees.{name}: {fault}") from None
    return fees


def _rules(base: Mapping[str, Any], where: str) -> Rules:
    given = _typed(base.get("rules"), dict[str, list[Any]], f"{where}: rules")
    names = [item.name for item in fields(Rules) if item.name != "caching_since"]
    for name in sorted(given.keys() ^ set(names)):
        raise FactsError(f"{where}: rules.{name}: {'unknown' if name in given else 'missing'} rule")
    rules: dict[str, Any] = {}
    for name in names:
        rows = _typed(given[name], _RULE_ROWS[name], f"{where}: rules.{name}")
        if not rows or rows != sorted(rows, key=lambda row: row.since):
            raise FactsError(f"{where}: rules.{name}: give at least one row, ordered by `from`")
        rules[name] = Rule(tuple(rows))
    since = _typed(base.get("caching_since"), dict[str, CachingSince], f"{where}: caching_since")
    return Rules(**rules, caching_since=since)


def _typed(value: object, kind: type[T], place: str) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as fault:
        _refuse(fault, place)


def _refuse(fault: msgspec.ValidationError, place: str) -> NoReturn:
    what, _, path = str(fault).partition(" - at `$")
    field = path.rstrip("`").lstrip(".")
    raise FactsError(f"{place}{': ' + field if field else ''}: {what}") from None
