"""The pytest plugin as users meet it: suites in a pytest of their own, and what their failures say."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from scrimp.testing import pytest_plugin
from tests.forks import Forks
from tests.suites import run_pytest

pytest_plugins = ["pytester"]

PROJECT = Path(__file__).parents[2]
STRICT = ("-W", "error", "--strict-markers")
Run = Callable[..., pytest.RunResult]

AGENT = """
import json, os, urllib.request

TOOL = {"name": "ls", "description": "List files.", "input_schema": {"type": "object", "properties": {}}}
BODY = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 300,
    "system": [{"type": "text", "text": "Be kind. " * 400, "cache_control": {"type": "ephemeral"}}],
    "messages": [{"role": "user", "content": "What is here?"}],
}

def loop(client, **more):
    "An agent of the plain SDK: asks until no tool is wanted any more."
    messages = list(BODY["messages"])
    while True:
        answer = client.messages.create(**{**BODY, "messages": messages, "tools": [TOOL], **more})
        calls = [block for block in answer.content if block.type == "tool_use"]
        if not calls:
            return answer
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": "a.py"} for call in calls]
        messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]

def bare_hands():
    "An agent without any SDK."
    request = urllib.request.Request(
        os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages",
        json.dumps(BODY).encode(),
        {
            "content-type": "application/json",
            "x-api-key": os.environ["ANTHROPIC_API_KEY"],
            "anthropic-version": "2023-06-01",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)

if __name__ == "__main__":
    print(bare_hands()["content"][0]["text"])
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with an agent in it, where keys, settings and proxies of this machine mean nothing."""
    for name in ("PYTEST_ADDOPTS", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "a token of the user")
    pytester.makepyfile(agent=AGENT)
    return pytester


@pytest.fixture
def run(suite: pytest.Pytester, forks: Forks) -> Run:
    """A pytest on that folder."""
    return partial(run_pytest, forks, suite.path, *STRICT)


def test_the_plugin_comes_with_the_package_and_costs_nothing_until_it_is_used() -> None:
    (found,) = [point for point in entry_points(group="pytest11") if point.name == "scrimp"]
    listing = (
        f"import sys, {found.value}\n"
        "heavy = 'anthropic msgspec orjson uvicorn kitoken sqlite3 rich scrimp.core scrimp.emulator'\n"
        "print(*sorted(set(heavy.split()) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_the_page_names_every_fixture() -> None:
    page = (PROJECT / "docs" / "testing.md").read_text(encoding="utf-8")
    table = page.split("## Fixtures")[1].split("## ")[0]
    named = set(re.findall(r"`(scrimp_\w+)`", table))
    assert named == {name for name in vars(pytest_plugin) if name.startswith("scrimp_")}


def test_scrimp_works_where_pytest_is_not_installed() -> None:
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "from scrimp.testing import Recording, assert_cost, assert_no_bust\n"
        "print(assert_cost)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "function assert_cost" in done.stdout


def test_agents_under_test_talk_to_the_emulator(suite: pytest.Pytester, run: Run) -> None:
    suite.makepyfile(
        """
        import asyncio, os, subprocess, sys, time
        import anthropic, pytest, scrimp
        from scrimp.emulator import tool_use
        from scrimp.testing import assert_cache_read_share, assert_cost
        import agent

        def test_the_sdk_through_scrimp(scrimp_client, scrimp_run, scrimp_ledger):
            assert agent.loop(scrimp_client).content[0].text.startswith("Done after 1 tool calls")
            assert len(scrimp_run.calls) == 2
            written = [record.cost for record in scrimp_ledger.records()]
            assert written == [call.billed.cost for call in scrimp_run.calls]
            assert_cost(scrimp_run) <= "0.02"
            "0.0001" < assert_cost(scrimp_run) <= "0.02"
            assert_cache_read_share(scrimp_run) > 0.4

        def test_the_sdk_alone(scrimp_bare_client, scrimp_run, scrimp_ledger):
            agent.loop(scrimp_bare_client)
            assert len(scrimp_run.calls) == 2
            assert list(scrimp_ledger.records()) == []

        def test_asyncio(scrimp_async_client, scrimp_bare_async_client, scrimp_run):
            async def many(client):
                await asyncio.gather(*(client.messages.create(**agent.BODY) for _ in range(5)))
                async with client.messages.stream(**agent.BODY) as stream:
                    await stream.get_final_message()
            for client in (scrimp_async_client, scrimp_async_client, scrimp_bare_async_client):
                asyncio.run(many(client))
            assert len(scrimp_run.calls) == 18

        def test_a_client_the_agent_makes_itself(scrimp_url, scrimp_run):
            client = anthropic.Anthropic(middleware=[scrimp.Middleware()])
            assert str(client.base_url).rstrip("/") == scrimp_url
            agent.loop(client)
            client.close()
            assert len(scrimp_run.calls) == 2

        def test_an_agent_in_another_process(scrimp_url, scrimp_run):
            for _ in range(5):
                said = subprocess.check_output([sys.executable, "agent.py"], text=True)
                assert said.startswith("Done")
            assert_cache_read_share(scrimp_run) >= 0.7
            assert_cost(scrimp_run) <= "0.01"

        @pytest.mark.parametrize("scrimp_replies", [["First.", "Second."]])
        def test_a_script(scrimp_client):
            said = [scrimp_client.messages.create(**agent.BODY).content[0].text for _ in range(3)]
            assert said == ["First.", "Second.", "Second."]

        class TestScripted:
            @pytest.fixture
            def scrimp_replies(self):
                return [tool_use("ls"), tool_use("ls"), "Enough."]

            def test_tools(self, scrimp_client, scrimp_run):
                assert agent.loop(scrimp_client).content[0].text == "Enough."
                assert len(scrimp_run.calls) == 3

        def test_answers_change_during_a_test(scrimp_bare_client, scrimp_emulator):
            scrimp_emulator.reply(lambda body: body["messages"][-1]["content"].upper())
            assert scrimp_bare_client.messages.create(**agent.BODY).content[0].text == "WHAT IS HERE?"

        def test_the_clock_moves_when_told(scrimp_bare_client, scrimp_clock, scrimp_run):
            assert abs(scrimp_clock.now() - time.time()) < 60
            for pause in (0, 299, 301):
                scrimp_clock.advance(pause)
                scrimp_bare_client.messages.create(**agent.BODY)
            read = [call.billed.usage.cache_read_input_tokens for call in scrimp_run.calls]
            assert [bool(tokens) for tokens in read] == [False, True, False]

        def test_every_test_starts_anew(scrimp_client, scrimp_run):
            assert scrimp_run.calls == []
            scrimp_client.messages.create(**agent.BODY)
            with scrimp_run.part("the second") as part:
                scrimp_client.messages.create(**agent.BODY)
            assert assert_cache_read_share(part) > 0.9

        def test_nothing_is_left_behind(request):
            assert os.environ.get("ANTHROPIC_BASE_URL") is None
            assert os.environ["ANTHROPIC_AUTH_TOKEN"] == "a token of the user"
            assert os.environ["http_proxy"] == "http://127.0.0.1:9"
        """
    )
    run().assert_outcomes(passed=11)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_an_agent_in_javascript(suite: pytest.Pytester, run: Run) -> None:
    suite.path.joinpath("agent.mjs").write_text(
        """
        const { ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY } = process.env
        const text = "Be kind. ".repeat(400)
        for (let turn = 0; turn < 4; turn++) {
          const response = await fetch(`${ANTHROPIC_BASE_URL}/v1/messages`, {
            method: "POST",
            headers: {
              "content-type": "application/json",
              "x-api-key": ANTHROPIC_API_KEY,
              "anthropic-version": "2023-06-01",
            },
            body: JSON.stringify({
              model: "claude-sonnet-5-5",
              max_tokens: 100,
              system: [{ type: "text", text, cache_control: { type: "ephemeral" } }],
              messages: [{ role: "user", content: `Question ${turn}` }],
            }),
          })
          if (!response.ok) throw new Error(await response.text())
        }
        """
    )
    suite.makepyfile(
        """
        import subprocess
        from scrimp.testing import assert_cache_read_share

        def test_javascript(scrimp_url, scrimp_run):
            subprocess.run(["node", "agent.mjs"], check=True)
            assert len(scrimp_run.calls) == 4
            assert_cache_read_share(scrimp_run) >= 0.7
        """
    )
    run().assert_outcomes(passed=1)


def test_failures_say_what_happened(
    suite: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)  # with it pytest's closing lines repeat every failure whole
    suite.makepyfile(
        """
        from scrimp.testing import assert_cache_read_share, assert_cost, assert_no_bust
        import agent

        def test_dear(scrimp_bare_client, scrimp_run):
            agent.loop(scrimp_bare_client)
            assert_cost(scrimp_run) <= "0.0001"

        def test_with_assert_in_front(scrimp_bare_client, scrimp_run):
            agent.loop(scrimp_bare_client)
            assert assert_cost(scrimp_run) <= "0.0001"

        def test_share(scrimp_bare_client, scrimp_run):
            scrimp_bare_client.messages.create(**agent.BODY)
            assert_cache_read_share(scrimp_run) >= 0.8

        def test_clock_in_the_prefix(scrimp_bare_client, scrimp_run):
            for second in range(3):
                system = f"It is 12:00:0{second}. " + agent.BODY["system"][0]["text"]
                marked = [{**agent.BODY["system"][0], "text": system}]
                scrimp_bare_client.messages.create(**{**agent.BODY, "system": marked})
            assert_no_bust(scrimp_run)

        def test_nothing_billed(scrimp_run):
            assert_cost(scrimp_run) <= "0.02"

        def test_float(scrimp_bare_client, scrimp_run):
            agent.loop(scrimp_bare_client)
            assert_cost(scrimp_run) <= 0.02
        """
    )
    result = run()
    result.assert_outcomes(failed=6)
    said = result.stdout.str()
    assert (
        len(re.findall(r"this run cost \$0\.0\d+, more than \$0\.0001: \$0\.0\d+ over, 2 calls", said)) == 2
    )
    assert re.search(r"E +1  claude-sonnet-5-5 +[\d,]+ +[\d,]+ +0 +0 +\d+  \$0\.0", said)
    assert re.search(
        r"this run read 0 % of its input from the cache, less than 80 %: 0 of [\d,]+ tokens, 1 call", said
    )
    assert "this run: no call was billed, so there is nothing to assert on. No request arrived" in said
    assert '0.02 is no exact amount of US dollars: write it as a string, like "0.02"' in said
    assert "timestamp in the prefix at system.0" in said
    assert "the same of call 3: $0.0" in said
    # The user's line is shown, not the inside of scrimp.
    assert '>       assert_cost(scrimp_run) <= "0.0001"' in said
    assert "asserts.py" not in said


def test_snapshots_of_prompts(suite: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.makepyfile(
        """
        import os
        import agent

        def test_prefix(scrimp_prompt_snapshot):
            tools = [agent.TOOL] if "EDITED" not in os.environ else [{**agent.TOOL, "description": "Lists."}]
            scrimp_prompt_snapshot({**agent.BODY, "tools": tools})
        """
    )
    run("--scrimp-update-snapshots").assert_outcomes(passed=1)
    (kept,) = (suite.path / "prompt_snapshots").iterdir()
    assert kept.name == "test_snapshots_of_prompts.test_prefix.json"
    monkeypatch.setenv("EDITED", "1")
    edited = run()
    edited.assert_outcomes(failed=1)
    said = edited.stdout.str()
    assert re.search(r"changed  tools\.0 \(ls\), \d+ → \d+ tokens, now begins “Lists\.”", said)
    assert "tiers of the cache lost: tools, system, messages." in said
    assert "snapshot_file.py" not in said


def test_workers_side_by_side(suite: pytest.Pytester, run: Run) -> None:
    suite.makepyfile(
        """
        import pytest, agent

        @pytest.mark.parametrize("number", range(4))
        def test_many(number, scrimp_client, scrimp_run, scrimp_prompt_snapshot):
            agent.loop(scrimp_client)
            scrimp_prompt_snapshot(scrimp_run)
            assert len(scrimp_run.calls) == 2
        """
    )
    run("-n", "2", "--scrimp-update-snapshots").assert_outcomes(passed=4)
    assert len(list((suite.path / "prompt_snapshots").iterdir())) == 4
