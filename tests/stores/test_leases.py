"""Leases: one of many does what all were about to do, and nobody waits for the dead."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from scrimp.errors import StoreError
from scrimp.stores.leases import Claim, Leases, home_leases

KEY, OTHER = b"k" * 16, b"o" * 16
CHILD = """
import sys
from scrimp.stores.leases import Leases
leases = Leases(sys.argv[1])
print(sum(leases.claim(n.to_bytes(2), sys.argv[2], now=1, warm_beyond=1).taken for n in range(50)))
"""

FORK = """
import os, sys
from scrimp.stores.leases import Leases
leases = Leases(sys.argv[1])
def taken(name):
    print(name, leases.claim(b"key", name, now=1, warm_beyond=1).taken, flush=True)
leases.claim(b"key", "parent", now=1, warm_beyond=1)
if os.fork() == 0:
    taken("child")
    os._exit(0)
os.wait()
taken("parent")
"""


@pytest.fixture
def leases(tmp_path: Path) -> Leases:
    return Leases(tmp_path / "leases.sqlite", lease_seconds=10)


def claim(leases: Leases, holder: str, now: float, *, key: bytes = KEY, margin: float = 30) -> Claim:
    return leases.claim(key, holder, now=now, warm_beyond=now + margin)


def test_one_holds_and_the_others_are_told_until_when(leases: Leases) -> None:
    assert claim(leases, "a", 100).taken
    assert claim(leases, "b", 101) == Claim(taken=False, held_until=110)
    assert claim(leases, "b", 101, key=OTHER).taken
    assert claim(leases, "a", 105).taken


def test_a_lease_given_back_or_run_out_is_free(leases: Leases) -> None:
    claim(leases, "a", 100)
    leases.release(KEY, "a")
    assert claim(leases, "b", 101).taken
    assert claim(leases, "c", 112).taken
    leases.release(KEY, "b")
    assert not claim(leases, "d", 113).taken


def test_what_is_warm_needs_no_lease_until_shortly_before_the_end(leases: Leases) -> None:
    claim(leases, "a", 100)
    leases.warmed(KEY, "a", 400)
    assert claim(leases, "b", 101) == Claim(taken=False, warm_until=400)
    assert claim(leases, "b", 370).taken
    assert claim(leases, "c", 371) == Claim(taken=False, held_until=380, warm_until=400)


def test_one_who_was_late_warms_without_taking_the_lease_of_another(leases: Leases) -> None:
    claim(leases, "slow", 100)
    assert claim(leases, "quick", 111).taken
    leases.warmed(KEY, "slow", 130)
    assert claim(leases, "third", 112).held_until == 121
    leases.warmed(KEY, "quick", 120)
    assert claim(leases, "third", 113, margin=5) == Claim(taken=False, warm_until=130)


def test_of_many_threads_one_gets_the_lease(leases: Leases) -> None:
    taken: list[str] = []
    gate = threading.Barrier(8)

    def work(name: str) -> None:
        gate.wait()
        if claim(leases, name, 100).taken:
            taken.append(name)

    threads = [threading.Thread(target=work, args=(f"{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1


def test_of_many_processes_one_gets_each_lease(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path / "leases.sqlite")]
    children = [subprocess.Popen([*command, f"{n}"], stdout=subprocess.PIPE, text=True) for n in range(4)]
    got = [int(child.communicate(timeout=60)[0]) for child in children]
    assert sum(got) == 50


def test_what_is_long_past_is_forgotten(leases: Leases) -> None:
    leases.warmed(OTHER, "a", 500)
    claim(leases, "a", 500 + 86_401)
    assert claim(leases, "b", 100, key=OTHER, margin=0).taken


def test_a_child_after_a_fork_uses_the_same_leases(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORK, str(tmp_path / "leases.sqlite")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["child", "False", "parent", "True"]


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"^{tmp_path}: it cannot be opened"):
        claim(Leases(tmp_path), "a", 1)


def test_there_is_one_table_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path / "home"))
    assert home_leases() is home_leases()
    assert claim(home_leases(), "a", 100).taken
    assert [path.name for path in (tmp_path / "home").glob("*.sqlite")] == ["leases.sqlite"]
