"""The proxies: how each is set up, started, and asked.

Everybody has the settings of its own documents, its usual log to a file, and no database service. Portkey
keeps nothing and knows no keys. LiteLLM checks a master key, keeps no spend. scrimp checks a virtual key,
plans in mode safe, holds the worst case durably against three limits, settles it to the bill and keeps the
record durably.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NamedTuple

from benchmarks.gateway.bodies import MODEL, family

__all__ = [
    "CORES",
    "DIRECT",
    "LITELLM",
    "PORTKEY",
    "SCRIMP",
    "WORKERS",
    "Proxy",
    "Running",
    "cores",
    "cpu_of",
    "proxies",
    "running",
    "serving",
    "spread",
]

DIRECT, SCRIMP, LITELLM, PORTKEY = "direct", "scrimp", "LiteLLM proxy 1.109.1", "Portkey gateway 1.15.2"

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
WORKERS = min(CORES, max(2, CORES - 1))
"""One for each core but that of load and upstream; two on two cores, where they have to share."""

PROJECT = Path(__file__).parents[2]
_LITELLM = PROJECT / ".sdks" / "litellm-proxy" / "bin" / "litellm"
_PORTKEY = (
    PROJECT / ".sdks" / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
)
_MASTER_KEY = "sk-bench"
_UPSTREAM_KEY = "upstream-key-of-the-benchmark"
_START_SECONDS = 180.0
_STOP_SECONDS = 40.0
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_USER = "bench"

_LITELLM_CONFIG = """\
model_list:
  - model_name: {model}
    litellm_params:
      model: anthropic/{model}
      api_base: http://127.0.0.1:{upstream}
      api_key: {key}
general_settings:
  master_key: {master}
"""

_SCRIMP_CONFIG = """\
[serve]
port = {port}
auth = "keys"
mode = "safe"
upstream = "bench"

[upstream.bench]
base_url = "http://127.0.0.1:{upstream}"
key_env = "BENCH_UPSTREAM_KEY"

[[budget]]
scope = "organisation"
amount = "1000000"

[[budget]]
scope = "user:{user}"
amount = "1000000"
window = "month"

[[budget]]
scope = "key:{user}"
amount = "1000000"
window = "day"
"""


class Cores(NamedTuple):
    """For a proxy with one process, for one with several, and for upstream and load; None: any."""

    one: str | None = None
    several: str | None = None
    load: str | None = None


class Proxy(NamedTuple):
    """How to start one, and what a caller sends besides the request."""

    name: str
    port: int
    command: list[str]
    headers: dict[str, str]
    env: Mapping[str, str]
    folder: Path
    workers: int = 1


class Running(NamedTuple):
    """One that serves. `start_seconds`: from its start until its first answer."""

    proxy: Proxy
    process: subprocess.Popen[bytes]
    start_seconds: float

    def memory(self) -> int:
        """Bytes resident now, all its processes together."""
        return sum(_resident(pid) for pid in _family(self.process.pid))

    def cpu(self) -> float:
        """Seconds of a processor used so far, all its processes together."""
        return sum(_cpu(pid) for pid in _family(self.process.pid))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stands still inside the block: what it does while nobody asks it then takes nothing from others."""
        pids = _family(self.process.pid)
        _signalled(pids, signal.SIGSTOP)
        try:
            yield
        finally:
            _signalled(pids, signal.SIGCONT)


def spread(name: str) -> str:
    """What a contender is called where it has several processes, if it can."""
    return f"{name.partition(' ')[0]}, {'one process' if name == PORTKEY else f'{WORKERS} workers'}"


def proxies(folder: Path, upstreams: Mapping[str, int], port: int) -> list[Proxy]:
    """Those named in `upstreams` that are installed; they listen on `port` and the next ones."""
    makers = [(SCRIMP, _scrimp)]
    makers += [(LITELLM, _litellm)] if _LITELLM.exists() else []
    makers += [(PORTKEY, _portkey)] if _PORTKEY.exists() else []
    wanted = [(named, name, make) for name, make in makers for named in (name, spread(name))]
    return [
        make(
            folder / named.replace(" ", "-"), upstreams[named], port + number, 1 if named == name else WORKERS
        )
        for number, (named, name, make) in enumerate(wanted)
        if named in upstreams
    ]


@contextmanager
def running(proxy: Proxy, cores: Cores) -> Iterator[Running]:
    """Serve inside the block; told to stop at its end, and waited for."""
    with (proxy.folder / "log.txt").open("wb") as log:
        begin = time.monotonic()
        process = subprocess.Popen(
            _pinned(proxy.command, cores.one if proxy.workers == 1 else cores.several),
            cwd=proxy.folder,
            env={**os.environ, **proxy.env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for_answer(proxy, process, begin + _START_SECONDS)
            yield Running(proxy, process, time.monotonic() - begin)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def serving(module: str, *arguments: str, core: str | None) -> Iterator[subprocess.Popen[str]]:
    """A helper process of this package that ends with its standard input."""
    command = _pinned([sys.executable, "-m", module, *arguments], core)
    with subprocess.Popen(
        command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        try:
            yield process
        finally:
            process.stdin.close()


def _name(name: str, workers: int) -> str:
    return name if workers == 1 else spread(name)


def _scrimp(folder: Path, upstream: int, port: int, workers: int = 1) -> Proxy:
    folder.mkdir(parents=True)
    (folder / "scrimp.toml").write_text(_SCRIMP_CONFIG.format(port=port, upstream=upstream, user=_USER))
    env = {"SCRIMP_HOME": str(folder / "home"), "BENCH_UPSTREAM_KEY": _UPSTREAM_KEY}
    create = [sys.executable, "-m", "scrimp", "key", "create", _USER, "--user", _USER, "--json"]
    made = subprocess.run(
        create, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, check=True
    )
    secret = json.loads(made.stdout)["secret"]
    command = [sys.executable, "-m", "scrimp", "serve", "--config", "scrimp.toml", "--workers", f"{workers}"]
    return Proxy(_name(SCRIMP, workers), port, command, {"x-api-key": secret}, env, folder, workers)


def _litellm(folder: Path, upstream: int, port: int, workers: int) -> Proxy:
    folder.mkdir(parents=True)
    config = _LITELLM_CONFIG.format(model=MODEL, upstream=upstream, key=_UPSTREAM_KEY, master=_MASTER_KEY)
    (folder / "config.yaml").write_text(config)
    command = [str(_LITELLM), "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_TELEMETRY": "False"}
    command += ["--num_workers", f"{workers}"]
    return Proxy(_name(LITELLM, workers), port, command, {"x-api-key": _MASTER_KEY}, env, folder, workers)


def _portkey(folder: Path, upstream: int, port: int, workers: int) -> Proxy:
    folder.mkdir(parents=True)
    command = ["node", str(_PORTKEY), f"--port={port}", "--headless"]
    headers = {
        "x-api-key": _UPSTREAM_KEY,
        "x-portkey-provider": "anthropic",
        "x-portkey-custom-host": f"http://127.0.0.1:{upstream}/v1",
    }
    env = {"NODE_ENV": "production"}
    return Proxy(_name(PORTKEY, workers), port, command, headers, env, folder, workers)


def cores() -> Cores:
    """Who runs where."""
    if shutil.which("taskset") is None or not hasattr(os, "sched_getaffinity"):
        return Cores()
    usable = list(map(str, sorted(os.sched_getaffinity(0))))
    return Cores(usable[0], ",".join(usable[:WORKERS]), usable[-1])


def cpu_of(pids: Sequence[int]) -> float:
    """Seconds of a processor that these processes used so far."""
    return sum(map(_cpu, pids))


def _pinned(command: list[str], cores: str | None) -> list[str]:
    return command if cores is None else ["taskset", "-c", cores, *command]


def _wait_for_answer(proxy: Proxy, process: subprocess.Popen[bytes], deadline: float) -> None:
    body = family(2_000, seed=0).body(0, 0)
    said = "nothing"
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError, HTTPException):
            connection = HTTPConnection("127.0.0.1", proxy.port, timeout=30)
            headers = {"content-type": "application/json", "anthropic-version": "2023-06-01", **proxy.headers}
            connection.request("POST", "/v1/messages", body, headers)
            answer = connection.getresponse()
            said = f"{answer.status} {answer.read(500)!r}"
            connection.close()
            if answer.status == 200:
                return
        time.sleep(0.02)
    log = (proxy.folder / "log.txt").read_text(errors="replace")
    raise RuntimeError(
        f"{proxy.name} did not start: last it answered {said}; its log ends with\n{log[-2000:]}"
    )


def _family(pid: int) -> list[int]:
    """A process and those it started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    return [pid, *(one for child in children for one in _family(int(child)))]


def _signalled(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS
