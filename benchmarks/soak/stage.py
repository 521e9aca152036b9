"""A soak from start to end: fill the gateway, load it with all going wrong, look at its memory and books."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from math import inf
from pathlib import Path

import msgspec

from benchmarks.gateway.contenders import Cores, Proxy, Running, running
from benchmarks.soak.books import audited
from benchmarks.soak.clients import Clients, Ended, fill
from benchmarks.soak.growth import Growth, Sample, growth
from benchmarks.soak.inside import FIGURES, LEAK
from benchmarks.soak.talks import Talks
from scrimp.emulator import Agent, Emulator, Fault
from scrimp.stores.keys import Key, KeyStore

__all__ = [
    "FILLING",
    "JUDGED_SECONDS",
    "LEAST",
    "MOST_RESIDENT",
    "PORT",
    "SETTLING",
    "Outcome",
    "Told",
    "is_judged",
    "judged",
    "soak",
]

FILLING = 90_000
"""Calls after which what a worker remembers is full, the first ten thousand of them of agents met once. Of
the tables that take one entry a call the largest has 50,000 places, for prompts that can be cached, 20,000
for those too short; of those that take one a conversation the largest has 4,000. All others are bounded in
bytes, or take several entries a call."""

JUDGED_SECONDS = 300.0
"""Whether memory is flat is judged in soaks that last so long, and were filled before."""

SETTLING = 60_000
"""Calls of the soak's own load before memory is judged: it brings what the filling does not, streams, errors,
clients that leave, and tables for these fill too."""

LEAST = 10.0
"""Bytes a call: a leak that has to be noticed, 1 KB in a hundred calls."""

MOST_RESIDENT = 30.0
"""Megabytes an hour by which what is resident may grow: what is in use may lie in other places each time."""

PORT = 18_390

_PROJECT = Path(__file__).parents[2]

_USERS = ("u_1", "u_2", "u_3", "u_4")
_EVERY = 1.0
_UPSTREAM_KEY = "upstream-key-of-the-soak"

_FAULTS = (
    Fault("overloaded", times=None, every=17),
    Fault("rate_limit", times=None, every=23, seconds=0.02),
    Fault("server_error", times=None, every=29),
    Fault("cut", times=None, every=37),
    Fault("disconnect", times=None, every=41),
    Fault("stream_error", times=None, every=43),
    Fault("slow_start", times=None, every=31, seconds=0.4),
    Fault("slow_events", times=None, every=47, seconds=0.05),
)

_CONFIG = """\
[serve]
port = {port}
auth = "keys"
upstream = "emulated"

[telemetry]
log = "off"

[upstream.emulated]
base_url = "{url}"
key_env = "SOAK_UPSTREAM_KEY"

[[budget]]
scope = "organisation"
amount = "100000"

[[budget]]
scope = "user:*"
amount = "100000"
window = "day"

[[budget]]
scope = "key:poor"
amount = "0.02"
"""

Told = Callable[[str, float, float], None]
"""What is going on, how much of it is done, and how much there is."""


class Outcome(msgspec.Struct):
    """What a soak came to. `memory` has the samples of the soak itself: see `Sample`, bytes.

    `seconds` are those in which memory is looked at, `settling` how many calls of the same load come before.
    `start` and `filled` are what was resident before the first call and after the filling. `used` and
    `resident` are how either grew while it was soaked; None where there is too little to tell.
    """

    seconds: float
    settling: int = 0
    filling: int = 0
    filling_seconds: float = 0.0
    start: int = 0
    filled: int = 0
    calls: int = 0
    ended: Counter[str] = msgspec.field(default_factory=Counter)
    slowest: float = 0.0
    late: int = 0
    memory: list[Sample] = []
    used: Growth | None = None
    resident: Growth | None = None
    billed: int = 0
    records: int = 0
    faults: list[str] = []


def soak(
    seconds: float,
    *,
    folder: Path,
    filling: int = 0,
    seed: int = 1,
    port: int = PORT,
    workers: int = 1,
    leak: int = 0,
    told: Told = lambda what, done, whole: None,  # noqa: ARG005 - a tale that nobody wants to hear
) -> Outcome:
    """Load a gateway that runs in processes of its own for so long, then read its books.

    Where memory is judged the load begins `SETTLING` calls earlier. `filling` is how many calls come before
    all that, for each worker. `leak` bytes a call leak on purpose.
    """
    outcome = Outcome(seconds, filling=filling * workers)
    outcome.settling = SETTLING * workers if is_judged(outcome) else 0
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    with Emulator(Agent(), keys=[_UPSTREAM_KEY]) as emulator:
        (folder / "scrimp.toml").write_text(_CONFIG.format(port=port, url=emulator.url))
        secrets = _keys(folder / "home" / "keys.sqlite")
        proxy = _gateway(folder, secrets["u_1"], port, workers, leak)
        with running(proxy, Cores()) as up:
            outcome.start = up.memory()
            asyncio.run(_loaded(outcome, _Gateway(up, figures), emulator, secrets, seed, told))
            time.sleep(min(1.0, seconds / 10))  # what clients left is noticed
        if up.process.returncode != 0:
            outcome.faults.append(f"the gateway ended with {up.process.returncode}")
        books = audited(emulator, folder / "home" / "ledger.sqlite")
        outcome.billed, outcome.records = books.billed, books.records
        outcome.faults += books.faults
        outcome.faults += judged(outcome)
        outcome.faults += _traceback((folder / "log.txt").read_text(errors="replace"))
    return outcome


def is_judged(outcome: Outcome) -> bool:
    """Whether it was long enough for a word on its memory, and all was filled before."""
    return outcome.seconds >= JUDGED_SECONDS and outcome.filling > 0


def judged(outcome: Outcome) -> Iterator[str]:
    """What is not as it should be, of clients and of memory."""
    if outcome.late:
        yield f"{outcome.late} clients hung"
    if not is_judged(outcome):
        return
    used, resident = outcome.used, outcome.resident
    if used is None or resident is None:
        yield "memory was not seen often enough to tell whether it grows"
        return
    if used.most > LEAST:
        yield f"memory in use: that it grows by {LEAST:g} bytes a call cannot be ruled out"
    if resident.per_hour(resident.per_call - resident.unsure) > MOST_RESIDENT:
        yield f"resident memory grows by more than {MOST_RESIDENT:g} MB an hour"


class _Gateway:
    """The gateway that is soaked, as its memory is seen from outside and inside."""

    def __init__(self, up: Running, figures: Path) -> None:
        self.url = f"http://127.0.0.1:{up.proxy.port}"
        self.resident = up.memory
        self._figures = figures

    def used(self) -> int:
        """Bytes in use, of all its processes; 0 where they do not say."""
        used = 0
        for path in self._figures.iterdir():
            with suppress(OSError, ValueError):  # just being written
                used += int(path.read_text()) if not path.suffix else 0
        return used


async def _loaded(
    outcome: Outcome, gateway: _Gateway, emulator: Emulator, secrets: dict[str, str], seed: int, told: Told
) -> None:
    talks, ended, begin = Talks(), Ended(), time.monotonic()
    if outcome.filling:
        whole = outcome.filling
        rich = [secret for name, secret in secrets.items() if name != "poor"]
        await fill(gateway.url, rich, talks, whole, lambda done: told("filling, calls", done, whole))
    outcome.filling_seconds = time.monotonic() - begin
    outcome.filled = gateway.resident()
    for fault in _FAULTS:
        emulator.inject(fault)
    clients = Clients(gateway.url, secrets, talks, ended, seed)
    gc.disable()
    try:
        await _watched(clients, outcome, gateway, ended, told)
    finally:
        gc.enable()
    outcome.calls, outcome.ended = ended.calls, ended.how
    outcome.slowest, outcome.late = ended.slowest, ended.late


async def _watched(clients: Clients, outcome: Outcome, gateway: _Gateway, ended: Ended, told: Told) -> None:
    """Look at the gateway's memory while the clients run.

    Streams that clients left are collected here, in the thread that read them: in the emulator's, which has
    most to collect, they may be just about to be closed.
    """
    begin = inf
    task = asyncio.ensure_future(clients.run())
    while not task.done():
        gc.collect(1)
        now = time.monotonic()
        if ended.calls < outcome.settling:
            told("settling, calls", ended.calls, outcome.settling)
        else:
            begin = min(begin, now)
            clients.until = begin + outcome.seconds
            outcome.memory.append(Sample(now - begin, ended.calls, gateway.resident(), gateway.used()))
            told("soaking, seconds", min(now - begin, outcome.seconds), outcome.seconds)
        await asyncio.wait([task], timeout=min(_EVERY, outcome.seconds / 60))
    await task
    samples = outcome.memory
    if all(sample.used for sample in samples):
        outcome.used = growth(samples, [sample.used for sample in samples])
    outcome.resident = growth(samples, [sample.resident for sample in samples])


def _gateway(folder: Path, secret: str, port: int, workers: int, leak: int) -> Proxy:
    serve = ["serve", "--config", "scrimp.toml", "--workers", str(workers)]
    env = {
        "SCRIMP_HOME": str(folder / "home"),
        "SOAK_UPSTREAM_KEY": _UPSTREAM_KEY,
        "PYTHONPATH": os.pathsep.join([str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        FIGURES: str(folder / "figures"),
        **({LEAK: str(leak)} if leak else {}),
    }
    return Proxy(
        name="scrimp",
        port=port,
        command=[sys.executable, "-m", "benchmarks.soak.inside", *serve],
        headers={"x-api-key": secret},
        env=env,
        folder=folder,
    )


def _keys(path: Path) -> dict[str, str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(KeyStore(path)) as keys:
        named = {user: Key(name=user, user=user, created_at=time.time()) for user in _USERS}
        named["poor"] = Key(name="poor", user="u_5", created_at=time.time())
        return {name: keys.create(key) for name, key in named.items()}


def _traceback(log: str) -> Iterator[str]:
    if "Traceback" in log:
        yield f"the log has a traceback: {log[log.index('Traceback') :][:1500]}"
