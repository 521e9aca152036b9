"""What must not be lost when turns go: rules, decisions, open tasks, paths, names and numbers.

They are taken from what people wrote, what the model said and what it asked tools for – not from results,
which can be asked for again. Everything is kept as it was said, word for word, so that it can be looked for.
Rules and open tasks are all kept; of everything else there are at most so many, those said last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec

from scrimp.core.whatif.regret_needles import names_in

__all__ = ["KINDS", "Kind", "Obligation", "found_in", "squeezed", "together"]

Kind = Literal["rule", "decision", "task", "path", "name", "number"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_MOST: Mapping[Kind, int] = {"rule": 60, "decision": 60, "path": 150, "name": 300, "number": 100}
"""How many are kept. Of what people wrote this counts what does not sound like a rule; tasks are all kept."""

_WHOLE, _BEGINNING, _SENTENCE = 400, 200, 240
"""Characters: of what people wrote that is kept whole, of the beginning of what is longer, of a sentence."""

_INPUT = 2_000
"""Characters of a tool's input that are looked at for names: what is longer is what it wrote."""

_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")
_RULE = re.compile(
    r"(?i)\b(must|never|always|don't|do not|only|should|required?|ensure|make sure|avoid|prefer|forbidden)\b"
)
_DECISION = re.compile(
    r"(?i)\b(decid\w+|decision|chose|chosen|going with|we'll use|will use|instead of|root cause|turns out"
    r"|because|found (?:that|the)|the (?:fix|issue|problem|bug|cause|reason|solution) (?:is|was)|confirmed"
    r"|conclu\w+|fixed|passe[sd]|fail(?:s|ed)|implemented|renamed|replaced|agreed)\b"
)
_TASK = re.compile(
    r"(- \[ \] .+)|\b(TODO|FIXME|still (?:need|have) to|remaining|next step|not yet|left to do)\b"
)
_PATH = re.compile(r"(?<![\w./@~:+-])(?:~?/|\.{1,2}/)?(?:[\w.@+-]+/)+[\w.@+-]*\w")
_NAME = re.compile(
    r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"  # UUIDs
    r"|\b[A-Z][A-Z0-9]+-\d+\b|(?<!\w)#\d+\b"  # tickets, issues
    r"|\b[\w.+-]+@[\w-]+\.[\w.]+\b|\bhttps?://[^\s\"'`<>)\]]+"
    r"|(?<=`)[^`\s,][^`\n,]{1,60}(?=`)"  # what is quoted as code
)
_NUMBER = re.compile(
    r"\b[A-Za-z_][\w-]*(?: ?[=:] ?| (?:is|was|are|of|to) )[$€]?\d[\d,.]*\d?"
    r"(?: ?(?:%|ms|s|seconds?|minutes?|hours?|days?|weeks?|months?|years?|[KMGT]B|tokens|lines|tests|px)\b)?"
)
_REMINDER = re.compile(r"\s*<[a-z]+-[a-z-]+>")
_OPEN = frozenset({"pending", "in_progress", "open", "todo"})


class Obligation(msgspec.Struct, frozen=True):
    """One thing that must not be lost, as it was said, in one line."""

    kind: Kind
    text: str


def found_in(messages: Iterable[Mapping[str, Any]]) -> list[Obligation]:
    """What these messages oblige to, in the order in which it was said last."""
    found: dict[Obligation, None] = {}
    plan: list[Obligation] = []
    for message in messages:
        by_model = message.get("role") == "assistant"
        for block in _blocks(message):
            tasks = _planned(block.get("input")) if block.get("type") == "tool_use" else None
            plan = plan if tasks is None else tasks  # each plan replaces the one before it
            for one in _in_block(block, by_model=by_model):
                found.pop(one, None)
                found[one] = None
    return together(found, plan)


def together(*parts: Iterable[Obligation]) -> list[Obligation]:
    """Earlier and later ones: by kind, each once, those said last where there are too many."""
    last: dict[Obligation, None] = {}
    for one in (one for part in parts for one in part):
        last.pop(one, None)
        last[one] = None
    by_kind: dict[Kind, list[Obligation]] = {kind: [] for kind in KINDS}
    for one in last:
        by_kind[one.kind].append(one)
    paths = "\n".join(one.text for one in by_kind["path"][-_MOST["path"] :])
    by_kind["name"] = [one for one in by_kind["name"] if one.text not in paths]  # it says them already
    return [one for kind in KINDS for one in _most_of(by_kind[kind])]


def _most_of(found: Sequence[Obligation]) -> Sequence[Obligation]:
    """Of one kind, all that must stay and the last of the rest."""
    may_go = [at for at, one in enumerate(found) if not _must_stay(one)]
    gone = set(may_go[: -_MOST[found[0].kind]]) if may_go else ()
    return [one for at, one in enumerate(found) if at not in gone]


def _must_stay(one: Obligation) -> bool:
    return one.kind == "task" or (one.kind == "rule" and bool(_RULE.search(one.text)))


def squeezed(text: str) -> str:
    """A text in one line, with single blanks."""
    return " ".join(text.split())


def _in_block(block: Mapping[str, Any], *, by_model: bool) -> Iterator[Obligation]:
    text = block.get("text") if block.get("type") == "text" else None
    if isinstance(text, str) and not (not by_model and _REMINDER.match(text)):
        yield from _said(text) if by_model else _wanted(text)
        yield from _named(text)
        yield from _some("number", _NUMBER.findall(text))
    elif block.get("type") == "tool_use":
        for given in _strings(block.get("input")):
            yield from _named(given[:_INPUT])


def _wanted(text: str) -> Iterator[Obligation]:
    """What somebody asks for: whole where it is short, else how it begins and what rules are in it."""
    whole = squeezed(text)
    if len(whole) <= _WHOLE:
        yield from _some("rule", [whole])
        return
    yield from _some("rule", [whole[:_BEGINNING].rpartition(" ")[0] or whole[:_BEGINNING]])
    yield from _some("rule", _sentences(text[_BEGINNING:], _RULE))


def _said(text: str) -> Iterator[Obligation]:
    yield from _some("decision", _sentences(text, _DECISION))
    yield from _some("task", _sentences(text, _TASK))


def _named(text: str) -> Iterator[Obligation]:
    paths = [path for path in _PATH.findall(text) if re.search("[A-Za-z]", path) and 4 <= len(path) <= 200]
    yield from _some("path", paths)
    code = (name for name in names_in(text) if len(name) <= 60 and not set(name) & {" ", "/", ","})
    yield from _some("name", (name for name in (*_NAME.findall(text), *code) if ", " not in name))


def _some(kind: Kind, texts: Iterable[str]) -> Iterator[Obligation]:
    return (Obligation(kind, squeezed(text)) for text in texts if text.strip(" -*#>|"))


def _sentences(text: str, pattern: re.Pattern[str]) -> list[str]:
    said = (one for one in _SENTENCES.split(text) if len(one) <= _SENTENCE and pattern.search(one))
    return [one.strip(" -*#>|") for one in said]


def _planned(given: Any) -> list[Obligation] | None:
    """The open items of a plan that a tool was given: a list of things with a status; None: it is none."""
    lists = (
        [value for value in given.values() if isinstance(value, list)] if isinstance(given, Mapping) else []
    )
    for items in lists:
        if items and all(isinstance(item, Mapping) and "status" in item for item in items):
            opened = [item for item in items if str(item["status"]).lower() in _OPEN]
            return list(_some("task", (next(_strings(item), "") for item in opened)))
    return None


def _blocks(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content or () if isinstance(block, Mapping)]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)
