"""How counted text becomes tokens: fitted factors per tokenizer family, and what the provider adds unseen.

Two bundled files: `tokenizers.toml` holds what is published or was read off recordings, `token_factors.toml`
what was fitted to recorded bills, with one more set of factors for every project of the corpus, fitted
without that project. Whoever judges the estimates on a project's own recordings asks for the set that has
never seen them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TypeVar

import msgspec

from scrimp.errors import FactsError
from scrimp.facts.model import Model, Tokenizer

__all__ = [
    "BuiltinTool",
    "HiddenPrompt",
    "TokenFactors",
    "builtin_tokens",
    "fitted_factors",
    "hidden_prompt",
    "token_factors",
]

T = TypeVar("T")
_OBSERVED = "tokenizers.toml"
_FITTED = "token_factors.toml"
_AUTO, _FORCED = "auto ", "forced "
_UNKNOWN_PROMPT = (354.0, 474.0)
"""Hidden prompt of a model that publishes none: Sonnet 5's, the longest among current models."""
_UNKNOWN_BUILTIN = 1_000


class HiddenPrompt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The system prompt that tools bring, in tokens.

    `serial` is saved by `disable_parallel_tool_use`. `before` of them come before the tools, the rest after
    the system block.
    """

    name: str
    models: tuple[str, ...]
    spelled: tuple[str, ...] = ()
    auto: float
    forced: float
    serial: float = 0.0
    before: float = 0.0
    source: str = ""


class BuiltinTool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tokens of a tool definition the provider writes itself."""

    tokens: int
    source: str


class _Observed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    builtin: dict[str, BuiltinTool]
    tool_prompts: tuple[HiddenPrompt, ...] = ()


class _Fitted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    calls: int
    deltas: int
    projects: int
    source: str
    names: tuple[str, ...]
    factors: tuple[float, ...]
    spread: dict[str, float]
    without: dict[str, tuple[float, ...]]


class TokenFactors(msgspec.Struct, frozen=True):
    """What one token family needs to turn counts into tokens.

    `factors` are tokens per counted thing, by its name. `spread` are the shares of a part of a prompt by
    which its estimate may be off (`text_below`: the bill may be that much less). `without` names the project
    whose recordings these factors have not seen.
    """

    family: Tokenizer
    factors: Mapping[str, float]
    spread: Mapping[str, float]
    builtin: Mapping[str, BuiltinTool]
    tool_prompts: tuple[HiddenPrompt, ...]
    without: str | None


def hidden_prompt(prompts: Sequence[HiddenPrompt], model: Model, spelling: str = "") -> HiddenPrompt:
    """The hidden prompt of `model`; `spelling` is the id in the request, where dated snapshots differ."""
    for prompt in prompts:
        if any(part in spelling for part in prompt.spelled):
            return prompt
    for prompt in prompts:
        if model.id in prompt.models:
            return prompt
    published = model.features.tool_prompt
    auto, forced = (published.auto, published.forced) if published else _UNKNOWN_PROMPT
    return HiddenPrompt(name="", models=(model.id,), auto=auto, forced=forced)


def builtin_tokens(builtin: Mapping[str, BuiltinTool], kind: str) -> int:
    """Tokens of a definition the provider writes, by the longest known start of its type."""
    starts = [start for start in builtin if kind.startswith(start)]
    return builtin[max(starts, key=len)].tokens if starts else _UNKNOWN_BUILTIN


@cache
def token_factors(family: Tokenizer, without: str | None = None) -> TokenFactors:
    """The factors of a family; with `without`, those fitted without that project's recordings.

    A project the corpus does not hold has not been seen anyway: it gets the common factors.
    """
    fitted = _fitted()[family]
    held_out = fitted.without.get(without) if without is not None else None
    factors = dict(zip(fitted.names, held_out or fitted.factors, strict=True))
    return fitted_factors(family, factors, fitted.spread, without=without if held_out else None)


def fitted_factors(
    family: Tokenizer,
    factors: Mapping[str, float] | None = None,
    spread: Mapping[str, float] | None = None,
    *,
    without: str | None = None,
) -> TokenFactors:
    """What a fit found, joined to what is published; `auto NAME` and `forced NAME` size hidden prompts."""
    found = dict(factors or {})
    observed = _observed()[family]
    prompts = tuple(
        msgspec.structs.replace(
            prompt,
            auto=found.pop(_AUTO + prompt.name, prompt.auto),
            forced=found.pop(_FORCED + prompt.name, prompt.forced),
        )
        for prompt in observed.tool_prompts
    )
    return TokenFactors(family, found, spread or {}, observed.builtin, prompts, without)


@cache
def _observed() -> dict[str, _Observed]:
    return _read(_OBSERVED, _Observed)


@cache
def _fitted() -> dict[str, _Fitted]:
    return _read(_FITTED, _Fitted)


def _read(name: str, shape: type[T]) -> dict[str, T]:
    document = tomllib.loads(resources.files(__package__).joinpath(name).read_text("utf-8"))
    document.pop("as_of", None)
    try:
        return {family: msgspec.convert(table, shape) for family, table in document.items()}
    except msgspec.ValidationError as fault:
        raise FactsError(f"{name}: {fault}; reinstall scrimp, or refit the factors") from fault
