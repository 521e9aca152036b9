"""The provider's own spend limits, read with an admin key ("Spend Limits API").

Its amounts are decimal strings in the minor unit of the organisation's currency: "50000" is $500.00. Listing
the limits of a Console organisation is an early access preview, the report of effective limits is one for
Claude Enterprise: where an organisation may not read one of them, that is said in a line.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import anthropic
import msgspec

from scrimp.core.budget_words import name_of
from scrimp.core.money import picodollars

__all__ = ["API", "ProviderLimit", "ProviderLimits", "read_limits"]

API = "https://api.anthropic.com"
"""Not `ANTHROPIC_BASE_URL`: an admin key goes to nobody but the provider."""

KEY = "ANTHROPIC_ADMIN_KEY"

_MINOR_UNITS = 100
_MOST = 1_000
_NAMES = ("workspace_id", "user_id", "rbac_group_id", "seat_tier", "service")

T = TypeVar("T")


class ProviderLimit(msgspec.Struct, frozen=True, kw_only=True):
    """A limit as the provider has it. `amount` is in picodollars; None: no cap, or in another `currency`.

    `scope` is its type (`organization`, `workspace`, `usage_tier` for the cap of the usage tier, …), `name`
    whom it is for. `spent` is there in the report of effective limits. Not `enabled`: switched off for now.
    """

    scope: str
    name: str
    period: str
    amount: int | None
    currency: str
    spent: int | None = None
    enabled: bool = True


class ProviderLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits that are set, those in effect for each member, and in one line each what could not be read."""

    limits: tuple[ProviderLimit, ...] = ()
    effective: tuple[ProviderLimit, ...] = ()
    problems: tuple[str, ...] = ()


def read_limits(admin_key: str, *, base_url: str = API, timeout: float = 10.0) -> ProviderLimits:
    """Ask the provider. Never raises: what fails is among the `problems`."""
    with anthropic.Anthropic(api_key=admin_key, base_url=base_url, timeout=timeout, max_retries=1) as client:
        limits, problem = _read(lambda: [_limit(row) for row in _some(_listed(client))])
        if problem is not None and problem.hopeless:
            return ProviderLimits(problems=(problem.words,))
        effective, other = _read(lambda: [_effective(row) for row in _some(_in_effect(client))])
    problems = [problem.words] if problem else []
    # For Console organisations there is no such report, and nothing wrong with that.
    if other is not None and problem is not None and other.words != problem.words:
        problems.append(other.words)
    return ProviderLimits(
        limits=tuple(limits or ()), effective=tuple(effective or ()), problems=tuple(problems)
    )


class _Problem(msgspec.Struct, frozen=True):
    """Why something could not be read; `hopeless`: nothing else can be either."""

    words: str
    hopeless: bool = False


def _read(ask: Callable[[], T]) -> tuple[T | None, _Problem | None]:
    try:
        return ask(), None
    except (anthropic.AnthropicError, AttributeError, ArithmeticError, ValueError, TypeError) as error:
        return None, next(words(error) for kind, words in _PROBLEMS if isinstance(error, kind))


def _listed(client: Any) -> Any:
    # The SDK sends the beta header that this list needs.
    return client.beta.organization.spend_limits.list(limit=100)


def _in_effect(client: Any) -> Any:
    return client.organization.spend_limits.effective.list(limit=100)


def _some(pages: Any) -> list[Any]:
    """The rows of all pages, up to a number nobody would read."""
    return [row for row, _ in zip(pages, range(_MOST), strict=False)]


def _limit(row: Any) -> ProviderLimit:
    return ProviderLimit(
        scope=row.scope.type,
        name=_name(row.scope),
        period=row.period,
        amount=_amount(row.amount, row.currency),
        currency=row.currency,
        enabled=row.is_enabled,
    )


def _effective(row: Any) -> ProviderLimit:
    actor = row.actor
    who = getattr(actor, "email_address", None) or getattr(actor, "user_id", None)
    return ProviderLimit(
        scope=row.source.type,
        name=name_of(who or getattr(actor, "scoped_api_key_id", "") or ""),
        period=row.period,
        amount=_amount(row.amount, row.currency),
        currency=row.currency,
        spent=_amount(row.period_to_date_spend, row.currency),
    )


def _name(scope: Any) -> str:
    return next((name_of(str(found)) for name in _NAMES if (found := getattr(scope, name, None))), "")


def _amount(text: str | None, currency: str) -> int | None:
    return None if text is None or currency.upper() != "USD" else picodollars(Decimal(text), per=_MINOR_UNITS)


def _said(error: anthropic.APIStatusError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    inner = body.get("error")
    message = inner.get("message") if isinstance(inner, dict) else None
    return name_of(str(message or type(error).__name__))


def _unknown_key(_: Any) -> _Problem:
    return _Problem(f"the provider does not know the key in {KEY} (401): is it an admin key?", hopeless=True)


def _not_allowed(error: Any) -> _Problem:
    return _Problem(f"the key in {KEY} may not read spend limits (403): {_said(error)}")


def _not_there(_: Any) -> _Problem:
    return _Problem("the provider has no spend limits to read for this organisation (404)")


def _refused(error: Any) -> _Problem:
    return _Problem(f"the provider did not tell its spend limits ({error.status_code}): {_said(error)}")


def _unreached(_: Any) -> _Problem:
    return _Problem("the provider cannot be reached: its spend limits are not known", hopeless=True)


def _unreadable(_: Any) -> _Problem:
    version = anthropic.__version__
    return _Problem(f"the installed anthropic SDK ({version}) cannot read spend limits: try a newer one")


_PROBLEMS: tuple[tuple[type[Exception], Callable[[Any], _Problem]], ...] = (
    (anthropic.AuthenticationError, _unknown_key),
    (anthropic.PermissionDeniedError, _not_allowed),
    (anthropic.NotFoundError, _not_there),
    (anthropic.APIStatusError, _refused),
    (anthropic.APIConnectionError, _unreached),
    (Exception, _unreadable),
)
"""Kind of error → what to say of it; the first row that fits decides."""
