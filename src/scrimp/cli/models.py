"""`scrimp models`: what scrimp knows about every model, with the day and the source of each fact."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import msgspec
from rich.console import Group
from rich.table import Table

from scrimp.cli.output import console, print_json
from scrimp.core.money import usd_per_million
from scrimp.errors import FactsError
from scrimp.facts.models import Facts, load
from scrimp.facts.prices import row_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from scrimp.facts.model import Features, Model
    from scrimp.facts.prices import PriceRow, Rates

__all__ = ["models", "models_json", "models_table"]

_CATEGORIES = ("input", "write_5m", "write_1h", "read", "output")
_YES_NO = {
    "thinking_kept": "keeps thinking of earlier turns",
    "context_editing": "context editing",
    "prefill": "prefill",
    "mid_conversation_system": "mid-conversation system messages",
    "per_message_effort": "per-message effort",
    "forced_tool_choice": "forced tool choice",
    "geo_us": "inference_geo us",
}
"""Feature flag → what a table calls it when it is set."""


@click.command("models")
@click.argument("wanted", metavar="[FILTER]", required=False, default="")
@click.option("--at", metavar="DATE", help="Prices and rules of that day, as YYYY-MM-DD (default: today).")
@click.option(
    "--facts",
    "facts_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file of your own that adds models or overrides prices.",
)
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON, money as decimal strings in USD.")
def models(wanted: str, at: str | None, facts_file: Path | None, *, as_json: bool) -> None:
    """Show every model's prices, limits and features, with dates and sources.

    FILTER keeps the models whose id contains it; any other spelling of a model id (dated, Bedrock, Vertex)
    shows what scrimp takes it for.
    """
    day = _day(at)
    facts = _facts(facts_file)
    if as_json:
        print_json(models_json(facts, day, wanted))
    else:
        console().print(models_table(facts, day, wanted))


def models_table(facts: Facts, at: date, wanted: str = "") -> RenderableType:
    """Tables of prices, limits, features and sources on a day; rules too where no filter is given."""
    chosen = _chosen(facts, wanted)
    parts = [_prices_table(chosen, at), _limits_table(chosen), _features_table(chosen)]
    parts.append(_sources_table(chosen))
    if not wanted:
        parts.append(_rules_table(facts, at))
    return Group(*parts)


def models_json(facts: Facts, at: date, wanted: str = "") -> dict[str, object]:
    """Everything the tables show, and the dated history behind it, as plain values."""
    rules = {
        name: {
            "value": rule(at),
            "history": [
                {"from": row.since, "value": row.value, "source": row.source, "confidence": row.confidence}
                for row in rule.rows
            ],
        }
        for name, rule in facts.rules.named().items()
    }
    since = {
        name: {"from": row.since, "source": row.source, "confidence": row.confidence}
        for name, row in facts.rules.caching_since.items()
    }
    fees = {
        name: {"usd": fee.usd, "from": fee.since, "source": fee.source} for name, fee in facts.fees.items()
    }
    return {
        "at": at,
        "as_of": facts.as_of,
        "models": [_model_json(model, at) for model in _chosen(facts, wanted)],
        "fees": fees,
        "rules": rules,
        "caching_since": since,
    }


def _chosen(facts: Facts, wanted: str) -> Sequence[Model]:
    if not wanted:
        return facts.models
    return [model for model in facts.models if wanted.lower() in model.id] or [facts.resolve(wanted)]


def _day(at: str | None) -> date:
    if at is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(at)
    except ValueError:
        raise click.BadParameter(f"{at!r} is not a day; write it as 2026-11-21", param_hint="--at") from None


def _facts(path: Path | None) -> Facts:
    if path is None:
        return load()
    try:
        return load([path.read_bytes()])
    except FactsError as fault:
        raise FactsError(f"{path}: {str(fault).removeprefix('your facts: ')}") from None
    except OSError as fault:
        raise FactsError(f"{path}: cannot be read: {fault.strerror}") from None


def _table(title: str, *columns: str, figures: Sequence[str] = ()) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for place, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if column in figures else "left"
        table.add_column(column, justify=justify, overflow="fold", no_wrap=place == 0)
    return table


def _prices_table(chosen: Sequence[Model], at: date) -> Table:
    figures = ("input", "write 5m", "write 1h", "read", "output")
    table = _table(f"USD per million tokens on {at}", "model", *figures, "since", figures=figures)
    for model in chosen:
        for what, row in (("", row_at(model.prices, at)), (" fast", row_at(model.fast, at))):
            if row is None:
                continue
            label = f"{model.id}{what}{' (estimated)' if model.estimated else ''}"
            table.add_row(label, *_figures(row.base.scaled(model.endpoint_factor)), _since(row))
            for tier in row.tiers:
                figures_above = _figures(tier.rates.scaled(model.endpoint_factor))
                table.add_row(f"  prompt > {tier.above:,}", *figures_above, "")
    return table


def _limits_table(chosen: Sequence[Model]) -> Table:
    figures = ("window", "output", "cache min")
    table = _table("\nLimits in tokens, and dates", "model", *figures, "released", "retired", figures=figures)
    for model in chosen:
        table.add_row(
            model.id,
            f"{model.window:,}",
            f"{model.max_output:,}",
            f"{model.cache_minimum:,}" if model.features.caching else "no cache",
            str(model.released or ""),
            str(model.retired or ""),
        )
    return table


def _features_table(chosen: Sequence[Model]) -> Table:
    table = _table("\nFeatures", "model", "")
    for model in chosen:
        table.add_row(model.id, "; ".join([f"tokenizer {model.tokenizer}", *_feature_words(model.features)]))
    return table


def _feature_words(features: Features) -> list[str]:
    words = [f"thinking {'/'.join(features.thinking) or 'none'}"]
    if features.thinking_binding != "none":
        words.append(f"thinking bound to the prefix: {features.thinking_binding}")
    if features.effort:
        words.append(f"effort {'/'.join(features.effort)} (default {features.default_effort})")
    if features.compaction:
        words.append(f"compaction {'/'.join(features.compaction)}")
    words += [word for flag, word in _YES_NO.items() if getattr(features, flag)]
    if features.tool_prompt is not None:
        words.append(f"tool prompt {features.tool_prompt.auto}|{features.tool_prompt.forced} tokens")
    return words


def _sources_table(chosen: Sequence[Model]) -> Table:
    table = _table("\nSources", "model", "as of", "source", "inferred")
    for model in chosen:
        source = f"{model.source}; {model.reason}" if model.reason else model.source
        table.add_row(model.id, str(model.as_of), source, ", ".join(model.inferred))
    return table


def _rules_table(facts: Facts, at: date) -> Table:
    table = _table(f"\nRules on {at}", "rule", "value", "since", "known", "source")
    for name, rule in facts.rules.named().items():
        row = rule.row(at)
        table.add_row(name, str(row.value), str(row.since), row.confidence, row.source)
    for provider, begun in facts.rules.caching_since.items():
        caches = str(facts.rules.caches(provider, at))
        table.add_row(f"caching on {provider}", caches, str(begun.since), begun.confidence, begun.source)
    for name, fee in facts.fees.items():
        table.add_row(f"fee: {name}", f"${fee.usd}", str(fee.since), "documented", fee.source)
    return table


def _figures(rates: Rates) -> list[str]:
    return [usd_per_million(getattr(rates, category)) for category in _CATEGORIES]


def _since(row: PriceRow) -> str:
    started = "" if row.since == date.min else str(row.since)
    return f"{started} until {row.until}" if row.until else started


def _model_json(model: Model, at: date) -> dict[str, object]:
    features = model.features
    return {
        "id": model.id,
        "name": model.name,
        "aliases": list(model.aliases),
        "known": model.known,
        "estimated": model.estimated,
        "reason": model.reason,
        "released": model.released,
        "retired": model.retired,
        "is_retired": model.is_retired(at),
        "window": model.window,
        "max_output": model.max_output,
        "cache_minimum": model.cache_minimum if features.caching else None,
        "tokenizer": model.tokenizer,
        "usd_per_mtok": _rates_json(model.rates(at, prompt_tokens=0)),
        "usd_per_mtok_batch": _rates_json(model.rates(at, prompt_tokens=0, batch=True)),
        "endpoint_factor": str(Decimal(model.endpoint_factor.numerator) / model.endpoint_factor.denominator),
        "prices": [_row_json(row) for row in model.prices],
        "fast": [_row_json(row) for row in model.fast],
        "features": msgspec.to_builtins(features),
        "source": model.source,
        "as_of": model.as_of,
        "inferred": list(model.inferred),
    }


def _row_json(row: PriceRow) -> dict[str, object]:
    tiers = [{"above": tier.above, "usd_per_mtok": _rates_json(tier.rates)} for tier in row.tiers]
    started = None if row.since == date.min else row.since
    return {"from": started, "until": row.until, "usd_per_mtok": _rates_json(row.base), "tiers": tiers}


def _rates_json(rates: Rates) -> dict[str, str]:
    return dict(zip(_CATEGORIES, _figures(rates), strict=True))
