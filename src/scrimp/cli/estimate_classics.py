"""`scrimp estimate --classics` in a terminal: three columns, and the reason under each row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rich.console import Console
from rich.text import Text

from scrimp.cli.numbers import dollars
from scrimp.cli.text_tables import prose
from scrimp.core.estimate.classics.example import Classic, Figure, Row
from scrimp.core.money import dollars as exact_dollars

__all__ = ["figure_text", "print_classics"]

_WIDTH = 100
_NAME, _SAID, _FIGURE = 37, 17, 13
_THOUSAND = 1_000


def print_classics(out: Console, found: Sequence[Classic], at: date) -> None:
    """Each worked example, and where the figures are from."""
    width = min(out.width, _WIDTH)
    for classic in found:
        out.print(Text(classic.title, style="bold"), Text(f"({classic.name})", style="dim"))
        out.print(Text(prose(f"Inputs: {classic.inputs}.", width), style="dim"))
        out.print(Text(prose(f"Assumed: {classic.assumed}.", width), style="dim"))
        out.print()
        out.print(Text(_line("", "said", "follows", "true"), style="dim"))
        for row in classic.rows:
            _print_row(out, row, width)
        out.print()
    said = (
        f"True: estimated by the prices and cache rules of {at}, through the same cache as recorded calls. "
        "Units are tokens at the full input price. Where said is empty, no figure is told with it."
    )
    out.print(Text(prose(said, width), style="dim"))


def figure_text(figure: Figure) -> str:
    """A figure for people: dollars to the cent, with up to four places below a thousand."""
    if figure.unit != "usd":
        return f"{float(figure.value):,.10g}"
    amount = exact_dollars(round(figure.value))
    exact = dollars(amount, 4 if amount < _THOUSAND else 2)
    whole, _, places = exact.partition(".")
    return f"{whole}.{places.rstrip('0'):0<2}"


def _print_row(out: Console, row: Row, width: int) -> None:
    name = f"{row.what} ({row.unit})" if row.unit in ("tokens", "units") else row.what
    text = Text(_line(name, row.said or "–", figure_text(row.follows), figure_text(row.true)))
    if row.holds is False:
        text.stylize("bold red", _NAME, _NAME + _SAID)
    out.print(text, soft_wrap=True)
    for line in prose(row.why, width - 2).splitlines():
        out.print(Text(f"  {line}", style="dim"), soft_wrap=True)


def _line(name: str, said: str, follows: str, true: str) -> str:
    return f"{name:<{_NAME}}{said:>{_SAID}}{follows:>{_FIGURE}}{true:>{_FIGURE}}"
