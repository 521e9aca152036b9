"""What the model asked for accepts: output length, sampling, thinking, effort, speed, region."""

from __future__ import annotations

from datetime import date
from typing import Any

from scrimp.emulator.asked import NEWEST_VERSION, Asked, flagged
from scrimp.emulator.refusals import Refusal, invalid, not_found

__all__ = [
    "effort",
    "known_model",
    "max_tokens",
    "nothing_to_generate",
    "sampling",
    "speed_and_geo",
    "thinking",
]

_LEAST_BUDGET = 1024
_SAMPLING = ("temperature", "top_p", "top_k")
_THINKING_DOCS = "https://docs.claude.com/en/docs/build-with-claude/extended-thinking"
_BUDGET_DOCS = f"{_THINKING_DOCS}#max-tokens-and-context-window-size"
_EFFORTS_WITHOUT_THINKING = ("low", "medium", "high")
_LONG_OUTPUT = 128_000
_ONE_SAMPLING_FROM = date(2025, 8, 5)
"""Models from here on take `temperature` or `top_p`, not both (since Claude Opus 4.1)."""


def known_model(asked: Asked) -> Refusal | None:
    """A model that is served; on the day of its retirement it still was (recorded traffic)."""
    retired = asked.model.retired
    gone = asked.retires and retired is not None and asked.day > retired
    return not_found(f"model: {asked.name}") if gone or not asked.model.known else None


def max_tokens(asked: Asked) -> Refusal | None:
    """A whole number no greater than the model's longest answer."""
    if asked.counting and "max_tokens" not in asked.body:
        return None
    wanted = asked.body.get("max_tokens")
    if type(wanted) is not int:
        return invalid("max_tokens: Input should be a valid integer")
    if wanted < 0:
        return invalid("max_tokens: Input should be greater than or equal to 0")
    limit = max(asked.model.max_output, _LONG_OUTPUT if flagged(asked, "output-128k-") else 0)
    if wanted > limit:
        return invalid(
            f"max_tokens: {wanted} > {limit}, which is the maximum allowed number of output tokens "
            f"for {asked.name}"
        )
    return None


def nothing_to_generate(asked: Asked) -> Refusal | None:
    """`max_tokens: 0` only warms the cache ("Prompt caching", pre-warming)."""
    if asked.body.get("max_tokens") != 0 or asked.counting:
        return None
    what = None
    if asked.stream:
        what = "`stream: true`"
    elif asked.part("thinking").get("type") == "enabled":
        what = "`thinking.type: enabled`"
    elif asked.part("output_config").get("format"):
        what = "`output_config.format`"
    elif asked.part("tool_choice").get("type") in ("any", "tool"):
        what = "`tool_choice` of type any or tool"
    return None if what is None else invalid(f"max_tokens: 0 is not supported together with {what}")


def sampling(asked: Asked) -> Refusal | None:
    """Sampling parameters: gone from the newer API version, and only at their defaults on newer models."""
    body = asked.body
    given = [name for name in _SAMPLING if body.get(name) is not None]
    if given and asked.version == NEWEST_VERSION:
        return invalid(f"{given[0]}: Extra inputs are not permitted")
    for name in given:
        problem = _range_problem(name, body[name])
        if problem is not None:
            return invalid(f"{name}: {problem}")
        if asked.model.tokenizer != "claude-3" and (name == "top_k" or body[name] != 1):
            return invalid(f"`{name}` is deprecated for this model.")
    return _together(asked, given)


def thinking(asked: Asked) -> Refusal | None:
    """Kinds of thinking the model has, and a budget that leaves room for an answer."""
    wanted = asked.part("thinking")
    kind, accepted = wanted.get("type"), asked.model.features.thinking
    if kind is None or (kind == "disabled" and not accepted):
        return None
    if kind not in accepted:
        return invalid(_unsupported_thinking(str(kind)))
    if kind == "between_tools":
        level = asked.part("output_config").get("effort")
        if level is not None and level not in _EFFORTS_WITHOUT_THINKING:
            return invalid(f'"thinking.type.between_tools" is not supported with effort {level}.')
    return _budget(asked, wanted) if kind == "enabled" else None


def effort(asked: Asked) -> Refusal | None:
    """Levels of effort the model knows."""
    level, levels = asked.part("output_config").get("effort"), asked.model.features.effort
    if level is None or level in levels:
        return None
    if not levels:
        return invalid("This model does not support the effort parameter.")
    return invalid(f"output_config.effort: Input should be {_or(levels)}")


def speed_and_geo(asked: Asked) -> Refusal | None:
    """Fast mode where it is sold, `inference_geo` where the model has it."""
    model = asked.model
    if asked.body.get("inference_geo") is not None and not model.features.geo_us:
        return invalid("inference_geo: not supported on this model")
    # The one model that ignores the wish instead of refusing it ("Fast mode").
    tolerant = model.id == "claude-opus-4-6"
    if asked.body.get("speed") == "fast" and not model.sells_fast(asked.day) and not tolerant:
        return invalid("speed: fast mode is not supported on this model")
    return None


def _range_problem(name: str, value: Any) -> str | None:
    if not isinstance(value, (int, float)):
        return "Input should be a valid number"
    if name != "top_k" and value > 1:
        return "Input should be less than or equal to 1"
    return "Input should be greater than or equal to 0" if value < 0 else None


def _together(asked: Asked, given: list[str]) -> Refusal | None:
    """Sampling parameters that exclude one another, or thinking."""
    released = asked.model.released
    newer = released is not None and released >= _ONE_SAMPLING_FROM
    if newer and {"temperature", "top_p"} <= set(given):
        return invalid(
            "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
        )
    if asked.part("thinking").get("type") == "enabled" and asked.body.get("temperature", 1) not in (None, 1):
        return invalid(
            "`temperature` may only be set to 1 when thinking is enabled. "
            f"Please consult our documentation at {_THINKING_DOCS}"
        )
    return None


def _unsupported_thinking(kind: str) -> str:
    match kind:
        case "enabled":
            return (
                '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
                '"output_config.effort" to control thinking behavior.'
            )
        case "adaptive":
            return "adaptive thinking is not supported on this model"
        case _:
            return f'"thinking.type.{kind}" is not supported for this model.'


def _budget(asked: Asked, wanted: dict[str, Any]) -> Refusal | None:
    budget = wanted.get("budget_tokens")
    if type(budget) is not int:
        return invalid("thinking.enabled.budget_tokens: Field required")
    if budget < _LEAST_BUDGET:
        return invalid(
            f"thinking.enabled.budget_tokens: Input should be greater than or equal to {_LEAST_BUDGET}"
        )
    limit = asked.body.get("max_tokens")
    if limit is not None and budget >= limit and not flagged(asked, "interleaved-thinking-"):
        return invalid(
            "`max_tokens` must be greater than `thinking.budget_tokens`. "
            f"Please consult our documentation at {_BUDGET_DOCS}"
        )
    return None


def _or(levels: tuple[str, ...]) -> str:
    quoted = [f"'{level}'" for level in levels]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"
