"""Every error scrimp raises on purpose, one tree.

ScrimpError
├── InputError            something the user gave us cannot be used: names file, line or field
│   ├── RequestError      a Messages request that is not one
│   ├── ResponseError     a Messages response, event or usage that is not one
│   ├── TraceError        a recording that cannot be read at all
│   ├── FactsError        a price or model file with a fault in it
│   ├── SettingsError     settings with mistakes in them; carries a line for each
│   └── SignatureError    an alert whose sender or time cannot be trusted
├── PlanError             a planned request broke one of its own promises (the untouched request is sent)
├── StoreError            the ledger or a capture could not be written or read; it may work again later
├── BudgetError           a budget does not let the call go out; nothing was sent
│   ├── BudgetExceeded    a limit is reached: says which scope, limit, spent, held, asked, and when it resets
│   ├── ContextExceeded   a prompt is longer than its run allows
│   └── BudgetUnavailable a limit is set, and what is left of it cannot be told
├── LoopStopped           an agent goes round in circles; nothing more was sent
├── FanoutError           requests of a fan-out failed; carries what became of every one of them
└── SdkError              the installed SDK cannot do what was asked of it

ScrimpWarning             something of scrimp failed and the call went on without it
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = [
    "BudgetError",
    "BudgetExceeded",
    "BudgetUnavailable",
    "CacheMissWarning",
    "ContextExceeded",
    "FactsError",
    "FanoutError",
    "InputError",
    "LoopStopped",
    "PlanError",
    "RequestError",
    "ResponseError",
    "ScrimpError",
    "ScrimpWarning",
    "SdkError",
    "SettingsError",
    "SignatureError",
    "StoreError",
    "TraceError",
]


class ScrimpError(Exception):
    """Root of every error scrimp raises on purpose."""


class InputError(ScrimpError):
    """Input that cannot be used; the message names the place and what to do, in one line."""


class RequestError(InputError):
    """A request body that is not a Messages request."""


class ResponseError(InputError):
    """A response body, stream event or usage block that cannot be metered."""


class TraceError(InputError):
    """A recording that cannot be read at all (single bad lines are counted, never raised)."""


class FactsError(InputError):
    """A model or price file with a fault in it."""


class SignatureError(InputError):
    """An alert that came over HTTP and is not to be trusted: its signature or its time does not fit."""


class SettingsError(InputError):
    """Settings that do not hold. `mistakes` has a line for each: where, what was found, what is expected."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = tuple(mistakes)


class PlanError(ScrimpError):
    """A planned request broke one of its own promises; the untouched request is sent instead."""


class StoreError(ScrimpError):
    """A store could not be written or read: the message names the file, why, and what to do, in one line."""


class FanoutError(ScrimpError):
    """Requests of a fan-out failed. `results` has every answer in order, and an error where there is none."""

    def __init__(self, message: str, results: list[Any]) -> None:
        super().__init__(message)
        self.results = results


class BudgetError(ScrimpError):
    """A budget does not let the call go out; nothing was sent and nothing was spent."""


class BudgetExceeded(BudgetError):
    """A limit is reached. `refusal` is a `core.budget.Refusal`: scope, limit, spent, held, asked, reset."""

    def __init__(self, message: str, refusal: Any) -> None:
        super().__init__(message)
        self.refusal = refusal

    def __reduce__(self) -> tuple[type[BudgetExceeded], tuple[str, Any]]:
        """Errors cross processes as their arguments."""
        return type(self), (str(self), self.refusal)


class ContextExceeded(BudgetError):
    """A prompt of about `tokens` is longer than the `limit` of its run; `window` is what the model takes."""

    def __init__(self, tokens: int, limit: int, window: int) -> None:
        super().__init__(
            f"the prompt is about {tokens:,} tokens ({tokens / window:.0%} of the model's window), "
            f"and its run allows {limit:,}: compact the conversation, or begin a new one"
        )
        self.tokens, self.limit, self.window = tokens, limit, window

    def __reduce__(self) -> tuple[type[ContextExceeded], tuple[int, int, int]]:
        """Errors cross processes as their arguments."""
        return type(self), (self.tokens, self.limit, self.window)


class BudgetUnavailable(BudgetError):
    """A limit is set, and what is left of it cannot be told: the call does not go out."""


class LoopStopped(ScrimpError):
    """An agent goes round in circles: `reason` why, gone through `count` times, after `steps` answers.

    `conversation` is a short digest of its first message, the same at every step.
    """

    def __init__(self, message: str, *, reason: str, count: int, steps: int, conversation: str) -> None:
        super().__init__(message)
        self.reason, self.count, self.steps, self.conversation = reason, count, steps, conversation

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross processes with what they carry."""
        return _again, (type(self), str(self), self.__dict__)


def _again(kind: type[LoopStopped], message: str, carried: dict[str, Any]) -> LoopStopped:
    return kind(message, **carried)


class SdkError(ScrimpError):
    """The installed SDK cannot do what was asked of it; the message says which version can."""


class ScrimpWarning(UserWarning):
    """Something of scrimp failed and the call went on without it; given once for each kind of fault."""


class CacheMissWarning(ScrimpWarning):
    """A prefix that should have been read from the cache was not, or will not be; told once until it is."""
