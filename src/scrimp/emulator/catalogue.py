"""The models as `GET /v1/models` lists them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from scrimp.facts.model import Model
from scrimp.facts.models import Facts

__all__ = ["model_json", "models_page"]

_LINES = ("haiku", "sonnet", "opus", "fable", "mythos")
_MOST_AT_ONCE, _USUAL_PAGE = 1000, 20
_SUPPORTED = {"supported": True}


def models_page(facts: Facts, day: date, query: dict[str, str]) -> dict[str, Any]:
    """One page of the models released by a day, newest first, as `limit`, `after_id` and `before_id` ask."""
    listed = [model_json(model, day) for model in _released(facts, day)]
    ids = [model["id"] for model in listed]
    if query.get("after_id") in ids:
        listed = listed[ids.index(query["after_id"]) + 1 :]
    elif query.get("before_id") in ids:
        listed = listed[: ids.index(query["before_id"])]
    wanted = query.get("limit", "")
    limit = min(_MOST_AT_ONCE, int(wanted)) if wanted.isdecimal() else _USUAL_PAGE
    page = listed[:limit]
    return {
        "data": page,
        "has_more": len(listed) > len(page),
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }


def model_json(model: Model, day: date) -> dict[str, Any]:
    """One model."""
    retired = model.retired
    lifecycle = "active" if retired is None else ("retired" if model.is_retired(day) else "deprecated")
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.name,
        "created_at": _midnight(model.released or date(1970, 1, 1)),
        "lifecycle": lifecycle,
        "line": next((line for line in _LINES if line in model.id), None),
        "max_input_tokens": model.window,
        "max_tokens": model.max_output,
        "deprecated_at": None,
        "retires_at": None if retired is None else _midnight(retired),
        "capabilities": _capabilities(model),
        "allowed_fallback_models": [],
    }


def _released(facts: Facts, day: date) -> list[Model]:
    known = [model for model in facts.models if model.released is None or model.released <= day]
    return sorted(known, key=lambda model: (model.released or date.min, model.id), reverse=True)


def _midnight(day: date) -> str:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _capabilities(model: Model) -> dict[str, Any]:
    """What the facts know of; the rest is said to be supported, as it is on every current model."""
    features = model.features
    kinds = ("adaptive", "between_tools", "disabled", "enabled")
    types = {kind: _supported(kind in features.thinking) for kind in kinds}
    levels = ("low", "medium", "high", "xhigh", "max")
    return {
        "batch": _SUPPORTED,
        "citations": _SUPPORTED,
        "code_execution": _SUPPORTED,
        "context_management": {
            "supported": features.context_editing,
            "clear_thinking_20251015": _supported(features.context_editing),
            "clear_tool_uses_20250919": _supported(features.context_editing),
            "compact_20260112": _supported("threshold" in features.compaction),
        },
        "effort": {
            "supported": bool(features.effort),
            **{level: _supported(level in features.effort) for level in levels},
        },
        "image_input": _SUPPORTED,
        "pdf_input": _SUPPORTED,
        "server_tools": {
            "supported": True,
            "code_execution": _SUPPORTED,
            "web_search": _SUPPORTED,
        },
        "structured_outputs": _SUPPORTED,
        "thinking": {"supported": set(features.thinking) > {"disabled"}, "types": types},
    }


def _supported(flag: bool) -> dict[str, bool]:  # noqa: FBT001  # the one field of the object it makes
    return {"supported": flag}
