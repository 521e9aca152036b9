"""A limit that is set again: which one is meant, and what is different about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scrimp.cli.budget_options import spoken
from scrimp.cli.budget_views import usd
from scrimp.core.budget import Limit, Scope
from scrimp.core.budget_words import per_window
from scrimp.errors import InputError

__all__ = ["beside", "changes", "limit_to_change"]


def limit_to_change(limits: Sequence[Limit], scope: Scope, window: str | None) -> Limit | None:
    """The limit of `scope` that is meant; None where it is a new one. Without a window, the only one.

    Raises `InputError` where several may be meant.
    """
    found = [one for one in limits if one.scope == scope and window in (None, one.window)]
    if len(found) > 1:
        windows = ", ".join(one.window for one in found)
        raise InputError(f"{spoken(scope)} has several limits: say which with --window ({windows})")
    return found[0] if found else None


def changes(before: Limit | None, limit: Limit) -> Iterator[str]:
    """What was changed from what, in at most one line; nothing for a new limit."""
    if before is None:
        return
    pairs = (
        ("amount", usd(before.amount), usd(limit.amount)),
        ("zone", before.zone, limit.zone),
        ("alerts", _alerts(before), _alerts(limit)),
    )
    said = [f"{what} {old} → {new}" for what, old, new in pairs if old != new]
    yield f"Changed: {', '.join(said)}." if said else "Nothing changed: it was set like this before."


def beside(others: Sequence[Limit]) -> Iterator[str]:
    """The other limits of the same scope, which hold too."""
    if others:
        words = " and ".join(f"{usd(one.amount)} {per_window(one)}" for one in others)
        yield f"Besides, it may spend no more than {words}."


def _alerts(limit: Limit) -> str:
    return " and ".join(f"{one} %" for one in limit.alert_at) or "none"
