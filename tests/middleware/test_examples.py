"""The SDK's own public examples, unmodified, against the emulator.

They are no part of this repository: `make sdks` fetches the SDK's source archive, and the tests unpack it.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from scrimp.emulator import Agent, Answer, Emulator, Replies, Scripted, tool_use
from tests.forks import Forks

PROJECT = Path(__file__).parents[2]
SDK = "2.11.0"
PYTHON = PROJECT / ".sdks" / SDK / "bin" / "python"
ARCHIVE = PROJECT / ".sdks" / "examples" / f"anthropic-{SDK}.tar.gz"

DONE = "Done after {} tool calls:"
"""How an answer of the emulator's `Agent` begins."""


class Example(NamedTuple):
    """One example: what answers it, what is typed into it, and what it must come to.

    `calls` says of every billed call whether it streams; `prints` is among what it prints.
    """

    calls: list[bool]
    prints: tuple[str, ...]
    replies: Callable[[], Replies] = Agent
    typed: str = ""


WHOLE, STREAM = False, True
ORDER = json.dumps({"product_name": "Green Tea", "price": 5.5, "quantity": 2})
ORDERED = "product_name='Green Tea' price=5.5 quantity=2"
REFUSED = Answer((), stop_reason="refusal")
"""Refused before a word was said: what the SDK asks another model to answer."""


def said(*script: Any) -> Callable[[], Replies]:
    """Answers in this order."""
    return lambda: Scripted(script)


RUN = {
    "fallbacks.py": Example(
        [WHOLE, STREAM, STREAM, WHOLE],
        ("fell back: claude-fable-5-1 -> claude-opus-4-8", "It is fine.", "non-streaming: claude-opus-4-8"),
        said("Hello.", REFUSED, "It is fine."),
    ),
    "images.py": Example([WHOLE], (DONE.format(0),)),
    "memory/basic.py": Example(
        [WHOLE, WHOLE],
        ("[Memory tool called: view]", "[Tool result processed]", "I know nothing yet.", "Goodbye!"),
        said(tool_use("memory", {"command": "view", "path": "/memories"}), "I know nothing yet."),
        typed="What do you remember?\n/debug\n/quit\n",
    ),
    "message_threads.py": Example(
        [WHOLE, STREAM, WHOLE, WHOLE, STREAM, WHOLE, WHOLE, WHOLE],
        ("Five days.", "It arrives tomorrow.", "Write to us.", "Cancelled.", "You are welcome.", "Approved."),
        said(
            "Go ahead.",
            "Five days.",
            tool_use("lookup_order", {"order_id": "4821"}),
            "It arrives tomorrow.",
            "Write to us.",
            "Cancelled.",
            "You are welcome.",
            "Approved.",
        ),
    ),
    "messages.py": Example([WHOLE, WHOLE], (DONE.format(0),)),
    "messages_stream.py": Example([STREAM], ("accumulated message:", DONE.format(0))),
    "structured_outputs.py": Example([WHOLE], (ORDERED,), said(ORDER)),
    "structured_outputs_streaming.py": Example([STREAM], (f"Final parsed order: {ORDERED}",), said(ORDER)),
    "thinking.py": Example([WHOLE], ("Thinking: Step 1", f"Text: {DONE.format(0)}")),
    "thinking_stream.py": Example([STREAM], ("Thinking:\n---------\nStep 1", f"-----\n{DONE.format(0)}")),
    "tools.py": Example([WHOLE, WHOLE], ("Initial response:", "get_weather", DONE.format(1))),
    "tools_runner.py": Example([WHOLE, WHOLE], ("Fetching weather for", DONE.format(1))),
    "tools_runner_deferred_streaming.py": Example(
        [STREAM, STREAM, STREAM], ("delete_file({'path':", "Allow? [y/N]", DONE.format(2)), typed="y\n"
    ),
    "tools_runner_search_tool.py": Example(
        [WHOLE, WHOLE, WHOLE],
        ("Fetching weather for SF in c", "It is sunny."),
        said(
            tool_use("search_available_tools", {"keyword": "weather"}),
            tool_use("get_weather", {"location": "SF", "units": "c"}),
            "It is sunny.",
        ),
    ),
    "tools_stream.py": Example([STREAM], ("delta: ", "snapshot: {'location':")),
    # The emulator does not search: the model answers without it, as it may.
    "web_search.py": Example([WHOLE], (DONE.format(0), "Usage statistics:")),
    "web_search_stream.py": Example([STREAM], (DONE.format(0), "Complete message structure (JSON):")),
}

AGENTS_API = "needs the API of managed agents"
CLOUD = "talks to a cloud with that cloud's keys; the base URL of the environment does not hold for it"
LEFT_OUT = {
    "agents.py": AGENTS_API,
    "agents_comprehensive.py": AGENTS_API,
    "agents_with_files.py": AGENTS_API,
    "azure.py": CLOUD,
    "batch_results.py": "needs the API of message batches",
    "bedrock.py": CLOUD,
    "google_cloud.py": CLOUD,
    "managed-agents-observe-tool-calls.py": AGENTS_API,
    "managed-agents-self-hosted-sandbox-worker.py": AGENTS_API,
    "managed-agents-streaming-deltas-manual.py": AGENTS_API,
    "managed-agents-worker-dispatch.py": AGENTS_API,
    "mcp_tool_runner.py": "starts a server of tools that npm downloads",
    "vertex.py": CLOUD,
    "workload_identity.py": "shows how keys are found; makes no call when run",
}


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the examples, unpacked."""
    if not (PYTHON.exists() and ARCHIVE.exists()):
        pytest.skip(f"the examples of SDK {SDK} are not beside the tests: run `make sdks`")
    folder = tmp_path_factory.mktemp("examples")
    inside = f"anthropic-{SDK}/examples/"
    with tarfile.open(ARCHIVE) as archive:
        members = [member for member in archive if member.name.startswith(inside)]
        archive.extractall(folder, members, filter="data")
    return folder / inside


def test_every_example_is_in_one_of_the_tables(examples: Path) -> None:
    there = {path.relative_to(examples).as_posix() for path in examples.rglob("*.py")}
    assert there == RUN.keys() | LEFT_OUT.keys()
    assert not RUN.keys() & LEFT_OUT.keys()


@pytest.fixture
def forks(examples: Path, forks_of: Callable[..., Forks]) -> Forks:
    """Processes that have the SDK the examples are of."""
    assert examples.is_dir()
    return forks_of(PYTHON, "anthropic", "anthropic.resources.beta", path="")


@pytest.mark.parametrize("name", RUN)
def test_the_example_runs(name: str, examples: Path, forks: Forks, tmp_path: Path) -> None:
    example = RUN[name]
    with Emulator(example.replies()) as emulator:
        # A home and a folder of its own: some keep files, and profiles at home could stand for the key.
        where = {"ANTHROPIC_BASE_URL": emulator.url, "ANTHROPIC_API_KEY": "key", "HOME": str(tmp_path)}
        env = {"PATH": os.environ["PATH"], "COLUMNS": "200", **where}
        done = forks.run(examples / name, env=env, cwd=tmp_path, typed=example.typed)
    assert done.returncode == 0, done.stderr[-3000:]
    assert [one.stream for one in emulator.bill] == example.calls
    for expected in example.prints:
        assert expected in done.stdout
