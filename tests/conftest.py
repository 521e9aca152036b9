"""Fixtures every test may use."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

from tests.forks import Forks
from tests.unpacked import unpacked

PROJECT = Path(__file__).parents[1]
TRACES = PROJECT.parent / "shared" / "traces"
PATH = f"{PROJECT / 'src'}{os.pathsep}{PROJECT}"
NOBODY = Path(__file__).parent / "data" / "nobody.pem"
"""A certificate whose key nobody has. No test speaks TLS, and a machine's own take 20 ms a client to read."""

READY = ("tests.ready",)
"""What a process imports before any of its forks runs."""

TOGETHER = "TESTS_TOGETHER"
"""In the environment: a folder for what all workers share, gone once all have ended."""

OF_THIS_MACHINE = re.compile(
    r"(?i)(anthropic|aws|claude(code)?|otel|scrimp(?!_fuzz))(_.*)?|(http|https|all|no)_proxy"
    r"|ci|build_number|pytest_addopts|no_color|force_color|columns|lines"
)
"""What the environment may say for others: whose key pays, what stands between, how wide a terminal is."""

# A busy machine is no failing test: speed is what `make bench` measures.
settings.register_profile(
    "no deadline", settings.get_profile(settings.get_current_profile_name()), deadline=None
)
settings.load_profile("no deadline")


def pytest_configure(config: pytest.Config) -> None:
    """Whoever begins the workers has the folder that they share."""
    if not hasattr(config, "workerinput"):
        folder = TemporaryDirectory(prefix="scrimp-tests-")
        config.add_cleanup(folder.cleanup)
        os.environ[TOGETHER] = folder.name


def pytest_collection(session: pytest.Session) -> None:
    """Workers side by side begin to import at different files, so that one compiles for the others.

    Looking for garbage as often as Python does by default takes a tenth of the time of these tests.
    """
    gc.set_threshold(50_000, 20, 100)
    worker: dict[str, int] = getattr(session.config, "workerinput", {})
    if not worker or session.config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    files = sorted(Path(__file__).parent.rglob("test_*.py"))
    first = len(files) * int(worker["workerid"].removeprefix("gw")) // worker["workercount"]
    for path in files[first:] + files[:first]:
        with suppress(Exception):  # collection finds it again, and tells
            importlib.import_module(".".join(path.relative_to(PROJECT).with_suffix("").parts))


def pytest_collection_finish() -> None:
    """What was imported stays to the end: to look through it again and again finds no garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def nothing_of_this_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No key, proxy, terminal or earlier state of whoever runs the tests has a say in them."""
    with pytest.MonkeyPatch.context() as environment:
        for name in filter(OF_THIS_MACHINE.fullmatch, tuple(os.environ)):
            environment.delenv(name)
        environment.setenv("SSL_CERT_FILE", str(NOBODY))
        environment.setenv("SCRIMP_HOME", str(tmp_path_factory.mktemp("scrimp-home")))
        yield


@pytest.fixture(scope="session")
def traces() -> Path:
    """The folder of recorded, billed calls that lies beside a full checkout."""
    if not TRACES.is_dir():
        pytest.skip(f"recorded traces not found at {TRACES}: put the corpus there to run this test")
    return TRACES


@pytest.fixture(scope="session")
def sessions(traces: Path) -> Path:
    """All recorded sessions, unpacked: several tests read all of them, which then takes half as long."""
    return unpacked(traces / "transcripts", Path(os.environ[TOGETHER]))


@pytest.fixture(scope="session")
def forks_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Forks]]:
    """Makes `Forks`, and for the same arguments the same ones: they last until the tests end."""
    own = tmp_path_factory.getbasetemp()
    folder = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    made: list[Forks] = []

    @cache
    def forks(python: str | Path, *modules: str, path: str | None = None) -> Forks:
        made.append(Forks(folder, python, *modules, path=path))
        return made[-1]

    yield forks
    for one in made:
        one.leave()
    for one in made:  # not before all are left: two workers may have begun what the other uses
        one.wait()


@pytest.fixture(scope="session")
def forks(forks_of: Callable[..., Forks]) -> Forks:
    """Processes of this interpreter, with the SDK and scrimp."""
    return forks_of(sys.executable, *READY, path=PATH)


class _Faults(logging.Handler):
    """What scrimp says of its own failures where warnings are errors, as they are in these tests."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "scrimp":
            self.lines.append(record.getMessage())


@pytest.fixture(autouse=True)
def nothing_of_ours_failed() -> Iterator[None]:
    """A fault that no test expects fails the test it happens in; `pytest.warns` is how to expect one."""
    faults, logger = _Faults(), logging.getLogger("scrimp")
    logger.addHandler(faults)
    yield
    logger.removeHandler(faults)
    assert faults.lines == []
