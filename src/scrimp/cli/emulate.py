"""`scrimp emulate`: the Messages API on this machine, with its cache, its bill and its faults."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import click
import msgspec
from rich.table import Table

from scrimp.cli.numbers import dollars
from scrimp.cli.output import console, print_json
from scrimp.core import money
from scrimp.emulator import Agent, Billed, Clock, Emulator, Fault, Replayed, Replies
from scrimp.emulator.app import NOW_HEADER
from scrimp.emulator.faults import Kind
from scrimp.emulator.script_file import read_script
from scrimp.errors import InputError

__all__ = ["emulate", "read_fault"]

_PORT = 8377
_FAULT_NUMBERS = ("times", "after", "every", "seconds", "events")


@click.command("emulate")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True, help="0: any free one."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--agent", "as_agent", is_flag=True, help="Call the tools that requests give, then answer.")
@click.option(
    "--script",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Answer with the lines of a JSON Lines file: texts, blocks, or whole answers; the last repeats.",
)
@click.option(
    "--replay", multiple=True, metavar="PATH", help="Answer recorded prompts as recorded; repeat for several."
)
@click.option(
    "--clock",
    type=click.Choice(["real", "manual"]),
    default="real",
    show_default=True,
    help=f"manual: time stands still, and each request says when it starts ({NOW_HEADER}, epoch seconds).",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[:OPTION=N,…]",
    help=f"Something that goes wrong: {', '.join(get_args(Kind))}; options {', '.join(_FAULT_NUMBERS)}.",
)
@click.option("--json", "as_json", is_flag=True, help="The address, and at the end the bill, as JSON.")
def emulate(
    port: int, host: str, *, clock: str, faults: tuple[str, ...], as_json: bool, **source: Any
) -> None:
    """Serve a local Messages API that caches and bills as the real one does; nothing leaves this machine.

    Any API key is accepted, and every key is a workspace with a cache of its own. Ctrl-C stops it and prints
    the bill.

    \b
      scrimp emulate --agent
      scrimp emulate --replay runs/ --clock manual
      scrimp emulate --fault rate_limit:times=3,seconds=0.5 --fault cut:after=10,events=6
    """
    emulator = Emulator(
        _replies(**source),
        clock=Clock(time.time()) if clock == "manual" else None,
        faults=[read_fault(text) for text in faults],
        now_header=clock == "manual",
        host=host,
        port=port,
    )
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with emulator:
        _announce(emulator.url, as_json=as_json)
        stopped.wait()
    _conclude(emulator.bill, as_json=as_json)


def read_fault(text: str) -> Fault:
    """A fault as the command line writes it: `cut`, `rate_limit:times=3,seconds=0.5`, `cut:times=all`.

    Raises `InputError` naming what is wrong with it.
    """
    kind, _, rest = text.partition(":")
    options: dict[str, Any] = {"kind": kind}
    for part in filter(None, rest.split(",")):
        name, _, value = part.partition("=")
        if name not in _FAULT_NUMBERS:
            raise InputError(f"--fault {text}: no option {name!r}; expected {', '.join(_FAULT_NUMBERS)}")
        options[name] = None if (name, value) == ("times", "all") else value
    try:
        return msgspec.convert(options, Fault, strict=False)
    except msgspec.ValidationError as error:
        raise InputError(f"--fault {text}: {error}") from None


def _replies(*, as_agent: bool, script: Path | None, replay: Sequence[str]) -> Replies | None:
    """What answers; recordings come first and pass on to the agent or the script what they do not know."""
    if as_agent and script is not None:
        raise click.UsageError("--agent and --script exclude one another")
    otherwise: Replies | None = Agent() if as_agent else None
    if script is not None:
        otherwise = read_script(script)
    if not replay:
        return otherwise
    recorded = Replayed.read(replay, otherwise=otherwise)
    if not len(recorded):
        raise InputError(f"{', '.join(replay)}: holds no billed Messages calls to replay")
    return recorded


def _announce(url: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"url": url})
        return
    out = console()
    out.print(f"Messages API at {url}", soft_wrap=True)
    out.print(f"  ANTHROPIC_BASE_URL={url} ANTHROPIC_API_KEY=any python your_agent.py", soft_wrap=True)
    out.print("Ctrl-C stops it and prints the bill.")


def _conclude(bill: Sequence[Billed], *, as_json: bool) -> None:
    if as_json:
        print_json(bill_json(bill))
        return
    out = console()
    if not bill:
        out.print("Nothing was billed.")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("model", "calls", "plain", "written", "read", "output", "USD"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for row in [*_by_model(bill), _sum("all", bill)]:
        shown = (f"{row[name]:,}" for name in ("calls", "plain", "written", "read", "output"))
        table.add_row(row["model"], *shown, dollars(row["usd"]))
    out.print(table)


def bill_json(bill: Sequence[Billed]) -> dict[str, Any]:
    """The bill as JSON: the whole, and a row for each model."""
    whole = _sum("all", bill)
    return {**{name: value for name, value in whole.items() if name != "model"}, "models": _by_model(bill)}


def _by_model(bill: Sequence[Billed]) -> list[dict[str, Any]]:
    names = dict.fromkeys(entry.model for entry in bill)
    return [_sum(name, [entry for entry in bill if entry.model == name]) for name in names]


def _sum(name: str, bill: Sequence[Billed]) -> dict[str, Any]:
    return {
        "model": name,
        "calls": len(bill),
        "plain": sum(entry.usage.input_tokens for entry in bill),
        "written": sum(entry.usage.cache_creation_input_tokens for entry in bill),
        "read": sum(entry.usage.cache_read_input_tokens for entry in bill),
        "output": sum(entry.usage.output_tokens for entry in bill),
        "usd": money.dollars(sum(entry.cost for entry in bill)),
    }
