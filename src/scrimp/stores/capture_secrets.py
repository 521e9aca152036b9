"""What a captured exchange must not carry: keys, tokens and credentials, wherever the API takes them.

Headers and query parameters are kept by name, not dropped by name: what is not known to be harmless goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

__all__ = ["without_secrets"]

_HEADERS = frozenset(
    {
        "accept",
        "anthropic-beta",
        "anthropic-version",
        "content-type",
        "date",
        "request-id",
        "retry-after",
        "user-agent",
        "x-should-retry",
    }
)
_HEADER_FAMILIES = ("x-stainless-", "anthropic-ratelimit-")
_PARAMETERS = frozenset({"after_id", "before_id", "beta", "limit"})
_SERVER_TOKEN = "authorization_token"  # noqa: S105 - the field's name ("MCP connector"), not a token


def without_secrets(exchange: Mapping[str, Any]) -> dict[str, Any]:
    """The exchange, sharing what is harmless; the caller's own is not changed."""
    kept = dict(exchange)
    for side in ("request", "response"):
        part = kept.get(side)
        if isinstance(part, Mapping):
            kept[side] = _side(part)
    return kept


def _side(part: Mapping[str, Any]) -> dict[str, Any]:
    kept = dict(part)
    if "headers" in kept:
        kept["headers"] = _headers(kept["headers"])
    if isinstance(kept.get("url"), str):
        kept["url"] = _url(kept["url"])
    body = kept.get("body")
    if isinstance(body, Mapping) and isinstance(body.get("mcp_servers"), list):
        kept["body"] = {**body, "mcp_servers": [_server(server) for server in body["mcp_servers"]]}
    return kept


def _headers(headers: Any) -> Any:
    """Mappings and lists of pairs keep what is harmless; any other shape is not understood, so it goes."""
    if isinstance(headers, Mapping):
        return {name: value for name, value in headers.items() if _is_harmless(name)}
    if isinstance(headers, list):
        pairs = (pair for pair in headers if isinstance(pair, (list, tuple)) and len(pair) == 2)
        return [pair for pair in pairs if _is_harmless(pair[0])]
    return None


def _is_harmless(name: object) -> bool:
    if not isinstance(name, str):
        return False
    lower = name.lower()
    return lower in _HEADERS or lower.startswith(_HEADER_FAMILIES)


def _url(url: str) -> str:
    """Without user and password, fragment, and parameters that may sign or carry a key."""
    if not {"@", "?", "#"} & set(url):
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    query = [(name, value) for name, value in parse_qsl(parts.query) if name in _PARAMETERS]
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, urlencode(query), ""))


def _server(server: Any) -> Any:
    if not isinstance(server, Mapping):
        return server
    return {name: value for name, value in server.items() if name != _SERVER_TOKEN}
