"""`scrimp budget advise`: figures from a ledger, and the provider's own limits over real HTTP.

The provider here is a server that answers with the SDK's own response types, as its documentation says.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from anthropic.types.beta.organization import BetaSpendLimit, BetaSpendSummary

from scrimp.advising.provider_limits import read_limits
from scrimp.cli import main
from scrimp.core.money import PICODOLLARS
from scrimp.core.record import Tags
from scrimp.stores.ledger import Ledger
from scrimp.stores.opening import home_ledger
from tests.stores.records import record

KEY = "sk-ant-admin01-not-a-real-one"
LIST = "/v1/organizations/spend_limits"
EFFECTIVE = f"{LIST}/effective"
NOT_SUPPORTED = {"error_code": "organization_type_not_supported"}


def limit(number: int, amount: str | None, scope: dict[str, str], **fields: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "id": f"spl_{number}",
        "type": "spend_limit",
        "amount": amount,
        "currency": "USD",
        "is_enabled": True,
        "period": "monthly",
        "scope": scope,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "updated_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return BetaSpendLimit.model_validate(plain | fields).model_dump(mode="json")


def summary(email: str, amount: str, spent: str) -> dict[str, Any]:
    plain = {
        "actor": {"type": "user_actor", "user_id": "user_1", "email_address": email, "deleted": False},
        "amount": amount,
        "currency": "USD",
        "period": "monthly",
        "period_to_date_spend": spent,
        "scope": {"type": "user", "user_id": "user_1"},
        "source": {"type": "seat_tier", "seat_tier": "premium"},
        "spend_limit_id": "spl_9",
    }
    return BetaSpendSummary.model_validate(plain).model_dump(mode="json")


@dataclass
class Provider:
    """What the endpoints answer: pages of rows, or a status with an error."""

    pages: dict[str, list[list[dict[str, Any]]]] = field(default_factory=dict)
    errors: dict[str, tuple[int, str, dict[str, str]]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, list[str]], dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, query: dict[str, list[str]], headers: dict[str, str]) -> tuple[int, Any]:
        self.asked.append((path, query, headers))
        if _shown(headers) != KEY:
            return 401, _error("authentication_error", "invalid x-api-key", {})
        if path in self.errors:
            status, message, details = self.errors[path]
            return status, _error("invalid_request_error", message, details)
        pages = self.pages.get(path, [[]])
        at = int(query.get("page", ["0"])[0])
        return 200, {"data": pages[at], "next_page": str(at + 1) if at + 1 < len(pages) else None}


def _shown(headers: dict[str, str]) -> str | None:
    """The key of a request, in the header of older or of newer SDKs."""
    return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")


def _error(kind: str, message: str, details: dict[str, str]) -> dict[str, Any]:
    error = {"type": kind, "message": message} | ({"details": details} if details else {})
    return {"type": "error", "error": error, "request_id": "req_1"}


@contextmanager
def providing(**how: Any) -> Iterator[Provider]:
    provider = Provider(**how)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, said = provider.answer(parts.path, parse_qs(parts.query), headers)
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    provider.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def console_limits(amount: str = "50000") -> dict[str, list[list[dict[str, Any]]]]:
    first = limit(1, amount, {"type": "organization"})
    second = limit(2, "20000", {"type": "workspace", "workspace_id": "wrkspc_01"})
    third = limit(3, "100000", {"type": "usage_tier"})
    return {LIST: [[first, second], [third]]}


CONSOLE_ONLY = {EFFECTIVE: (400, "not for this organization", NOT_SUPPORTED)}


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ANTHROPIC_ADMIN_KEY", raising=False)
    ledger = home_ledger(print)
    yield ledger
    ledger.close()


Run = Callable[..., str]


@pytest.fixture
def run(ledger: Ledger, capfd: pytest.CaptureFixture[str]) -> Run:
    def command(*args: str) -> str:
        ledger.flush()
        assert main(["budget", "advise", *args]) == 0, capfd.readouterr()
        out, err = capfd.readouterr()
        assert err == ""
        return out

    return command


def every_day(ledger: Ledger, days: int, **fields: Any) -> None:
    """$10 on each of so many whole days before today."""
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    for back in range(1, days + 1):
        at = (noon - timedelta(back)).timestamp()
        plain = {"started_at": at, "cost": 10 * PICODOLLARS, "provider": "anthropic"}
        ledger.submit(record(**plain | fields))


def test_without_a_ledger_it_still_says_what_a_soft_limit_is(run: Run) -> None:
    said = run()
    assert "They are no spend limit of the\nprovider's" in said
    assert "Nothing can be advised yet: the ledger knows no whole day of spending." in said
    assert "put an admin key into ANTHROPIC_ADMIN_KEY" in said


def test_the_advice_is_worked_out_from_the_days_of_the_ledger(run: Run, ledger: Ledger) -> None:
    every_day(ledger, 65)
    every_day(ledger, 65, provider="bedrock")  # not of this provider's limits
    found = json.loads(run("--json"))
    assert (found["days"], found["enough_days"]) == (64, True)
    first = datetime.now(UTC).date().replace(day=1)
    after = (first + timedelta(32)).replace(day=1)
    length = ((after + timedelta(32)).replace(day=1) - after).days
    assert found["next_month"]["expected_usd"] == str(10 * length)
    months = [float(found[name]["expected_usd"]) for name in ("this_month", "next_month")]
    assert 1.2 <= float(found["limit_usd"]) / max(months) <= 1.3
    assert found["last_month"]["reached_on"] is None
    assert float(found["last_month"]["spent_usd"]) == 10 * (first - timedelta(1)).day
    said = run()
    assert "20 to 30 % above what is expected" in said
    assert "it would not have been reached" in said
    assert "Console: Settings → Limits" in said


def test_few_days_are_said_to_be_few(run: Run, ledger: Ledger) -> None:
    every_day(ledger, 3)
    said = run()
    assert "3 days are too few for one figure: a limit between $" in said


def test_advice_for_one_team(run: Run, ledger: Ledger) -> None:
    every_day(ledger, 30, tags=Tags(team="research"))
    every_day(ledger, 30, tags=Tags(team="other"))
    found = json.loads(run("team:research", "--json"))
    whole = json.loads(run("--json"))
    assert 2 * float(found["next_month"]["expected_usd"]) == float(whole["next_month"]["expected_usd"])
    assert "of team:research (since" in run("team:research")


def test_the_providers_limits_are_read_page_by_page_and_compared(
    run: Run, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    every_day(ledger, 40)
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-other")
    with providing(pages=console_limits(), errors=CONSOLE_ONLY) as provider:
        said = run("--api-url", provider.url)
        assert "  organization: $500.00 monthly: " in said
        assert "  workspace wrkspc_01: $200.00 monthly\n" in said
        assert "  cap of the usage tier: $1,000.00 monthly\n" in said
        assert "(400)" not in said  # Console organisations have no report of effective limits
        listed = [(query, headers) for path, query, headers in provider.asked if path == LIST]
    assert [query.get("page") for query, _ in listed] == [None, ["1"]]
    for _, headers in listed:
        assert "spend-limit-reads-2026-09-26" in headers["anthropic-beta"]
        assert _shown(headers) == KEY


@pytest.mark.parametrize(
    ("cents", "verdict"),
    [
        ("20000", "below the $310.00 expected, so calls will be refused"),
        ("31000", "tight for $310.00 expected"),
        ("40000", "fits"),
        ("310000", "10.0 times what is expected; lower it to stop what runs away"),
    ],
)
def test_the_limit_of_the_organisation_is_judged(
    run: Run, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, cents: str, verdict: str
) -> None:
    every_day(ledger, 40)
    # Of two months in a row, one has 31 days: $310 at $10 a day.
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", KEY)
    with providing(pages=console_limits(cents), errors=CONSOLE_ONLY) as provider:
        said = run("--api-url", provider.url)
    assert f"  organization: ${int(cents) // 100:,}.00 monthly: {verdict}" in said


def test_members_of_an_enterprise_see_what_is_in_effect(ledger: Ledger) -> None:
    rows = [summary("a@example.org", "50000", "12050.5")]
    with providing(pages={EFFECTIVE: [rows]}) as provider:
        found = read_limits(KEY, base_url=provider.url)
    (one,) = found.effective
    assert (one.name, one.scope) == ("a@example.org", "seat_tier")
    assert (one.amount, one.spent) == (500 * PICODOLLARS, 120_505 * PICODOLLARS // 1000)
    assert found.problems == ()


@pytest.mark.parametrize(
    ("status", "message", "line"),
    [
        (
            403,
            "early access only",
            "the key in ANTHROPIC_ADMIN_KEY may not read spend limits (403): early access only",
        ),
        (404, "no", "the provider has no spend limits to read for this organisation (404)"),
        (400, "bad\nscope", "the provider did not tell its spend limits (400): bad scope"),
    ],
)
def test_what_the_provider_refuses_is_one_line_and_the_rest_works(
    run: Run, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, status: int, message: str, line: str
) -> None:
    every_day(ledger, 20)
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", KEY)
    with providing(errors={LIST: (status, message, {}), EFFECTIVE: (status, message, {})}) as provider:
        said = run("--api-url", provider.url)
    assert said.endswith(f"\n\n{line}\n")
    assert "Set the provider's monthly limit to $" in said


def test_a_key_that_is_unknown_is_said_once_and_never_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", "sk-ant-wrong")
    with providing() as provider:
        said = run("--api-url", provider.url)
        assert len(provider.asked) == 1
    assert said.endswith(
        "the provider does not know the key in ANTHROPIC_ADMIN_KEY (401): is it an admin key?\n"
    )
    assert "sk-ant-wrong" not in said


def test_a_provider_that_cannot_be_reached_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", KEY)
    said = run("--api-url", "http://127.0.0.1:9")
    assert said.endswith("the provider cannot be reached: its spend limits are not known\n")


def test_an_answer_of_another_shape_is_one_line(ledger: Ledger) -> None:
    odd = limit(1, "50000", {"type": "organization"}) | {"scope": None, "amount": "a lot"}
    with providing(pages={LIST: [[odd]]}) as provider:
        found = read_limits(KEY, base_url=provider.url)
    assert found.limits == ()
    assert found.problems[0].startswith("the installed anthropic SDK (")
