"""Commands: given the alert on their input, never through a shell, killed when they take too long."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import orjson
import pytest

from scrimp.alerting import Alerts, Command
from scrimp.errors import InputError
from tests.patience import PATIENCE, eventually

from .samples import crossing


def told(*argv: str, timeout: float = PATIENCE) -> None:
    alerts = Alerts(command=Command(argv, timeout=timeout), log=False)
    alerts.crossed(crossing())
    assert alerts.flush(2 * PATIENCE)


def test_a_command_is_given_the_alert_and_its_arguments_as_they_are(tmp_path: Path) -> None:
    script = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2] + sys.stdin.read())"
    told(sys.executable, "-c", script, str(tmp_path / "out"), "$(touch pwned); ")
    words = (tmp_path / "out").read_text()
    assert words.startswith("$(touch pwned); {")
    assert orjson.loads(words.removeprefix("$(touch pwned); "))["budget"]["percent"] == 80


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        ((sys.executable, "-c", "import sys; sys.exit('no\\nluck')"), "ended with status 1: no luck"),
        (("/nowhere/notify", "s3cret"), "cannot be run: No such file or directory"),
    ],
)
def test_what_fails_is_logged(argv: tuple[str, ...], line: str, caplog: pytest.LogCaptureFixture) -> None:
    told(*argv)
    assert caplog.messages == [f"an alert did not reach command {Path(argv[0]).name} after 1 attempt: {line}"]


def test_a_command_that_hangs_is_killed_with_its_children(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(tmp_path / "held")
    held = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    told("sh", "-c", f"exec 3>{tmp_path}/held; echo begun >&3; sleep 300 & sleep 300", timeout=0.3)
    assert caplog.messages[0].endswith("took too long and was killed")
    assert os.read(held, 9) in (b"begun\n", b"")  # nothing where it was killed before it had begun
    eventually(lambda: not may_be_written(held))
    os.close(held)


def may_be_written(held: int) -> bool:
    """Whether anybody has the other end."""
    try:
        return os.read(held, 1) != b""
    except BlockingIOError:
        return True


@pytest.mark.parametrize("argv", ["notify --now", [], ["notify", 3]])
def test_a_command_is_a_list_of_words(argv: object) -> None:
    with pytest.raises(InputError, match="is a list"):
        Alerts(command=argv)  # type: ignore[arg-type]  # what people write all the same
