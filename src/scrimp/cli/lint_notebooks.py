"""The Python of a notebook, cell by cell: magics and shell commands are blanked, other languages left out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec
import orjson

from scrimp.errors import InputError

__all__ = ["Notebook", "read_notebook"]

_CELL_MAGIC = re.compile(r"\s*%%(?P<name>\w+)(?P<rest>.*)")
_OF_PYTHON = frozenset({"time", "timeit", "capture", "prun", "python", "python3"})
_FILES = frozenset({"writefile", "file"})
_MAGIC = re.compile(r"(?P<indent>\s*)(?:[%!?].*|[\w.]+\?{1,2}\s*)")
_ASSIGNED = re.compile(r"(?P<target>\s*[\w.,\[\]\s]+=\s*)[%!].*")


class Notebook(msgspec.Struct, frozen=True):
    """The cells' code one after another, the line each begins at, and which cells could not be read."""

    source: str
    cells: Sequence[int]
    faults: Sequence[str]


def read_notebook(path: Path) -> Notebook:
    """The Python of a notebook. Raises InputError where it is none, OSError where it cannot be opened."""
    try:
        found = orjson.loads(path.read_bytes())
        cells = [_text(cell["source"]) for cell in found["cells"] if cell["cell_type"] == "code"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise InputError(f"{path}: not a notebook: expected JSON with `cells`") from None
    lines: list[list[str]] = []
    faults: list[str] = []
    for number, cell in enumerate(cells, start=1):
        code = _python(cell)
        fault = _fault(code)
        if fault is not None:
            faults.append(f"{path}: cell {number}:{fault}")
            code = [""] * len(code)
        lines.append(code)
    first = list(accumulate((len(cell) for cell in lines), initial=1))[: len(lines)]
    return Notebook("\n".join(line for cell in lines for line in cell) + "\n", first, faults)


def _text(source: Any) -> str:
    return "".join(source) if isinstance(source, list) else str(source)


def _python(cell: str) -> list[str]:
    """The lines of a cell that are Python, the others blank, so that lines keep their numbers."""
    lines = re.split(r"\r\n|\r|\n", cell)
    magic = _CELL_MAGIC.match(cell.lstrip("\n"))
    if magic and not _is_python(magic["name"], magic["rest"]):
        return [""] * len(lines)
    return lines if _fault(lines) is None else list(_without_magics(lines))


def _is_python(magic: str, rest: str) -> bool:
    return magic in _OF_PYTHON or (magic in _FILES and rest.strip().endswith(".py"))


def _without_magics(lines: list[str]) -> Iterator[str]:
    goes_on = False
    for line in lines:
        magic = None if goes_on else _MAGIC.fullmatch(line)
        assigned = None if goes_on else _ASSIGNED.fullmatch(line)
        if magic:
            yield f"{magic['indent']}pass"
        elif assigned:
            yield f"{assigned['target']}None"
        else:
            yield "" if goes_on else line
        goes_on = (goes_on or bool(magic or assigned)) and line.endswith("\\")


def _fault(lines: list[str]) -> str | None:
    """The line and the reason why a cell is no Python; None where it is."""
    try:
        ast.parse("\n".join(lines) + "\n")
    except SyntaxError as error:
        return f"{error.lineno or 1}: not Python: {error.msg}"
    except ValueError as error:
        return f"1: not Python that can be read: {error}"
    except (RecursionError, MemoryError):
        return "1: nested too deeply to be followed"
    return None
