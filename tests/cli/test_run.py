"""`scrimp run`: the command finds the gateway, gets its signals, and its receipt is the provider's bill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scrimp.cli import main
from scrimp.cli.run_child import child_environment, run_child
from scrimp.cli.run_receipt import Receipt, receipt_lines
from scrimp.core.causes import FIXES, Cause, Diagnosis
from scrimp.core.money import dollars
from scrimp.emulator import Emulator
from scrimp.gateway.serving import Gateway, Stores
from scrimp.gateway.settings_loading import load
from scrimp.stores.memory import MemoryLedger
from scrimp.stores.sqlite_ledger import SqliteLedger
from tests.patience import PATIENCE

SONNET = "claude-sonnet-4-5"  # 3 dollars for a million tokens of input
SYSTEM = "You are careful and brief. " * 900

AGENT = """
import json, os, sys, urllib.error, urllib.request
messages = []
for word in sys.argv[2:]:
    messages.append({"role": "user", "content": word})
    body = {"model": sys.argv[1], "max_tokens": 20, "system": SYSTEM, "messages": messages}
    request = urllib.request.Request(
        os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages",
        json.dumps(body).encode(),
        {"x-api-key": "any", "anthropic-version": "2023-06-01", "content-type": "application/json"},
    )
    try:
        answer = json.load(urllib.request.urlopen(request))
    except urllib.error.HTTPError as error:
        print(error.code, json.load(error)["error"]["message"])
        sys.exit(9)
    messages.append({"role": "assistant", "content": answer["content"][0]["text"]})
sys.exit(7)
"""

Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as served:
        yield served


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def run(emulator: Emulator, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run the agent with these options through the emulator: its exit status, and the receipt as JSON."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", emulator.url)
    agent = AGENT.replace("SYSTEM", repr(SYSTEM), 1)

    def of(*options: str, words: str = "one two three") -> tuple[int, dict[str, Any]]:
        receipt = tmp_path / "receipt.json"
        command = [sys.executable, "-c", agent, SONNET, *words.split()]
        status = main(["run", "--json", "--receipt", str(receipt), *options, "--", *command])
        return status, json.loads(receipt.read_text(encoding="utf-8"))

    return of


def documented() -> dict[str, Any]:
    """The receipt that docs/json.md shows."""
    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
    _, _, section = page.partition("## `scrimp run ")
    return json.loads(section.split("```json\n")[1].split("```")[0])  # type: ignore[no-any-return]  # any JSON


def test_the_receipt_is_the_bill_and_the_status_is_the_commands(run: Run, emulator: Emulator) -> None:
    status, receipt = run("--name", "nightly")
    usages = [billed.usage for billed in emulator.bill]
    assert status == 7
    assert receipt["run"] == "nightly"
    assert receipt["calls"] == len(usages) == 3
    assert receipt["spent_usd"] == f"{dollars(emulator.total):f}"
    assert receipt["estimated_usd"] == "0"
    assert receipt["input_tokens"] == sum(usage.total_input for usage in usages)
    assert receipt["read_tokens"] == sum(usage.cache_read_input_tokens for usage in usages) > 0
    assert float(receipt["saved_usd"]) > 0  # the agent marks nothing, and calls three times


def test_the_floor_of_one_call_is_its_input_unmarked(run: Run, emulator: Emulator) -> None:
    _, receipt = run(words="one")
    [billed] = emulator.bill
    assert receipt["floor"] == {
        "calls": 1,
        "input_usd": f"{dollars(billed.usage.total_input * 3_000_000):f}",
        "billed_input_usd": receipt["floor"]["billed_input_usd"],
    }
    assert float(receipt["floor"]["billed_input_usd"]) >= float(receipt["floor"]["input_usd"])


def test_calls_are_written_down_under_the_run(run: Run, home: Path) -> None:
    _, receipt = run("--name", "nightly", "--user", "u_42", "--team", "core", "--task-type", "report")
    ledger = SqliteLedger(home / "ledger.sqlite")
    tags = [record.tags for record in ledger.records()]
    ledger.close()
    assert {(tag.run, tag.run_ids) for tag in tags} == {(("nightly",), (receipt["run_id"],))}
    assert {(tag.user, tag.team, tag.task_type) for tag in tags} == {("u_42", "core", "report")}


def test_a_budget_stops_the_command_before_it_is_spent(
    run: Run, emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    status, receipt = run("--budget", "0.05", words="one " * 50)
    assert status == 9
    assert emulator.total <= 5 * 10**10
    assert receipt["spent_usd"] == f"{dollars(emulator.total):f}"
    assert (receipt["refused"], receipt["budget_usd"]) == (1, "0.05")
    assert float(receipt["spent_usd"]) + float(receipt["asked_usd"]) > 0.05
    assert "402 budget exceeded: run:" in capfd.readouterr().out


def test_a_prompt_that_is_too_long_is_refused_in_the_words_of_the_api(
    run: Run, emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    status, receipt = run("--max-context", "100")
    assert (status, receipt["calls"], emulator.bill) == (9, 0, [])
    assert capfd.readouterr().out.startswith("400 prompt is too long: ")


def test_observing_changes_nothing(run: Run, emulator: Emulator) -> None:
    _, receipt = run("--mode", "observe")
    assert set(receipt) == set(documented())
    assert receipt["read_tokens"] == 0
    assert receipt["saved_usd"] == "0"
    sent = [json.loads(one.raw) for one in emulator.requests if one.raw]  # /healthz is asked for beforehand
    assert len(sent) == 3
    assert all("cache_control" not in json.dumps(one) for one in sent)
    assert receipt["change"]["cause"] == "no marker"
    assert set(receipt["change"]) == set(documented()["change"])
    assert set(receipt["floor"]) == set(documented()["floor"])


def test_calls_go_where_the_environment_says_whatever_the_file_says(
    run: Run, emulator: Emulator, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    text = "[serve]\nupstream = 'eu'\nport = 1\n[upstream.eu]\nbase_url = 'http://127.0.0.1:9'\n"
    (home / "scrimp.toml").write_text(text, encoding="utf-8")
    assert run(words="one")[1]["calls"] == len(emulator.bill) == 1
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "nowhere")
    assert main(["run", "--", "true"]) == 3
    assert run("--upstream", emulator.url, words="one")[1]["calls"] == 1


def test_keys_that_the_settings_name_need_not_be_there(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEAM_KEY", raising=False)
    home.mkdir()
    text = "[upstream.anthropic]\nkey_env = 'TEAM_KEY'\n[[warm]]\nname = 'agent'\nrequest = 'agent.json'\n"
    (home / "scrimp.toml").write_text(text, encoding="utf-8")
    assert run(words="one")[1]["calls"] == 1
    assert main(["serve", "--check"]) == 3  # a gateway for others cannot do without


def test_the_receipt_for_people_is_on_stderr(
    emulator: Emulator, home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", emulator.url)
    assert main(["run", "--", sys.executable, "-c", "print('work')"]) == 0
    out, err = capfd.readouterr()
    assert out == "work\n"
    assert "0 calls in " in err
    assert "spent   $0.00" in err
    assert "does the command read ANTHROPIC_BASE_URL?" in err


def test_calls_that_failed_are_told_from_calls_that_never_came(
    run: Run, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    nobody = ["--upstream", "http://127.0.0.1:9", "--set", "limits.retries=0"]
    assert run(*nobody, words="one")[1]["failed"] == {"502": 1}
    agent = AGENT.replace("SYSTEM", "'Be brief.'", 1)
    main(["run", *nobody, "--", sys.executable, "-c", agent, SONNET, "one"])
    said = capfd.readouterr().err
    assert "  failed  1 call: 502 the upstream could not be reached\n" in said
    assert "ANTHROPIC_BASE_URL" not in said


def test_what_the_upstream_refuses_is_told_from_what_is_refused_here(run: Run, home: Path) -> None:
    with Emulator(keys=["another"]) as strict:
        _, receipt = run("--upstream", strict.url, words="one")
    assert (receipt["calls"], receipt["refused"], receipt["failed"]) == (0, 0, {"401": 1})
    _, receipt = run("--budget", "0.00001", words="one")
    assert (receipt["calls"], receipt["refused"], receipt["failed"]) == (0, 1, {})


@pytest.mark.parametrize("shared", [True, False])
def test_calls_through_a_gateway_of_the_same_ledger_count_once(
    run: Run, emulator: Emulator, home: Path, capfd: pytest.CaptureFixture[str], shared: bool
) -> None:
    own = {"serve.port": ("0", "test"), "upstream.anthropic.base_url": (emulator.url, "test")}
    stores = Stores() if shared else Stores(ledger=MemoryLedger())
    with Gateway(load(None, {}, own).settings, stores=stores) as served:
        _, receipt = run("--upstream", served.url, words="one two")
    assert receipt["calls"] == len(emulator.bill) == 2
    assert receipt["spent_usd"] == f"{dollars(emulator.total):f}"
    ledger = SqliteLedger(home / "ledger.sqlite")
    assert len(list(ledger.records())) == 2  # by the gateway, or by the run
    ledger.close()
    assert ("writes to this ledger" in capfd.readouterr().err) == shared


def test_what_is_wrong_is_said_before_anything_runs(
    home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    touch = [sys.executable, "-c", f"open({str(tmp_path / 'ran')!r}, 'w')"]
    assert main(["run", "--budget", "two", "--", *touch]) == 3
    assert "'two'" in capfd.readouterr().err
    assert main(["run", "--budget", "5,00", "--", *touch]) == 3
    assert "'5,00': a comma is not taken here; write cents after a point" in capfd.readouterr().err
    assert main(["run", "--upstream", "http://127.0.0.1:9/v1", "--", *touch]) == 3
    assert capfd.readouterr().err == (
        "scrimp: error: --upstream: upstream.anthropic.base_url: 'http://127.0.0.1:9/v1': write it without "
        "/v1, which every path of the API begins with\n"
    )
    assert main(["run", "--set", "serve.prot=1", "--", *touch]) == 3
    assert "did you mean port?" in capfd.readouterr().err
    assert main(["run", "--bugdet", "2", "--", *touch]) == 2
    assert main(["run"]) == 2
    assert not (tmp_path / "ran").exists()
    assert main(["run", "--", "no-such-program-anywhere"]) == 3
    assert "no-such-program-anywhere: no such program on the PATH" in capfd.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_signals_reach_the_command(home: Path, number: signal.Signals) -> None:
    code = f"import signal, sys, time; signal.signal({number:d}, lambda *_: sys.exit(5)); "
    code += "print('ready', flush=True); time.sleep(300)"
    command = [sys.executable, "-m", "scrimp", "run", "--", sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        running.send_signal(number)
        _, err = running.communicate(timeout=4 * PATIENCE)
    assert running.returncode == 5
    assert "spent" in err


def test_ctrl_c_is_the_commands_own(home: Path) -> None:
    code = "import time, sys\ntry:\n print('ready', flush=True); time.sleep(300)\n"
    code += "except KeyboardInterrupt:\n time.sleep(0.2); sys.exit(6)"
    command = [sys.executable, "-m", "scrimp", "run", "--", sys.executable, "-c", code]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        _, err = running.communicate(timeout=4 * PATIENCE)
    assert running.returncode == 6
    assert "spent" in err


def test_a_command_that_was_killed_ends_as_a_shell_reports_it() -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert run_child(["sh", "-c", "kill -9 $$"], os.environ) == 137
    assert run_child(["sh", "-c", "exit 250"], os.environ) == 250
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_after_the_end_of_the_command_does_no_harm() -> None:
    began = time.monotonic()
    assert run_child(["true"], os.environ) == 0
    assert time.monotonic() - began < PATIENCE


def test_the_command_finds_the_gateway() -> None:
    found = child_environment("http://127.0.0.1:1", {"PATH": "/bin"})
    assert found == {"PATH": "/bin", "ANTHROPIC_BASE_URL": "http://127.0.0.1:1", "ENABLE_TOOL_SEARCH": "true"}
    own = {"ANTHROPIC_BASE_URL": "http://team", "X": "y"}
    assert child_environment("http://gw", own) == {"ANTHROPIC_BASE_URL": "http://gw", "X": "y"}
    assert child_environment("http://gw", {"ENABLE_TOOL_SEARCH": "false"})["ENABLE_TOOL_SEARCH"] == "false"


def test_a_receipt_names_the_worst_miss_and_one_change() -> None:
    worst = Diagnosis(cause=Cause.TIMESTAMP, promised=4000, read=0, lost=11 * 10**9)
    receipt = Receipt(
        name="nightly",
        run_id="1",
        seconds=151.0,
        calls=14,
        refused=2,
        asked=3 * 10**12,
        spent=482_100_000_000,
        estimated=10**10,
        saved=-(10**10),
        input_tokens=1_000_000,
        read_tokens=912_000,
        output_tokens=5_000,
        budget=2 * 10**12,
        worst=worst,
        change=Cause.TIMESTAMP,
        change_lost=9 * 10**10,
    )
    assert list(receipt_lines(receipt)) == [
        "scrimp: nightly: 14 calls in 2 min 31 s",
        "  spent   $0.4821 of a budget of $2.00 ($0.0100 of it estimated)",
        "  saved   −$0.0100 so far: what was written to the cache has yet to be read (estimated)",
        "  cache   91.2 % of 1M tokens of input read; 5k of output",
        "  worst   timestamp in the prefix: $0.0110 lost by one miss",
        f"  change  {FIXES[Cause.TIMESTAMP]} ($0.0900 lost)",
        "  stopped 2 calls not sent: the last could have cost up to $3.00",
        "          no such call fits: lower its max_tokens (CLAUDE_CODE_MAX_OUTPUT_TOKENS)",
    ]
