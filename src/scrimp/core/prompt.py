"""A request as the cache sees it: positions, chained digests, markers.

Every block gets a digest of its content (markers left out: moving a marker changes no prompt) and a chained
digest of the whole prefix that ends with it. What a tier of the cache depends on besides its blocks — the
model; speed and server tools from the system tier on; tool choice, thinking, effort and images from the
messages tier on ("Prompt caching", what invalidates the cache) — is mixed into the chain where that tier
begins, so that two prefixes share a cache entry exactly when their chained digests are equal.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
import orjson

from scrimp.wire.markers import TTL
from scrimp.wire.request import Block, Body, automatic_ttl, blocks

__all__ = ["Digest", "Marker", "Prompt", "Reading", "content_digest", "read_prompt"]

Digest = bytes
"""16 bytes of BLAKE2b."""

_SIZE = 16
_NEVER_RENDERED = ("cache_control",)
_SERVER_SEARCH = ("web_search_", "web_fetch_")
_THINKING = frozenset({"thinking", "redacted_thinking"})
_RENDER_ORDER: dict[str, int] = {"tools": 0, "system": 1, "messages": 2}
_OBJECT = (dict, Mapping)  # dict first: asking an abstract class takes several times as long


class Reading(msgspec.Struct, frozen=True):
    """How a model reads a request, where models differ (from `facts`).

    `key` is what entries are scoped by; `strips_thinking` says that thinking of turns before the last new
    user input never reaches the model; `default_effort` is what an omitted effort means; `nested_positions`
    says whether blocks inside a `tool_result` count as positions of the lookback; `images_break_messages`
    whether a prompt with images shares no messages with one without.
    """

    key: str
    strips_thinking: bool = False
    default_effort: str = "high"
    nested_positions: bool = False
    images_break_messages: bool = False


class Marker(msgspec.Struct, frozen=True):
    """A breakpoint at `position` (index into the prompt's positions)."""

    position: int
    ttl: TTL
    automatic: bool = False


class Prompt(msgspec.Struct, frozen=True):
    """The positions of a request with the chained digest of the prefix ending at each.

    `ranks` number the positions as the lookback counts them: nested blocks may share their parent's rank.
    `automatic` is the TTL of top-level caching; where an explicit marker already is on the block it would
    mark, it adds none.
    """

    model: str
    blocks: tuple[Block, ...]
    digests: tuple[Digest, ...]
    prefixes: tuple[Digest, ...]
    ranks: tuple[int, ...]
    markers: tuple[Marker, ...]
    automatic: TTL | None = None

    def __len__(self) -> int:
        return len(self.blocks)

    def remarked(self, markers: Sequence[Marker]) -> Prompt:
        """The same prompt under other markers."""
        return msgspec.structs.replace(self, markers=tuple(markers))

    @property
    def static_end(self) -> int:
        """Position of the last block of tools and system, or -1 without either."""
        return bisect_left(self.blocks, _RENDER_ORDER["messages"], key=_rendered_at) - 1

    def section_end(self, section: str) -> int:
        """Position of the last top-level block of `section`, or -1 when it has none."""
        upto = bisect_right(self.blocks, _RENDER_ORDER[section], key=_rendered_at)
        return upto - 1 if upto and self.blocks[upto - 1].section == section else -1

    def window(self, position: int, lookback: int) -> range:
        """Positions a marker at `position` tests, from its own backwards."""
        lowest = position
        while lowest > 0 and self.ranks[position] - self.ranks[lowest - 1] < lookback:
            lowest -= 1
        return range(position, lowest - 1, -1)

    def last_markable(self, at_most: int | None = None) -> int | None:
        """The last position, not beyond `at_most`, that may carry a marker (the API's own rule)."""
        start = len(self.blocks) - 1 if at_most is None else at_most
        for position in range(start, -1, -1):
            if self.blocks[position].markable and self.blocks[position].depth == 0:
                return position
        return None


def read_prompt(body: Body, reading: Reading) -> Prompt:
    """`body` as `reading`'s model sees it."""
    seen = blocks(body)
    if reading.strips_thinking and not _keeps_thinking(body):
        seen = list(_without_old_thinking(seen))
    digests = [content_digest(block) for block in seen]
    prompt = Prompt(
        model=reading.key,
        blocks=tuple(seen),
        digests=tuple(digests),
        prefixes=tuple(_chain(body, reading, seen, digests)),
        ranks=tuple(_ranks(seen, nested_positions=reading.nested_positions)),
        markers=tuple(Marker(n, block.ttl) for n, block in enumerate(seen) if block.ttl is not None),
    )
    ttl = automatic_ttl(body)
    return prompt if ttl is None else _with_automatic(prompt, ttl)


def content_digest(block: Block) -> Digest:
    """Digest of what `block` says, whatever order its own fields are in and wherever markers are."""
    value = block.value
    if block.kind == "text" and isinstance(value, _OBJECT) and _plain_text(value):
        value = value["text"]
    kind = block.kind.encode("utf-8", "surrogatepass")
    if isinstance(value, str):
        said = b"%b\0%b" % (kind, value.encode("utf-8", "surrogatepass"))
    else:
        said = b"%b\1%b" % (kind, _canonical(value))
    return blake2b(said, digest_size=_SIZE).digest()


def _rendered_at(block: Block) -> int:
    return _RENDER_ORDER[block.section]


def _plain_text(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("text"), str) and all(
        item is None or key in {"type", "text", "cache_control"} for key, item in value.items()
    )


def _canonical(value: Any) -> bytes:
    """Fields of a block in a fixed order; what lies deeper (inputs, schemas) keeps the order as sent."""
    try:
        return orjson.dumps(_fields(value))
    except TypeError:  # integers beyond 64 bits, lone surrogates: rare, and json takes them
        return repr(_fields(value)).encode("utf-8", "surrogatepass")


def _fields(value: Any) -> Any:
    if not isinstance(value, _OBJECT):
        return value
    return [
        (key, [_fields(inner) for inner in item] if key == "content" and isinstance(item, list) else item)
        for key, item in sorted(value.items())
        if item is not None and key not in _NEVER_RENDERED
    ]


def _ranks(seen: Sequence[Block], *, nested_positions: bool) -> Iterator[int]:
    rank = 0
    for block in seen:
        yield rank
        rank += 1 if nested_positions or block.depth == 0 else 0


def _chain(
    body: Body, reading: Reading, seen: Sequence[Block], digests: Sequence[Digest]
) -> Iterator[Digest]:
    state = _mix(b"", b"tools", reading.key)
    section = "tools"
    outside_tools: list[str] = []
    nested = state
    for block, digest in zip(seen, digests, strict=True):
        while section != block.section:
            section, salt = _next_tier(section, body, reading, seen, outside_tools)
            state = nested = _mix(state, section.encode(), salt)
        if section == "tools" and _is_server_search(block.value):
            # Toggling web search or fetch leaves the tools tier cached and breaks the system tier.
            outside_tools.append(digest.hex())
            yield state
            continue
        if block.depth:
            nested = _mix(nested, block.role.encode(), digest)
            yield nested
            continue
        state = nested = _mix(state, block.role.encode(), digest)
        yield state


def _next_tier(
    section: str, body: Body, reading: Reading, seen: Sequence[Block], outside_tools: Sequence[str]
) -> tuple[str, str]:
    if section == "tools":
        return "system", repr((body.get("speed") or "standard", tuple(outside_tools), _output_format(body)))
    thinking = body.get("thinking")
    config = body.get("output_config")
    config = config if isinstance(config, Mapping) else {}
    choice = body.get("tool_choice")
    return "messages", repr(
        (
            _pairs(choice, without={"type": "auto"}),
            _pairs(thinking, without={"type": "disabled"}),
            config.get("effort") or reading.default_effort,
            _pairs(config.get("task_budget"), without={}),
            reading.images_break_messages and any(block.kind == "image" for block in seen),
        )
    )


def _output_format(body: Body) -> str:
    config = body.get("output_config")
    inner = config.get("format") if isinstance(config, Mapping) else None
    return repr(inner or body.get("output_format"))


def _pairs(value: Any, *, without: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Sorted fields of a parameter; a value that means the default counts as left out."""
    if not isinstance(value, Mapping):
        return ()
    kept = {k: v for k, v in value.items() if v is not None and v is not False}
    return () if kept == without else tuple(sorted((str(k), repr(v)) for k, v in kept.items()))


def _is_server_search(tool: Any) -> bool:
    kind = tool.get("type") if isinstance(tool, _OBJECT) else None
    return isinstance(kind, str) and kind.startswith(_SERVER_SEARCH)


def _mix(state: Digest, tag: bytes, item: Digest | str) -> Digest:
    data = item.encode("utf-8", "surrogatepass") if isinstance(item, str) else item
    return blake2b(b"\0".join((state, tag, data)), digest_size=_SIZE).digest()


def _keeps_thinking(body: Body) -> bool:
    """Whether the request edits its context so that thinking of every turn stays ("Context editing")."""
    editing = body.get("context_management")
    edits = editing.get("edits") if isinstance(editing, Mapping) else None
    return any(
        isinstance(edit, Mapping)
        and str(edit.get("type", "")).startswith("clear_thinking_")
        and edit.get("keep") == "all"
        for edit in edits or ()
    )


def _without_old_thinking(seen: Sequence[Block]) -> Iterator[Block]:
    """Older models never see thinking from before the last user turn that is more than tool results."""
    fresh = max(
        (b.message for b in seen if b.role == "user" and b.depth == 0 and b.kind != "tool_result"), default=-1
    )
    for block in seen:
        if block.kind not in _THINKING or block.message > fresh:
            yield block


def _with_automatic(prompt: Prompt, ttl: TTL) -> Prompt:
    """The API marks the last block that may carry a marker, unless that block has one of its own."""
    prompt = msgspec.structs.replace(prompt, automatic=ttl)
    position = prompt.last_markable()
    if position is None or any(marker.position == position for marker in prompt.markers):
        return prompt
    return prompt.remarked([*prompt.markers, Marker(position, ttl, automatic=True)])
