"""docs/budgets.md and the examples it names: what they show is what happens."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scrimp.alerting.alert import Alert, BudgetFacts, MissFacts, OutlierFacts
from scrimp.alerting.alerts import KINDS
from scrimp.cli import main
from scrimp.core.budget import Ask, scopes_of
from scrimp.core.money import PICODOLLARS
from scrimp.core.record import Tags
from scrimp.gateway.settings_loading import load
from scrimp.stores.opening import home_ledger
from tests.cli.test_budget_advise import CONSOLE_ONLY, KEY, console_limits, providing
from tests.forks import Forks
from tests.patience import PATIENCE
from tests.stores.records import record

PROJECT = Path(__file__).parents[1]
PAGE = (PROJECT / "docs" / "budgets.md").read_text(encoding="utf-8")
EXAMPLES = PROJECT / "examples" / "budgets"


def documented(after: str) -> Any:
    """The first JSON below some words of the page."""
    found = re.search(r"```json\n(.*?)```", PAGE[PAGE.index(after) :], re.DOTALL)
    assert found
    return json.loads(found[1])


def shape(value: Any) -> Any:
    """Keys all the way down, of lists by their first item."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value and isinstance(value[0], dict) else None


def keys_said(row: str) -> set[str]:
    """What stands in code in the second column of a row of the payload's table."""
    table = PAGE[PAGE.index("### The payload") :].splitlines()
    line = next(line for line in table if line.startswith(f"| `{row}` |"))
    return set(re.findall(r"`(\w+)`", line.split("|")[2]))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "home"))
    yield tmp_path / "home"
    home_ledger(print).close()


def printed(capsys: pytest.CaptureFixture[str], *args: str) -> Any:
    assert main(["budget", *args, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_json_of_limits_is_as_documented(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = documented("`scrimp budget list --json`")
    made = printed(capsys, "set", "user:*", "5", "--window", "day")
    ledger, now, tags = home_ledger(print), time.time(), Tags(user="u_42")
    ledger.record(record(started_at=now, cost=PICODOLLARS, tags=tags))
    ledger.budgets.reserve(Ask("a", PICODOLLARS, now, now + 60, scopes_of(tags))).result(PATIENCE)
    ledger.budgets.reserve(Ask("b", 9 * PICODOLLARS, now, now + 60, scopes_of(tags))).result(PATIENCE)
    assert shape(printed(capsys, "list")) == shape(page)
    assert set(made) == set(page["limits"][0])
    (why,) = printed(capsys, "why", "user:u_42")["limits"]
    words = PAGE[PAGE.index("`scrimp budget why SCOPE --json`") :].split("\n\n")[0]
    for part in ("holds", "events", "dearest"):
        (said,) = re.findall(rf"`{part}` \(([^)]*)\)", words.replace("\n", " "))
        assert set(re.findall(r"`(\w+)`", said)) == set(why[part][0])
    assert set(printed(capsys, "remove", "user:*")["removed"]) == set(page["limits"][0])


def test_the_json_of_the_advice_is_as_documented(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for back in range(1, 70):
        home_ledger(print).submit(
            record(started_at=time.time() - back * 86_400, cost=PICODOLLARS, provider="anthropic")
        )
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", KEY)
    with providing(pages=console_limits(), errors=CONSOLE_ONLY) as provider:
        home_ledger(print).flush()
        found = printed(capsys, "advise", "--api-url", provider.url)
    assert shape(found) == shape(documented("`scrimp budget advise --json`"))


def test_the_payload_is_as_documented() -> None:
    table = PAGE[PAGE.index("### The payload") : PAGE.index("### Verifying")]
    rows = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert rows == [field.name for field in msgspec.structs.fields(Alert)]
    assert keys_said("tags") == {field.name for field in msgspec.structs.fields(Tags)}
    for row, struct in (("budget", BudgetFacts), ("miss", MissFacts), ("outlier", OutlierFacts)):
        names = {field.name for field in msgspec.structs.fields(struct)}
        assert keys_said(row) - {"cache_bust", "outlier"} == names
    told = PAGE[PAGE.index("## Alerts") : PAGE.index("### The payload")]
    assert re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE) == list(KINDS)


def test_the_settings_of_the_page_are_settings_of_the_gateway(tmp_path: Path) -> None:
    found = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert found
    path = tmp_path / "scrimp.toml"
    path.write_text(found[1], encoding="utf-8")
    alerts = load(path, {}, {}).settings.alerts
    assert alerts.bust_from == PICODOLLARS // 20
    assert alerts.webhooks[0].url_env == "SCRIMP_ALERT_URL"
    assert alerts.commands[0].argv == ("/usr/local/bin/notify", "--budget")


def ran(forks: Forks, name: str, home: Path) -> list[str]:
    """What an example prints; its warnings are errors."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC_")}
    done = forks.run(EXAMPLES / name, env=env | {"SCRIMP_HOME": str(home)}, errors=["builtins.Warning"])
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_every_example_is_named_on_the_page_and_run_here() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {"run_budget.py", "webhook.py"}
    assert all(f"../examples/budgets/{path.name}" in PAGE for path in EXAMPLES.glob("*.py"))


def test_a_run_stops_within_its_budget_and_the_run_around_it_goes_on(tmp_path: Path, forks: Forks) -> None:
    research, report = ran(forks, "run_budget.py", tmp_path)
    stopped = re.fullmatch(r"research: stopped after (\d+) calls and \$(\S+)", research)
    whole = re.fullmatch(r"report:   \$(\S+) spent, \$(\S+) left of \$0.01", report)
    assert stopped
    assert whole
    assert int(stopped[1]) > 1
    assert 0 < float(stopped[2]) <= 0.0005
    assert float(stopped[2]) < float(whole[1]) <= 0.01


def test_a_webhook_tells_of_the_first_refusal(tmp_path: Path, forks: Forks) -> None:
    *lines, told = ran(forks, "webhook.py", tmp_path)
    assert lines == [f"call {n} did not go out" for n in (1, 2, 3)]
    assert told.startswith(
        "budget_refused: scrimp: budget exceeded: run:tenants may spend $0.000001 in total"
    )
