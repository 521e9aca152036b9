"""Request bodies, and the most that they can cost."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from scrimp.core.worst_case import WorstCase, worst_case
from scrimp.facts.models import default

FACTS = default()
NOW = datetime.fromisoformat("2026-11-21T12:00Z").timestamp()
ADDED = 1500
"""Tokens the provider may add to a prompt that has no tools."""

USD_PER_MTOK = 10**6
"""Picodollars a token costs for each dollar that a million of them do."""


def body(**more: Any) -> dict[str, Any]:
    """For a model of 4 dollars input, 5 and 8 written, 20 output, where no region costs more."""
    plain = {
        "model": "claude-opus-5-5",
        "max_tokens": 1000,
        "inference_geo": "global",
        "messages": [{"role": "user", "content": "Hello"}],
    }
    return {**plain, **more}


def worst(asked: dict[str, Any], **more: Any) -> WorstCase:
    return worst_case(asked, FACTS.resolve(asked["model"]), facts=FACTS, at=NOW, **more)


MARK, MARK_1H = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
TEXT = {"type": "text", "text": "x"}


def image(data: str) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


def document(**source: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "document", "source": source}]}]}


def asked_by(*content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(content)}]}


REPLACED = ("REDACTED", "<MASSIVE_TEXT", "very very long system prompt")
"""Where the recordings hold something short in place of the text that was sent and billed."""


def is_whole(exchange: dict[str, Any], asked: Any, usage: Any) -> bool:
    """Whether a recorded call shows all that was sent, and what was billed for it."""
    return (
        exchange.get("kind", "messages") == "messages"
        and not exchange.get("partial_request")
        and isinstance(asked, dict)
        and "messages" in asked
        and isinstance(usage, dict)
        and "input_tokens" in usage
        and not any(placeholder in json.dumps(asked) for placeholder in REPLACED)
    )
