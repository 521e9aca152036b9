"""The `scrimp` command: the table of subcommands, and the one place where an error becomes an exit status.

A subcommand is imported only when it is run, so that `scrimp --help` answers at once. Its module defines a
click command of the same name, which returns an `ExitCode` (or None for `OK`) and raises `ScrimpError` for
whatever the user can put right.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING

import click

from scrimp import __version__
from scrimp.cli.exit_codes import ExitCode
from scrimp.errors import InputError, ScrimpError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS: Mapping[str, str] = {
    "demo": "Replay bundled agent runs: the bill before and after.",
    "audit": "Where your tokens went, in dollars, and what to change.",
    "replay": "What recorded runs would have cost under each policy.",
    "calibrate": "How well the model reproduces what was billed.",
    "diagnose": "Why calls missed the cache, what it cost, and the fix.",
    "report": "Where the money went: by model, user, run, task, agent and day.",
    "estimate": "What an agent will cost before it exists.",
    "lint": "Known cost bugs in your code, each with the fix.",
    "explain": "One request or recorded call, block by block, in dollars.",
    "serve": "A gateway: savings, bills and budgets for every client.",
    "run": "One command through a gateway of its own, with a receipt at exit.",
    "budget": "Limits that hold: set them, see how they stand, and why.",
    "key": "Keys that callers of the gateway show.",
    "ledger": "The file behind reports: export it, prune old records.",
    "emulate": "A local Messages API that caches and bills like the real one.",
    "models": "Every model's prices, limits and features, with sources.",
}
"""Subcommand → the line `scrimp --help` shows for it; `scrimp.cli.<name>` defines the command `<name>`."""


class LazyGroup(click.Group):
    """A click group that knows its subcommands by name and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the subcommand names in the order of the table, most useful first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Import and return one subcommand; an unknown name is a usage error naming the nearest."""
        if cmd_name not in COMMANDS:
            from difflib import get_close_matches  # only here: a mistake may take a moment  # noqa: PLC0415

            near = get_close_matches(cmd_name, COMMANDS, n=1)
            ctx.fail(f"no command '{cmd_name}'" + (f"; did you mean '{near[0]}'?" if near else ""))
        command = getattr(importlib.import_module(f"scrimp.cli.{cmd_name}"), cmd_name)
        if not isinstance(command, click.Command):
            raise TypeError(f"scrimp.cli.{cmd_name}.{cmd_name} is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of subcommands from the table, importing none of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every command takes --json for output that programs can read, and --help for its options.",
)
@click.version_option(__version__, prog_name="scrimp", message="%(prog)s %(version)s")
def cli() -> None:
    """See where the tokens of your Claude agents go, and pay less for the same work.

    New here? `scrimp demo` needs no key and no network.
    """


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line (default: this process's own arguments) and return its exit status.

    Errors are one line on stderr, never a traceback, unless `SCRIMP_DEBUG` is set.
    """
    try:
        return _run(list(sys.argv[1:] if args is None else args))
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except BrokenPipeError:
        return _hang_up()
    except (KeyboardInterrupt, click.Abort):
        return _fail(ExitCode.INTERRUPTED, "interrupted")
    except Exception as error:  # noqa: BLE001 - the one boundary: whatever escapes becomes one clear line
        code, words = next((code, words) for kind, code, words in FAILURES if isinstance(error, kind))
        return _fail(code, words(error))


def _run(args: list[str]) -> int:
    # Not click's own `main`: it gives a broken pipe a status of its own.
    with cli.make_context("scrimp", args or ["--help"]) as ctx:
        status = cli.invoke(ctx)
    sys.stdout.flush()
    return status if isinstance(status, int) else ExitCode.OK


def _fail(code: ExitCode, message: str) -> ExitCode:
    if os.environ.get("SCRIMP_DEBUG"):
        import traceback  # only here  # noqa: PLC0415

        traceback.print_exc()
    click.echo(f"scrimp: error: {message}", err=True)
    return code


def _one_line(error: Exception) -> str:
    text = error.format_message() if isinstance(error, click.ClickException) else str(error)
    return " ".join(text.split()) or type(error).__name__


def _usage_message(error: Exception) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    message = _one_line(error)
    stop = "" if message.endswith((".", "?", "!")) else "."
    return f"{message}{stop} Try '{context.command_path if context else 'scrimp'} --help'."


def _os_message(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return _one_line(error)


def _internal_message(error: Exception) -> str:
    hint = "set SCRIMP_DEBUG=1 to see the traceback, and please report it"
    return f"internal error: {type(error).__name__}: {_one_line(error)} ({hint})"


def _hang_up() -> ExitCode:
    """Point stdout at nothing, so that the interpreter's last flush does not complain about the same pipe."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
    return ExitCode.READER_GONE


FAILURES: tuple[tuple[type[Exception], ExitCode, Callable[[Exception], str]], ...] = (
    (click.UsageError, ExitCode.USAGE, _usage_message),
    (click.ClickException, ExitCode.INPUT, _one_line),
    (InputError, ExitCode.INPUT, _one_line),
    (ScrimpError, ExitCode.BROKEN_PROMISE, _one_line),
    (OSError, ExitCode.SYSTEM, _os_message),
    (Exception, ExitCode.INTERNAL, _internal_message),
)
"""Kind of error → exit status and the words for it; the first row that fits decides."""
