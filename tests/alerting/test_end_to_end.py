"""Limits and alerts through the official SDK: what real calls set off."""

from __future__ import annotations

from pathlib import Path

import anthropic
import pytest

import scrimp
from scrimp.alerting.alert import Alert
from scrimp.alerting.sinks import Left
from scrimp.core.budget import Limit, Scope
from scrimp.core.money import PICODOLLARS
from scrimp.stores.ledger import Ledger
from scrimp.stores.memory import MemoryLedger
from scrimp.stores.sqlite_ledger import SqliteLedger
from tests.patience import PATIENCE


class Kept:
    """A way out that keeps what it is given."""

    name = "kept"
    attempts = 1

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def send(self, alert: Alert, left: Left) -> None:
        self.alerts.append(alert)


def agent(url: str, ledger: Ledger, kept: Kept) -> tuple[anthropic.Anthropic, scrimp.Alerts]:
    alerts = scrimp.Alerts(kept, log=False)
    middleware = scrimp.Middleware(ledger=ledger, listeners=[alerts])
    return anthropic.Anthropic(base_url=url, api_key="emulated", middleware=[middleware]), alerts


def ask(client: anthropic.Anthropic, times: int = 1) -> None:
    for _ in range(times):
        client.messages.create(
            model="claude-haiku-5-5",
            max_tokens=200,
            messages=[{"role": "user", "content": "In a word: why?"}],
        )


def test_fractions_and_the_refusal_are_told_as_calls_go_out(scrimp_url: str) -> None:
    ledger, kept = MemoryLedger(), Kept()
    amount = PICODOLLARS // 2000
    ledger.budgets.put(Limit(scope=Scope("user", "*"), amount=amount, alert_at=(10, 50)))
    client, alerts = agent(scrimp_url, ledger, kept)
    with client, scrimp.run("chat", user="u_42"), pytest.raises(scrimp.BudgetExceeded) as caught:
        ask(client, times=1000)
    assert alerts.flush(PATIENCE)
    spent = sum(record.cost for record in ledger.records())
    assert 0 < spent <= amount
    told = [(alert.kind, alert.budget.percent) for alert in kept.alerts if alert.budget]
    fractions = [("budget_fraction", percent) for percent in (10, 50) if spent * 100 >= percent * amount]
    assert fractions
    assert told == [*fractions, ("budget_refused", None)]
    assert kept.alerts[-1].text == f"scrimp: {caught.value}"
    assert kept.alerts[-1].tags.user == "u_42"
    assert {alert.budget.scope for alert in kept.alerts if alert.budget} == {"user:u_42"}


def test_processes_that_share_a_ledger_tell_a_crossing_once(scrimp_url: str, tmp_path: Path) -> None:
    ledgers = [SqliteLedger(tmp_path / "ledger.sqlite") for _ in range(2)]  # each as its own process has it
    ledgers[0].budgets.put(Limit(scope=Scope("organisation"), amount=PICODOLLARS // 1000, alert_at=(2,)))
    kept = [Kept(), Kept()]
    agents = [agent(scrimp_url, ledger, one) for ledger, one in zip(ledgers, kept, strict=True)]
    for _ in range(5):
        for client, _ in agents:
            ask(client)
    for client, _ in agents:
        client.close()
    for ledger, (_, alerts) in zip(ledgers, agents, strict=True):
        ledger.flush()
        assert alerts.flush(PATIENCE)
        ledger.close()
    told = [alert.kind for one in kept for alert in one.alerts]
    assert told == ["budget_fraction"]
