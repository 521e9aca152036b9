"""The settings that docs/telemetry.md shows are read, and mean what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scrimp.gateway.cache_settings import FanoutSettings
from scrimp.gateway.metrics import GAUGES, GatewayMetrics
from scrimp.gateway.settings import Settings
from scrimp.gateway.settings_loading import load
from scrimp.telemetry.settings import TelemetrySettings

PAGE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- settings -->\n```toml\n(.*?)```", PAGE, re.DOTALL)


def loaded(text: str, folder: Path) -> Settings:
    file = folder / "scrimp.toml"
    file.write_text(text, encoding="utf-8")
    (folder / "desk.json").write_text(json.dumps({"model": "claude-haiku-4-5", "system": "x " * 9_000}))
    return load(file, {"ANTHROPIC_API_KEY": "sk-up"}, {}).settings


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_is_read(block: str, tmp_path: Path) -> None:
    assert loaded(block, tmp_path) is not None


def test_they_mean_what_is_said(tmp_path: Path) -> None:
    labels, log, fanout, warm = [loaded(block, tmp_path) for block in BLOCKS]
    assert labels.telemetry == TelemetrySettings(labels=("team", "key"), label_values=50)
    assert log.telemetry == TelemetrySettings(log="json")
    assert fanout.fanout == FanoutSettings(enabled=True, timeout=10.0, second=10**9)
    (desk,) = warm.warm
    assert (desk.name, desk.start, desk.end, desk.zone) == ("desk", 510, 1080, "Europe/Berlin")
    assert desk.days == ("mon", "tue", "wed", "thu", "fri")
    assert desk.request == tmp_path / "desk.json"


def test_what_is_shown_as_usual_is_so() -> None:
    assert (TelemetrySettings().metrics, TelemetrySettings().log) == (True, "json")
    assert FanoutSettings() == FanoutSettings(enabled=True, timeout=10.0, second=10**9)


def test_every_metric_of_the_page_is_there() -> None:
    said = set(re.findall(r"`(scrimp_\w+)`", PAGE))
    page = GatewayMetrics(TelemetrySettings(), dict.fromkeys(GAUGES, lambda: 0)).exposition().decode()
    there = set(re.findall(r"^# TYPE (\w+) ", page, re.MULTILINE))
    assert said <= there
    hidden = {name for name in there - said if not name.startswith("scrimp_budget_")}
    assert not hidden
