"""`--what-if` of `scrimp replay`: rows as people write them."""

from __future__ import annotations

from collections.abc import Sequence

import click

from scrimp.core.whatif.grammar import parse_row
from scrimp.core.whatif.rows import Row
from scrimp.errors import InputError
from scrimp.facts.models import default

__all__ = ["LEVERS_HELP", "read_rows"]

LEVERS_HELP = """\b
A what-if is one lever, or several joined by + that are replayed together:
  model=OLD->NEW    another model; OLD may have * in it
  batch[=80%]       the Batch API; its cache is best effort (=: the share of hits)
  effort=low:0.6    output times a factor that you give
  ttl=5m|1h|scrimp  how long cache writes live
  place=tail        markers at the ends of tools, system, tail (joined by ,)
  policy=NAME       the policy below the other levers (default: recorded)
  carry             tool results cleared, or all summed up, whenever that pays and is no
                    risk; carry=keep=3,except=Read/Grep,summary=4k,risk=0.8%
  clear[=100k]      tool results cleared beyond so many tokens, as the API does it;
                    clear=100k,keep=3,at-least=20k,except=Read/Grep
  clear-priced      the same whenever it pays and is no risk; clear-priced=keep=3,risk=0.8%
  clear-thinking    thinking of all turns but the last
  compact[=150k]    all messages become a summary beyond so many tokens, as the API does it
  compact-priced    the same whenever it pays and is no risk
  keep-last[=6]     the client sends the first message and the last so many tool uses alone
  drop-oldest=100k  the client drops its oldest turns beyond so many tokens
  group=10m         runs that share tools and system wait and go out together
  gate              of simultaneous writers of one prefix, one goes first
  keepalive=3       so many pings keep an entry alive until its next use
model, effort and batch take @WHO, a label or a run (with *): batch@nightly*
"""
"""What `scrimp replay --help` says of a what-if."""


def read_rows(texts: Sequence[str]) -> list[Row]:
    """Each row once; raises `click.BadParameter` with one line that names what is wrong."""
    rows: dict[str, Row] = {}
    for text in texts:
        try:
            row = parse_row(text, default())
        except InputError as fault:
            raise click.BadParameter(str(fault), param_hint="--what-if") from None
        rows.setdefault(row.name, row)
    return list(rows.values())
