"""The listeners that `[telemetry]` asks for: log and OpenTelemetry."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import TextIO
from urllib.parse import urlsplit

from scrimp.errors import ScrimpWarning
from scrimp.telemetry.call_log import CallLog
from scrimp.telemetry.into_log import said_in
from scrimp.telemetry.otel import Telemetry, is_heard
from scrimp.telemetry.settings import TelemetrySettings

__all__ = ["Told"]

_UNHEARD = (
    "no OpenTelemetry SDK is set up in this process, so that nothing is exported: "
    "start it as `opentelemetry-instrument scrimp serve` (package opentelemetry-distro)"
)
_PORTS = {"http": 80, "https": 443}


class Told:
    """Who is told of calls; `close` writes what is still waiting."""

    def __init__(self, settings: TelemetrySettings, *, base_url: str, stream: TextIO | None = None) -> None:
        """Calls go to `base_url`. The log goes to `stream`, by default standard error."""
        self.log = CallLog(settings.log, stream) if settings.log != "off" else None
        self._json = settings.log == "json"
        parts = urlsplit(base_url)
        port = parts.port or _PORTS.get(parts.scheme, _PORTS["https"])
        self.otel = Telemetry(server_address=parts.hostname, server_port=port) if settings.otel else None
        if settings.otel and not is_heard():
            warnings.warn(f"scrimp: telemetry.otel: {_UNHEARD}", ScrimpWarning, stacklevel=2)

    @property
    def listeners(self) -> list[CallLog | Telemetry]:
        """For `listeners=`."""
        return [one for one in (self.log, self.otel) if one is not None]

    def whole(self) -> AbstractContextManager[None]:
        """Within, a log of JSON has all that the process says, so that every line of it is JSON."""
        return said_in(self.log) if self.log is not None and self._json else nullcontext()

    def close(self) -> None:
        """Write every line of the log."""
        if self.log is not None:
            self.log.close()
