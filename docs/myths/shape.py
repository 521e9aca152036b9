"""What a myth is, and how its code is run: by the SDK, against the emulator, on the day of the facts."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from textwrap import dedent
from typing import Any

import anthropic

import scrimp
from scrimp.core.bill import Category
from scrimp.core.lint.rules import lint
from scrimp.core.money import dollars
from scrimp.emulator import Answer, Clock, Emulator, Fault, text
from scrimp.emulator.replies import Reply
from scrimp.facts.models import default
from scrimp.facts.prices import Rates

__all__ = ["DAY", "FACTS", "MODEL", "Myth", "Ran", "money", "number", "price", "ran", "rates"]

FACTS = default()
DAY: date = FACTS.as_of
MODEL = "claude-sonnet-5-5"
_NOON = datetime(DAY.year, DAY.month, DAY.day, 12, tzinfo=UTC).timestamp()
_RULES = "\n".join(
    f"{at + 1}. {rule}"
    for at, rule in enumerate(
        [
            "Answer in the customer's language, in at most a hundred words.",
            "Name the clause of the contract that an answer rests on.",
            "Say so when the contract does not answer the question; do not guess.",
            "Never give the name, address or number of another customer.",
            "Amounts and dates are quoted as they stand, never rounded.",
            "A complaint gets an apology first, and a date by which somebody will call.",
        ]
        * 40
    )
)
_QUESTIONS = ("When is the rent due?", "Who pays the boiler?", "May I keep a pony?")
_TOOL = {
    "name": "search",
    "description": "Search the contracts. " * 20,
    "input_schema": {"type": "object", "properties": {"query": {"type": "string"}}},
}
_LINTED = """
import anthropic, asyncio, json
from datetime import datetime

client = anthropic.Anthropic()
model = "claude-sonnet-5-5"
"""
"""What stands before a snippet when it is linted: the names it takes for granted."""

Replies = Callable[[dict[str, Any]], Reply]


@dataclass(frozen=True)
class Ran:
    """What a snippet was billed: calls, tokens and picodollars; what it printed, or the error it ended in."""

    calls: int = 0
    plain: int = 0
    written: int = 0
    read: int = 0
    output: int = 0
    cost: int = 0
    printed: str = ""
    error: str = ""


@dataclass(frozen=True)
class Myth:
    """One claim. `told` and `instead` are code; `true` may name `figures` in braces.

    `said` says who tells it, with a link where there is one. `answers` is what the model says, `slow` how
    many seconds it takes to begin. `unbilled` leaves the table of bills out.
    """

    title: str
    said: str
    true: str
    told: str = ""
    instead: str = ""
    figures: Callable[[], Mapping[str, str]] = dict
    answers: Replies | None = None
    slow: float = 0.0
    unbilled: bool = False

    def rules(self) -> list[str]:
        """The rules of `scrimp lint` that find it, in the snippet as it stands."""
        found = lint(_LINTED + dedent(self.told), day=DAY, facts=FACTS) if self.told else []
        return list(dict.fromkeys(finding.rule for finding in found))

    def bills(self) -> dict[str, Ran]:
        """What each snippet really cost."""
        codes = {"as told": self.told, "instead": self.instead}
        return {name: ran(code, self.answers, slow=self.slow) for name, code in codes.items() if code}


def ran(code: str, answers: Replies | None = None, *, slow: float = 0.0) -> Ran:
    """Run a snippet with a client, and say what the emulator billed; an error ends it and is kept."""
    emulator = Emulator(answers or _answer, clock=Clock(_NOON), seed="myths")
    if slow:
        emulator.inject(Fault("slow_start", times=None, seconds=slow))
    said, error = io.StringIO(), ""
    with emulator, anthropic.Anthropic(base_url=emulator.url, api_key="any", max_retries=0) as client:
        try:
            with contextlib.redirect_stdout(said):
                exec(dedent(code), _names(client, emulator))  # noqa: S102 - our own page
        except (anthropic.APIStatusError, TypeError) as stop:
            error = _told_error(stop)
    bills = [billed.bill for billed in emulator.bill]

    def tokens(*categories: Category) -> int:
        return sum(bill.quantity(category) for bill in bills for category in categories)

    return Ran(
        calls=len(bills),
        plain=tokens("input"),
        written=tokens("write_5m", "write_1h"),
        read=tokens("read"),
        output=tokens("output"),
        cost=emulator.total,
        printed=said.getvalue().strip(),
        error=error,
    )


def money(picodollars: int) -> str:
    """Dollars to six places at most and two at least."""
    return f"${_places(f'{dollars(picodollars):,.6f}')}"


def number(count: int) -> str:
    """A count with commas."""
    return f"{count:,}"


def rates(model: str = MODEL, *, tokens: int = 0, day: date = DAY, batch: bool = False) -> Rates:
    """A model's rates on a day, for a prompt of so many tokens."""
    return FACTS.resolve(model).rates(day, prompt_tokens=tokens, batch=batch)


def price(rate: int) -> str:
    """Dollars per million tokens."""
    return f"${_places(f'{dollars(rate * 10**6):f}')}"


def _places(amount: str) -> str:
    whole, _, places = amount.partition(".")
    return f"{whole}.{places.rstrip('0'):0<2}"


def _names(client: anthropic.Anthropic, emulator: Emulator) -> dict[str, Any]:
    """What snippets take for granted: see the top of the page."""

    class Now:
        """`datetime` by the emulator's clock."""

        @staticmethod
        def now() -> datetime:
            emulator.clock.advance(1)
            return datetime.fromtimestamp(emulator.clock.now(), UTC).replace(tzinfo=None)

    return {
        "ThreadPoolExecutor": ThreadPoolExecutor,
        "anthropic": anthropic,
        "client": client,
        "datetime": Now,
        "json": json,
        "messages": [
            {"role": "user", "content": _RULES * 20},
            {"role": "assistant", "content": "I have read them."},
        ],
        "model": MODEL,
        "profiles": ({"plan": "basic", "since": 2021}, {"since": 2021, "plan": "basic"}),
        "questions": _QUESTIONS,
        "rules": _RULES,
        "scrimp": scrimp,
        "tools": [_TOOL],
        "wait": emulator.clock.advance,
    }


def _answer(_: dict[str, Any]) -> Reply:
    return Answer((text("The third working day."),), output_tokens=200)


def _told_error(stop: anthropic.APIStatusError | TypeError) -> str:
    if isinstance(stop, TypeError):
        return f"TypeError: {stop}"
    body = stop.body if isinstance(stop.body, dict) else {}
    return f"{stop.status_code}: {body.get('error', {}).get('message', stop.message)}"
