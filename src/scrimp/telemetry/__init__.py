"""What is told of calls to the tools that watch a service: OpenTelemetry, Prometheus, logs.

    client = anthropic.Anthropic(middleware=[scrimp.Middleware(listeners=[scrimp.Telemetry()])])

Each is a listener (`office.listening.Listener`) and gets records: counts and names, no prompts, no keys.
"""

from __future__ import annotations

from scrimp.telemetry.otel import Telemetry

__all__ = ["Telemetry"]
