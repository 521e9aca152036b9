"""The session state: one text that stands for turns that are gone, and can be read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from scrimp.core.summarize.obligations import KINDS, Kind, Obligation, squeezed

__all__ = ["BEGIN", "State", "is_state", "lost", "read_state", "written"]

BEGIN, _END = "<session-state>", "</session-state>"
_INTRODUCTION = "Earlier turns of this conversation were left out. This is what they came to, word for word:"
_WORDS = "## In short"
_TITLES: Mapping[Kind, str] = {
    "rule": "## Asked for",
    "decision": "## Found and decided",
    "task": "## Open",
    "path": "## Files",
    "name": "## Names",
    "number": "## Numbers",
}
_LISTED: Mapping[str, str] = {"path": ", ", "name": ", ", "number": "; "}
"""Kinds that stand in one line, and what is between them."""


class State(NamedTuple):
    """What a session state says: `words` of a model, if one wrote any, and obligations."""

    words: str
    obligations: list[Obligation]


def written(obligations: Sequence[Obligation], words: str = "") -> str:
    """The text of a session state."""
    lines = [BEGIN, _INTRODUCTION]
    if words.strip():
        lines += [_WORDS, *(_told_apart(line) for line in words.strip().splitlines() if not _is_frame(line))]
    for kind in KINDS:
        texts = [one.text for one in obligations if one.kind == kind]
        if texts:
            between = _LISTED.get(kind)
            lines += [_TITLES[kind], *([between.join(texts)] if between else (f"- {text}" for text in texts))]
    return "\n".join([*lines, _END])


def _is_frame(line: str) -> bool:
    return line.strip() in (BEGIN, _END)


def _told_apart(line: str) -> str:
    """A line of a model's words, which may have a heading that is one of ours."""
    return f" {line}" if line == _WORDS or line in _TITLES.values() else line


def is_state(message: Mapping[str, Any]) -> bool:
    """Whether a message is a session state, and nothing else."""
    text = _text(message)
    begins = text.startswith(f"{BEGIN}\n{_INTRODUCTION}\n")
    return message.get("role") == "user" and begins and text.endswith(f"\n{_END}")


def read_state(message: Mapping[str, Any]) -> State:
    """What a session state says."""
    kinds = {title: kind for kind, title in _TITLES.items()}
    words: list[str] = []
    found: list[Obligation] = []
    kind: Kind | None = None
    in_words = False
    for line in _text(message).splitlines()[2:-1]:
        if line in kinds or line == _WORDS:
            kind, in_words = kinds.get(line), line == _WORDS
        elif in_words:
            words.append(line)
        elif kind is not None:
            between = _LISTED.get(kind)
            texts = line.split(between) if between else [line.removeprefix("- ")]
            found += [Obligation(kind, text) for text in texts]
    return State("\n".join(words), found)


def lost(obligations: Iterable[Obligation], texts: Iterable[str]) -> list[Obligation]:
    """The obligations that none of these texts has word for word."""
    whole = "\n".join(map(squeezed, texts))
    return [one for one in obligations if one.text not in whole]


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], Mapping):
        content = content[0].get("text")
    return content if isinstance(content, str) else ""
