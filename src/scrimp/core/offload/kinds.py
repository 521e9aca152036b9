"""What kind of text a tool result is, by what its lines look like and by the name of the file it shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

from scrimp.core.offload.as_code import DEFINED
from scrimp.core.offload.as_html import TAG
from scrimp.core.offload.as_json import parsed
from scrimp.core.offload.as_listing import HIT, PATH
from scrimp.core.offload.as_table import delimiter_of
from scrimp.core.offload.source import Hints, Source

__all__ = ["KINDS", "Kind", "kind_of"]

Kind = Literal["json", "html", "diff", "listing", "table", "log", "code", "text"]
KINDS: tuple[Kind, ...] = ("json", "html", "diff", "listing", "table", "log", "code", "text")

_LOOKED_AT = 400
"""Lines looked at: of a longer text evenly spread ones."""

_CODE_FILES_WORDS = (
    "py pyi go ts tsx js jsx mjs cjs java kt kts rs c h cc cpp hpp cs rb php swift scala sh bash zsh "
    "lua dart ex exs erl hs ml clj vue svelte sql proto tf gradle groovy pl r jl m mm zig nim"
)
_CODE_FILES = frozenset(_CODE_FILES_WORDS.split())
_TEXT_FILES = frozenset({"md", "mdx", "rst", "txt", "adoc"})
_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@")
_TIME = re.compile(
    r"(?:^|\W)(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d|\d\d:\d\d:\d\d|[A-Z][a-z]{2} +\d+ \d\d:\d\d"
    r"|\[ *\d+\.\d+\])"
)
_TIMED_WITHIN = 80
"""Characters at the beginning of a line in which its time stands."""

_OUTCOME = re.compile(
    r"\s*(?:ok|FAIL|PASS(?:ED)?|ERROR|WARN(?:ING)?|INFO|DEBUG|TRACE|=== RUN|--- (?:PASS|FAIL|SKIP)|npm |"
    r"Compiling|Applying|Installing|Collecting|Downloading|\[\w+\]|✓|✔|✗|×|at )"
)
_TABLE_ROW = re.compile(r"\s*\|.*\|\s*$")
_CODE_LINE = re.compile(
    r".*[;{})\],]\s*$|\s*(?:return|if|for|while|else|elif|import|from|def|class|func|const|let|var)\b"
)
_MOST_OPEN = 50
"""Tags that may open before one is closed: parsers take long on what only looks like markup."""

_TAGS_PER_CHARACTER = 1 / 400


def kind_of(source: Source, hints: Hints) -> Kind:
    """The kind of a text."""
    if parsed(source.plain) is not None:
        return "json"
    if _is_html(source.text):
        return "html"
    lines = _some(source.bare)
    for kind, share, is_like in _BY_LINES:
        if _share(lines, is_like) >= share:
            return kind
    if sum(_HUNK.match(line) is not None for line in source.bare) and _share(lines, _is_changed) >= 0.3:
        return "diff"
    return _by_words(source, lines, hints)


def _by_words(source: Source, lines: Sequence[str], hints: Hints) -> Kind:
    timed = _share(lines, _is_timed) >= 0.3
    if not source.numbered and not timed and delimiter_of(lines) is not None:
        return "table"
    ending = _ending(hints)
    if source.numbered and ending in _TEXT_FILES:
        return "text"
    if source.numbered and ending in _CODE_FILES:
        return "code"
    if timed or _share(lines, _OUTCOME.match) >= 0.3:
        return "log"
    coded = _share(lines, _CODE_LINE.match)
    defined = _share(lines, DEFINED.match)
    return "code" if coded >= 0.45 or (defined >= 0.02 and coded >= 0.25) else "text"


def _ending(hints: Hints) -> str:
    """The ending of the file that was asked for; none where there are several."""
    endings = {name.rpartition(".")[2].lower() for name in hints.files[:1]}
    return endings.pop() if len(endings) == 1 else ""


def _is_html(text: str) -> bool:
    if text.lstrip()[:1] != "<":
        return False
    if any(part.count("<") > _MOST_OPEN for part in text.split(">")):
        return False
    head = text[:2_000].lower()
    if "<!doctype html" in head or "<html" in head:
        return True
    return len(TAG.findall(text)) >= max(10, len(text) * _TAGS_PER_CHARACTER)


def _some(lines: Sequence[str]) -> list[str]:
    full = [line for line in lines if line.strip()]
    return full if len(full) <= _LOOKED_AT else full[:: len(full) // _LOOKED_AT]


def _share(lines: Sequence[str], is_like: Callable[[str], object]) -> float:
    return sum(bool(is_like(line)) for line in lines) / len(lines) if lines else 0.0


def _is_timed(line: str) -> bool:
    return _TIME.search(line, 0, _TIMED_WITHIN) is not None


def _is_changed(line: str) -> bool:
    return line[:1] in ("+", "-", "@")


def _is_listed(line: str) -> bool:
    return line == "--" or PATH.match(line.strip()) is not None or HIT.match(line) is not None


_BY_LINES: tuple[tuple[Kind, float, Callable[[str], object]], ...] = (
    ("listing", 0.7, _is_listed),
    ("table", 0.8, _TABLE_ROW.match),
)
