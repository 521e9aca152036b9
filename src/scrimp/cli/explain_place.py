"""Which call `scrimp explain` is to look at: a file with a line, a message id or a number; or a name."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from scrimp.errors import InputError

__all__ = ["Place", "place_name", "read_place", "typed"]

STDIN = "-"
_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson", ".gz", ".xz", ".sqlite"})


@dataclass(frozen=True, slots=True)
class Place:
    """What was asked for. Exactly one of these holds:

    `path` alone is a whole file (`-`: standard input); with `line`, `message` or `number` a call in it;
    without `path`, `name` is a record's id, or a run with the `number` of its call.
    """

    path: Path | None = None
    line: int | None = None
    message: str = ""
    number: int | None = None
    name: str = ""

    @property
    def is_stdin(self) -> bool:
        """Whether the request comes from standard input."""
        return self.path is not None and str(self.path) == STDIN

    @property
    def whole_file(self) -> bool:
        """Whether no call in it is named."""
        return self.line is None and self.number is None and not self.message


def read_place(words: tuple[str, ...]) -> Place:
    """`FILE`, `FILE:LINE`, `FILE#MESSAGE`, `FILE#NUMBER`, `FILE MESSAGE`; else a record id or `RUN#NUMBER`.

    A file's own name goes first, however it reads. Raises InputError for a file that is not there.
    """
    text = " ".join(words)
    if text == STDIN or Path(text).exists():
        return Place(path=Path(text))
    for mark in ("#", ":", " "):
        before, found, after = text.rpartition(mark)
        if found and Path(before).is_file():
            return _in_file(Path(before), mark, after)
    before, found, after = text.rpartition("#")
    if found and after.isdecimal() and not _looks_like_a_file(before):
        return Place(name=before, number=int(after))
    if _looks_like_a_file(text):
        raise InputError(f"{text}: no such file")
    return Place(name=text)


def place_name(where: str) -> str:
    """A recorded place as `FILE:LINE` or `FILE#MESSAGE`, as help and docs write it."""
    path, _, message = where.rpartition(" ")
    named = Path(path).suffix in _SUFFIXES and "/" not in message and not message.isdecimal()
    return f"{path}#{message}" if named else where


def typed(where: str) -> str:
    """A place as one types it in a shell after `scrimp explain`, below one's own folder with a ~."""
    name = place_name(where)
    if set(name) & set("()&;|<>[]*?\"'$` \t\\") or name.startswith(("#", "~")):
        return shlex.quote(name)
    home = f"{Path.home()}/"
    return f"~/{name.removeprefix(home)}" if name.startswith(home) else name


def _in_file(path: Path, mark: str, after: str) -> Place:
    if mark == ":":
        if not after.isdecimal() or not int(after):
            raise InputError(f"{path}:{after}: after the colon comes the number of a line, 1 or more")
        return Place(path=path, line=int(after))
    if after.isdecimal() and mark == "#":
        return Place(path=path, number=int(after))
    return Place(path=path, message=after)


def _looks_like_a_file(text: str) -> bool:
    """Whether a name that is not there was meant as a file's: ids and runs look otherwise."""
    first = text.partition("#")[0].partition(":")[0].partition(" ")[0]
    return Path(first).suffix in _SUFFIXES or first.startswith((".", "/", "~"))
