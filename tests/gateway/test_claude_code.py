"""Real Claude Code with nothing but a base URL: its work done, its bill in the ledger to the picodollar."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from scrimp.emulator import Emulator, Fault
from scrimp.emulator.replies import Answer, text, tool_use
from scrimp.gateway.serving import Gateway, Stores
from scrimp.gateway.settings import Serve, Settings, Upstream
from scrimp.stores.keys import Key, KeyStore
from scrimp.stores.memory import MemoryLedger

CLAUDE = Path(__file__).parents[2] / ".sdks" / "claude-code" / "node_modules" / ".bin" / "claude"
SUB_TASK = "SUB-TASK: say where you are"
OUTCOMES = {
    "overloaded": ["complete"],
    "cut": ["cut off", "complete"],
    "disconnect": ["unknown", "complete"],
}

pytestmark = pytest.mark.skipif(
    not CLAUDE.exists(), reason=f"Claude Code is not at {CLAUDE}: `make sdks` installs it"
)


def script(folder: Path) -> Any:
    """Writes a file, reads it, asks a sub-agent, and answers; the sub-agent runs one command."""

    def answer(body: dict[str, Any]) -> Answer:
        steps = [
            ("Bash", {"command": "echo hi > a.txt", "description": "write"}),
            ("Read", {"file_path": str(folder / "a.txt")}),
            (
                "Agent",
                {
                    "description": "sub",
                    "prompt": SUB_TASK,
                    "subagent_type": "general-purpose",
                    "run_in_background": False,
                },
            ),
        ]
        if SUB_TASK in json.dumps(body["messages"][0]):
            steps = [("Bash", {"command": "pwd", "description": "where"})]
        contents = [message["content"] for message in body["messages"]]
        blocks = chain.from_iterable(content for content in contents if isinstance(content, list))
        done = sum(block["type"] == "tool_use" for block in blocks)
        return Answer(
            (tool_use(*steps[done]),) if done < len(steps) else (text(f"Done after {done} calls."),)
        )

    return answer


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(script(tmp_path)) as served:
        yield served


def claude(url: str, folder: Path, *args: str, key: str = "any") -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_AUTH_TOKEN": key,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    command = [str(CLAUDE), *args, "--allowedTools", "Bash,Read,Agent"]
    return output(command, env, folder)


def output(command: list[str], env: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=env,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("mode", ["observe", "safe"])
def test_claude_code_works_and_is_billed_as_the_ledger_says(
    mode: Any, emulator: Emulator, tmp_path: Path
) -> None:
    ledger = MemoryLedger()
    settings = Settings(
        serve=Serve(port=0, mode=mode), upstreams={"anthropic": Upstream(base_url=emulator.url)}
    )
    with Gateway(settings, stores=Stores(ledger=ledger, learned=False)) as gateway:
        done = claude(gateway.url, tmp_path, "-p", "Do the work.")
        again = claude(gateway.url, tmp_path, "--continue", "-p", "And now?")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Done after 3 calls.\n", "")
    assert (again.returncode, again.stdout) == (0, "Done after 3 calls.\n")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "hi\n"
    records = list(ledger.records())
    assert sorted(record.cost for record in records) == sorted(billed.cost for billed in emulator.bill)
    assert len(records) == 7
    assert all(record.measured and record.fault is None for record in records)
    assert {record.tags.run for record in records} == {("claude-code",), ("claude-code", "sub-agent")}
    assert sum(len(record.tags.run) == 2 for record in records) == 2
    assert all(record.usage.cache_read_input_tokens for record in records[1:3])
    betas = {request.headers["anthropic-beta"] for request in emulator.requests if request.method == "POST"}
    assert all("claude-code-20250219" in beta for beta in betas)


@pytest.mark.parametrize("kind", ["overloaded", "cut", "disconnect"])
def test_with_a_virtual_key_it_gets_over_what_goes_wrong(kind: Any, tmp_path: Path) -> None:
    keys, ledger = KeyStore(tmp_path / "keys.sqlite"), MemoryLedger()
    secret = keys.create(Key(name="alice", user="alice"))
    with Emulator(["Hello."], keys=["upstream"], faults=[Fault(kind, events=4)]) as emulator:
        settings = Settings(
            serve=Serve(port=0, auth="keys"), upstreams={"anthropic": Upstream(base_url=emulator.url)}
        )
        stores = Stores(keys=keys, ledger=ledger, learned=False)
        with Gateway(settings, upstream_keys={"anthropic": "upstream"}, stores=stores) as gateway:
            done = claude(gateway.url, tmp_path, "-p", "Say hello.", key=secret)
            refused = claude(gateway.url, tmp_path, "-p", "Say hello.", key=f"{secret}0")
    assert (done.returncode, done.stdout) == (0, "Hello.\n")
    assert refused.returncode == 1
    records = list(ledger.records())
    assert {(record.tags.key, record.tags.user) for record in records} == {("alice", "alice")}
    seen = [record.cost for record in records if record.outcome != "unknown"]
    assert seen == [billed.cost for billed in emulator.bill]
    assert [record.outcome for record in records] == OUTCOMES[kind]


def test_a_budget_ends_it_at_once_with_the_reason(emulator: Emulator, tmp_path: Path) -> None:
    env = os.environ | {
        "SCRIMP_HOME": str(tmp_path / "home"),
        "HOME": str(tmp_path),
        "ANTHROPIC_BASE_URL": emulator.url,
        "ANTHROPIC_API_KEY": "any",
    }
    command = [
        sys.executable,
        "-m",
        "scrimp",
        "run",
        "--budget",
        "0.05",
        "--",
        str(CLAUDE),
        "-p",
        "Do the work.",
    ]
    done = output(command, env, tmp_path)
    assert done.returncode == 1
    assert "402 budget exceeded: run:claude may spend $0.05 in total" in done.stdout
    assert "stopped 1 call not sent" in done.stderr  # it does not try again
    assert emulator.bill == []
