"""A process killed in the middle of many calls: what was acknowledged is in the ledger, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from scrimp.emulator import Emulator, Fault, Scripted
from scrimp.stores.sqlite_ledger import SqliteLedger
from tests.patience import eventually

CHILD = """
import asyncio, sys
from itertools import count
import anthropic, scrimp
from scrimp.stores.opening import home_ledger

async def main(url):
    ledger = home_ledger(lambda told: None)
    middleware = scrimp.Middleware(ledger=Acknowledging(ledger))
    numbers = count()
    async with anthropic.AsyncAnthropic(base_url=url, api_key="k", middleware=[middleware]) as client:
        async def until_killed():
            while True:
                messages = [{"role": "user", "content": f"call {next(numbers)}"}]
                await client.messages.create(model="claude-haiku-4-5", max_tokens=16, messages=messages)
        await asyncio.gather(*(until_killed() for _ in range(32)))

class Acknowledging:
    def __init__(self, ledger):
        self.ledger = ledger
        self.budgets = ledger.budgets
    def submit(self, record, settlement=None):
        done = self.ledger.submit(record, settlement)
        done.add_done_callback(lambda future: print(record.message_id, flush=True))
        return done

asyncio.run(main(sys.argv[1]))
"""


def test_no_acknowledged_row_is_lost_and_none_is_there_twice(tmp_path: Path) -> None:
    home = tmp_path / "home"
    told = tmp_path / "acknowledged"
    with Emulator(
        Scripted(["ok"]), faults=[Fault("slow_start", times=None, every=50, seconds=0.05)]
    ) as emulator:
        with told.open("wb") as out:
            child = subprocess.Popen(
                [sys.executable, "-c", CHILD, emulator.url],
                stdout=out,
                env={**os.environ, "SCRIMP_HOME": str(home)},
            )
            try:
                eventually(lambda: told.read_bytes().count(b"\n") >= 200)
            finally:
                child.send_signal(signal.SIGKILL)
                code = child.wait()
        billed = {one.message_id: one.cost for one in emulator.bill}
    acknowledged = told.read_text().splitlines()
    ledger = SqliteLedger(home / "ledger.sqlite")
    kept = [record for record in ledger.records() if record.outcome == "complete"]
    ledger.close()
    counted = Counter(record.message_id for record in kept)
    assert code == -signal.SIGKILL
    assert len(acknowledged) >= 200
    assert set(acknowledged[:-1]) <= set(counted)
    assert set(counted.values()) == {1}
    assert all(record.cost == billed[record.message_id or ""] for record in kept)
