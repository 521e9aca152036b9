"""What is told of calls, and how: the `[telemetry]` table of a gateway's settings."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

__all__ = ["ExtraLabel", "LogFormat", "TelemetrySettings"]

LogFormat = Literal["json", "text", "off"]
"""One line for each call: as JSON, for people, or none."""

ExtraLabel = Literal["team", "key", "user", "task_type", "agent"]
"""Whose call it was, as a label of metrics: each value is a set of series of its own."""


class TelemetrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[telemetry]`: what is told of calls; never a prompt, never a key."""

    metrics: Annotated[bool, Meta(description="answer /metrics for Prometheus")] = True
    otel: Annotated[bool, Meta(description="spans and metrics for the OpenTelemetry SDK of the process")] = (
        False
    )
    log: Annotated[LogFormat, Meta(description="one line for each call, on standard error")] = "json"
    labels: Annotated[tuple[ExtraLabel, ...], Meta(description="whose calls metrics tell apart")] = ()
    label_values: Annotated[
        int, Meta(ge=1, le=10_000, description="values of each label; later ones count as `other`")
    ] = 100
