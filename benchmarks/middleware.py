"""What the middleware adds to a call of the official SDK: the same requests with and without it.

Every contender has a client, a connection and a conversation of its own with one emulator, which runs in
another process; a round is the next step of the conversation, whole or as a stream. The baseline is the SDK
alone. What is added is also what the emulator's longer bookkeeping of marked requests takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import Any

import anthropic

from benchmarks.conversations import Conversation, encoded
from benchmarks.emulating import serving
from benchmarks.timing import Contender, Row, Section, compare
from scrimp.middleware import Middleware
from scrimp.stores.ledger import Ledger
from scrimp.stores.memory import MemoryLedger
from scrimp.stores.sqlite_ledger import SqliteLedger

__all__ = ["measure_calls", "measure_events"]

BARE = "anthropic alone"
MEMORY, SQLITE = "scrimp: ledger in memory", "scrimp: ledger in SQLite"

_ANSWER_TOKENS = 64


def measure_calls(folder: Path, *, size: int, rounds: int, seed: int) -> Section:
    """Microseconds per call of a conversation that begins with `size` bytes; the answer is one JSON body."""
    bodies = list(islice(_steps(size, seed), rounds + 1))

    def call(client: anthropic.Anthropic, body: dict[str, Any]) -> None:
        client.messages.create(**body, max_tokens=_ANSWER_TOKENS)

    rows = _measured(folder / f"calls-{size}.sqlite", bodies, call, rounds)
    about = f"requests of {len(encoded(bodies[0])):,} to {len(encoded(bodies[-1])):,} bytes over HTTP"
    return Section(f"calls_{size // 1000}k", "Calling through the middleware", "µs", about, rows)


def measure_events(folder: Path, *, answer: int, rounds: int, seed: int) -> Section:
    """Microseconds per event of a stream of `answer` tokens, from the request to the last event."""
    bodies = list(islice(_steps(2_000, seed), rounds + 1))
    seen: list[int] = []

    def read(client: anthropic.Anthropic, body: dict[str, Any]) -> None:
        with client.messages.create(**body, max_tokens=answer, stream=True) as stream:
            seen.append(sum(1 for _ in stream))

    rows = _measured(folder / "events.sqlite", bodies, read, rounds, units=lambda: seen[0])
    about = f"{seen[0]:,} events a stream; the call itself is shared out among them"
    return Section("events", "Streaming through the middleware", "µs/event", about, rows)


def _steps(size: int, seed: int) -> Iterator[dict[str, Any]]:
    conversation = Conversation(seed, tools=4, result_bytes=(400, 1_200)).grow(size=size)
    while True:
        yield {name: part for name, part in conversation.body.items() if name != "max_tokens"}
        conversation.step()


def _measured(
    path: Path,
    bodies: list[dict[str, Any]],
    call: Callable[[anthropic.Anthropic, dict[str, Any]], None],
    rounds: int,
    *,
    units: Callable[[], float] = lambda: 1,
) -> list[Row]:
    ledgers: dict[str, Ledger | None] = {MEMORY: MemoryLedger(), SQLITE: SqliteLedger(path), BARE: None}
    with ExitStack() as stack:
        url = stack.enter_context(serving("emulator"))
        contenders = []
        for name, ledger in ledgers.items():
            if ledger is not None:
                stack.enter_context(closing(ledger))
            client = stack.enter_context(_client(url, name, ledger))
            contenders.append(Contender(name, _turns(client, bodies, call, ledgers)))
        rows = compare(contenders, baseline=BARE, rounds=rounds, scale=1e6)
    return _per(rows, units())


def _client(url: str, name: str, ledger: Ledger | None) -> anthropic.Anthropic:
    middleware = [] if ledger is None else [Middleware(ledger=ledger)]
    return anthropic.Anthropic(base_url=url, api_key=name, middleware=middleware, max_retries=0)


def _turns(
    client: anthropic.Anthropic,
    bodies: list[dict[str, Any]],
    call: Callable[[anthropic.Anthropic, dict[str, Any]], None],
    ledgers: dict[str, Ledger | None],
) -> Callable[[], Callable[[], None]]:
    waiting = iter(bodies)

    def prepare() -> Callable[[], None]:
        for ledger in ledgers.values():
            if ledger is not None:
                ledger.flush()  # what one contender left to write is not the next one's cost
        body = next(waiting)
        return lambda: call(client, body)

    return prepare


def _per(rows: list[Row], units: float) -> list[Row]:
    """The rows per unit, with what is added to the baseline."""
    scaled = [row._replace(figure=type(row.figure)(*(part / units for part in row.figure))) for row in rows]
    [floor] = [row.figure.median for row in scaled if row.is_baseline]
    return [
        row if row.is_baseline else row._replace(note=f"{row.figure.median - floor:+,.1f} µs")
        for row in scaled
    ]
