"""Exchanges as recorded calls: what a recording says, read with the facts of its day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from scrimp.core.prompt import Prompt, read_prompt
from scrimp.core.recorded import RecordedCall
from scrimp.core.tokens.estimator import Sized
from scrimp.core.workspace import cache_rules, reading
from scrimp.facts.model import Model
from scrimp.facts.models import Facts
from scrimp.traces.exchanges import Exchange

__all__ = ["Sizer", "day_of", "recorded_call", "unusable"]

Sizer = Callable[[Exchange, Prompt, Model], Sized]
"""Measures a prompt before any bill."""

_SERVER_TOOL_PREFIXES = (
    "advisor_",
    "bash_code_execution",
    "code_execution_",
    "mcp_toolset",
    "tool_search_tool_",
    "web_fetch_",
    "web_search_",
)
_SERVER_BLOCKS = ("server_tool_use", "mcp_tool_use")


def unusable(exchange: Exchange) -> str | None:
    """Why an exchange cannot be read as a billed Messages call, or None."""
    if exchange.kind != "messages":
        return f"not a Messages call ({exchange.kind})"
    if exchange.status != 200:
        return "the API answered with an error"
    if not isinstance(exchange.body.get("messages"), list):
        return "request has no messages"
    if exchange.usage is None or not exchange.usage.total_input:
        return "no usage was recorded"
    return None


def recorded_call(
    exchange: Exchange,
    facts: Facts,
    sizer: Sizer,
    *,
    at: date | None = None,
    route: str | None = None,
) -> RecordedCall:
    """The call with the rules of its own day and provider, or of day `at` and provider `route`.

    Call `unusable` first. Raises `RequestError` on a malformed body.
    """
    if exchange.usage is None:
        raise ValueError(f"{exchange.where}: no usage was recorded")
    model = facts.resolve(exchange.model)
    day = at or day_of(exchange)
    prompt = read_prompt(exchange.body, reading(facts, model, day))
    return RecordedCall(
        run=exchange.run,
        seq=exchange.seq,
        at=exchange.at,
        timed=exchange.timed,
        day=day,
        workspace=exchange.workspace if route is None else f"{route} {exchange.source}",
        source=exchange.source,
        where=exchange.where,
        model=model,
        prompt=prompt,
        sized=sizer(exchange, prompt, model),
        rules=cache_rules(facts, model, route or exchange.provider, day, in_thread="thread" in exchange.body),
        usage=exchange.usage,
        complete=exchange.partial is None,
        server_tools=_uses_server_tools(prompt, exchange.body),
        offers_automatic=facts.rules.automatic_caching(day),
    )


def day_of(exchange: Exchange) -> date | None:
    """The UTC day of a call, None where its time was not recorded."""
    return datetime.fromtimestamp(exchange.at, UTC).date() if exchange.timed else None


def _uses_server_tools(prompt: Prompt, body: Any) -> bool:
    """Whether the provider itself ran tools: its own samplings are then part of the bill."""
    if body.get("mcp_servers"):
        return True
    for block in prompt.blocks:
        kind = (
            block.value.get("type") if block.kind == "tool" and isinstance(block.value, dict) else block.kind
        )
        if isinstance(kind, str) and (kind.startswith(_SERVER_TOOL_PREFIXES) or kind in _SERVER_BLOCKS):
            return True
    return False
