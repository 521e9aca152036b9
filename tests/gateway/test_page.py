"""docs/gateway.md and examples/gateway do what they show, and no setting is missing from the page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scrimp.cli.run_floor import Floor
from scrimp.cli.run_receipt import Receipt, receipt_lines
from scrimp.core.causes import Cause, Diagnosis
from scrimp.core.changes import Change, Kind
from scrimp.emulator import Emulator
from scrimp.gateway.settings_loading import load
from scrimp.stores.keys import KeyStore
from scrimp.stores.sqlite_ledger import SqliteLedger
from tests.forks import Forks
from tests.gateway.settings_table import page_tables
from tests.patience import free_port

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "gateway.md").read_text(encoding="utf-8")
EXAMPLES = PROJECT / "examples" / "gateway"
SCRIPT = "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
SETTINGS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
ENV = {"ANTHROPIC_API_KEY": "any"}

WAIT = (
    "until (exec 3<>/dev/tcp/127.0.0.1/8378; printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3; "
    "grep -q ' 200 ' <&3) 2>/dev/null"
)
"""Without an interpreter for every try."""


def test_every_setting_is_on_the_page() -> None:
    assert page_tables() in PAGE, f"docs/gateway.md must have these tables:\n{page_tables()}"


@pytest.mark.parametrize("text", [*SETTINGS, (EXAMPLES / "scrimp.toml").read_text(encoding="utf-8")])
def test_settings_of_the_page_hold(text: str, tmp_path: Path) -> None:
    file = tmp_path / "scrimp.toml"
    file.write_text(text, encoding="utf-8")
    loaded = load(file, ENV, {})
    given = {name.partition("[")[0] for name, origin in loaded.origins.items() if origin != "default"}
    assert {name.partition(".")[0] for name in given} == set(tomllib.loads(text))


def test_the_commands_of_the_page_work(tmp_path: Path, forks: Forks) -> None:
    """All of them, in one shell: the gateway runs beside it, and the provider is an emulator.

    Agents are forks of a process that has the SDK.
    """
    port = free_port()
    serving = f"scrimp serve 2>serve.txt &\n{WAIT}; do kill -0 $!; sleep 0.05; done\n"
    script = re.sub(r"^scrimp serve +#.*\n", lambda _: serving, SCRIPT, flags=re.MULTILINE)
    assert script != SCRIPT
    shutil.copy(EXAMPLES / "agent.py", tmp_path)
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    agent = f'-S "{PROJECT / "tests" / "fork_client.py"}" "{forks.place}" "$@"'
    programs = {"python": agent, "scrimp": '-m scrimp "$@"', "claude": "-c pass"}
    for name, does in programs.items():
        (bin_folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {does}\n', encoding="utf-8")
        (bin_folder / name).chmod(0o755)
    with Emulator() as emulator:
        env = (
            os.environ
            | ENV
            | {
                "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
                "SCRIMP_HOME": str(tmp_path / "home"),
                "SCRIMP_SERVE_PORT": str(port),
                "SCRIMP_UPSTREAM_ANTHROPIC_BASE_URL": emulator.url,
            }
        )
        env.pop("ANTHROPIC_BASE_URL", None)
        script = f"trap 'kill $!' EXIT\n{script}kill $!; wait $!; trap - EXIT\n"
        shell = ["bash", "-e", "-c", script.replace("8378", str(port))]
        done = subprocess.run(
            shell, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
        )
    assert done.returncode == 0, done.stderr + (tmp_path / "serve.txt").read_text(encoding="utf-8")
    ledger = SqliteLedger(tmp_path / "home" / "ledger.sqlite")
    records = list(ledger.records())
    ledger.close()
    runs = [(*record.tags.run, record.tags.user, record.tags.task_type) for record in records]
    assert runs.count(("python", "u_42", "triage")) == 2
    assert len(runs) == 4
    assert sum(record.cost for record in records) == emulator.total
    [key] = KeyStore(tmp_path / "home" / "keys.sqlite").all()
    assert (key.name, key.team, key.task_type) == ("ci", "platform", "review")
    assert key.revoked_at is not None
    assert "Gateway at http://127.0.0.1:" in done.stdout
    assert done.stderr.count("  spent   $") == 2


def test_the_receipt_of_the_page_is_written_as_receipts_are() -> None:
    change = Change(kind=Kind.TIMESTAMP, section="system", position=1, path="system.1")
    worst = Diagnosis(cause=Cause.TIMESTAMP, promised=900, read=0, lost=11 * 10**9, change=change)
    receipt = Receipt(
        name="claude",
        run_id="",
        seconds=68.0,
        calls=7,
        refused=0,
        asked=0,
        spent=192_600_000_000,
        estimated=0,
        saved=31_100_000_000,
        input_tokens=141_800,
        read_tokens=108_335,
        output_tokens=409,
        floor=Floor(calls=7, billed=188_400_000_000, least=150_700_000_000),
        worst=worst,
        change=Cause.TIMESTAMP,
        change_lost=11 * 10**9,
    )
    [shown] = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert shown.splitlines() == list(receipt_lines(receipt))
