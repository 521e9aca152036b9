"""Where state lives on each platform, and that it is private."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from scrimp.errors import InputError, StoreError
from scrimp.home import default_home, scrimp_home

USER = Path("/u/ada")


@pytest.mark.parametrize(
    ("platform", "env", "expected"),
    [
        ("linux", {}, "/u/ada/.local/state/scrimp"),
        ("linux", {"XDG_STATE_HOME": "/state"}, "/state/scrimp"),
        ("linux", {"XDG_STATE_HOME": "relative"}, "/u/ada/.local/state/scrimp"),
        ("freebsd14", {}, "/u/ada/.local/state/scrimp"),
        ("darwin", {"XDG_STATE_HOME": "/state"}, "/u/ada/Library/Application Support/scrimp"),
        ("win32", {"LOCALAPPDATA": "/c/Local"}, "/c/Local/scrimp"),
        ("win32", {}, "/u/ada/AppData/Local/scrimp"),
    ],
)
def test_each_platform_has_its_place(platform: str, env: dict[str, str], expected: str) -> None:
    assert default_home(platform, env, USER) == Path(expected)


def test_scrimp_home_moves_it_and_nothing_is_made_before_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = tmp_path / "deep" / "home"
    monkeypatch.setenv("SCRIMP_HOME", str(wanted))
    assert scrimp_home() == wanted
    assert not wanted.parent.exists()
    assert scrimp_home(create=True) == wanted
    assert stat.S_IMODE(wanted.stat().st_mode) == 0o700


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o750)
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path))
    scrimp_home(create=True)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


def test_a_tilde_is_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SCRIMP_HOME", "~/mine")
    assert scrimp_home() == tmp_path / "mine"


def test_an_empty_variable_is_no_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIMP_HOME", "")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert scrimp_home() == tmp_path / "scrimp"


def test_a_file_in_its_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = tmp_path / "taken"
    taken.write_text("")
    monkeypatch.setenv("SCRIMP_HOME", str(taken))
    with pytest.raises(InputError, match=r"taken is not a folder.*SCRIMP_HOME"):
        scrimp_home()


def test_a_home_that_cannot_be_made_says_how_to_have_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIMP_HOME", "/proc/none/scrimp")
    with pytest.raises(StoreError, match="point SCRIMP_HOME at one that can be written"):
        scrimp_home(create=True)
