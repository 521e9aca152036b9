"""Who is told what `[telemetry]` asks for."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from scrimp.errors import ScrimpWarning
from scrimp.telemetry.building import Told
from scrimp.telemetry.settings import TelemetrySettings
from tests.telemetry.records import record


def test_what_is_switched_off_is_not_there() -> None:
    told = Told(TelemetrySettings(log="off"), base_url="https://api.anthropic.com")
    assert told.listeners == []
    told.close()


def test_the_log_is_written_when_it_is_closed() -> None:
    stream = io.StringIO()
    told = Told(TelemetrySettings(), base_url="https://api.anthropic.com", stream=stream)
    for listener in told.listeners:
        listener.recorded(record())
    told.close()
    assert stream.getvalue().count("\n") == 1


def test_spans_that_nobody_exports_are_no_secret() -> None:
    with pytest.warns(ScrimpWarning, match="opentelemetry-instrument scrimp serve"):
        told = Told(TelemetrySettings(otel=True, log="off"), base_url="http://localhost:8080")
    assert len(told.listeners) == 1


def test_with_an_sdk_nothing_is_said() -> None:
    code = (
        "import warnings; warnings.simplefilter('error')\n"
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "trace.set_tracer_provider(TracerProvider())\n"
        "from scrimp.telemetry.building import Told\n"
        "from scrimp.telemetry.settings import TelemetrySettings\n"
        "print(len(Told(TelemetrySettings(otel=True, log='off'), base_url='http://x').listeners))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stdout == "1\n", done.stderr
