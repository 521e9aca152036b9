"""Source code under paths: Python files, notebooks, and the Python of Markdown pages."""

from __future__ import annotations

import os
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from scrimp.cli.lint_notebooks import read_notebook
from scrimp.errors import InputError

__all__ = ["Module", "find_sources", "read_modules"]

_SUFFIXES = frozenset({".py", ".ipynb"})
_NOT_YOURS = frozenset({"__pycache__", "node_modules", "site-packages", "build", "dist", "venv"})
_FENCE = re.compile(r"^(?P<indent> *)```(?:python|py)\b[^\n]*\n(?P<code>.*?)^ *```", re.DOTALL | re.MULTILINE)


class Module(msgspec.Struct, frozen=True):
    """One piece of Python: `source` keeps the lines of its file, or of a notebook's cells one after another.

    `cells` has the line each cell begins at, empty outside notebooks; `faults` names the cells left out.
    """

    path: str
    source: str
    cells: Sequence[int] = ()
    faults: Sequence[str] = ()

    def where(self, line: int) -> str:
        """File and line, or file, cell and line in the cell."""
        cell = sum(first <= line for first in self.cells)
        if not cell:
            return f"{self.path}:{line}"
        return f"{self.path}: cell {cell}:{line - self.cells[cell - 1] + 1}"


def find_sources(paths: Iterable[str]) -> list[Path]:
    """The files under `paths`, each once: files whatever their names, of folders Python and notebooks.

    Hidden folders, environments and build output are left out. Raises InputError for a path that is
    not there.
    """
    found: dict[Path, None] = {}
    for name in paths:
        path = Path(name)
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
        found.update(dict.fromkeys(_walk(path) if path.is_dir() else [path]))
    return list(found)


def read_modules(path: Path) -> Iterator[Module]:
    """The Python of one file. Raises InputError where it cannot be read, OSError where not opened."""
    try:
        match path.suffix:
            case ".ipynb":
                yield _notebook(path)
            case ".md":
                yield from _fences(path)
            case _:
                with tokenize.open(path) as file:  # in the encoding that the file itself states
                    yield Module(str(path), file.read())
    except (SyntaxError, UnicodeDecodeError):
        raise InputError(f"{path}: not text in the encoding it states") from None


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith(".") and one not in _NOT_YOURS)
        if "pyvenv.cfg" in names:
            folders.clear()
            continue
        yield from (Path(place, name) for name in sorted(names) if Path(name).suffix in _SUFFIXES)


def _notebook(path: Path) -> Module:
    notebook = read_notebook(path)
    return Module(str(path), notebook.source, notebook.cells, notebook.faults)


def _fences(path: Path) -> Iterator[Module]:
    text = path.read_text(encoding="utf-8")
    for fence in _FENCE.finditer(text):
        indent = len(fence["indent"])
        code = "\n".join(line[indent:] for line in fence["code"].splitlines())
        if ">>> " not in code:
            before = text.count("\n", 0, fence.start("code"))
            yield Module(str(path), "\n" * before + code + "\n")
