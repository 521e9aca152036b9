"""What `scrimp_fetch` answers: a part of a kept text, or one line that says what to do instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from scrimp.core.offload.handles import is_handle
from scrimp.core.offload.querying import found
from scrimp.core.offload.ranges import Range, cut, lines_of, read_range
from scrimp.errors import InputError

__all__ = ["MOST", "Fetched", "Texts", "answer", "unreadable"]

MOST = 40_000
"""Characters of a text that one fetch gives at most, some 10,000 tokens."""


_LONGEST_QUERY = 400


class Texts(Protocol):
    """Where texts are kept."""

    def text(self, handle: str, scope: str) -> str | None:
        """The text that this scope kept under this handle; None where there is none, or none any more."""


class Fetched(NamedTuple):
    """The content of a tool result, and whether it is an error."""

    text: str
    is_error: bool = False


def answer(asked: Mapping[str, Any], scope: str, texts: Texts) -> Fetched:
    """Answer one use of the tool, whose input is `asked`. Raises only what `texts` raises.

    A range comes back exactly as it stands in the text. One longer than `MOST` ends early, and what follows
    it says where to go on.
    """
    handle = asked.get("handle")
    if not isinstance(handle, str) or not is_handle(handle.strip()):
        return _error("There is no such handle: it stands in the first line of a shortened result.")
    text = texts.text(handle.strip(), scope)
    if text is None:
        return _error(
            f"Nothing is kept under {handle.strip()}, or no longer: call the tool it came from again."
        )
    try:
        return Fetched(_part(text, asked))
    except InputError as error:
        return _error(f"{error}.")


def unreadable() -> Fetched:
    """What is answered where the text cannot be read at present; why is for the user, not for the model."""
    return _error("The full text cannot be read now: call the tool it came from again.")


def _error(line: str) -> Fetched:
    return Fetched(line, is_error=True)


def _part(text: str, asked: Mapping[str, Any]) -> str:
    """What was asked for: by range, else by query, else from the beginning."""
    written, query = asked.get("range"), asked.get("query")
    if written is not None and written != "":
        wanted = read_range(written)
        return _at_most(cut(text, wanted), wanted)
    if isinstance(query, str) and query.strip():
        return found(text, query.strip()[:_LONGEST_QUERY])
    whole = Range("lines", 1, None)
    return _at_most(cut(text, whole), whole)


def _at_most(part: str, wanted: Range) -> str:
    """As much of it as one answer holds: whole lines where it can be."""
    if len(part) <= MOST:
        return part
    lines = _within(lines_of(part)) if wanted.unit == "lines" else []
    if lines:
        last = wanted.first + len(lines) - 1
        return f'{"".join(lines)}[lines {wanted.first}-{last}; go on with range "{last + 1}-"]'
    if wanted.unit == "chars":
        last = wanted.first + MOST - 1
        return f'{part[:MOST]}\n[characters {wanted.first}-{last}; go on with range "chars {last + 1}-"]'
    raise InputError(
        f"line {wanted.first:,} alone is longer than {MOST:,} characters: read it by characters "
        f'(range "chars 1-{MOST}"), or search it (query)'
    )


def _within(lines: list[str]) -> list[str]:
    left = MOST
    for number, line in enumerate(lines):
        left -= len(line)
        if left < 0:
            return lines[:number]
    return lines
