"""`[offload]`: what is set is what the lever does, and accounts have their own texts."""

from __future__ import annotations

from ast import literal_eval
from pathlib import Path
from typing import Any

import pytest

from scrimp.core.levers import Step
from scrimp.core.offload.measuring import tokens_of
from scrimp.core.record import Tags
from scrimp.facts.models import default
from scrimp.gateway.levers import levers_of
from scrimp.gateway.offload_settings import OffloadSettings, offload_lever
from scrimp.gateway.settings import Settings
from scrimp.offloading import Offload

NOON = 1_795_000_000.0
TEXT = "\n".join(f"{at}: a line that tells of entry number {at * 7919 % 10_007}" for at in range(600))
TOOLS = [{"name": name, "input_schema": {"type": "object"}} for name in ("read", "list")]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def shortened(lever: Offload, tool: str = "read") -> str:
    """A result of the tool as the lever sends it on."""
    use = {"type": "tool_use", "id": "toolu_1", "name": tool, "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": TEXT}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "task"},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    model = default().resolve("claude-opus-4-8")
    sent = ""
    for end in (1, 3):
        body = {"model": model.id, "max_tokens": 1, "tools": TOOLS, "messages": messages[:end]}
        change = lever.change(Step(body=body, model=model, tags=Tags(), now=NOON, look=lambda _: None))
        assert change is not None
        sent = str(change.body["messages"][-1]["content"])
    return sent


def test_it_is_off_unless_it_is_switched_on() -> None:
    assert not OffloadSettings().enabled
    assert not any(isinstance(lever, Offload) for lever in levers_of(Settings(), "an account"))
    on = Settings(offload=OffloadSettings(enabled=True))
    assert sum(isinstance(lever, Offload) for lever in levers_of(on, "an account")) == 1


def test_what_is_set_is_what_it_does(home: Path) -> None:
    assert tokens_of(shortened(offload_lever(OffloadSettings(always=True, most=300), "a"))) < 500
    assert (home / "offload.sqlite").exists()
    whole = shortened(offload_lever(OffloadSettings(always=True, over=50_000), "b"))
    assert TEXT[:500] in literal_eval(whole)[0]["content"]
    excluded = offload_lever(OffloadSettings(always=True, exclude=("list",)), "c")
    assert "[scrimp" not in shortened(excluded, "list")


def test_accounts_have_their_own_texts() -> None:
    one, other = (offload_lever(OffloadSettings(always=True), account) for account in ("one", "other"))
    handle = shortened(one).split('handle="')[1][:16]
    assert one.answer({"handle": handle, "range": "1"}, "").text == TEXT.split("\n")[0] + "\n"
    assert other.answer({"handle": handle, "range": "1"}, "").is_error
    assert not offload_lever(OffloadSettings(), "one").answer({"handle": handle, "range": "1"}, "").is_error
