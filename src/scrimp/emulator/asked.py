"""A request as the API sees it before deciding anything: its body, and what the headers said."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from scrimp.facts.model import Model

__all__ = ["NEWEST_VERSION", "VERSIONS", "Asked", "flagged"]

VERSIONS = ("2023-06-01", "2026-10-21")
"""Values of `anthropic-version` ("Versions")."""

NEWEST_VERSION = VERSIONS[-1]


class Asked(msgspec.Struct, frozen=True):
    """One request to the Messages API or to its token count.

    `name` is the model id as asked for, `day` the day whose rules hold, `counting` says that only a token
    count was asked for, `retires` that models are refused once they have retired, `unsummed` that
    no summary of it comes about.
    """

    body: dict[str, Any]
    name: str
    model: Model
    day: date
    version: str = NEWEST_VERSION
    betas: frozenset[str] = frozenset()
    counting: bool = False
    retires: bool = False
    unsummed: bool = False

    @property
    def stream(self) -> bool:
        """Whether the answer is to come as events."""
        return self.body.get("stream") is True

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages; call only once their shape was checked."""
        found: list[dict[str, Any]] = self.body["messages"]
        return found

    def part(self, name: str) -> dict[str, Any]:
        """An object of the body, empty where it is missing or something else."""
        value = self.body.get(name)
        return value if isinstance(value, dict) else {}


def flagged(asked: Asked, beta: str) -> bool:
    """Whether a beta was asked for, whatever its date (`beta` is the name up to it)."""
    return any(given.startswith(beta) for given in asked.betas)
