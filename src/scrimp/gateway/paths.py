"""What a path asks for, however it is spelt, so that no spelling of a billed path goes by unmetered."""

from __future__ import annotations

from urllib.parse import unquote

__all__ = ["BATCHES", "COUNT", "MESSAGES", "MODELS", "is_free", "is_known", "plain_path", "route_of"]

MESSAGES = "/v1/messages"
COUNT = "/v1/messages/count_tokens"
BATCHES = "/v1/messages/batches"
MODELS = "/v1/models"

_FREE = (COUNT, BATCHES, MODELS, "/v1/files", "/v1/skills", "/v1/organizations")
_BILLING = frozenset({"POST", "PUT", "PATCH"})
_ODD = ("/./", "/../", "\\", ";", "?", "#", "%", "\x00")


def plain_path(raw: str) -> str | None:
    """A path under /v1/ as servers read it, in small letters and without a slash at its end.

    None for one that servers read in different ways. Ids in a path are matched by their own spelling.
    """
    path = unquote(raw)
    if "//" in path or any(part in f"{path}/" for part in _ODD):
        return None
    return path.rstrip("/").lower()


def is_known(path: str) -> bool:
    """Whether it is one of those that the gateway promises to serve."""
    return path in (MESSAGES, COUNT) or _below(path, (BATCHES, MODELS))


def is_free(method: str, path: str) -> bool:
    """Whether a request bills nothing by itself; batches, which are held for, count as that."""
    return method not in _BILLING or _below(path, _FREE)


def route_of(path: str) -> str:
    """One of a few names, for counting: paths that nobody serves are not told apart."""
    if path in (MESSAGES, COUNT):
        return path
    return next((known for known in (BATCHES, MODELS) if _below(path, (known,))), "other")


def _below(path: str, known: tuple[str, ...]) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in known)
