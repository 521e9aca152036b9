"""Relocation for the middleware: one memory for all its calls, and the untouched request when it fails."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from scrimp.core.passes.relocate import Caller, Relocation, relocated
from scrimp.core.record import Tags
from scrimp.facts.models import Facts
from scrimp.office import Office

__all__ = ["Relocating"]


class Relocating:
    """Moves volatile system text of requests, from any number of threads."""

    def __init__(self, facts: Facts, office: Office) -> None:
        self._facts = facts
        self._office = office
        self._state = Relocation()
        self._lock = threading.Lock()

    def moved(self, body: Mapping[str, Any], tags: Tags) -> Mapping[str, Any]:
        """`body` with its volatile system text moved, or `body` itself."""
        model = self._facts.resolve(str(body.get("model", "")))
        try:
            with self._lock:
                return relocated(body, self._state, model, Caller(tags.label, tags.user))[0]
        except Exception as error:  # noqa: BLE001 - our failure: the untouched request goes out
            self._office.fault("nothing was relocated, because finding what is volatile failed", error)
            return body

    def refused(self, body: Mapping[str, Any]) -> None:
        """The API took this request only as the caller wrote it."""
        with self._lock:
            self._state.refused(self._facts.resolve(str(body.get("model", ""))))
