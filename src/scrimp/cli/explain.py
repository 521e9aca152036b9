"""`scrimp explain`: one request, recorded call or record, block by block, each decision with its dollars."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from scrimp.cli.exit_codes import ExitCode
from scrimp.cli.explain_count import count_tokens
from scrimp.cli.explain_json import explained_json
from scrimp.cli.explain_model import Explained
from scrimp.cli.explain_place import Place, read_place
from scrimp.cli.explain_request import explain_request, read_request
from scrimp.cli.explain_text import print_explained
from scrimp.cli.ledger_options import LEDGER, kept_ledger
from scrimp.cli.output import console, print_json
from scrimp.errors import InputError, RequestError
from scrimp.facts.models import default
from scrimp.stores.capture import is_capture
from scrimp.wire.request import with_markers

__all__ = ["explain"]

_RECORDINGS = (".jsonl", ".ndjson", ".gz", ".xz")


@click.command("explain")
@click.argument("what", nargs=-1, required=True, metavar="WHAT")
@click.option(
    "--after",
    "earlier",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="REQUEST.json",
    help="A request sent just before, whose cache entries are still alive; repeat for several, oldest first.",
)
@click.option(
    "--beside",
    multiple=True,
    metavar="PATH",
    help="Other recordings whose calls used the same cache as a recorded call; repeat for several.",
)
@LEDGER
@click.option("--all", "whole", is_flag=True, help="List every block, however many.")
@click.option("--count", is_flag=True, help="Ask the API's free token counter too; needs ANTHROPIC_API_KEY.")
@click.option("--print-request", is_flag=True, help="Print the rewritten request, and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="All of it as JSON, money as decimal strings in USD.")
def explain(what: tuple[str, ...], **options: Any) -> ExitCode:
    """Show one request block by block: what it costs, what scrimp would do with it, and why.

    WHAT is one of

    \b
      REQUEST.json     the body of a Messages request (- reads it from standard input)
      FILE:LINE        a call in recorded exchanges, a capture or a Claude Code session
      FILE#MESSAGE_ID  the call of that answer; FILE#7 is call 7 of the file
      RECORD_ID        a record of the ledger, by its id or that of its call, answer or request
      RUN#3            the third call of a run in the ledger

    Of a request that was not sent, tokens and dollars are estimates with an interval; `--after` says what ran
    before. Of a recorded call, what was billed is shown beside what was predicted, and why it missed.
    """
    place = read_place(what)
    told = _told(place, options)
    if options["print_request"]:
        print_json(_rewritten(told))
        return ExitCode.OK
    counted, fault = _counted(told) if options["count"] else (None, "")
    if options["as_json"]:
        print_json(explained_json(told, counted))
    else:
        print_explained(console(), told, counted, whole=options["whole"])
    if fault:
        click.echo(f"scrimp: {fault}", err=True)
        return ExitCode.BROKEN_PROMISE
    return ExitCode.OK


def _told(place: Place, options: dict[str, Any]) -> Explained:
    path = place.path
    if path is None:
        from scrimp.cli.explain_record import explain_record, find_record  # noqa: PLC0415 - the ledger's alone

        return explain_record(find_record(kept_ledger(options["ledger_file"]), place), default())
    if place.is_stdin or (place.whole_file and not _is_recording(path)):
        where, body = read_request(None if place.is_stdin else path)
        now = datetime.now(UTC).timestamp()
        return explain_request(where, body, options["earlier"], default(), now)
    return _call(place, path, options["beside"])


def _call(place: Place, path: Path, beside: tuple[str, ...]) -> Explained:
    from scrimp.cli.explain_call import companions, explain_call  # noqa: PLC0415 - readers: recordings alone
    from scrimp.cli.input import read_recordings  # noqa: PLC0415 - the same

    return explain_call(place, read_recordings([*map(str, companions(path)), *beside]))


def _is_recording(path: Path) -> bool:
    return path.suffix in _RECORDINGS or is_capture(path)


def _counted(told: Explained) -> tuple[int | None, str]:
    """The API's count, or why there is none: the rest is said all the same."""
    if told.body is None:
        return None, f"count_tokens: {told.where}: the whole request was not kept"
    try:
        return count_tokens(told.body), ""
    except InputError as error:
        return None, str(error)


def _rewritten(told: Explained) -> Any:
    if told.body is None:
        raise RequestError(f"{told.where}: the whole request was not kept, so it cannot be printed")
    return with_markers(told.body, told.plan.edits if told.plan else ())
