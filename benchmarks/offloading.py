"""What offloading makes of the large tool results of recorded agents, and whether anything is lost by it.

    python -m benchmarks.offloading TRACES [--json] [--share 0.3] [--most 2000]

Every tool result of more than 2,000 tokens is reduced as the lever would have done it when it came in. What
the rest of the recorded conversation took from it – paths, identifiers, numbers, quotes and whole lines that
the model used later and that stood nowhere before – must be in the reduced text, or within one fetch: in the
range that one mark of a gap names, in some other range, or around what a query finds. And every conversation
goes through the lever, request by request (`offloading_live`).
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import msgspec

from benchmarks.offloading_live import Driven, drive
from benchmarks.recorded_conversations import Conversation, conversations
from scrimp.cli.output import print_json
from scrimp.core.offload.answering import Fetched, answer
from scrimp.core.offload.ranges import lines_of
from scrimp.core.offload.reducing import Policy, Reduced, reduce_text
from scrimp.core.offload.source import hints_of
from scrimp.core.whatif.regret_needles import names_in, texts_of

__all__ = ["Figures", "Large", "large_results", "measured"]

_GAP = re.compile(r"\[… (chars )?(\d+)(?:-(\d+))?(?:: .*)?\]$", re.MULTILINE)
_LONGEST = 400_000
_WINDOW = 150
"""Lines of a range that a model asks for without a mark that names it."""


class Large(NamedTuple):
    """A large result as it came in: the call it answers, what was said before it, and what was used of it."""

    source: str
    tool: str
    asked: Any
    said: str
    text: str
    used: frozenset[str]


class Figures(msgspec.Struct):
    """Sums over results. Names are counted once for each result: used later, and where they still were."""

    results: int = 0
    before: int = 0
    after: int = 0
    used: int = 0
    present: int = 0
    by_mark: int = 0
    by_range: int = 0
    by_query: int = 0
    lost: int = 0
    whole: int = 0
    """Results of which everything that was used later was still in the reduced text."""

    seconds: float = 0.0

    def add(self, other: Figures) -> None:
        """Take in the sums of others."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class _Kept(NamedTuple):
    """One text that is kept."""

    whole: str

    def text(self, handle: str, scope: str) -> str | None:  # noqa: ARG002 - there is only one
        return self.whole


def large_results(found: Iterable[Conversation], least: int) -> Iterator[Large]:
    """Results of more than `least` characters, each once."""
    seen: set[tuple[str, int]] = set()
    for conversation in found:
        for large in _of(conversation, least):
            key = (large.tool, hash(large.text))
            if key not in seen:
                seen.add(key)
                yield large


def _of(conversation: Conversation, least: int) -> Iterator[Large]:
    blocks = [
        (message["role"], block) for message in conversation.messages for block in _blocks(message["content"])
    ]
    results = [at for at, (_, block) in enumerate(blocks) if len(_result_text(block)) > least]
    if not results:
        return
    first, last = _met(blocks)
    uses = {block.get("id"): block for _, block in blocks if block.get("type") == "tool_use"}
    for at in results:
        block = blocks[at][1]
        use = uses.get(block.get("tool_use_id"), {})
        text = _result_text(block)
        used = frozenset(
            name for name in names_in(text[:_LONGEST]) if first[name] == at and last.get(name, -1) > at
        )
        said = _said_before(blocks, at)
        yield Large(conversation.source, str(use.get("name")), use.get("input"), said, text, used)


def _met(blocks: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[dict[str, int], dict[str, int]]:
    """Where each name stands first, and where the model said it last."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for at, (role, block) in enumerate(blocks):
        names = {name for text in texts_of(block) for name in names_in(text[:_LONGEST])}
        for name in names:
            first.setdefault(name, at)
        if role == "assistant":
            last.update(dict.fromkeys(names, at))
    return first, last


def _said_before(blocks: Sequence[tuple[str, Mapping[str, Any]]], at: int) -> str:
    """What was said before the call: the task, and what the model said last."""
    told = [
        str(block.get("text"))
        for role, block in blocks[:at]
        if role == "user" and block.get("type") == "text"
    ]
    said = [
        str(block.get("text"))
        for role, block in blocks[:at]
        if role == "assistant" and block.get("type") == "text"
    ]
    return "\n".join([*told[-2:], *said[-3:]])


def _blocks(content: Any) -> list[Mapping[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content or () if isinstance(block, Mapping)]


def _result_text(block: Mapping[str, Any]) -> str:
    """The one text of a result; none where it has several, or is an error."""
    if block.get("type") != "tool_result" or block.get("is_error"):
        return ""
    texts = list(texts_of(block))
    return texts[0] if len(texts) == 1 else ""


def measured(found: Iterable[Large], policy: Policy) -> dict[tuple[str, str], Figures]:
    """Figures by source and kind."""
    figures: dict[tuple[str, str], Figures] = {}
    for large in found:
        begun = process_time()
        reduced = reduce_text(large.text, policy, hints_of(large.asked, large.said))
        if reduced is not None:
            one = _figures(large, reduced, process_time() - begun)
            figures.setdefault((large.source, reduced.kind), Figures()).add(one)
    return figures


def _figures(large: Large, reduced: Reduced, seconds: float) -> Figures:
    here = _Names(reduced.text)
    gaps = [_Names(part) for part in _fetched(large.text, reduced)]
    windows = [_Names(part) for part in _windows(large.text)]
    one = Figures(1, reduced.before, reduced.after, len(large.used), seconds=seconds)
    for name in large.used:
        if here.have(name):
            one.present += 1
        elif any(part.have(name) for part in gaps):
            one.by_mark += 1
        elif any(part.have(name) for part in windows):
            one.by_range += 1
        elif _Names(_asked(large.text, reduced, query=name).text).have(name):
            one.by_query += 1
        else:
            one.lost += 1
    one.whole = one.present == one.used
    return one


class _Names:
    """What a text names."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._names = frozenset(names_in(text))

    def have(self, name: str) -> bool:
        return name in self._names or name in self._text


def _fetched(text: str, reduced: Reduced) -> Iterator[str]:
    """What the ranges that marks name bring."""
    for match in _GAP.finditer(reduced.text):
        wanted = f"{match[1] or ''}{match[2]}-{match[3] or match[2]}"
        yield _asked(text, reduced, range=wanted).text


def _windows(text: str) -> Iterator[str]:
    lines = lines_of(text)
    for at in range(0, len(lines), _WINDOW):
        yield "".join(lines[at : at + 2 * _WINDOW])


def _asked(text: str, reduced: Reduced, **asked: str) -> Fetched:
    return answer({"handle": reduced.handle, **asked}, "", _Kept(text))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code: 1 where something was out of reach."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.offloading", description=__doc__)
    parser.add_argument("traces", type=Path, help="folder of recorded traces")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--share", type=float, default=Policy().share, help="of the tokens that may be left")
    parser.add_argument("--most", type=int, default=Policy().most, help="tokens that are left at most")
    options = parser.parse_args(arguments)
    policy = Policy(share=options.share, most=options.most)
    recorded = list(conversations(options.traces))
    rows = _rows(measured(large_results(recorded, policy.whole), policy))
    driven = drive(recorded)
    if options.json:
        sums = [{"name": name, **msgspec.to_builtins(row)} for name, row in rows]
        print_json({"results": sums, "conversations": msgspec.to_builtins(driven)})
    else:
        _print(rows)
        _tell(driven)
    return 1 if rows[-1][1].lost or driven.refused_after or driven.changed_later else 0


def _tell(driven: Driven) -> None:
    print(
        f"\n{driven.valid_before:,} valid conversations with large results, {driven.requests:,} requests: "
        f"{driven.refused_after:,} refused by the emulator once results were shortened, "
        f"{driven.changed_later:,} that do not begin with the request before them; {driven.cut:,} of "
        f"{driven.large:,} large results shortened, "
        f"{driven.after / max(1, driven.before):.1%} of all their tokens left"
    )


def _rows(figures: Mapping[tuple[str, str], Figures]) -> list[tuple[str, Figures]]:
    """By kind, by source, and all."""
    sums: dict[str, Figures] = {}
    for at in (1, 0):
        for key in sorted(figures, key=lambda key: key[at]):
            sums.setdefault(key[at], Figures()).add(figures[key])
    total = Figures()
    for one in figures.values():
        total.add(one)
    return [*sums.items(), ("all", total)]


def _print(rows: Sequence[tuple[str, Figures]]) -> None:
    print(
        f"{'':22}{'results':>8}{'tokens':>12}{'left':>8}{'names used':>12}{'present':>9}{'by mark':>9}"
        f"{'by range':>9}{'by query':>9}{'lost':>6}{'all there':>10}{'ms each':>9}"
    )
    for name, one in rows:
        used = one.used or 1
        print(
            f"{name:22}{one.results:8,}{one.before:12,}{one.after / max(one.before, 1):8.1%}{one.used:12,}"
            f"{one.present / used:9.1%}{one.by_mark / used:9.1%}{one.by_range / used:9.1%}"
            f"{one.by_query / used:9.1%}{one.lost:6,}{one.whole / max(one.results, 1):10.1%}"
            f"{1e3 * one.seconds / max(one.results, 1):9.1f}"
        )


if __name__ == "__main__":
    sys.exit(main())
