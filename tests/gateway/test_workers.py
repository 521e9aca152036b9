"""Several workers behind one port: one gateway to everybody outside, and to the money."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import anthropic
import pytest

from scrimp.core.worst_case import worst_case
from scrimp.emulator import Agent, Emulator
from scrimp.facts.models import default
from tests.gateway.doors import MODEL, ask
from tests.gateway.served import Served, served
from tests.gateway.test_fanout_through import marked
from tests.patience import PATIENCE, HeldBack, eventually

BUDGET = """
[fanout]
enabled = false

[[budget]]
scope = "organisation"
amount = "{amount}"
alert_at = [10]
"""
"""Nobody waits for another's prefix, so that all of them ask for money at once."""


PATIENT = """
[fanout]
timeout = 300
second = "0.000001"
"""
"""Whoever waits for another's prefix does so until it is there."""

WARM = """
[[warm]]
name = "brief"
request = "warm.json"
calls_per_hour = 6000

[timeouts]
drain = 300
"""


def at_once(gateway: Served, bodies: list[dict[str, Any]], pool: ThreadPoolExecutor) -> list[Future[str]]:
    """Send every request by a client of its own, so that each has a connection; how they end."""

    def one(body: dict[str, Any]) -> str:
        with gateway.sdk(max_retries=0, timeout=4 * PATIENCE) as client:
            try:
                return client.messages.create(**body).id
            except anthropic.APIStatusError as error:
                return str(error.status_code)

    return [pool.submit(one, body) for body in bodies]


def balanced(gateway: Served) -> None:
    """Each call that was billed is in the ledger once, at what it was billed."""
    kept = Counter(record.message_id for record in gateway.records())
    assert set(kept.values()) <= {1}
    assert set(kept) == {billed.message_id for billed in gateway.emulator.bill}
    assert sum(record.cost for record in gateway.records()) == gateway.emulator.total


def test_of_8_at_once_over_two_workers_one_writes_and_7_read(tmp_path: Path) -> None:
    emulator = HeldBack(times=1)
    with (
        served(tmp_path, emulator, "--workers", "2", settings=PATIENT) as gateway,
        ThreadPoolExecutor(8) as pool,
    ):
        asked = at_once(gateway, [marked(f"Question {n}?") for n in range(8)], pool)
        eventually(lambda: gateway.metric("scrimp_following") == 7)
        emulator.may_answer.set()
        ended = [one.result() for one in asked]
        eventually(lambda: gateway.metric("scrimp_requests_total") == 8)
        page = gateway.page("/metrics")
        assert gateway.ready()
        gateway.stop()
        balanced(gateway)
        assert "Traceback" not in gateway.log()
    assert len(set(ended)) == 8
    usages = [billed.usage for billed in emulator.bill]
    assert sum(usage.cache_creation_input_tokens > 4_000 for usage in usages) == 1
    assert sum(usage.cache_read_input_tokens > 4_000 for usage in usages) == 7
    assert 'scrimp_fanout_total{end="read"} 7\n' in page


def test_a_worker_that_crashes_begins_anew_and_nobody_waits_for_what_it_was_writing(tmp_path: Path) -> None:
    emulator = HeldBack(Agent(), times=1)
    with (
        served(tmp_path, emulator, "--workers", "2", settings=PATIENT) as gateway,
        ThreadPoolExecutor(2) as pool,
        ExitStack() as lines,
    ):
        assert gateway.metric("scrimp_requests_total") == 0
        [leader] = at_once(gateway, [marked("First?")], pool)
        eventually(lambda: emulator.held == 1)
        before = gateway.workers()
        [dies] = [pid for pid in before if _holds_the_upstream(pid, gateway)]
        [lives] = set(before) - {dies}
        line = _line_to(lives, gateway, lines)
        follower = pool.submit(_sent_on, line, marked("Second?"))
        eventually(lambda: gateway.metric("scrimp_following") == 1)
        os.kill(dies, signal.SIGKILL)
        assert follower.result(2 * PATIENCE).startswith("msg_")
        with pytest.raises(anthropic.APIConnectionError):
            leader.result(2 * PATIENCE)
        eventually(lambda: len(gateway.workers()) == 2 and gateway.ready())
        assert set(gateway.workers()) != set(before)
        eventually(lambda: gateway.metric("scrimp_requests_total") == 1)
        assert 'scrimp_fanout_total{end="lead"} 1\n' in gateway.page("/metrics")
        os.kill(lives, signal.SIGKILL)
        eventually(lambda: not set(gateway.workers()) & set(before) and gateway.ready())
        assert gateway.metric("scrimp_requests_total") == 1  # what the dead had counted is not forgotten
        with gateway.sdk() as client:
            client.messages.create(**ask("And now?"))
        eventually(lambda: gateway.metric("scrimp_requests_total") == 2)
        assert gateway.stop() == 0
        messages = Counter(record.message_id for record in gateway.records())
        assert {billed.message_id for billed in emulator.bill} == set(messages)
        assert set(messages.values()) == {1}
        told = [line["message"] for line in gateway.said("message") if "unexpectedly" in line["message"]]
    assert len(told) == 2
    assert all("(-9)" in text for text in told)


def _holds_the_upstream(pid: int, gateway: Served) -> bool:
    """Whether a process has a connection to the emulator."""
    return _holds(pid, remote=int(gateway.emulator.url.rpartition(":")[2]))


def _holds(pid: int, *, remote: int, local: int | None = None) -> bool:
    """Whether a process has a connection to this port, from that one."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    ends = [(int(fields[1][9:], 16), int(fields[2][9:], 16), fields[9]) for fields in map(str.split, lines)]
    sockets = {inode for ours, theirs, inode in ends if theirs == remote and local in (None, ours)}
    links = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            links.append(str(link.readlink()))
    return any(link.removeprefix("socket:[").rstrip("]") in sockets for link in links)


def _line_to(pid: int, gateway: Served, lines: ExitStack) -> HTTPConnection:
    """A connection that was dealt to this worker; those that another one got stay open: it has more then."""
    port = int(gateway.url.rpartition(":")[2])
    while True:
        line = lines.enter_context(closing(HTTPConnection("127.0.0.1", port, timeout=4 * PATIENCE)))
        line.connect()
        own = line.sock.getsockname()[1]
        holds = partial(_holds, remote=own, local=port)
        eventually(lambda: any(holds(worker) for worker in gateway.workers()))  # noqa: B023 - at once
        if holds(pid):
            return line


def _sent_on(line: HTTPConnection, body: dict[str, Any]) -> str:
    """The id of the answer."""
    line.request("POST", "/v1/messages", json.dumps(body), {"x-api-key": "sk-test"} | VERSION)
    return str(json.loads(line.getresponse().read())["id"])


VERSION = {"anthropic-version": "2023-06-01", "content-type": "application/json"}


def test_one_budget_holds_over_all_workers_and_its_alerts_are_told_once(tmp_path: Path) -> None:
    body = ask("How far?", model=MODEL)
    facts = default()
    most = worst_case(body, facts.resolve(MODEL), facts=facts, at=time.time()).amount
    amount = 6 * most
    settings = BUDGET.format(amount=f"{amount // 10**12}.{amount % 10**12:012d}")
    emulator = HeldBack()
    with (
        served(tmp_path, emulator, "--workers", "3", settings=settings) as gateway,
        ThreadPoolExecutor(16) as pool,
    ):
        asked = at_once(gateway, [body] * 16, pool)
        eventually(lambda: sum(one.done() for one in asked) + emulator.held == 16)
        emulator.may_answer.set()
        ended = Counter("402" if one.result() == "402" else "sent" for one in asked)
        eventually(lambda: gateway.metric("scrimp_budget_refusals_total") == ended["402"])
        gateway.stop()
        balanced(gateway)
        [standing] = gateway.standings(time.time())
        told = [line["message"] for line in gateway.said("message") if line["source"] == "scrimp.alerts"]
    assert 4 <= ended["sent"] <= 6  # all at once, so that each needs its worst case; a plan may need more
    assert ended["402"] == 16 - ended["sent"]
    assert standing.spent == emulator.total <= amount
    assert (standing.held, standing.overrun) == (0, 0)
    assert len(gateway.said("refused")) == ended["402"]
    assert sum("10 %" in text for text in told) == 1
    assert sum(text.startswith("scrimp: budget exceeded") for text in told) == 1


def test_told_to_stop_even_with_its_whole_group_it_finishes_what_is_under_way(tmp_path: Path) -> None:
    emulator = HeldBack(after=1)
    (tmp_path / "warm.json").write_text(json.dumps({"model": MODEL, "system": "Be brief. " * 3_000}))
    with (
        served(tmp_path, emulator, "--workers", "2", settings=WARM) as gateway,
        ThreadPoolExecutor(5) as pool,
    ):
        eventually(lambda: gateway.metric("scrimp_requests_total") == 1)  # that which warms
        calls = at_once(gateway, [ask(f"{n}") for n in range(5)], pool)
        eventually(lambda: gateway.metric("scrimp_in_flight") == 5)
        for pid in gateway.workers():
            os.kill(pid, signal.SIGINT)  # as a terminal does
        gateway.process.send_signal(signal.SIGINT)
        eventually(lambda: "stopping" in gateway.log())
        assert not gateway.ready()
        emulator.may_answer.set()
        assert all(one.result().startswith("msg_") for one in calls)
        assert gateway.process.wait(PATIENCE) == 0
        balanced(gateway)
        log = gateway.log()
        warmed = [record for record in gateway.records() if record.tags.task_type == "warm-up"]
    assert len(warmed) == 1  # by one of them, though both were told to
    assert "5 calls under way are waited for" in log
    assert "Traceback" not in log


def test_without_its_supervisor_a_worker_ends_and_writes_down_what_it_has(tmp_path: Path) -> None:
    emulator, drain = HeldBack(), "[timeouts]\ndrain = 300\n"
    with (
        served(tmp_path, emulator, "--workers", "2", settings=drain) as gateway,
        ThreadPoolExecutor(4) as pool,
    ):
        workers = gateway.workers()
        calls = at_once(gateway, [ask(f"{n}") for n in range(4)], pool)
        eventually(lambda: gateway.metric("scrimp_in_flight") == 4)
        gateway.process.kill()
        gateway.process.wait(PATIENCE)
        emulator.may_answer.set()
        assert all(one.result().startswith("msg_") for one in calls)
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
        balanced(gateway)


def test_workers_that_cannot_start_end_the_gateway_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif 'spawn_main' in str(sys.orig_argv): raise SystemExit(7)\n", encoding="utf-8"
    )
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(tmp_path), before]))
    try:
        with served(tmp_path, Emulator(), "--workers", "2", ready=False) as gateway:
            assert gateway.process.wait(PATIENCE) != 0
            assert "could not start" in gateway.log()
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before
