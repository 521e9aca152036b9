"""What calls teach outlives the process: the real SDK, against the emulator, in processes of their own."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest

import scrimp
from scrimp.core.learned import Snapshot
from scrimp.emulator import Emulator, Scripted
from scrimp.emulator.clock import Clock
from scrimp.errors import ScrimpWarning
from scrimp.stores.learned import LearnedStore
from scrimp.stores.memory import MemoryLedger
from tests.forks import Forks

AGENTS = Path(__file__).with_name("agents.py")
FORK = """
import os, sys, threading
from scrimp.facts.models import default
from scrimp.office.remembering import Remembering

clock = [1_790_000_000.0]
remembering = Remembering(default(), lambda: clock[0], place=sys.argv[1])

def call(label):
    workspace = remembering.workspace()
    long = f"{label} calls. " * 3_000  # what is too short for the cache teaches nothing
    body = {"model": "claude-haiku-4-5", "max_tokens": 1, "messages": [{"role": "user", "content": long}]}
    with remembering.lock:
        workspace.plan(body, clock[0], label=label)
    clock[0] += 10.0
    remembering.call_ended()

def busy():
    while not done.is_set():
        call("thread")

done = threading.Event()
threads = [threading.Thread(target=busy) for _ in range(4)]
for thread in threads:
    thread.start()
for number in range(10):
    child = os.fork()
    if not child:
        call(f"child {number}")
        call("after")
        remembering.ended()
        remembering._store.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
done.set()
for thread in threads:
    thread.join()
"""
NOW = 1_790_000_000
LATER = NOW + 10 * 86_400
SYSTEM = "You are a careful assistant. " * 900


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(Scripted(["ok"]), clock=Clock(NOW), now_header=True) as running:
        yield running


class Process:
    """What a process of `agents.py` is given, and where its home is."""

    def __init__(self, emulator: Emulator, forks: Forks, tmp_path: Path) -> None:
        self.url = emulator.url
        self.forks = forks
        self.home = tmp_path / "home"
        self.file = tmp_path / "learned.sqlite"

    def run(self, place: str, now: float, calls: int) -> tuple[dict[str, int], str]:
        """So many single calls and conversations; returns what the first ones wrote, and the warnings."""
        numbers = (f"{now}", f"{calls}", f"{calls}")
        env = os.environ | {"SCRIMP_HOME": str(self.home)}
        done = self.forks.run(AGENTS, self.url, place, *numbers, env=env)
        done.check_returncode()
        return json.loads(done.stdout), done.stderr


@pytest.fixture
def process(emulator: Emulator, forks: Forks, tmp_path: Path) -> Process:
    return Process(emulator, forks, tmp_path)


def test_the_next_process_places_its_first_markers_by_what_was_learned(process: Process) -> None:
    place = str(process.file)
    first, told = process.run(place, NOW, 12)
    assert first["sorter"] > 9_000  # an agent with tools usually goes on
    assert first["talker"] == 0  # a bare question usually does not
    second, told_then = process.run(place, LATER, 1)
    assert second["sorter"] == 0
    assert second["talker"] > 9_000
    assert told == told_then == ""
    assert not process.home.exists()


def test_by_default_it_is_kept_in_the_home_folder_up_to_the_last_call(process: Process) -> None:
    process.run("home", NOW, 2)
    assert {path.name for path in process.home.glob("*.sqlite")} == {"ledger.sqlite", "learned.sqlite"}
    learned = LearnedStore(process.home / "learned.sqlite").load()
    assert {key.split("\x1f")[0] for key in learned.horizon.continuing} == {"", "sorter", "talker"}
    assert learned.ratios["claude-haiku-4-5"].bills == 2 * 1 + 2 * 4


@pytest.mark.parametrize("place", ["memory", "nowhere"])
def test_a_ledger_in_memory_leaves_no_file(process: Process, place: str) -> None:
    _, told = process.run(place, NOW, 2)
    assert told == ""
    assert not process.home.exists()
    assert not process.file.exists()


def test_a_damaged_file_costs_one_warning_and_what_was_in_it(process: Process) -> None:
    process.file.write_bytes(b"no database" * 1000)
    first, told = process.run(str(process.file), NOW, 2)
    assert first["sorter"] > 9_000
    assert told.count("ScrimpWarning") == 1
    assert "was damaged" in told
    assert LearnedStore(process.file).load().horizon.continuing


def test_a_place_that_cannot_be_used_costs_one_warning(process: Process, tmp_path: Path) -> None:
    first, told = process.run(str(tmp_path), NOW, 3)
    assert first["sorter"] > 9_000
    assert told.count("ScrimpWarning") == 1
    assert "what earlier processes learned could not be read" in told


def ask(client: anthropic.Anthropic, text: str) -> None:
    client.messages.create(
        model="claude-haiku-4-5",
        max_tokens=64,
        system=SYSTEM,
        messages=[{"role": "user", "content": text}],
    )


def client_of(emulator: Emulator, **options: Any) -> anthropic.Anthropic:
    middleware = scrimp.Middleware(ledger=MemoryLedger(), clock=emulator.clock.now, **options)
    return anthropic.Anthropic(base_url=emulator.url, api_key="key", middleware=[middleware], max_retries=0)


def waits(path: Path) -> float:
    """How many waits of prompts with a system prompt the file knows of."""
    counts = LearnedStore(path).load().horizon.continuing.get("\x1fsystem")
    return counts.reached[0] if counts else 0.0


@pytest.mark.parametrize("mode", ["observe"])
def test_a_process_that_runs_on_saves_soon_and_then_once_a_minute(
    emulator: Emulator, tmp_path: Path, mode: str
) -> None:
    path = tmp_path / "learned.sqlite"
    with client_of(emulator, mode=mode, learned=path) as client:
        found = []
        for second in range(0, 164, 4):
            emulator.clock.set(NOW + second)
            ask(client, f"question {second}")
            found.append(waits_when_settled(path))
    saves = [4 * n for n in range(1, len(found)) if found[n] != found[n - 1]]
    assert saves == [8, 20, 40, 80, 140]


def waits_when_settled(path: Path) -> float:
    """The writer's thread is given the time to write what it was handed."""
    for thread in threading.enumerate():
        if thread.name == f"scrimp {path}":
            thread.join()
    return waits(path)


def test_a_middleware_that_is_let_go_saves_what_is_new(emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "learned.sqlite"
    client = client_of(emulator, learned=path)
    for second in range(4):
        emulator.clock.set(NOW + second)
        ask(client, f"question {second}")
    assert waits_when_settled(path) == 0
    client.close()
    del client
    gc.collect()
    assert waits_when_settled(path) == pytest.approx(2, abs=0.1)  # two questions are two seconds old


def test_nothing_new_is_not_saved_again(emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "learned.sqlite"
    store = LearnedStore(path)
    client = client_of(emulator, learned=path)
    for second in (0, 100):
        emulator.clock.set(NOW + second)
        ask(client, f"question {second}")
    waits_when_settled(path)
    before = store.load()
    assert before != Snapshot()
    path.unlink()
    client.close()
    del client
    gc.collect()
    waits_when_settled(path)
    assert not path.exists()


def test_many_threads_first_call_at_once(emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "learned.sqlite"
    with client_of(emulator, learned=path) as client, warnings.catch_warnings():
        warnings.simplefilter("error", ScrimpWarning)
        gate = threading.Barrier(8)

        def call(number: int) -> None:
            gate.wait()
            ask(client, f"question {number}")

        threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        emulator.clock.set(NOW + 10)
        ask(client, "the last one")
    assert waits_when_settled(path) == pytest.approx(8, abs=0.2)


def test_children_after_a_fork_learn_and_save_as_well(tmp_path: Path) -> None:
    path = tmp_path / "learned.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", FORK, path], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    labels = {key.split("\x1f")[0] for key in LearnedStore(path).load().horizon.continuing}
    assert labels >= {"thread", *(f"child {number}" for number in range(10))}


def test_how_soon_a_prefix_is_used_again_is_told_as_learned() -> None:
    clock = Clock(1_795_000_000.0)
    with Emulator(clock=clock) as emulator:
        middleware = scrimp.Middleware(ledger=MemoryLedger(), clock=clock.now)
        client = anthropic.Anthropic(base_url=emulator.url, api_key="key", middleware=[middleware])
        stable: dict[str, Any] = {"model": "claude-sonnet-5-5", "system": "Answer briefly. " * 900}
        with scrimp.run("desk", agent="desk"):
            for number in range(20):
                question = {"role": "user", "content": f"Question {number}?"}
                client.messages.create(**stable, max_tokens=50, messages=[question])
                clock.advance(400.0)
        client.close()
    gaps = middleware.gaps(stable, "desk")
    assert gaps(300.0) < 0.2
    assert gaps(600.0) > 0.7
