"""`scrimp demo`: bundled agent runs replayed – how far to trust the model, then the bill before and after.

Then the same runs are driven for real, through the SDK over HTTP, and must be billed the same.
"""

from __future__ import annotations

import webbrowser
from errno import ENOENT
from itertools import groupby
from os import strerror
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.text import Text

from scrimp.cli.demo_bills import DemoRun, replay_corpus, total
from scrimp.cli.demo_calibration import demo_calibration_json
from scrimp.cli.demo_report import demo_report
from scrimp.cli.exit_codes import ExitCode
from scrimp.cli.html.report import Report, render
from scrimp.cli.output import console, print_json, progress
from scrimp.cli.text_tables import bills_table, calibration_panel, prose, runs_table
from scrimp.core import money
from scrimp.core.summary import Money
from scrimp.facts.models import default
from scrimp.traces.as_sent import as_sent
from scrimp.traces.corpus import Corpus, read_corpus
from scrimp.traces.exchange_calibration import ExchangeCalibration, calibrate_exchanges
from scrimp.traces.files import find_files
from scrimp.traces.garbage import few_collections
from scrimp.traces.sizes import Sizes

if TYPE_CHECKING:
    from scrimp.cli.demo_http import OverHttp

__all__ = ["RECORDINGS", "Demo", "demo", "demo_json", "run_demo"]

RECORDINGS = Path(__file__).with_name("recordings")
"""The bundled runs, as recorded: one file a run."""

_PASSES = 2
"""Each source is gone through for the calibration, then for the bills."""
_PROSE_WIDTH = 100
_NEW = 50_000
"""New objects from which on Python looks for garbage: that of the SDK holds requests, which are large."""


class Demo(msgspec.Struct, frozen=True):
    """The bundled runs, replayed and judged; `sizes` has measured every block of them."""

    corpus: Corpus
    runs: list[DemoRun]
    calibration: ExchangeCalibration
    sizes: Sizes


@click.command("demo")
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("scrimp-demo.html"),
    show_default=True,
    metavar="PATH",
    help="Where to write the report: one HTML file that needs nothing beside it.",
)
@click.option("--open", "show", is_flag=True, help="Open the report in the browser.")
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON, money as decimal strings in USD.")
@click.option("--quick", is_flag=True, help="Replay only; do not drive the runs through the SDK.")
@few_collections(_NEW)
def demo(page: Path, *, show: bool, as_json: bool, quick: bool) -> ExitCode:
    """Replay recorded runs of two coding agents: the bill before and after.

    First how well scrimp's model reproduces what the provider billed for these runs, then every run's bill:
    without cache markers, as it was billed, with the agent's own markers on one route, with scrimp, and the
    floor, the least that any caching could have paid in hindsight. Then the same calls go through the
    official SDK over HTTP to scrimp's emulator on localhost, with and without its middleware, and must be
    billed the same. Needs no key and no network. The same figures, with every step of every run, are in the
    report.
    """
    _expect_to_write(page)
    found = run_demo()
    over_http = None if quick else _over_http(found)
    report = demo_report(found.runs, found.calibration, over_http)
    if as_json:
        print_json(demo_json(found, over_http, page))
    else:
        _print(report)
    page.write_text(render(report), encoding="utf-8")
    if not as_json:
        console().print(f"Report, with every step of every run: {page}", soft_wrap=True, markup=False)
    if show:
        webbrowser.open(page.resolve().as_uri())
    return over_http.tell() if over_http else ExitCode.OK


def _expect_to_write(page: Path) -> None:
    """Raise OSError now rather than when all is done."""
    if not page.absolute().parent.is_dir():
        raise FileNotFoundError(ENOENT, strerror(ENOENT), str(page))


def run_demo() -> Demo:
    """Calibrate on the bundled recordings and replay them, with a progress bar on stderr."""
    files = find_files([RECORDINGS])
    sources = len({path.parent for path in files})
    with progress("replaying recorded runs", len(files) + _PASSES * sources) as advance:
        facts, sizes = default(), Sizes()
        corpus = as_sent(read_corpus(files, advance), facts, sizes)
        calibration = calibrate_exchanges(corpus, facts)
        advance(sources)
        return Demo(corpus, replay_corpus(corpus, facts, sizes, advance), calibration, sizes)


def _over_http(found: Demo) -> OverHttp:
    """Drive the runs through the SDK, with a progress bar on stderr."""
    from scrimp.cli.demo_http import PASSES, drive_runs  # noqa: PLC0415 - the SDK takes a second to import

    calls = sum(run.calls for run in found.runs)
    with progress("driving them through the SDK", calls * len(PASSES)) as advance:
        return drive_runs(found.corpus, found.runs, facts=default(), sizes=found.sizes, advance=advance)


def demo_json(found: Demo, over_http: OverHttp | None, page: Path) -> dict[str, Any]:
    """The documented JSON.

    `calibration` has the keys of `scrimp calibrate` and a few more. Bills are `none` (no markers), `billed`
    (measured), `recorded` (the agent's own markers on one route), `scrimp` and `floor`; `vs_floor` compares
    input cost, and the floor has no tokens of its own. `http` is null with `--quick`; its `calls` were sent
    twice, with the bills `as_recorded_usd` and (through the middleware) `scrimp_usd`; `same_as_replay` says
    whether every run was billed the same tokens and money as in `bills.recorded` and `bills.scrimp`.
    """
    runs = found.runs
    return {
        "calls": sum(run.calls for run in runs),
        "calibration": demo_calibration_json(found.calibration),
        "bills": _bills_json(total(runs)),
        "http": over_http.json() if over_http else None,
        "agents": [
            {"agent": agent, "runs": len(own), "calls": sum(run.calls for run in own)}
            | {"bills": _bills_json(total(own))}
            for agent, own in ((agent, list(own)) for agent, own in groupby(runs, key=lambda run: run.agent))
        ],
        "runs": [
            {"run": run.run, "agent": run.agent, "calls": run.calls, "bills": _bills_json(run.bills)}
            for run in runs
        ],
        "report": page,
    }


def _bills_json(bills: dict[str, Money]) -> dict[str, Any]:
    floor = bills["floor"].input_cost
    return {
        name: {
            "input_usd": money.dollars(bill.input_cost),
            "output_usd": money.dollars(bill.output_cost),
            "usd": money.dollars(bill.total),
            "vs_floor": round(bill.input_cost / floor, 4) if floor else None,
            "cache_read_share": None if name == "floor" else round(bill.read_share, 6),
            "tokens": None if name == "floor" else dict(bill.tokens),
        }
        for name, bill in bills.items()
    }


def _print(report: Report) -> None:
    out = console()
    width = min(out.width, _PROSE_WIDTH)
    out.print()
    out.print(calibration_panel(report.calibration))
    out.print(Text(prose(report.calibration.left_out, width), style="dim"))
    out.print()
    out.print(Text("Run by run, in USD", style="bold"))
    out.print(Text("A run’s floor is its share of the least that all runs together could pay.", style="dim"))
    out.print()
    out.print(runs_table(report))
    out.print()
    out.print(Text("All runs", style="bold"))
    out.print(Text(prose(report.scope, width), style="dim"))
    out.print()
    out.print(bills_table(report))
    out.print()
    for remark in report.remarks:
        out.print(Text(prose(remark, width, bullet="• ")))
    out.print()
