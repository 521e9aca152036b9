"""Real Claude Code whose model fetches what the gateway left out: it never hears of it, and goes on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from scrimp.emulator import Emulator
from scrimp.emulator.replies import text, thinking, tool_use
from scrimp.gateway.offload_settings import OffloadSettings
from scrimp.gateway.serving import Gateway, Stores
from scrimp.gateway.settings import Serve, Settings, Upstream
from scrimp.stores.memory import MemoryLedger
from tests.gateway.test_claude_code import CLAUDE, claude

pytestmark = pytest.mark.skipif(
    not CLAUDE.exists(), reason=f"Claude Code is not at {CLAUDE}: `make sdks` installs it"
)

LINES = [
    f"{number * 7919 % 100_003} came after {number * 104_729 % 7_919} of them" for number in range(1_200)
]


KINDS = ("thinking", "tool_use", "tool_result")


def script(log: Path) -> Any:
    """Reads a file, fetches a part of it that was left out, and tells what stands there."""

    def speak(body: dict[str, Any]) -> Any:
        last = body["messages"][-1]["content"]
        blocks = [text(last)] if isinstance(last, str) else last
        results = [block for block in blocks if block["type"] == "tool_result"]
        if not results and any("And now?" in block["text"] for block in blocks):
            return "Gladly."
        if not results:
            return [thinking("A log."), tool_use("Read", {"file_path": str(log)})]
        content = results[-1]["content"]
        found = content if isinstance(content, str) else content[0]["text"]
        handle = re.search(r"\b[a-z2-7]{16}\b", found)
        if handle is None:
            return [thinking("So that is it."), text(f"It says: {found.strip()}")]
        return [
            thinking("The middle is left out."),
            text("Let me look."),
            tool_use("scrimp_fetch", {"handle": handle[0], "range": "601-601"}),
        ]

    return speak


def test_claude_code_gets_answers_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "scrimp"))
    log = tmp_path / "app.log"
    log.write_text("\n".join(LINES), encoding="utf-8")
    ledger = MemoryLedger()
    with Emulator(script(log)) as emulator:
        settings = Settings(
            serve=Serve(port=0, mode="save"),
            offload=OffloadSettings(enabled=True),
            upstreams={"anthropic": Upstream(base_url=emulator.url)},
        )
        for question, told in (("Why does it fail?", "It says: "), ("And now?", "Gladly.")):
            more = ["--continue"] if told == "Gladly." else []
            with Gateway(settings, stores=Stores(ledger=ledger, learned=False)) as gateway:
                done = claude(gateway.url, tmp_path, "--model", "claude-fable-5-2", *more, "-p", question)
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout.startswith(told)
        *_, sent = [one.body["messages"] for one in emulator.requests if one.method == "POST"]
        blocks = [block for one in sent if isinstance(one["content"], list) for block in one["content"]]
        kinds = [block["type"] for block in blocks if block["type"] in KINDS]
        assert kinds == ["thinking", *["tool_use", "tool_result", "thinking"] * 2]
        assert [block["name"] for block in blocks if block["type"] == "tool_use"] == ["Read", "scrimp_fetch"]
        assert emulator.bill[-1].usage.cache_read_input_tokens > emulator.bill[-2].usage.total_input - 2_000
        assert sorted(one.cost for one in ledger.records()) == sorted(one.cost for one in emulator.bill)
        assert all(record.measured and record.fault is None for record in ledger.records())
