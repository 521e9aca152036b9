"""Every error scrimp raises on purpose, one tree.

ScrimpError
├── InputError            something the user gave us cannot be used: names file, line or field
│   ├── RequestError      a Messages request that is not one
│   ├── ResponseError     a Messages response, event or usage that is not one
│   ├── TraceError        a recording that cannot be read at all
│   └── FactsError        a price or model file with a fault in it
├── PlanError             a planned request broke one of its own promises (the untouched request is sent)
├── StoreError            the ledger or a capture could not be written or read; it may work again later
├── FanoutError           requests of a fan-out failed; carries what became of every one of them
└── SdkError              the installed SDK cannot do what was asked of it

ScrimpWarning             something of scrimp failed and the call went on without it
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "CacheMissWarning",
    "FactsError",
    "FanoutError",
    "InputError",
    "PlanError",
    "RequestError",
    "ResponseError",
    "ScrimpError",
    "ScrimpWarning",
    "SdkError",
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


class PlanError(ScrimpError):
    """A planned request broke one of its own promises; the untouched request is sent instead."""


class StoreError(ScrimpError):
    """A store could not be written or read: the message names the file, why, and what to do, in one line."""


class FanoutError(ScrimpError):
    """Requests of a fan-out failed. `results` has every answer in order, and an error where there is none."""

    def __init__(self, message: str, results: list[Any]) -> None:
        super().__init__(message)
        self.results = results


class SdkError(ScrimpError):
    """The installed SDK cannot do what was asked of it; the message says which version can."""


class ScrimpWarning(UserWarning):
    """Something of scrimp failed and the call went on without it; given once for each kind of fault."""


class CacheMissWarning(ScrimpWarning):
    """A prefix that should have been read from the cache was not, or will not be; told once until it is."""
