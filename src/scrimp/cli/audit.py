"""`scrimp audit`: where the tokens of recorded calls went, and the ranked list of what to change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from scrimp.cli.audit_days import DAY
from scrimp.cli.audit_paths import paths_or_default
from scrimp.cli.exit_codes import ExitCode

__all__ = ["audit"]

SECTIONS = ("spend", "tax", "results", "misses", "ttl", "levers")
BY = ("day", "month", "hour", "model", "project", "session", "agent", "user", "task", "source")
"""What `--by` takes: `scrimp.core.spend.DIMENSIONS`, which is not imported only to be named."""


@click.command("audit")
@click.argument("paths", nargs=-1, metavar="[PATH]…")
@click.option(
    "--only", multiple=True, type=click.Choice(SECTIONS), help="Only this section; repeat for more."
)
@click.option(
    "--by", multiple=True, metavar="NAME", help=f"Spend by {', '.join(BY)}; repeat for a table of each."
)
@click.option("--since", type=DAY, metavar="DAY", help="Calls from this day on (UTC): a date, 7d, yesterday.")
@click.option("--until", type=DAY, metavar="DAY", help="Calls up to this day, itself included (UTC).")
@click.option(
    "--html", "html_file", type=click.Path(path_type=Path, dir_okay=False), help="Write a page, with plots."
)
@click.option("--json", "as_json", is_flag=True, help="All of it as JSON, money as decimal strings in USD.")
def audit(paths: tuple[str, ...], **options: Any) -> ExitCode:
    """Show where your tokens went, in dollars, and rank what to change by what it is worth a month.

    PATH is a file, folder or glob of sessions of Claude Code or pi, recorded exchanges or a capture; without
    one, the folders of Claude Code (CLAUDE_CONFIG_DIR, ~/.config/claude and ~/.claude). Nothing leaves this
    machine.

    First comes how well scrimp's model reproduces the bills of these very calls. Then spend (measured), what
    was sent again and again, tool results, cache misses by cause, lifetimes against gaps, and every lever
    replayed on these calls: what it would have saved, how sure that is, and the change to make.
    """
    since, until = options["since"], options["until"]
    if since and until and since > until:
        raise click.UsageError(f"--since {since} is after --until {until}")
    if options["by"] and options["only"] and "spend" not in options["only"]:
        raise click.UsageError("--by tells spending apart: add --only spend")
    if not all(path.strip() for path in paths):
        raise click.UsageError("a PATH is empty: leave it out for the sessions of Claude Code")
    given = paths_or_default(paths)
    # Each imports only what it needs: money alone is asked for most often, and is to be there at once.
    if set(options["only"]) == {"spend"} and options["html_file"] is None:
        from scrimp.cli.audit_spend import spend_only  # noqa: PLC0415 - quicker than the whole

        days = {"since": since and str(since), "until": until and str(until)}
        by = {"by": options["by"]} if options["by"] else {}
        return (
            spend_only([Path(path) for path in given], as_json=options["as_json"], **by, **days)
            or ExitCode.OK
        )
    from scrimp.cli.audit_whole import Asked, audit_whole  # noqa: PLC0415 - slow to import

    asked = Asked(options["only"] or SECTIONS, options["by"], since, until)
    return audit_whole(given, asked, as_json=options["as_json"], html_file=options["html_file"])
