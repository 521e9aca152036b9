"""What several runs have in common: a prompt of every run, of parallel calls, of all users."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from scrimp.core.estimate.amounts import Amounts
from scrimp.core.estimate.classics.example import SONNET, Classic, Row, Today, pair, row, spent
from scrimp.core.estimate.terms import Terms, stated

__all__ = ["eight_at_once", "hundred_runs", "shared_prefix"]

_STATED = stated("the model", "3", "15")
_NOTHING_ELSE = {"task": 0, "output": 0, "tool_calls": 0, "caching": "prefix"}


def hundred_runs(today: Today) -> Classic:
    """A 3,000-token prompt in a hundred runs a day."""

    def dollars(what: str, why: str, **how: Any) -> Row:
        runs = {"steps": 1, "prefix": 3_000, "runs_per_day": 100, **_NOTHING_ELSE, **how}
        return row(what, pair(spent(one, **runs).cost for one in _terms(today)), "usd", why)

    rows = (
        dollars("not cached", "300,000 tokens at the full price.", caching="none"),
        dollars(
            "cached, within 8 hours",
            "Every 4.8 minutes one reads it, which keeps it alive: one write, 99 reads.",
            hours=8,
        ),
        dollars(
            "cached, round the clock",
            "Every 14.4 minutes finds the entry dead, and writes: a quarter dearer than no cache at all.",
        ),
        dollars(
            "cached for 1h, round the clock",
            "The hour's write costs 2 instead of 1.25, once; the other 99 read.",
            ttl="1h",
        ),
    )
    return Classic(
        "hundred-runs",
        "100 runs a day of a 3,000-token prompt",
        "100 runs a day that begin with the same 3,000 tokens",
        "only these tokens are counted, at $3 per million; evenly spread over the hours named",
        rows,
    )


def eight_at_once(today: Today) -> Classic:
    """The same prefix in eight calls at one moment, and with the first alone."""
    at_once = {"steps": 1, "prefix": 10_000, "runs_per_day": 1, "fanout": 8, **_NOTHING_ELSE}
    ways = {"at once": False, "the first alone": True}
    rows: list[Row] = []
    for way, alone in ways.items():
        found = [(one, spent(one, **at_once, first_alone=alone)) for one in _terms(today)]
        written = pair(Fraction(amounts.write_5m) / 10_000 for _, amounts in found)
        told = "1 write, 7 reads" if alone else "8 writes"
        why = (
            "The entry can be read as soon as the first answer begins."
            if alone
            else "An entry can be read once its writer's answer has begun: none of the eight finds it."
        )
        rows.append(row(f"{way}: writes", written, "calls", why, said=told))
        why = "Seven reads cost less than one write." if alone else "Eight times 1.25 for every token."
        rows.append(row(f"{way}: cost", pair(_units(*each) for each in found), "units", why))
    return Classic(
        "eight-at-once",
        "Eight simultaneous calls with one prefix",
        "8 calls with the same prefix: all at once, or one and then seven",
        f"a prefix of 10,000 tokens, and only these are counted; today's figure is that of {SONNET}",
        tuple(rows),
    )


def shared_prefix(today: Today) -> Classic:
    """100 users with 5 turns each on 7,000 tokens."""

    def dollars(what: str, why: str, **how: Any) -> Row:
        users = {"steps": 5, "prefix": 7_000, "runs_per_day": 100, "gap": 60, **_NOTHING_ELSE, **how}
        return row(what, pair(spent(one, **users).cost for one in _terms(today)), "usd", why)

    rows = (
        dollars("not cached", "500 calls of 7,000 tokens at the full price.", caching="none"),
        dollars(
            "each user's own prefix",
            "A name or a date in the system prompt, and 100 users write 100 prefixes; the other 400 read.",
            prefix_shared=False,
            hours=8,
        ),
        dollars("one for all, within 8 hours", "One write, 499 reads.", hours=8),
        dollars(
            "one for all, round the clock",
            "A user every 14.4 minutes who stays for 4: it is dead when the next one comes, and each writes.",
        ),
        dollars("one for all for 1h, round the clock", "One write at 2, 499 reads.", ttl="1h"),
    )
    return Classic(
        "shared-prefix",
        "100 users with 5 turns each on a shared prefix of 7,000 tokens",
        "100 users a day, 5 turns each, the same 7,000 tokens first in all of them",
        "only these tokens are counted, at $3 per million; a user's turns come a minute apart",
        rows,
    )


def _terms(today: Today) -> tuple[Terms, Terms]:
    return _STATED, today.terms(SONNET)


def _units(terms: Terms, amounts: Amounts) -> Fraction:
    return Fraction(amounts.input_cost) / terms.live(0).input
