"""A run that may spend so much and no more, with a sub-agent that has a part of it, and a clean stop.

    python examples/budgets/run_budget.py

talks to the API where ANTHROPIC_API_KEY is set, else to an emulator of its own.
"""

from __future__ import annotations

import os
from contextlib import ExitStack

import anthropic

import scrimp
from scrimp.emulator import Emulator

MODEL = "claude-haiku-5-5"


def ask(client: anthropic.Anthropic, question: str) -> None:
    """One call; what it can cost at most is held before it goes out."""
    client.messages.create(
        model=MODEL, max_tokens=300, messages=[{"role": "user", "content": f"In one word: {question}"}]
    )


def research(client: anthropic.Anthropic, topic: str) -> str:
    """A sub-agent with a budget of its own, taken out of that of the run around it."""
    try:
        with scrimp.run("research", budget="0.0005") as run:
            for number in range(1000):
                ask(client, f"what is fact {number} about {topic}?")
    except scrimp.BudgetExceeded:
        return f"stopped after {run.usage.calls} calls and ${run.cost:f}"
    return "done"


with ExitStack() as stack:
    if not os.environ.get("ANTHROPIC_API_KEY"):
        os.environ["ANTHROPIC_BASE_URL"] = stack.enter_context(Emulator()).url
        os.environ["ANTHROPIC_API_KEY"] = "emulated"
    agent = anthropic.Anthropic(middleware=[scrimp.Middleware()])
    with scrimp.run("report", user="u_42", budget="0.01") as report:
        print("research:", research(agent, "rents"))
        ask(agent, "is the report written?")  # what the sub-agent left is there for the rest
        print(f"report:   ${report.cost:f} spent, ${report.left:f} left of ${report.budget:f}")
