"""The boundary of the command line: every way a command can end is one exit status and at most one line."""

from __future__ import annotations

import importlib
import subprocess
import sys
import types
from typing import TYPE_CHECKING

import click
import pytest

from scrimp.cli import main
from scrimp.cli.app import COMMANDS
from scrimp.cli.exit_codes import ExitCode
from scrimp.errors import InputError, PlanError, ScrimpError, TraceError

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Add a real command `ending` to the table that ends as the given function does."""

    def add(body: Callable[[], object]) -> None:
        module = types.ModuleType("scrimp.cli.ending")
        vars(module)["ending"] = click.command("ending")(body)
        monkeypatch.setitem(sys.modules, "scrimp.cli.ending", module)
        monkeypatch.setitem(COMMANDS, "ending", "Ends as it is told to.")

    monkeypatch.delenv("SCRIMP_DEBUG", raising=False)
    return add


def raising(error: BaseException) -> Callable[[], object]:
    def body() -> None:
        raise error

    return body


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("a.json:3: no such field"), 3, "a.json:3: no such field"),
        (TraceError("two\nlines"), 3, "two lines"),
        (PlanError("marker moved"), 1, "marker moved"),
        (ScrimpError("no"), 1, "no"),
        (click.FileError("x.json", "is odd"), 3, "Could not open file 'x.json': is odd"),
        (PermissionError(13, "Permission denied", "out.html"), 4, "out.html: Permission denied"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_an_error_is_one_line_and_a_status(
    ending: Callable[..., None], capfd: pytest.CaptureFixture[str], error: BaseException, code: int, line: str
) -> None:
    ending(raising(error))
    assert main(["ending"]) == code
    assert capfd.readouterr() == ("", f"scrimp: error: {line}\n")


def test_a_fault_of_ours_is_one_line_with_the_way_to_the_traceback(
    ending: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    ending(raising(KeyError("lost")))
    assert main(["ending"]) == 70
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("scrimp: error: internal error: KeyError: 'lost' (set SCRIMP_DEBUG=1")
    assert err.count("\n") == 1


def test_debug_shows_the_traceback(
    ending: Callable[..., None], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRIMP_DEBUG", "1")
    ending(raising(InputError("bad")))
    assert main(["ending"]) == 3
    err = capfd.readouterr().err
    assert "Traceback" in err
    assert err.endswith("scrimp: error: bad\n")


@pytest.mark.parametrize(
    ("returned", "code"), [(None, 0), (ExitCode.BROKEN_PROMISE, 1), (ExitCode.OK, 0), ("words", 0)]
)
def test_what_a_command_returns_is_the_status(
    ending: Callable[..., None], returned: object, code: int
) -> None:
    ending(lambda: returned)
    assert main(["ending"]) == code


def test_leaving_early_keeps_its_status(ending: Callable[..., None]) -> None:
    ending(raising(click.exceptions.Exit(1)))
    assert main(["ending"]) == 1


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["demoo"], "no command 'demoo'; did you mean 'demo'? Try 'scrimp --help'."),
        (["xyzzy"], "no command 'xyzzy'. Try 'scrimp --help'."),
    ],
)
def test_an_unknown_command_is_one_line_with_the_nearest_name(
    args: list[str], line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(args) == 2
    assert capfd.readouterr() == ("", f"scrimp: error: {line}\n")


def test_an_unknown_option_is_one_line_with_the_way_to_help(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--nope"]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "--nope" in err
    assert err.endswith("Try 'scrimp --help'.\n")


@pytest.mark.parametrize("args", [[], ["--help"], ["-h"]])
def test_help_lists_every_command_in_the_order_of_the_table(
    args: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(args) == 0
    listed = capfd.readouterr().out.split("Commands:\n")[1].splitlines()
    assert [line.split()[0] for line in listed[: len(COMMANDS)]] == list(COMMANDS)


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capfd.readouterr().out == "scrimp 0.1.0\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_loads_explains_itself_and_speaks_json(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    command = getattr(importlib.import_module(f"scrimp.cli.{name}"), name)
    assert command.name == name
    parts = [[name, part] for part in command.commands] if isinstance(command, click.Group) else [[name]]
    for part in parts:
        assert main([*part, "--help"]) == 0
        assert "--json" in capfd.readouterr().out


@pytest.mark.parametrize(
    "prints", ["print('line\\n' * 100_000)", "[console().print('line\\n' * 500) for _ in range(200)]"]
)
def test_a_reader_that_goes_away_is_met_in_silence(prints: str) -> None:
    many_lines = (
        "import sys, types, click\n"
        "from scrimp.cli.app import COMMANDS, main\n"
        "module = sys.modules['scrimp.cli.flood'] = types.ModuleType('flood')\n"
        "from scrimp.cli.output import console\n"
        f"module.flood = click.command('flood')(lambda: {prints})\n"
        "COMMANDS['flood'] = ''\n"
        "sys.exit(main(['flood']))\n"
    )
    shell = '"$0" -c "$1" | head -1; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(
        ["bash", "-c", shell, sys.executable, many_lines], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("line\n141\n", "")
