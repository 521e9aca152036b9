"""Functions for loops of one's own: shortened with a handle, every part of the rest within one fetch."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic.lib.tools import ToolError

from scrimp.core.offload.fetch_tool import DEFINITION, FETCH
from scrimp.core.offload.measuring import tokens_of
from scrimp.emulator import Emulator
from scrimp.errors import InputError, ScrimpWarning, StoreError
from scrimp.fetch_tools import AsyncFetchTool, FetchTool, async_fetch_tool, fetch_tool
from scrimp.shortening import fetch, offload
from scrimp.stores.offload_memory import MemoryOffload

LOG = "\n".join(
    f"10:{at // 60:02}:{at % 60:02} INFO job {at * 7919 % 10_007} of page {at} done" for at in range(1_000)
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def handle_of(text: str) -> str:
    return text.split('handle="')[1][:16]


def test_a_large_text_is_shortened_and_kept(home: Path) -> None:
    short = offload(LOG)
    assert tokens_of(short) <= min(2_000, 0.3 * tokens_of(LOG))
    handle = handle_of(short)
    assert fetch(handle, range="500-510") == "\n".join(LOG.split("\n")[499:510]) + "\n"
    assert fetch(handle, range="chars 11-20") == LOG[10:20]
    assert "of page 333 done" in fetch(handle, query="page 333")
    assert offload(LOG) == short
    assert stat.S_IMODE((home / "offload.sqlite").stat().st_mode) == 0o600


def test_short_texts_and_shortened_ones_stay(home: Path) -> None:
    assert offload("short") == "short"
    short = offload(LOG)
    assert offload(short, over=10) == short
    assert not (home / "nothing").exists()


def test_settings_and_what_is_looked_for() -> None:
    wanted = LOG.split("\n")[640]
    assert wanted not in offload(LOG)
    job = wanted.split("job ")[1].split(" ")[0]
    assert wanted in offload(LOG, looking_for=f"what became of job {job}?")
    assert tokens_of(offload(LOG, most=500)) <= 500
    assert offload(LOG, over=100_000) == LOG
    with pytest.raises(InputError, match="share"):
        offload(LOG, share=0.9)


def test_users_have_their_own_texts() -> None:
    handle = handle_of(offload(LOG, user="anna"))
    assert fetch(handle, range="1", user="anna") == LOG.split("\n")[0] + "\n"
    for user in (None, "ben"):
        assert fetch(handle, range="1", user=user).startswith("Nothing is kept under")
    assert FetchTool(user="anna").call({"handle": handle, "range": "2"}) == LOG.split("\n")[1] + "\n"


def test_mistakes_are_one_line_for_the_model() -> None:
    handle = handle_of(offload(LOG))
    for said in (fetch("nonsense"), fetch("a" * 16), fetch(handle, range="x"), fetch(handle, query="zebra")):
        assert said
        assert "\n" not in said


def test_where_it_cannot_be_kept_the_text_stays_whole_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").write_text("no folder")
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "taken"))
    with pytest.warns(ScrimpWarning, match="left whole"):
        assert offload(LOG) == LOG
    assert "call the tool it came from again" in fetch("a" * 16)


def test_a_summary_is_the_users_own_and_its_failure_is_none_of_the_agents() -> None:
    assert offload(LOG, summarize=lambda _: "All done.").endswith("Summary:\nAll done.")

    def down(text: str) -> str:
        raise ConnectionError(text[:5])

    assert offload(LOG, summarize=down) == offload(LOG)


def test_the_tool_has_a_definition_and_can_be_called() -> None:
    assert fetch_tool.to_dict() == DEFINITION
    assert fetch_tool.name == FETCH
    handle = handle_of(offload(LOG))
    assert fetch_tool.call({"handle": handle, "range": "3"}) == LOG.split("\n")[2] + "\n"
    assert asyncio.run(async_fetch_tool.call({"handle": handle, "range": "3"})) == LOG.split("\n")[2] + "\n"
    with pytest.raises(ToolError, match="no such handle"):
        fetch_tool.call("nonsense")


def speak(body: dict[str, Any]) -> Any:
    """Fetches three lines, then something that is not there, then tells what it read."""
    results = [
        block
        for message in body["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] == "tool_result"
    ]
    if len(results) < 2:
        handle = body["messages"][0]["content"].split('handle="')[1][:16] if not results else "z" * 16
        return [
            {
                "type": "tool_use",
                "id": f"toolu_{len(results)}",
                "name": FETCH,
                "input": {"handle": handle, "range": "7-9"},
            }
        ]
    return repr([(block.get("is_error", False), block["content"]) for block in results])


def said_in(message: Any) -> str:
    return str(message.content[0].text)


@pytest.mark.parametrize("store", [None, MemoryOffload()])
def test_the_sdks_tool_runner_answers_the_model(store: MemoryOffload | None) -> None:
    asked: dict[str, Any] = {"model": "claude-opus-4-8", "max_tokens": 1_000}
    asked["messages"] = [{"role": "user", "content": offload(LOG, store=store)}]
    lines = "\n".join(LOG.split("\n")[6:9]) + "\n"

    def run(url: str) -> str:
        with anthropic.Anthropic(base_url=url, api_key="k") as client:
            runner = client.beta.messages.tool_runner(tools=[FetchTool(store=store)], **asked)
            return said_in(runner.until_done())

    async def run_async(url: str) -> str:
        async with anthropic.AsyncAnthropic(base_url=url, api_key="k") as client:
            runner = client.beta.messages.tool_runner(tools=[AsyncFetchTool(store=store)], **asked)
            return said_in(await runner.until_done())

    with Emulator(speak) as api:
        said = run(api.url)
        assert said == asyncio.run(run_async(api.url))
    [(ok, text), (failed, line)] = eval(said)  # noqa: S307 - our own words
    assert (ok, failed) == (False, True)
    assert (text if isinstance(text, str) else text[0]["text"]) == lines
    assert "Nothing is kept" in str(line)


def test_a_store_that_cannot_be_read_is_told_in_one_line() -> None:
    class Unreadable(MemoryOffload):
        def get(self, keys: Any, now: float) -> Any:
            raise StoreError("offload.sqlite: disk I/O error")

    said = fetch("a" * 16, store=Unreadable())
    assert "cannot be read now" in said
    assert "offload.sqlite" not in said  # where it lies is nothing for the model
    assert "\n" not in said
