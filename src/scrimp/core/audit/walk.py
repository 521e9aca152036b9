"""Recorded calls walked in time order: what each prompt consists of, and what of it was sent before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from hashlib import blake2b
from typing import Any

import msgspec

from scrimp.core.prompt import Digest
from scrimp.core.recorded import RecordedCall
from scrimp.core.reproduce import Measured
from scrimp.facts.prices import Rates
from scrimp.wire.request import Block

__all__ = ["KINDS", "Asked", "Kind", "Result", "Walk", "Walked", "billed_rates", "bounds_of", "lane_of"]

_EXCERPT = 80
_RESULT = "tool_result"


class Kind(IntEnum):
    """What a position of a prompt is."""

    STATIC = 0
    TOOLS = 1
    SYSTEM = 2
    MESSAGES = 3
    RESULTS = 4


KINDS = len(Kind)


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A tool use: the tool's name, the beginning of what it was asked, and a digest of all of it.

    `key` is None where the recording does not say what was asked.
    """

    tool: str
    text: str = ""
    key: bytes | None = None


class Result(msgspec.Struct, gc=False):
    """A tool result in the prompts of one conversation: its first and last position, and whose it is.

    `said` is a digest of what it says, None where that was not recorded.
    """

    first: int
    last: int
    key: object
    asked: Asked
    said: bytes | None = None


class Walked(msgspec.Struct, frozen=True):
    """One call. The first `same` positions are those of the call before it in its conversation.

    `kinds` has the kind of each position, `again` says for each from `same` on whether the run had sent it
    before. `lane` names the conversation, `gap` is the time since its last call began (None: its first),
    `shared` the tokens it has in common with that one. Sequences are good until the next call is taken.
    """

    measured: Measured
    lane: str
    same: int
    kinds: Sequence[int]
    again: Sequence[bool]
    results: Sequence[Result]
    gap: float | None
    shared: int

    @property
    def call(self) -> RecordedCall:
        """The recorded call."""
        return self.measured.call


class _Thread:
    def __init__(self) -> None:
        self.digests: tuple[Digest, ...] = ()
        self.kinds: list[int] = []
        self.results: list[Result] = []
        self.asked: dict[str, Asked] = {}
        self.at: float | None = None


class Walk:
    """Walks the calls of one source, which must come in time order."""

    def __init__(self) -> None:
        self._threads: dict[tuple[str, str], _Thread] = {}
        self._seen: dict[str, set[Digest]] = {}

    def take(self, measured: Measured) -> Walked:
        """The next call in time."""
        call, prompt = measured.call, measured.call.prompt
        lane = lane_of(call)
        thread = self._threads.setdefault((call.run, lane), _Thread())
        same = _common(thread.digests, prompt.digests)
        del thread.kinds[same:]
        while thread.results and thread.results[-1].last >= same:
            thread.results.pop()
        _extend(thread, prompt.blocks, same, split=call.complete)
        seen = self._seen.setdefault(call.run, set())
        fresh = prompt.digests[same:]
        again = [digest in seen for digest in fresh]
        seen.update(fresh)
        gap = None if thread.at is None else call.at - thread.at
        thread.digests, thread.at = prompt.digests, call.at
        shared = measured.ends[same - 1] if same else 0
        return Walked(measured, lane, same, thread.kinds, again, thread.results, gap, shared)


def billed_rates(call: RecordedCall) -> Rates:
    """The rates the call's own prompt was billed at: batch, speed and geography included."""
    usage = call.usage
    return call.model.rates(
        call.day,
        prompt_tokens=usage.total_input,
        batch=usage.service_tier == "batch",
        fast=usage.speed == "fast",
        geo=usage.inference_geo,
    )


def bounds_of(call: RecordedCall) -> tuple[int, int, int, int]:
    """Where the tokens read, written for 1h, written for 5m and not cached end, in this order.

    What is read comes first, 1h before 5m, plain input last ("Prompt caching", mixing TTLs).
    """
    usage = call.usage
    read = usage.cache_read_input_tokens
    hour = read + usage.write_1h
    return read, hour, hour + usage.write_5m, usage.total_input


def lane_of(call: RecordedCall) -> str:
    """Which of its run's conversations a call is of: known by its first message, or named by the client."""
    if call.label == "main":
        return call.label
    first = call.prompt.static_end + 1
    digests = call.prompt.digests
    return digests[first].hex() if first < len(digests) else ""


def _common(before: Sequence[Digest], now: Sequence[Digest]) -> int:
    """How many positions two prompts begin with in common; slices are compared as wholes, which is quick."""
    low, high = 0, min(len(before), len(now))
    if before[:high] == now[:high]:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if before[low:middle] == now[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _extend(thread: _Thread, blocks: Sequence[Block], start: int, *, split: bool) -> None:
    nested: int | None = None
    for position in range(start, len(blocks)):
        block = blocks[position]
        thread.kinds.append(_kind(block, split=split))
        if block.kind.endswith("tool_use"):
            _note_use(thread.asked, block.value)
        if block.depth:
            nested = position if nested is None else nested
        elif _is_result(block):
            start = position if nested is None else nested
            thread.results.append(_result(thread.asked, block.value, start, position))
            nested = None


def _kind(block: Block, *, split: bool) -> int:
    if block.section == "messages":
        return Kind.RESULTS if block.depth or _is_result(block) else Kind.MESSAGES
    if not split:
        return Kind.STATIC
    return Kind.TOOLS if block.section == "tools" else Kind.SYSTEM


def _is_result(block: Block) -> bool:
    return block.kind.endswith(_RESULT)


def _note_use(asked: dict[str, Asked], value: Any) -> None:
    if not isinstance(value, Mapping):
        return
    name, given = value.get("name"), value.get("input")
    texts = given.values() if isinstance(given, Mapping) else ()
    text = next((text for text in texts if isinstance(text, str)), value.get("subject"))
    excerpt = " ".join(text[: 2 * _EXCERPT].split())[:_EXCERPT] if isinstance(text, str) else ""
    key = value.get("asked") if given is None else _digest(given)
    asked[str(value.get("id"))] = Asked(str(name or "?"), excerpt, key)


def _result(asked: Mapping[str, Asked], value: Any, first: int, last: int) -> Result:
    """A result and whose it is; a recording without names leaves the tool `?`."""
    if not isinstance(value, Mapping):
        return Result(first, last, last, Asked("?"))
    use = value.get("tool_use_id")
    known = asked.get(str(use)) or Asked(str(value.get("name") or "?"))
    content = value.get("content")
    said = value.get("said") if content is None else _digest(content)
    return Result(first, last, use or last, known, said)


def _digest(value: Any) -> bytes:
    """A digest of JSON that does not depend on the order of keys."""
    return blake2b(repr(_sorted(value)).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return [(key, _sorted(value[key])) for key in sorted(value, key=str) if key != "cache_control"]
    return list(map(_sorted, value)) if isinstance(value, (list, tuple)) else value
