"""The house: README works as shown, versions agree, contracts bite, no file names a private place."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import scrimp
from scrimp.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent

TEXT = {
    ".cfg",
    ".css",
    ".html",
    ".in",
    ".ini",
    ".js",
    ".md",
    ".py",
    ".sh",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
    "",
}
NOT_OURS = {"__pycache__", "build", "dist", "node_modules"}
HIDDEN_BUT_OURS = {".ci", ".gitignore", ".github"}

PRIVATE = {
    "a folder of someone's machine": re.compile(r"(?<![\w./~])/(?:home|root|Users|tmp|work|opt)/[\w.-]"),
    "a package index": re.compile(
        r"index-url|find-links|https?://[^\s)\"']*/simple\b|\bpypi\.org|files\.pythonhosted"
    ),
}
MAY_NAME_IT = {"tests/test_house.py"}


def own_files() -> Iterator[Path]:
    """The project's own text files: no environments, caches or build output."""
    for folder, folders, files in os.walk(PROJECT):
        folders[:] = [name for name in folders if _ours(name)]
        yield from (
            path for path in map(Path(folder).joinpath, files) if _ours(path.name) and path.suffix in TEXT
        )


def _ours(name: str) -> bool:
    return name not in NOT_OURS and (not name.startswith(".") or name in HIDDEN_BUT_OURS)


def runnable_commands() -> list[str]:
    """The lines of README's shell blocks that are marked as runnable."""
    blocks = re.findall(r"<!-- run -->\n```sh\n(.*?)```", README, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_readme_marks_commands_as_runnable() -> None:
    assert "scrimp --version" in runnable_commands()


@pytest.mark.parametrize("command", runnable_commands())
def test_a_command_of_the_readme_works(command: str, tmp_path: Path) -> None:
    env = os.environ | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "SCRIMP_HOME": str(tmp_path / "home"),
    }
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_the_python_of_the_readme_prints_what_it_says() -> None:
    test = doctest.DocTestParser().get_doctest(README, {}, "README.md", "README.md", 0)
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0


def test_the_readme_lists_every_exit_code() -> None:
    table = README.split("## Exit codes")[1].split("##")[0]
    assert [int(row) for row in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)] == [
        int(code) for code in ExitCode
    ]


def test_the_readme_gives_a_reason_for_every_dependency() -> None:
    config = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    dependencies = re.search(r"^dependencies = \[(.*?)^\]", config, re.MULTILINE | re.DOTALL)
    assert dependencies
    table = README.split("## What it is built on")[1].split("##")[0]
    explained = re.findall(r"^\| \[([\w-]+)\]", table, re.MULTILINE)
    assert sorted(explained) == sorted(re.findall(r'"([\w-]+)', dependencies[1]))


def test_the_newest_version_of_the_changelog_is_this_one() -> None:
    changelog = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(\d[^\]]*)\]", changelog, re.MULTILINE)[0] == scrimp.__version__


def test_make_help_lists_every_target() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert targets
    shown = subprocess.run(["make"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  make ([\w-]+) ", shown, re.MULTILINE) == targets[1].split()


@pytest.mark.parametrize("kind", PRIVATE)
def test_no_file_names_a_private_place(kind: str) -> None:
    faults = [
        f"{path.relative_to(PROJECT)}:{number}: {line.strip()[:100]}"
        for path in own_files()
        if path.relative_to(PROJECT).as_posix() not in MAY_NAME_IT
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if PRIVATE[kind].search(line)
    ]
    assert not faults, f"{kind}:\n  " + "\n  ".join(faults)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's modules and its contracts in a folder of their own."""
    folder = tmp_path_factory.mktemp("copied")
    for path in (PROJECT / "src").rglob("*.py"):
        target = folder / path.relative_to(PROJECT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    shutil.copy(PROJECT / "pyproject.toml", folder)
    return folder


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("core/prompt.py", "import time"),
        ("core/prompt.py", "import anthropic"),
        ("core/prompt.py", "from pathlib import Path"),
        ("wire/request.py", "from scrimp.core import prompt"),
        ("wire/request.py", "import scrimp.facts.models"),
        ("facts/models.py", "import logging"),
        ("core/prompt.py", "import genai_prices"),
        ("unplaced/__init__.py", ""),
    ],
)
def test_a_forbidden_import_breaks_the_contracts(module: str, line: str, copied: Path) -> None:
    changed = copied / "src" / "scrimp" / module
    before = changed.read_text(encoding="utf-8") if changed.exists() else None
    changed.parent.mkdir(exist_ok=True)
    changed.write_text(f"{before or ''}\n{line}\n", encoding="utf-8")
    env = os.environ | {"PYTHONPATH": str(copied / "src")}
    command = [str(BIN / "lint-imports"), "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=copied, env=env, capture_output=True, text=True, check=False)
    if before is None:
        shutil.rmtree(changed.parent)
    else:
        changed.write_text(before, encoding="utf-8")
    assert done.returncode == 1, done.stdout
    assert "unplaced" in done.stdout or "BROKEN" in done.stdout
