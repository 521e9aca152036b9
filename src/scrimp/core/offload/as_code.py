"""Code: an outline of what is defined, with the lines that were looked for, and first words of explanations.

Python that stands alone is read by the language's own parser; all else by what definitions look like in the
languages of today, and by how far a line is indented.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from scrimp.core.offload.selecting import Wanted, hinted, selected
from scrimp.core.offload.source import LOOKED_THROUGH, Hints, Source

__all__ = ["DEFINED", "reduced"]

DEFINED = re.compile(
    r"\s*(?:(?:export|default|pub(?:\([a-z]+\))?|public|private|protected|internal|static|async|abstract|final|"
    r"override|virtual|sealed|readonly|declare|unsafe|extern|inline|const|open|data)\s+)*"
    r"(?:def|class|func|function\*?|fn|interface|type|struct|enum|trait|impl(?:<[^>]*>)?|module|namespace|"
    r"record|object|protocol|extension|macro_rules!|mod|union)\s+(?:\([^)]*\)\s*)?([A-Za-z_$][\w$.]*)"
)
"""A line that defines something; its group 1 is the name."""

_BOUND = re.compile(
    r"(?:(?:export|pub|public|private|static|final|declare)\s+)*(?:const|let|var|val)\s+([A-Za-z_$][\w$]*)"
    r"|([A-Z][A-Z0-9_]{2,})\s*(?::[^=]+)?=|([A-Za-z_]\w*)\s*(?::[^=]+)?=\s|@\w+"
)
_METHOD = re.compile(
    r"\s+(?:(?:public|private|protected|static|async|final|override|virtual|get|set)\s+)*[\w<>\[\], .?]*\b\w+"
    r"\([^;]*\)\s*(?::\s*[^;={]+|->\s*[^{]+|throws [\w, ]+)?\s*\{\s*$"
)
_NOT_METHOD = re.compile(r"\s*(?:if|for|while|switch|catch|return|else|do|try|select|match|\}|with)\b")
_NESTED = ("body", "orelse", "handlers", "finalbody", "cases")
"""Where statements stand in statements; expressions are not gone through."""

_IMPORT = re.compile(r"\s*(?:import|from|use|using|require|#include|package)\b|\s*\"[\w./-]+\"$")
_COMMENT = re.compile(r"\s*(?:#|//|/\*|\*|--|\"\"\"|''')")
_HEADING = re.compile(r"#{1,4} \S")
_RETURNS = re.compile(r"\s*(?:return|raise|throw|yield|panic)\b")
_TESTED = re.compile(r"\s*(?:it|test|describe|t\.Run|@pytest|@Test)\b")
_EDGE = re.compile(r"\W*$")

_TOP, _INNER, _VALUES, _TITLES, _SAYS, _ENDS, _OTHER = 6.0, 5.0, 2.5, 5.0, 1.0, 0.8, 0.5
_LOOKED_AT = 240
"""Characters of a line that are compared with forms, some of which take long on long ones."""

_FIRST_COMMENT, _COMMENTS, _IMPORTS = 1.4, 0.5, 0.7


def reduced(source: Source, hints: Hints, budget: int) -> str:
    """Lines of code in some `budget` tokens: definitions first."""
    scores = hinted(source, hints)
    parsed = _definitions(source.plain) if len(source.text) <= LOOKED_THROUGH else ()
    commented = False
    for at, line in enumerate(source.bare):
        comment = _COMMENT.match(line) is not None and not _HEADING.match(line)
        if at in parsed:
            scores[at] += _TOP if line[:1].strip() else _INNER
        elif comment:
            scores[at] += _COMMENTS if commented else _FIRST_COMMENT
        else:
            scores[at] += _score(line)
        commented = comment
    return selected(source, Wanted(scores, first=DEFINED), budget)


@lru_cache(maxsize=1)
def _definitions(plain: str) -> frozenset[int]:
    """The lines of Python at which something is defined; none where it is no Python, or only a part of it."""
    try:
        tree = ast.parse(plain)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    found: set[int] = set()
    left: list[ast.AST] = [tree]
    while left:
        node = left.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.lineno - 1)
        for nested in (getattr(node, field, None) for field in _NESTED):
            left.extend(nested if isinstance(nested, list) else ())
    return frozenset(found)


def _score(whole: str) -> float:
    """What a line is worth by what it looks like."""
    line = whole[:_LOOKED_AT]
    if _EDGE.match(line):
        return 0.0
    top = bool(line[:1].strip())
    if DEFINED.match(line):
        return _TOP if top else _INNER
    if _METHOD.match(line) and not _NOT_METHOD.match(line):
        return _INNER
    if top and not _IMPORT.match(line) and _BOUND.match(line):
        return _VALUES
    return next((score for form, score in _FORMS if form.match(line)), _OTHER)


_FORMS = ((_HEADING, _TITLES), (_TESTED, _INNER), (_IMPORT, _IMPORTS), (_RETURNS, _SAYS + _ENDS))
