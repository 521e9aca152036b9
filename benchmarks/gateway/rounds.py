"""Interleaved rounds: every cell is measured for one contender after another, another one first each time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from statistics import median
from typing import NamedTuple

import msgspec

from benchmarks.gateway.contenders import DIRECT, LITELLM, spread
from benchmarks.gateway.load import Job, Seen
from benchmarks.gateway.stolen import undisturbed

__all__ = ["CELLS", "Cell", "Figures", "Place", "measure", "quantile"]


class Cell(NamedTuple):
    """One kind of load."""

    name: str
    size: str
    connections: int
    grows: bool = False
    stream: bool = False
    paced: bool = False


class Place(NamedTuple):
    """Where a contender listens, what it wants to be sent besides requests, and the CPU seconds it used.

    `beside` are those of load and upstream. Inside the block that `paused` begins it stands still.
    """

    port: int
    headers: dict[str, str]
    cpu: Callable[[], float]
    beside: Callable[[], float]
    workers: int = 1
    paused: Callable[[], AbstractContextManager[None]] = nullcontext


class Figures(NamedTuple):
    """One cell of one contender: figures of each round, and everything else pooled (µs).

    `rates` are requests a second, `costs` CPU seconds a request: those hardly depend on what else the
    machine does. `beside` are those of load and upstream, `taken` the parts of the time that the host took.
    """

    rates: list[float]
    costs: list[float]
    beside: list[float]
    latencies: list[int]
    delays: list[int]
    faults: dict[str, int]
    taken: list[float]

    @property
    def rate(self) -> float:
        """Requests a second: the median of the rounds."""
        return median(self.rates)

    @property
    def cost(self) -> float:
        """CPU seconds a request: the median of the rounds."""
        return median(self.costs)


def _sizes(name: str, *, grows: bool) -> list[Cell]:
    return [
        Cell(f"{size}, {name}, c={connections}", size, connections, grows)
        for size in ("2 KB", "200 KB")
        for connections in (32, 4)
    ]


CELLS = [
    *_sizes("one request repeated", grows=False),
    *_sizes("growing conversations", grows=True),
    Cell("streams, c=32", "2 KB", 32, stream=True),
    Cell("paced streams", "2 KB", 16, stream=True, paced=True),
]


def measure(
    places: Mapping[str, Place], load: subprocess.Popen[str], *, rounds: int, seconds: float
) -> dict[str, dict[str, Figures]]:
    """Every cell for every contender: cell name → contender → figures."""
    names = list(places)
    found = {
        cell.name: {name: Figures([], [], [], [], [], {}, []) for name in _measured(cell, places)}
        for cell in CELLS
    }
    for name in names:  # what is compiled, connected or learned once is there in a service too
        for cell in [cell for cell in CELLS[:-1] if name in found[cell.name]]:
            with _alone(places, name):
                _once(load, _job(cell, name, places[name], min(seconds, 0.4)))
    for number in range(rounds):
        # A line between windows: a bar that moves would take time from what is measured.
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        for cell in CELLS:
            names = list(found[cell.name])
            first = number % max(1, len(names))
            for name in (*names[first:], *names[:first]):
                with _alone(places, name):
                    window = partial(_window, load, _job(cell, name, places[name], seconds), places[name])
                    _add(found[cell.name][name], *undisturbed(window))
    return found


def _window(load: subprocess.Popen[str], job: Job, place: Place) -> tuple[Seen, float, float]:
    """What came back, and the CPU seconds of the contender, and of load and upstream."""
    before, beside = place.cpu(), place.beside()
    seen = _once(load, job)
    return seen, place.cpu() - before, place.beside() - beside


@contextmanager
def _alone(places: Mapping[str, Place], name: str) -> Iterator[None]:
    """All the others stand still."""
    with ExitStack() as others:
        for other, place in places.items():
            if other != name:
                others.enter_context(place.paused())
        yield


def _measured(cell: Cell, places: Mapping[str, Place]) -> list[str]:
    """Whoever has the whole machine is asked for as much as it can, and not how long a few calls take."""
    return [name for name, place in places.items() if place.workers == 1 or cell.connections >= 32]


def quantile(values: Sequence[int], part: float) -> float:
    """The value that `part` of them are at or below; of none: not a number."""
    if not values:
        return float("nan")
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def _job(cell: Cell, name: str, place: Place, seconds: float) -> Job:
    """A window that is long enough to count in: the slow get longer ones.

    The latency of the upstream itself is that of a lone connection, so that its own queue is not taken off
    what a proxy adds.
    """
    alone = name == DIRECT and cell.connections < 32 and not cell.paced
    longer = 2.2 if cell.paced else 2.0 if name in (LITELLM, spread(LITELLM)) else 1.0
    return Job(
        port=place.port,
        headers=place.headers,
        size=cell.size,
        connections=1 if alone else cell.connections,
        seconds=max(seconds * longer, 2.2 if cell.paced else 0.0),
        grows=cell.grows,
        stream=cell.stream,
        paced=cell.paced,
    )


def _once(load: subprocess.Popen[str], job: Job) -> Seen:
    assert load.stdin
    assert load.stdout
    load.stdin.write(msgspec.json.encode(job).decode() + "\n")
    load.stdin.flush()
    return msgspec.json.decode(load.stdout.readline(), type=Seen)


def _add(figures: Figures, window: tuple[Seen, float, float], taken: float) -> None:
    seen, cpu, beside = window
    figures.taken.append(taken)
    figures.rates.append(seen.requests / seen.seconds)
    figures.costs.append(cpu / max(seen.answered, 1))
    figures.beside.append(beside / max(seen.answered, 1))
    figures.latencies.extend(seen.latencies)
    figures.delays.extend(seen.delays)
    for fault, times in seen.faults.items():
        figures.faults[fault] = figures.faults.get(fault, 0) + times
