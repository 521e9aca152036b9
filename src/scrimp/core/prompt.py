"""A request as the cache sees it: positions, chained digests, markers.

Every block gets a digest of its content (markers left out: moving a marker changes no prompt) and a chained
digest of the whole prefix that ends with it. What a tier of the cache depends on besides its blocks — the
model; speed and server tools from the system tier on; tool choice, thinking, effort and images from the
messages tier on ("Prompt caching", what invalidates the cache) — is mixed into the chain where that tier
begins, so that two prefixes share a cache entry exactly when their chained digests are equal.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from scrimp.core.digests import Digest, content_digest, fresh_hash, mixed
from scrimp.core.lazily import lazily
from scrimp.wire.markers import TTL
from scrimp.wire.request import (
    BILLING_HEADER,
    Block,
    Body,
    automatic_ttl,
    message_blocks,
    messages_of,
    static_blocks,
)

__all__ = [
    "THINKING",
    "Digest",
    "Marker",
    "Prompt",
    "Reading",
    "Static",
    "entering_messages",
    "grown",
    "is_input",
    "last_input",
    "read_prompt",
    "read_static",
    "shows_image",
    "strips_thinking",
    "with_automatic",
    "without_old_thinking",
]

_SERVER_SEARCH = ("web_search_", "web_fetch_")
THINKING = frozenset({"thinking", "redacted_thinking"})
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


class Marker(msgspec.Struct, frozen=True, gc=False):
    """A breakpoint at `position` (index into the prompt's positions)."""

    position: int
    ttl: TTL
    automatic: bool = False


class Prompt(msgspec.Struct, frozen=True, dict=True):
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
        other = Prompt(  # in their order, for every call: `replace` takes twice as long
            self.model,
            self.blocks,
            self.digests,
            self.prefixes,
            self.ranks,
            tuple(markers),
            self.automatic,
        )
        other.__dict__.update(self.__dict__)  # where its sections end is known
        return other

    @lazily
    def static_end(self) -> int:
        """Position of the last block of tools and system, or -1 without either."""
        return bisect_left(self.blocks, _RENDER_ORDER["messages"], key=_rendered_at) - 1

    @lazily
    def tools_end(self) -> int:
        """Position of the last tool, or -1 without any."""
        return bisect_left(self.blocks, _RENDER_ORDER["system"], key=_rendered_at) - 1

    def section_end(self, section: str) -> int:
        """Position of the last top-level block of `section`, or -1 when it has none."""
        end = len(self.blocks) - 1
        if section != "messages":
            end = self.tools_end if section == "tools" else self.static_end
        return end if end >= 0 and self.blocks[end].section == section else -1

    def window(self, position: int, lookback: int) -> range:
        """Positions a marker at `position` tests, from its own backwards."""
        lowest = position
        while lowest > 0 and self.ranks[position] - self.ranks[lowest - 1] < lookback:
            lowest -= 1
        return range(position, lowest - 1, -1)

    def reaches(self, position: int, lookback: int) -> bool:
        """Whether some marker tests `position`."""
        rank = self.ranks[position]
        return any(
            marker.position >= position and self.ranks[marker.position] - rank < lookback
            for marker in self.markers
        )

    def last_markable(self, at_most: int | None = None) -> int | None:
        """The last position, not beyond `at_most`, that may carry a marker (the API's own rule)."""
        blocks = self.blocks
        position = len(blocks) - 1 if at_most is None else at_most
        while position >= 0:
            block = blocks[position]
            if block.markable and not block.depth:
                return position
            position -= 1
        return None


class Static(msgspec.Struct, frozen=True):
    """Tools and system as read, which all prompts of one agent share, and the chain where they end."""

    prompt: Prompt
    state: Digest
    image: bool


def read_prompt(body: Body, reading: Reading) -> Prompt:
    """`body` as `reading`'s model sees it; raises `RequestError` when it is not a Messages request."""
    static = read_static(body, reading)
    seen = message_blocks(messages_of(body))
    if strips_thinking(body, reading):
        seen = without_old_thinking(seen, last_input(seen))
    state = entering_messages(static, body, reading, image=static.image or shows_image(seen))
    return with_automatic(grown(static.prompt, len(static.prompt), state, seen, reading), body)


def read_static(body: Body, reading: Reading) -> Static:
    """The tools and system of `body`; raises `RequestError`."""
    seen = [block for block in static_blocks(body) if not _attribution(block)]
    if strips_thinking(body, reading):
        seen = without_old_thinking(seen, fresh=-1)
    tools = [block for block in seen if block.section == "tools"]
    prefixes, state, searches = _chained_tools(mixed(b"", b"tools", reading.key), tools)
    salt = repr((body.get("speed") or "standard", searches, _output_format(body)))
    state = mixed(state, b"system", salt)
    prompt = grown(Prompt(reading.key, (), (), (), (), ()), 0, state, tools, reading)
    prompt = msgspec.structs.replace(prompt, prefixes=prefixes)
    prompt = grown(prompt, len(tools), state, seen[len(tools) :], reading)
    return Static(prompt, state if len(seen) == len(tools) else prompt.prefixes[-1], shows_image(seen))


def _attribution(block: Block) -> bool:
    """Whether the API takes this block off: a client's billing line, while it stays first.

    Recorded calls read on over it though its text differs from call to call.
    """
    if block.path != ("system", 0) or block.ttl is not None or block.kind != "text":
        return False
    text = block.value if isinstance(block.value, str) else block.value.get("text")
    return isinstance(text, str) and text.startswith(BILLING_HEADER)


def entering_messages(static: Static, body: Body, reading: Reading, *, image: bool) -> Digest:
    """The chain where the first message begins; `image` says whether the prompt shows any."""
    thinking = body.get("thinking")
    config = body.get("output_config")
    config = config if isinstance(config, Mapping) else {}
    choice = body.get("tool_choice")
    salt = (
        _pairs(choice, without={"type": "auto"}),
        _pairs(thinking, without={"type": "disabled"}),
        config.get("effort") or reading.default_effort,
        _pairs(config.get("task_budget"), without={}),
        reading.images_break_messages and image,
    )
    return mixed(static.state, b"messages", repr(salt))


def grown(prompt: Prompt, kept: int, state: Digest, added: Sequence[Block], reading: Reading) -> Prompt:
    """The first `kept` positions of `prompt`, which end where a message or a tier does, and then `added`.

    `state` is the chained digest that `added` goes on from.
    """
    digests: list[Digest] = []
    prefixes: list[Digest] = []
    ranks: list[int] = []
    markers = [marker for marker in prompt.markers if marker.position < kept] if prompt.markers else []
    rank = prompt.ranks[kept - 1] + 1 if kept else 0
    nested, afresh = state, fresh_hash
    for position, block in enumerate(added, kept):
        digest = content_digest(block)
        chain = afresh()
        chain.update(b"\0".join((nested if block.depth else state, block.role.encode(), digest)))
        nested = chain.digest()
        digests.append(digest)
        prefixes.append(nested)
        ranks.append(rank)
        if block.ttl is not None:
            markers.append(Marker(position, block.ttl))
        if not block.depth:
            state = nested
            rank += 1
        elif reading.nested_positions:
            rank += 1
    found = Prompt(
        prompt.model,
        prompt.blocks[:kept] + tuple(added),
        prompt.digests[:kept] + tuple(digests),
        prompt.prefixes[:kept] + tuple(prefixes),
        prompt.ranks[:kept] + tuple(ranks),
        tuple(markers),
        prompt.automatic,
    )
    known = prompt.__dict__
    if known.get("static_end", kept) < kept - 1:  # some message is kept: its sections end as before
        found.__dict__.update(known)
    return found


def with_automatic(prompt: Prompt, body: Body) -> Prompt:
    """The API marks the last block that may carry a marker, unless that block has one of its own."""
    ttl = automatic_ttl(body)
    if ttl is None:
        return prompt
    prompt = msgspec.structs.replace(prompt, automatic=ttl)
    position = prompt.last_markable()
    if position is None or any(marker.position == position for marker in prompt.markers):
        return prompt
    return prompt.remarked([*prompt.markers, Marker(position, ttl, automatic=True)])


def strips_thinking(body: Body, reading: Reading) -> bool:
    """Whether thinking of earlier turns never reaches the model.

    Newer models see it, and older ones where the request edits its context to that end ("Context editing").
    """
    editing = body.get("context_management")
    edits = editing.get("edits") if isinstance(editing, Mapping) else None
    return reading.strips_thinking and not any(
        isinstance(edit, Mapping)
        and str(edit.get("type", "")).startswith("clear_thinking_")
        and edit.get("keep") == "all"
        for edit in edits or ()
    )


def is_input(block: Block) -> bool:
    """Whether the user says something with it that is no tool result."""
    return block.role == "user" and block.depth == 0 and block.kind != "tool_result"


def last_input(seen: Sequence[Block]) -> int:
    """Index of the last message with input of the user, or -1."""
    return next((block.message for block in reversed(seen) if is_input(block)), -1)


def without_old_thinking(seen: Sequence[Block], fresh: int) -> list[Block]:
    """What older models see: no thinking from before the last input of the user, message `fresh`."""
    return [block for block in seen if block.kind not in THINKING or block.message > fresh]


def shows_image(seen: Sequence[Block]) -> bool:
    """Whether any of these blocks is an image."""
    return any(block.kind == "image" for block in seen)


def _rendered_at(block: Block) -> int:
    return _RENDER_ORDER[block.section]


def _chained_tools(
    state: Digest, tools: Sequence[Block]
) -> tuple[tuple[Digest, ...], Digest, tuple[str, ...]]:
    """The prefixes of tools, the last of them, and the tools left out of the chain.

    Toggling web search or fetch leaves the tools tier cached and breaks the system tier.
    """
    prefixes: list[Digest] = []
    searches: list[str] = []
    for tool in tools:
        digest = content_digest(tool)
        if _is_server_search(tool.value):
            searches.append(digest.hex())
        else:
            state = mixed(state, tool.role.encode(), digest)
        prefixes.append(state)
    return tuple(prefixes), state, tuple(searches)


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
