"""Real Claude Code through a gateway that clears old results and sums up: it goes on, and pays less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scrimp.emulator import Emulator
from scrimp.emulator.replies import Answer, text, tool_use
from scrimp.gateway.carry_settings import CarrySettings
from scrimp.gateway.serving import Gateway, Stores
from scrimp.gateway.settings import Serve, Settings, Upstream
from scrimp.stores.memory import MemoryLedger
from tests.gateway.test_claude_code import CLAUDE, claude

FILES = 30

pytestmark = pytest.mark.skipif(
    not CLAUDE.exists(), reason=f"Claude Code is not at {CLAUDE}: `make sdks` installs it"
)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where what was cleared is kept."""
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "home"))


def reading(folder: Path) -> Any:
    """An agent that reads one file after the other, whatever it still knows of them."""
    done = iter(range(FILES))

    def answer(body: dict[str, Any]) -> Answer:
        number = next(done, None) if body.get("tools") else None
        if number is None:
            return Answer((text("That is all."),))
        return Answer((tool_use("Read", {"file_path": str(folder / f"{number}.txt")}),))

    return answer


def work(folder: Path, carry: CarrySettings) -> tuple[list[Any], list[dict[str, Any]], str]:
    """What a session left in the ledger, what it sent, and what it said."""
    for number in range(FILES):
        lines = (f"line {line} of file {number}\n" for line in range(400))
        (folder / f"{number}.txt").write_text("".join(lines))
    ledger = MemoryLedger()
    with Emulator(reading(folder)) as emulator:
        settings = Settings(
            serve=Serve(port=0, mode="save"),
            upstreams={"anthropic": Upstream(base_url=emulator.url)},
            carry=carry,
        )
        with Gateway(settings, stores=Stores(ledger=ledger, learned=False)) as gateway:
            done = claude(gateway.url, folder, "--model", "claude-sonnet-4-6", "-p", "Read all files.")
        records = list(ledger.records())
        assert sorted(one.cost for one in records) == sorted(billed.cost for billed in emulator.bill)
        bodies = [request.body for request in emulator.requests if request.method == "POST"]
    assert (done.returncode, done.stderr) == (0, "")
    return records, bodies, done.stdout


def test_claude_code_goes_on_and_pays_less(tmp_path: Path) -> None:
    alone, carried = tmp_path / "alone", tmp_path / "carried"
    alone.mkdir()
    carried.mkdir()
    plain, _, said = work(alone, CarrySettings())
    assert said == "That is all.\n"
    records, bodies, said = work(carried, CarrySettings(enabled=True, risk=0.9))
    assert said == "That is all.\n"
    assert all(record.fault is None for record in records)
    edits = [edit for body in bodies for edit in (body.get("context_management") or {}).get("edits", ())]
    assert any(edit["type"].startswith("clear_tool_uses_") for edit in edits)
    assert sum(one.cost for one in records) < 0.95 * sum(one.cost for one in plain)


@pytest.mark.filterwarnings("ignore:scrimp. an answer began with a summary:scrimp.errors.ScrimpWarning")
@pytest.mark.parametrize("restore", [True, False])
def test_a_summary_that_claude_code_keeps_hollow(restore: bool, tmp_path: Path) -> None:
    """It sends the compaction block back, but without its words, and never asks for the beta it needs."""
    settings = CarrySettings(enabled=True, risk=1.0, exclude_tools=("Read",), compact=True, restore=restore)
    records, bodies, said = work(tmp_path, settings)
    assert said == "That is all.\n"
    assert all(record.fault is None for record in records)
    [at, *_] = [n for n, record in enumerate(records) if len(record.usage.iterations or ()) == 2]
    blocks = [block for message in bodies[-1]["messages"] for block in message["content"]]
    words = [
        block["content"] for block in blocks if isinstance(block, dict) and block["type"] == "compaction"
    ]
    assert [bool(one) for one in words] == [restore]
    before, after = records[at - 1].usage.total_input, records[at + 1].usage.total_input
    assert (after < before) is restore
