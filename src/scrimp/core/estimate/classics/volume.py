"""Many small calls: 10,000 classifications a day, live and in batches."""

from __future__ import annotations

from typing import Any

from scrimp.core.estimate.classics.example import HAIKU, Classic, Row, Today, pair, row, spent
from scrimp.core.estimate.terms import stated

__all__ = ["classifications"]

_STATED = stated("the model", "1", "5", minimum=4_096)
_CALLS: dict[str, Any] = {"steps": 1, "runs_per_day": 10_000, "caching": "none"}
_EACH: dict[str, Any] = {**_CALLS, "prefix": 400, "task": 100, "output": 20}


def classifications(today: Today) -> Classic:
    """10,000 a day: live, in batches, cached; and 10,000 tickets as the pricing page tells them."""
    terms = (_STATED, today.terms(HAIKU))

    def a_day(what: str, why: str, said: str = "", **how: Any) -> Row:
        return row(what, pair(spent(one, **{**_EACH, **how}).cost for one in terms), "usd", why, said=said)

    least = [one.rules.minimum for one in terms]
    rows = (
        a_day("live", "5,000,000 tokens in, 200,000 out."),
        a_day("in batches", "Half of every token's price.", batch=100),
        a_day(
            "live, its 400 shared tokens marked",
            f"Under the least that is cached ({least[0]:,} tokens on Haiku 4.5, {least[1]:,} on {HAIKU}): no "
            "error, no entry, the same bill.",
            caching="prefix",
        ),
        a_day(
            "10,000 tickets of 3,700 tokens",
            "It follows if not one of the tokens is an answer.",
            "~$37.00",
            prefix=0,
            task=3_700,
            output=0,
        ),
        a_day(
            "the same, 1,200 of them answers",
            "An answer's tokens cost five times as much.",
            prefix=0,
            task=2_500,
            output=1_200,
        ),
    )
    return Classic(
        "classifications",
        "10,000 classifications a day",
        "10,000 calls a day, live or in batches; 10,000 tickets of ~3,700 tokens (pricing page, as quoted)",
        "400 tokens of instructions, a text of 100 and an answer of 20; Haiku at $1 and $5 per million",
        rows,
    )
