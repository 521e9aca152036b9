"""`scrimp serve`: settings checked and shown, keys that work and die, calls under way finished."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scrimp.cli import main
from scrimp.emulator import Emulator, Fault
from scrimp.stores.keys import Key, KeyStore
from scrimp.stores.sqlite_ledger import SqliteLedger
from tests.patience import PATIENCE

SECRET = "sk-ant-upstream-secret"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path))
    monkeypatch.setenv("UPSTREAM_KEY", SECRET)
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(keys=[SECRET]) as served:
        yield served


@pytest.fixture
def serving(home: Path, emulator: Emulator) -> Iterator[subprocess.Popen[str]]:
    """A gateway that only lets virtual keys in, set up by the file in the home folder."""
    text = f"""
[serve]
auth = "keys"
port = 0
[upstream.anthropic]
base_url = "{emulator.url}"
key_env = "UPSTREAM_KEY"
[[budget]]
scope = "team:poor"
amount = "0.00001"
"""
    (home / "scrimp.toml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "scrimp", "serve", "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as running:
        yield running
        if running.poll() is None:
            running.kill()


def address(serving: subprocess.Popen[str]) -> str:
    assert serving.stdout is not None
    lines = iter(serving.stdout.readline, "")
    return str(json.loads("".join(line for line in iter(lambda: next(lines), "}\n")) + "}")["url"])


def call(url: str, secret: str) -> tuple[int, dict[str, Any]]:
    body = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 20,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    headers = {"x-api-key": secret, "anthropic-version": "2023-06-01", "content-type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/messages", json.dumps(body).encode(), headers)  # noqa: S310 - ours
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - ours
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_keys_open_the_gateway_until_they_are_revoked(
    serving: subprocess.Popen[str], home: Path, emulator: Emulator
) -> None:
    url = address(serving)
    keys = KeyStore(home / "keys.sqlite")
    rich = keys.create(Key(name="rich", user="u", team="core"))
    poor = keys.create(Key(name="poor", team="poor"))
    assert call(url, rich)[0] == 200
    assert call(url, SECRET)[0] == 401
    assert call(url, f"{rich}0")[0] == 401
    status, refused = call(url, poor)
    assert (status, refused["type"]) == (402, "error")
    assert "team:poor may spend" in refused["error"]["message"]
    keys.revoke("rich", time.time())
    time.sleep(1)
    assert call(url, rich)[0] == 401
    serving.send_signal(signal.SIGTERM)
    _, err = serving.communicate(timeout=PATIENCE)
    assert serving.returncode == 0
    ledger = SqliteLedger(home / "ledger.sqlite")
    [record] = ledger.records()
    ledger.close()
    assert (record.tags.key, record.tags.user, record.tags.team) == ("rich", "u", "core")
    assert record.cost == emulator.total
    for text in (rich, poor, SECRET, "Hello"):
        assert text not in err


def test_a_call_under_way_is_finished_before_the_end(
    serving: subprocess.Popen[str], home: Path, emulator: Emulator
) -> None:
    url = address(serving)
    secret = KeyStore(home / "keys.sqlite").create(Key(name="slow"))
    emulator.inject(Fault("slow_start", seconds=1.0))
    answers: list[int] = []
    caller = threading.Thread(target=lambda: answers.append(call(url, secret)[0]))
    caller.start()
    while not emulator.requests:
        time.sleep(0.01)
    serving.send_signal(signal.SIGTERM)
    caller.join(PATIENCE)
    assert serving.wait(PATIENCE) == 0
    assert answers == [200]
    ledger = SqliteLedger(home / "ledger.sqlite")
    assert [record.cost for record in ledger.records()] == [emulator.total]
    ledger.close()


def test_check_shows_what_is_in_force_and_where_it_came_from(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = home / "other.toml"
    file.write_text(
        '[limits]\nretries = 1\n[upstream.eu]\nbase_url = "https://eu"\nkey_env = "UPSTREAM_KEY"\n'
        '[[budget]]\nscope = "user:*"\namount = "5.00"\nwindow = "day"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("SCRIMP_SERVE_MODE", "observe")
    args = ["serve", "--check", "--config", str(file), "--port", "9000", "--set", "timeouts.drain=5"]
    assert main([*args, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = {row["key"]: (row["value"], row["from"]) for row in found["settings"]}
    assert found["holds"] is True
    assert found["file"] == str(file)
    assert rows["limits.retries"] == ("1", "other.toml:2")
    assert rows["serve.mode"] == ("observe", "SCRIMP_SERVE_MODE")
    assert rows["serve.port"] == ("9000", "--port")
    assert rows["timeouts.drain"] == ("5", "--set timeouts.drain")
    assert rows["serve.host"] == ("127.0.0.1", "default")
    assert rows["upstream.eu.key_env"] == ("UPSTREAM_KEY", "other.toml:5")
    assert rows["upstream.eu: its key"][0] == "set"
    assert rows["upstream.anthropic: its key"][0] == "none"
    assert rows["budget[1].scope"] == ("user:*", "other.toml:7")
    assert rows["budget[1].amount"] == ("5", "other.toml:8")
    assert main(args) == 0
    shown = capsys.readouterr().out
    assert "Settings hold." in shown
    assert SECRET not in shown + json.dumps(found)
    assert sorted(path.name for path in home.iterdir()) == ["other.toml"]


def test_check_refuses_with_a_line_for_each_mistake(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "scrimp.toml").write_text("[serve]\nprot = 1\nmode = 2\n", encoding="utf-8")
    assert main(["serve", "--check"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "scrimp: error: scrimp.toml:2: serve.prot: no such setting; did you mean port?",
        'scrimp: error: scrimp.toml:3: serve.mode: found 2, expected one of "observe", "safe", "save"',
    ]
    assert main(["serve", "--check", "--json"]) == 3
    assert len(json.loads(capsys.readouterr().out)["mistakes"]) == 2
    assert main(["serve"]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[alerts.webhook]]\nurl_env = "NOT_SET"\n', "the environment variable NOT_SET is not set"),
        ('[[warm]]\nname = "review"\nrequest = "none.json"\n', "warm 'review'"),
    ],
)
def test_what_cannot_be_set_up_is_a_mistake(
    home: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    (home / "scrimp.toml").write_text(text, encoding="utf-8")
    assert main(["serve", "--check"]) == 3
    assert words in capsys.readouterr().err


def test_no_file_of_the_working_folder_is_read(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path / "repository"
    elsewhere.mkdir()
    (elsewhere / "scrimp.toml").write_text("[upstream.anthropic]\nbase_url = 'https://evil'\n")
    monkeypatch.chdir(elsewhere)
    assert main(["serve", "--check"]) == 0
    assert "evil" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "keys", "words"),
    [
        (["--host", "0.0.0.0"], [], "without virtual keys"),  # noqa: S104 - what is warned of
        (["--host", "0.0.0.0"], [Key(name="a")], "plain HTTP"),  # noqa: S104 - the same
        (["--set", "serve.auth=keys"], [], "nobody can call"),
        (["--upstream", "http://example.com"], [], "keys and prompts can be read on the way"),
        ([], [Key(name="a", upstream="eu")], "key a: there is no upstream 'eu', its calls are refused"),
        ([], [Key(name="a")], "key a: upstream anthropic has no key_env or key_file"),
        (["--set", "serve.capture=true"], [], "keeps whole prompts"),
        (["--set", "trim.enabled=true"], [], "trim: only for calls in mode save, and none are"),
        (["--set", "trim.enabled=true"], [Key(name="a", mode="safe")], "trim: only for calls in mode save"),
    ],
)
def test_what_is_odd_is_told(
    home: Path, capsys: pytest.CaptureFixture[str], args: list[str], keys: list[Key], words: str
) -> None:
    store = KeyStore(home / "keys.sqlite")
    for key in keys:
        store.create(key)
    assert main(["serve", "--check", *args]) == 0
    assert words in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("args", "keys"),
    [
        ([], []),
        (["--set", "trim.enabled=true", "--mode", "save"], []),
        (["--set", "trim.enabled=true"], [Key(name="a", mode="save", upstream="anthropic")]),
        (["--set", "loop.enabled=true"], []),  # stops in every mode
    ],
)
def test_what_is_usual_is_not_odd(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    args: list[str],
    keys: list[Key],
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "paid")
    store = KeyStore(home / "keys.sqlite")
    for key in keys:
        store.create(key)
    assert main(["serve", "--check", "--json", *args]) == 0
    assert json.loads(capsys.readouterr().out)["warnings"] == []


def test_a_port_that_is_taken_is_one_line(
    home: Path, emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    port = emulator.url.rpartition(":")[2]
    assert main(["serve", "--port", port]) == 4
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert f"port {port} of 127.0.0.1 is taken: choose another with serve.port or --port" in err


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "a" * 80, "a..b"])
def test_a_host_that_is_not_this_machine_is_one_line(
    home: Path, capfd: pytest.CaptureFixture[str], host: str
) -> None:
    assert main(["serve", "--port", "0", "--host", host]) == 4
    err = capfd.readouterr().err
    assert f"scrimp: error: '{host}' is no address of this machine: set serve.host or --host" in err
    assert err.count("\n") - err.count("warning: ") == 1


def test_the_help_says_which_settings_win(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--help"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "a file, then the environment (SCRIMP_SERVE_PORT and so on), then flags: the later wins" in words
