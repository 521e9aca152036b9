"""JSON, consoles and progress: what programs and people get to read."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.cli.output import console, json_text, print_json, progress


@dataclass(frozen=True)
class Bill:
    usd: Decimal
    calls: int


def test_json_keeps_the_order_and_writes_money_as_decimal_strings() -> None:
    value = {"z": Bill(Decimal("0.000000000001"), 2), "a": [Decimal("1E+3")], "path": PurePosixPath("x/y")}
    text = json_text(value)
    assert list(json.loads(text)) == ["z", "a", "path"]
    assert json.loads(text) == {"z": {"usd": "0.000000000001", "calls": 2}, "a": ["1000"], "path": "x/y"}


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12))
def test_money_survives_json_exactly(amount: Decimal) -> None:
    written = json.loads(json_text(amount))
    assert "E" not in written
    assert Decimal(written) == amount


def test_what_has_no_stable_form_is_refused() -> None:
    with pytest.raises(TypeError):
        json_text({"models": {"a", "b"}})


def test_json_is_printed_as_utf8_with_one_newline(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    print_json({"name": "Örwall"})
    assert capfdbinary.readouterr().out == '{\n  "name": "Örwall"\n}\n'.encode()


def test_json_is_utf8_even_where_the_terminal_is_not() -> None:
    code = "from scrimp.cli.output import print_json; print_json('—')"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONIOENCODING": "ascii"}, capture_output=True, check=True
    )
    assert done.stdout == '"—"\n'.encode()


def test_text_is_printed_as_given(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    console().print("12 calls :smile: 'quoted'")
    assert capfd.readouterr().out == "12 calls :smile: 'quoted'\n"


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert console().no_color is False
    monkeypatch.setenv("NO_COLOR", "1")
    assert console().no_color is True


def test_progress_is_silent_away_from_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with progress("reading", 3) as advance:
        for _ in range(3):
            advance(1)
    assert capfd.readouterr() == ("", "")


def test_progress_goes_to_stderr_on_a_terminal(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes any stream for a terminal
    monkeypatch.setenv("TERM", "xterm")
    with progress("reading", 3) as advance:
        advance(3)
    out, err = capfd.readouterr()
    assert out == ""
    assert "reading" in err
    assert "3/3" in err
