"""What was cleared, kept in the home folder for an hour, each account's apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from scrimp.stores.carry_home import CARRY_FILE, HomeCuts

KEY = b"k" * 16


def test_the_next_process_finds_what_this_one_kept_and_no_other_account_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SCRIMP_HOME", str(tmp_path))
    first = HomeCuts("alice")
    first.keep(KEY, b"cut")
    first.close()
    assert (tmp_path / CARRY_FILE).exists()
    again, other = HomeCuts("alice"), HomeCuts("bob")
    assert again.find(KEY) == b"cut"
    assert other.find(KEY) is None
    again.close()
    other.close()


def test_a_folder_that_cannot_be_used_is_no_harm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("SCRIMP_HOME", str(blocked))
    cuts = HomeCuts()
    cuts.keep(KEY, b"cut")
    assert cuts.find(KEY) is None
