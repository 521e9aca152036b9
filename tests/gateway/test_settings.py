"""Settings: file < environment < flags, every mistake named in a line, no key ever shown."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.budget import Limit, Scope
from scrimp.errors import SettingsError
from scrimp.gateway.settings import Settings, Upstream
from scrimp.gateway.settings_loading import Loaded, env_names, load

SECRET = "sk-ant-api03-do-not-show"

GOOD = """
[serve]
port = 9000
mode = "observe"
auth = "keys"
upstream = "eu"

[limits]
body = "1MiB"

[upstream.eu]
base_url = "https://eu.example.com/"
key_env = "EU_KEY"
key_header = "authorization"

[[budget]]
scope = "user:*"
window = "day"
amount = "5.00"
zone = "Europe/Berlin"
alert_at = [50, 80]

[[budget]]
scope = "organisation"
amount = "1000"
"""


@pytest.fixture
def loaded(tmp_path: Path):
    """Load settings from the text of a file, an environment and flags."""

    def of(text: str = "", env: dict[str, str] | None = None, **flags: str) -> Loaded:
        file = tmp_path / "scrimp.toml"
        file.write_text(text, encoding="utf-8")
        given = {name.replace("__", "."): (value, f"--{name}") for name, value in flags.items()}
        return load(file, env or {}, given)

    return of


def mistakes(text: str, loaded, env: dict[str, str] | None = None, **flags: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        loaded(text, env, **flags)
    assert SECRET not in str(caught.value)
    return list(caught.value.mistakes)


def test_nothing_needs_to_be_set() -> None:
    found = load(None, {}, {})
    assert found.settings == Settings()
    assert found.settings.upstreams == {"anthropic": Upstream(base_url="https://api.anthropic.com")}
    assert dict(found.upstream_keys) == {}


def test_a_file_says_everything(loaded) -> None:
    found = loaded(GOOD, {"EU_KEY": f" {SECRET}\n"})
    settings = found.settings
    assert (settings.serve.port, settings.serve.mode, settings.serve.auth) == (9000, "observe", "keys")
    assert settings.limits.body == 1024 * 1024
    assert settings.upstreams["eu"].base_url == "https://eu.example.com"
    assert dict(found.upstream_keys) == {"eu": SECRET}
    first, second = (budget.limit(7.0) for budget in settings.budgets)
    assert first == Limit(
        scope=Scope("user", "*"),
        amount=5 * 10**12,
        window="day",
        zone="Europe/Berlin",
        alert_at=(50, 80),
        created_at=7.0,
    )
    assert (second.scope, second.amount, second.window) == (Scope("organisation"), 10**15, "total")


def test_flags_come_before_the_environment_and_that_before_the_file(loaded) -> None:
    env = {"EU_KEY": "k", "SCRIMP_SERVE_PORT": "9001", "SCRIMP_SERVE_HOST": "::1"}
    found = loaded(GOOD, env, serve__port="9002")
    assert (found.settings.serve.port, found.settings.serve.host) == (9002, "::1")
    assert found.settings.serve.mode == "observe"
    assert found.origins["serve.port"] == "--serve__port"
    assert found.origins["serve.host"] == "SCRIMP_SERVE_HOST"
    assert found.origins["serve.mode"] == "scrimp.toml:4"
    assert found.origins["budget[1].zone"] == "scrimp.toml:20"
    assert found.origins["budget[2].amount"] == "scrimp.toml:25"
    assert "serve.capture" not in found.origins


def test_the_environment_reaches_upstreams_lists_and_switches(loaded) -> None:
    env = {
        "EU_KEY": "k",
        "SCRIMP_UPSTREAM_EU_BASE_URL": "http://localhost:1",
        "SCRIMP_UPSTREAM_ANTHROPIC_BASE_URL": "http://localhost:2",
        "SCRIMP_TELEMETRY_LABELS": "team, user",
        "SCRIMP_SERVE_CAPTURE": "true",
        "SCRIMP_LIMITS_BODY": "2MB",
        "SCRIMP_HOME": "elsewhere",
    }
    settings = loaded(GOOD, env).settings
    assert settings.upstreams["eu"].base_url == "http://localhost:1"
    assert settings.upstreams["anthropic"].base_url == "http://localhost:2"
    assert settings.telemetry.labels == ("team", "user")
    assert settings.serve.capture
    assert settings.limits.body == 2_000_000


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[serve]\nprot = 1", "scrimp.toml:2: serve.prot: no such setting; did you mean port?"),
        ("\n[sreve]\nport = 1", "scrimp.toml:2: sreve: no such setting; did you mean serve?"),
        ("[limits]\nzzz = 1", "scrimp.toml:2: limits.zzz: no such setting; expected body, batch_body, "),
        ("[serve]\nport = 70000", "serve.port: found 70000, expected a whole number from 0 to 65535"),
        ("[serve]\nport = 99999999999999999999999", "serve.port: found 99999999999999999999999, expected"),
        ("[timeouts]\nsilence = inf", "timeouts.silence: found Infinity, expected a number above 0"),
        ("[timeouts]\nsilence = nan", "timeouts.silence: found NaN, expected a number above 0"),
        ("[serve]\nport = 2026-11-21", 'serve.port: found "2026-11-21", expected'),
        ("[serve]\nport = '80'", 'serve.port: found "80", expected a whole number from 0 to 65535'),
        ("[serve]\nmode = 'fast'", 'found "fast", expected one of "observe", "safe", "save"'),
        ("[serve]\ncapture = 1", "serve.capture: found 1, expected true or false"),
        ("[serve]\nupstream = 'x'", "scrimp.toml:2: serve.upstream: no upstream 'x'; there is anthropic"),
        ("serve = 3", "scrimp.toml:1: serve: found 3, expected a table, [serve]"),
        ("[timeouts]\nsilence = 0", "timeouts.silence: found 0, expected a number above 0 and up to 86400"),
        ("[limits]\nbody = '3 elephants'", 'found "3 elephants", expected bytes, such as 65536 or "32MiB"'),
        ("[upstream.a]\nkey_env='K'", "scrimp.toml:1: upstream.a.base_url is missing"),
        ("[upstream.a]\nbase_url='ftp://x'", "'ftp://x' is no address: write such as"),
        (
            "[upstream.a]\nbase_url='http://x:8/v1/'",
            "scrimp.toml:2: upstream.a.base_url: 'http://x:8/v1/': write it without /v1",
        ),
        ("[upstream]\na = 1", "scrimp.toml:2: upstream.a: found 1, expected a table, [upstream.a]"),
        ("[[upstream]]\nbase_url = 'https://x'", "expected a table for each name, [upstream.NAME]"),
        ("[[budget]]\nscope='user:*'", "scrimp.toml:1: budget[1].amount is missing: US dollars"),
        ("[[budget]]\nscope='usr:*'\namount='1'", "scrimp.toml:2: budget[1].scope: 'usr:*' is no scope: did"),
        ("[[budget]]\nscope='user:*'\namount=5.0", "budget[1].amount: found 5.0, expected dollars in quotes"),
        (
            "[[budget]]\nscope='user:*'\namount='5,00'",
            'scrimp.toml:3: budget[1].amount: found "5,00", expected dollars in quotes, with cents after',
        ),
        (
            "[budget]\nscope='user:*'",
            "scrimp.toml:1: budget: found a table, expected tables, each [[budget]]",
        ),
        (
            "[[budget]]\nscope='user:*'\namount='1'\nzone='Mars'",
            'scrimp.toml:4: budget[1].zone: found "Mars", expected a time zone such as "Europe/Berlin"',
        ),
        (
            "[[budget]]\nscope='user:a'\namount='1'\n[[budget]]\nscope='user:a'\namount='2'",
            "scrimp.toml:5: budget[2]: a second limit of user:a for the total",
        ),
        ("[alerts]\n[[alerts.webhook]]\natempts = 1", "scrimp.toml:3: alerts.webhook[1].atempts: no such"),
        ("[context]\nsoft = 0.9\nhard = 0.8", "scrimp.toml:1: context: soft (0.9) should be below"),
        ("[serve\nport = 1", "scrimp.toml: no TOML: "),
    ],
)
def test_a_mistake_is_one_line_that_names_place_and_remedy(loaded, text: str, line: str) -> None:
    [found] = mistakes(text, loaded)
    assert line in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("env", "line"),
    [
        ({"SCRIMP_SERVE_HOTS": "x"}, "SCRIMP_SERVE_HOTS: no such setting; did you mean SCRIMP_SERVE_HOST?"),
        ({"SCRIMP_SERVE_PORT": "tcp://10.0.0.1:80"}, "SCRIMP_SERVE_PORT: serve.port: found "),
        ({"ANTHROPIC_API_KEY": "a\nb"}, "ANTHROPIC_API_KEY holds no key"),
    ],
)
def test_so_is_one_in_the_environment(loaded, env: dict[str, str], line: str) -> None:
    [found] = mistakes("", loaded, env)
    assert line in found


def test_every_mistake_is_told_at_once(loaded) -> None:
    text = "[serve]\nport = 'x'\nprot = 1\n[limits]\nretries = 99\n[[budget]]\nscope = 'user:*'\n"
    found = mistakes(text, loaded, {"SCRIMP_LIMITS_WAITING": "-1"}, serve__mode="fast")
    places = [line.split(": ")[0] for line in found]
    assert sorted(places) == [
        "--serve__mode",
        "SCRIMP_LIMITS_WAITING",
        "scrimp.toml:2",
        "scrimp.toml:3",
        "scrimp.toml:5",
        "scrimp.toml:6",
    ]


def test_mistakes_of_a_file_come_in_the_order_of_its_lines(loaded) -> None:
    lines = ["[limits]", "retries = 99", *["#"] * 8, "[serve]", "prot = 1", "port = 'x'", "[srv]"]
    found = mistakes("\n".join(lines), loaded, serve__mode="fast")
    assert [line.split(": ")[0] for line in found] == [
        "scrimp.toml:2",
        "scrimp.toml:12",
        "scrimp.toml:13",
        "scrimp.toml:14",
        "--serve__mode",
    ]


@pytest.mark.parametrize(
    "line",
    [
        f"key = '{SECRET}'",
        f"api_key = '{SECRET}'",
        f"key_env = '{SECRET}'",
        f"key_file = '{SECRET}'",
        f"base_url = 'https://x:{SECRET}@example.com'",
    ],
)
def test_a_key_that_stands_in_the_file_is_not_repeated(loaded, line: str) -> None:
    usual = "" if "base_url" in line else "base_url = 'https://a'\n"
    [mistake] = mistakes(f"[upstream.a]\n{usual}{line}\n", loaded)
    assert mistake.startswith("scrimp.toml:")


def test_a_key_that_is_named_must_be_there(loaded, tmp_path: Path) -> None:
    upstream = "[upstream.a]\nbase_url = 'https://a'\n"
    [missing] = mistakes(f"{upstream}key_env = 'A_KEY'", loaded, {"A_KEY": " "})
    assert missing == "scrimp.toml:3: upstream.a.key_env: the environment variable A_KEY is not set"
    [both] = mistakes(f"{upstream}key_env = 'A_KEY'\nkey_file = 'f'", loaded, {"A_KEY": "k"})
    assert "give key_env or key_file, not both" in both
    (tmp_path / "key.txt").write_text(f"{SECRET}\n", encoding="utf-8")
    found = loaded(f"{upstream}key_file = 'key.txt'")  # beside the file that names it
    assert dict(found.upstream_keys) == {"a": SECRET}
    (tmp_path / "key.txt").write_text(f"{SECRET}\n{SECRET}", encoding="utf-8")
    [two_lines] = mistakes(f"{upstream}key_file = 'key.txt'", loaded)
    assert "holds no key" in two_lines


def test_the_usual_key_pays_for_the_usual_upstream() -> None:
    assert dict(load(None, {"ANTHROPIC_API_KEY": SECRET}, {}).upstream_keys) == {"anthropic": SECRET}


def test_no_key_is_in_what_is_shown(loaded) -> None:
    found = loaded(GOOD, {"EU_KEY": SECRET, "ANTHROPIC_API_KEY": SECRET})
    assert set(found.upstream_keys) == {"eu", "anthropic"}
    assert SECRET not in repr(found)
    assert SECRET not in repr(found.settings)
    assert SECRET not in str(dict(found.origins))


def test_every_single_setting_has_a_variable() -> None:
    names = env_names(["anthropic", "my-eu"])
    assert names["SCRIMP_SERVE_PORT"] == ("serve", "port")
    assert names["SCRIMP_UPSTREAM_MY_EU_KEY_FILE"] == ("upstream", "my-eu", "key_file")
    assert names["SCRIMP_ALERTS_LOG"] == ("alerts", "log")
    assert not [name for name in names if "WEBHOOK" in name or "BUDGET" in name]


VALUES = st.recursive(
    st.one_of(
        st.integers(),
        st.booleans(),
        st.floats(),
        st.dates(),
        st.sampled_from(["", "x", "user:*", "5.00", "UTC"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["scope", "amount", "base_url", "port", "x", "url"]), inner, max_size=3
        ),
    ),
    max_leaves=4,
)
NAMES = sorted(
    {name for path in env_names(["anthropic"]).values() for name in path} | {"budget", "warm", "eu"}
)


@given(
    tables=st.dictionaries(
        st.sampled_from(NAMES), st.one_of(VALUES, st.dictionaries(st.sampled_from(NAMES), VALUES)), max_size=5
    ),
    env=st.dictionaries(st.sampled_from(sorted(env_names(["anthropic"]))), st.text(max_size=5), max_size=3),
)
def test_whatever_is_written_is_read_or_named(tables: dict[str, Any], env: dict[str, str]) -> None:
    text = "".join(f"{name} = {toml(value)}\n" for name, value in tables.items())
    with TemporaryDirectory() as folder:
        file = Path(folder) / "scrimp.toml"
        file.write_text(text, encoding="utf-8")
        try:
            mistakes = [] if load(file, env, {}) else ["nothing"]
        except SettingsError as error:
            mistakes = list(error.mistakes) or ["none"]
    assert all(line.startswith(("scrimp.toml:", "SCRIMP_")) for line in mistakes)
    assert not any("\n" in line for line in mistakes)


def toml(value: Any) -> str:
    """A value as TOML has it, tables inline."""
    match value:
        case dict():
            return "{" + ", ".join(f"{name} = {toml(inner)}" for name, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case _:
            return str(value)
