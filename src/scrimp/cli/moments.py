"""Times as people write them on a command line: so long ago, or a day, in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import click

__all__ = ["MOMENT", "moment", "moment_text"]

_SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_AGO = re.compile(r"(\d{1,6})\s*([mhdw])\w*")


def moment(text: str, now: float) -> float | None:
    """Epoch seconds of `7d` (so long before `now`), `2026-11-01`, `2026-11-01T12:30`; None for `all`.

    Times without a zone are UTC. Raises ValueError with the whole message.
    """
    if text.strip().lower() == "all":
        return None
    ago = _AGO.fullmatch(text.strip().lower())
    if ago:
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        at = datetime.fromisoformat(text.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time: write 7d, 24h, 2026-11-01, 2026-11-01T12:30 or all") from None


def moment_text(at: float) -> str:
    """A time for people, to the minute: `2026-11-01 12:30`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


class _Moment(click.ParamType[str]):
    """Text that `moment` reads; it stays text, because a command has one `now` for all of them."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            moment(value, 0.0)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from None
        return value


MOMENT = _Moment()
