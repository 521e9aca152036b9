"""Two thousand bad requests: a clear error in the provider's shape or the upstream's own; no secrets told."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import httptools
import pytest

from scrimp.core.record import Record
from scrimp.emulator import Agent, Emulator
from scrimp.stores.sqlite_ledger import SqliteLedger
from tests.gateway.fuzzing import BODY_LIMIT, CANARY, HEAD_LIMIT, KEY_CANARY, Case, cases

COUNT = int(os.environ.get("SCRIMP_FUZZED_REQUESTS", "2000"))
SEED = int(os.environ.get("SCRIMP_FUZZ_SEED", "1"))
AT_ONCE = 24
PATIENCE = 60.0
UPSTREAM_KEY = "sk-ant-UPSTREAM-CANARY"
OURS = "req_scrimp"

SETTINGS = f"""\
[serve]
port = 0
auth = "keys"
upstream = "emulated"

[limits]
body = {BODY_LIMIT}
headers = {HEAD_LIMIT}

[timeouts]
headers = 5.0
request = 10.0

[upstream.emulated]
base_url = "URL"
key_env = "FUZZ_UPSTREAM_KEY"

[[budget]]
scope = "organisation"
amount = "1000"
"""


class Fuzzed(NamedTuple):
    """What a gateway in a process of its own answered to every case, and what it left behind.

    `spent` are the picodollars that its budget counts.
    """

    outcomes: list[tuple[Case, list[Response]]]
    records: list[Record]
    spent: int
    emulator: Emulator
    written: dict[str, bytes]
    secret: str
    code: int


class Response(NamedTuple):
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_ours(self) -> bool:
        """Whether the gateway itself answered."""
        return self.headers.get("request-id", OURS).startswith(OURS) and b'"type":"error"' in self.body


HUNG = Response(0, {}, b"no answer within the time")


class _Reader:
    """Reads answers off a connection."""

    def __init__(self) -> None:
        self.responses: list[Response] = []
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Bytes came."""
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._headers, self._body = {}, []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self.responses.append(Response(status, self._headers, b"".join(self._body)))


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    """All cases sent once, for all tests here."""
    folder = tmp_path_factory.mktemp("fuzzed")
    env = {**os.environ, "SCRIMP_HOME": str(folder / "home"), "FUZZ_UPSTREAM_KEY": UPSTREAM_KEY}
    with Emulator(Agent(), keys=[UPSTREAM_KEY]) as emulator:
        (folder / "scrimp.toml").write_text(SETTINGS.replace("URL", emulator.url))
        made = scrimp(folder, env, "key", "create", "fuzz", "--user", "u_1", "--json")
        secret = json.loads(made)["secret"]
        with (folder / "err.txt").open("wb") as errors, (folder / "out.txt").open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "scrimp", "serve", "--config", "scrimp.toml", "--json"],
                cwd=folder,
                env=env,
                stdout=said,
                stderr=errors,
            )
            url = address(folder / "out.txt", process)
            try:
                outcomes = asyncio.run(all_of(url, list(cases(SEED, secret, COUNT))))
                with urllib.request.urlopen(f"{url}/metrics", timeout=PATIENCE) as answer:  # noqa: S310 - our own
                    (folder / "metrics.txt").write_bytes(answer.read())
            finally:
                process.terminate()
                code = process.wait(60)
        ledger = SqliteLedger(folder / "home" / "ledger.sqlite")
        records = list(ledger.records())
        [standing] = ledger.budgets.standings(time.time())
        ledger.close()
        written = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and path.name != "scrimp.toml"
        }
        yield Fuzzed(outcomes, records, standing.spent + standing.held, emulator, written, secret, code)


def scrimp(folder: Path, env: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "scrimp", *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True)
    return done.stdout


def address(said: Path, process: subprocess.Popen[bytes]) -> str:
    """The URL that `scrimp serve --json` prints."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        text = said.read_text()
        if "}\n" in text:
            return str(json.loads(text[: text.index("}\n") + 1])["url"])
        time.sleep(0.02)
    raise AssertionError("the gateway did not start")


async def all_of(url: str, wanted: list[Case]) -> list[tuple[Case, list[Response]]]:
    gate = asyncio.Semaphore(AT_ONCE)
    port = int(url.rpartition(":")[2])

    async def one(case: Case) -> tuple[Case, list[Response]]:
        async with nullcontext() if case.slow else gate:  # nobody waits for those who take their time
            return case, await answers(port, case)

    return await asyncio.gather(*(one(case) for case in wanted))


async def answers(port: int, case: Case) -> list[Response]:
    """What came back until there was enough or the connection was closed; HUNG ends a wait in vain."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = _Reader()
    sending = asyncio.create_task(
        send(writer, case)
    )  # an answer may come before all is sent, and be the last
    try:
        async with asyncio.timeout(PATIENCE):
            while len(found.responses) < case.answers and (data := await reader.read(65_536)):
                found.feed(data)
    except TimeoutError:
        return [*found.responses, HUNG]
    except (ConnectionError, httptools.HttpParserError) as error:
        if not (case.closes or found.responses):
            return [Response(0, {}, repr(error).encode())]
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()
    return found.responses


async def send(writer: asyncio.StreamWriter, case: Case) -> None:
    if case.slow:
        for byte in case.data:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)
        return
    writer.write(case.data)
    if case.closes:
        writer.write_eof()


def test_every_request_gets_a_status_it_may_get(fuzzed: Fuzzed) -> None:
    faults = Counter(
        f"{case.name}: {response.status} {response.body[:200]!r}"
        for case, responses in fuzzed.outcomes
        for response in responses
        if response.status not in case.statuses
    )
    assert not faults
    assert len(fuzzed.outcomes) == COUNT


def test_every_request_is_answered_unless_the_client_broke_off(fuzzed: Fuzzed) -> None:
    unanswered = Counter(
        case.name
        for case, responses in fuzzed.outcomes
        if len(responses) < case.answers and not (case.closes and len(responses) == 0)
    )
    assert not unanswered


def test_errors_of_the_gateway_have_the_providers_shape(fuzzed: Fuzzed) -> None:
    ours = [answer for _, answers in fuzzed.outcomes for answer in answers if answer.is_ours]
    assert len(ours) > COUNT / 4
    for response in ours:
        error = json.loads(response.body)
        assert set(error) == {"type", "error", "request_id"}
        assert error["type"] == "error"
        assert set(error["error"]) == {"type", "message"}
        assert response.headers["content-type"] == "application/json"
        assert response.status < 500


def test_no_prompt_and_no_key_is_told_by_the_gateway(fuzzed: Fuzzed) -> None:
    secrets = [
        word.encode() for word in (CANARY, KEY_CANARY, UPSTREAM_KEY, fuzzed.secret, fuzzed.secret[-12:])
    ]
    leaks = {
        (name, word)
        for name, content in fuzzed.written.items()
        for word in secrets
        if word.lower() in content.lower()
    }
    assert not leaks
    told = {
        word
        for _, answers in fuzzed.outcomes
        for answer in answers
        if answer.is_ours
        for word in secrets
        if word.lower() in answer.body.lower()
    }
    assert not told
    assert {"err.txt", "out.txt", "metrics.txt"} < set(fuzzed.written)
    assert any(name.endswith("ledger.sqlite") for name in fuzzed.written)


def test_nothing_goes_wrong_inside(fuzzed: Fuzzed) -> None:
    said = fuzzed.written["err.txt"].decode()
    assert "Traceback" not in said
    assert fuzzed.code == 0


def test_what_was_billed_between_the_bad_ones_is_in_the_ledger(fuzzed: Fuzzed) -> None:
    bills = {one.message_id: one.cost for one in fuzzed.emulator.bill if one.outcome == "complete"}
    measured = Counter(record.message_id for record in fuzzed.records if record.measured)
    assert len(measured) > COUNT / 20
    assert set(measured.values()) == {1}
    assert measured.keys() <= bills.keys()
    assert sum(bills[name] for name in measured if name) == sum(
        record.cost for record in fuzzed.records if record.measured
    )
    # Who hangs up while a request goes out leaves open what it is billed: all it may have cost is spent.
    unknown = sum(not record.measured for record in fuzzed.records)
    assert len(bills.keys() - measured.keys()) <= unknown <= sum(case.closes for case, _ in fuzzed.outcomes)
    assert sum(one.cost for one in fuzzed.emulator.bill) <= fuzzed.spent
