"""What docs/what-if.md shows is what its commands print, and every lever is on the page."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from scrimp.cli import main
from scrimp.core.whatif.grammar import LEVER_NAMES, parse_row
from scrimp.facts.models import default

PROJECT = Path(__file__).parents[1]
PAGE = (PROJECT / "docs" / "what-if.md").read_text(encoding="utf-8")
SESSION = re.compile(r"```console\n\$ scrimp (.*)\n([^`]*)```")


@pytest.mark.parametrize(("arguments", "shown"), SESSION.findall(PAGE))
def test_commands_print_what_the_page_shows(
    arguments: str, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(PROJECT)
    assert main(shlex.split(arguments)) == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert printed == shown.splitlines(), "renew it: python docs/renew_pages.py what-if"


@pytest.mark.parametrize("name", LEVER_NAMES)
def test_every_lever_is_explained(name: str) -> None:
    assert re.search(rf"^\| `{name}[`=]", PAGE, re.MULTILINE), name


@pytest.mark.parametrize("row", re.findall(r"--what-if \"?([^\"\s]+)", PAGE))
def test_every_row_on_the_page_can_be_written(row: str) -> None:
    assert parse_row(row, default()).describe()
