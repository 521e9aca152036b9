"""`scrimp.Layers`: a prompt whose parts stand in the order in which they change.

    prompt = scrimp.Layers(model=MODEL, tools=TOOLS, instructions=RULES, documents=[HANDBOOK])
    client.messages.create(model=MODEL, max_tokens=1024, **prompt.request(messages, user="Ada, Berlin"))

What every request shares comes first and is marked for the cache, so that one request writes it and all
others read it; what belongs to one user follows the last shared marker, what belongs to one turn comes last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Literal

import msgspec

from scrimp.core.layers.contents import Content, content_blocks, ordered_tools
from scrimp.core.layers.slots import (
    PACES,
    Boundary,
    Pace,
    by_worth,
    chances,
    lifetime,
    lifetimes,
    user_boundary,
)
from scrimp.core.tokens.estimator import Estimator, Settings
from scrimp.errors import RequestError
from scrimp.facts.model import Model
from scrimp.facts.models import default
from scrimp.wire.markers import TTL, MarkerEdit, Path
from scrimp.wire.request import blocks, with_markers

__all__ = ["Layers"]

_Shared = Literal["instructions", "documents", "examples"]
_USUAL: dict[_Shared, Pace] = {"instructions": "months", "documents": "weeks", "examples": "days"}
_ONE_USER = "user"


class _Layer(msgspec.Struct, frozen=True):
    """One layer with its blocks, none of them empty."""

    name: str
    blocks: list[dict[str, Any]]
    pace: Pace


class _Placed(msgspec.Struct, frozen=True):
    """Layers in their places: the request, and the path of each layer's last block that takes a marker."""

    body: dict[str, Any]
    ends: tuple[Path | None, ...]


@dataclass(frozen=True, kw_only=True)
class Layers:
    """A prompt in layers: tools, instructions, documents, examples, then one user's text, then one turn's.

    Contents are text, content blocks, JSON objects (written as JSON), or lists of them. Layers go into the
    system prompt; from the first one on that holds something other than text (a PDF, an image) they open the
    first user message instead, in the same order. Tools are sorted by name, and with `sort_keys` so are the
    keys of JSON and of tool definitions: equal input gives a request equal to the byte.

    `changes` says how often a layer is edited where that is not as usual (instructions: months, documents:
    weeks, examples: days); the slower one comes first. `gap` is the usual pause in seconds between two
    requests of anybody, `user_gap` between two of one user; they decide between the lifetimes 5m and 1h, and
    beyond an hour no marker pays. `follow_up=False` says that conversations have a single turn. `thread`
    keeps to the three markers that threads may have.

    Raises `RequestError`, one line that names the layer, for what cannot be sent.
    """

    model: str
    tools: Sequence[Any] = field(default=(), repr=False)
    instructions: Content = field(default="", repr=False)
    documents: Content = field(default=(), repr=False)
    examples: Content = field(default=(), repr=False)
    changes: Mapping[_Shared, Pace] = field(default_factory=dict)
    gap: float = 60.0
    user_gap: float = 60.0
    sort_keys: bool = True
    thread: bool = False
    follow_up: bool = True
    _tools: list[dict[str, Any]] = field(init=False, repr=False, compare=False)
    _layers: tuple[_Layer, ...] = field(init=False, repr=False, compare=False)
    _boundaries: tuple[Boundary, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Take the contents in, once: what the caller does to its lists later changes no request."""
        if min(self.gap, self.user_gap) < 0:
            raise RequestError("gap, user_gap: a pause is a number of seconds, not below 0")
        set_once = object.__setattr__
        set_once(self, "_tools", ordered_tools(self.tools, sort_keys=self.sort_keys))
        set_once(self, "_layers", tuple(self._ordered()))
        set_once(self, "_boundaries", tuple(self._measured()))

    def request(
        self, messages: Sequence[Mapping[str, Any]], *, user: Content = "", turn: str = ""
    ) -> dict[str, Any]:
        """`tools`, `system` and `messages` for `client.messages.create(model=…, max_tokens=…, **…)`.

        `user` is what belongs to one user; it stands behind everything shared. `turn` is what belongs to this
        request alone (the time, a retrieved passage): it is put at the end of the last user message, behind
        the last marker, and is not in the next request. The conversation in `messages` is the caller's own
        and must grow by appending.
        """
        self._check(messages, turn)
        own = content_blocks(_ONE_USER, user, sort_keys=self.sort_keys)
        layers = [*self._layers, *([_Layer(_ONE_USER, own, "hours")] if own else [])]
        placed = _placed(self._tools, layers, messages)
        body = with_markers(placed.body, self._edits(placed, own))
        return _with_turn(dict(body), turn) if turn else dict(body)

    def _ordered(self) -> list[_Layer]:
        for name, pace in self.changes.items():
            if name not in _USUAL:
                raise RequestError(
                    f"changes.{name}: expected one of {', '.join(_USUAL)} (tools come first anyway)"
                )
            if pace not in PACES:
                raise RequestError(f"changes.{name}: expected one of {', '.join(PACES)}, found {pace!r}")
        slowest_first = list(PACES)
        found = [
            _Layer(
                name,
                content_blocks(name, getattr(self, name), sort_keys=self.sort_keys),
                self.changes.get(name, usual),
            )
            for name, usual in _USUAL.items()
        ]
        return sorted((one for one in found if one.blocks), key=lambda one: slowest_first.index(one.pace))

    def _measured(self) -> list[Boundary]:
        """The ends of tools and of the shared layers, as far as they are there."""
        paces: list[Pace] = [layer.pace for layer in self._layers]
        lengths = [len(layer.blocks) for layer in self._layers]
        if self._tools:
            paces.insert(0, "months")
            lengths.insert(0, len(self._tools))
        if not lengths:
            return []
        placed = _placed(self._tools, self._layers, [{"role": "user", "content": []}])
        seen = blocks(placed.body)
        sized = self._estimator.measure(seen, Settings())
        ends = list(accumulate(sized.sizes))
        return [
            Boundary(round(ends[last - 1]), chance)
            for last, chance in zip(accumulate(lengths), chances(paces, self._shared_gap), strict=True)
        ]

    def _edits(self, placed: _Placed, own: Sequence[dict[str, Any]]) -> list[MarkerEdit]:
        """A marker for each end that gets one, in prompt order; that of the conversation always does."""
        shared, one_user = lifetime(self._shared_gap), lifetime(self.user_gap)
        if shared is None:
            return []
        boundaries = list(self._boundaries)
        if own and one_user:
            boundaries.append(user_boundary(self._shared_tokens + self._size(own)))
        tail = _tail(placed.body) if self.follow_up and one_user else None
        room = self._most_markers - (tail is not None)
        picked = sorted(by_worth(boundaries, self._facts.cache_minimum)[:room])
        wanted: dict[Path, TTL] = {}
        for number in picked:
            path = placed.ends[number]
            if path is not None:
                wanted[path] = one_user if one_user and number == len(self._boundaries) else shared
        if tail is not None and one_user:
            wanted[tail] = one_user
        ttls = lifetimes(list(wanted.values()))
        return [MarkerEdit(path, ttl) for path, ttl in zip(wanted, ttls, strict=True)]

    def _check(self, messages: Sequence[Mapping[str, Any]], turn: str) -> None:
        if not messages:
            raise RequestError("messages: at least one message is needed")
        for block in blocks({"messages": messages}):
            if block.ttl is not None:
                where = ".".join(map(str, block.path))
                raise RequestError(
                    f"{where}: has a cache_control of its own; remove it, layers place the markers"
                )
        if turn and self._facts.features.thinking_binding != "none":
            raise RequestError(
                f"turn: {self.model} binds its thinking to all earlier messages, so text cannot be there for "
                "one turn alone: append it to your user message and keep it"
            )

    def _size(self, own: Sequence[dict[str, Any]]) -> int:
        """Tokens of one user's blocks."""
        seen = blocks({"system": own, "messages": []})
        return round(sum(self._estimator.block_size(block) for block in seen))

    @property
    def _shared_tokens(self) -> int:
        return self._boundaries[-1].tokens if self._boundaries else 0

    @property
    def _facts(self) -> Model:
        return default().resolve(self.model)

    @property
    def _estimator(self) -> Estimator:
        return Estimator(self._facts, spelling=self.model)

    @property
    def _shared_gap(self) -> float:
        """Requests of one user share the layers as well."""
        return min(self.gap, self.user_gap)

    @property
    def _most_markers(self) -> int:
        rules = default().rules
        return rules.max_markers_in_thread() if self.thread else rules.max_markers()


def _placed(
    tools: Sequence[dict[str, Any]], layers: Sequence[_Layer], messages: Sequence[Mapping[str, Any]]
) -> _Placed:
    """The request without markers; ends are those of the tools, if any, then of each layer."""
    ends: list[Path | None] = [_tools_end(tools)] if tools else []
    system: list[dict[str, Any]] = []
    head: list[dict[str, Any]] = []
    for layer in layers:
        in_system = not head and all(block["type"] == "text" for block in layer.blocks)
        home = system if in_system else head
        home.extend(layer.blocks)
        last = len(home) - 1
        ends.append(("system", last) if in_system else ("messages", 0, "content", last))
    body: dict[str, Any] = {"tools": list(tools)} if tools else {}
    if system:
        body["system"] = system
    body["messages"] = _opened(head, messages) if head else list(messages)
    return _Placed(body, tuple(ends))


def _tools_end(tools: Sequence[dict[str, Any]]) -> Path | None:
    eager = [number for number, tool in enumerate(tools) if not tool.get("defer_loading")]
    return ("tools", eager[-1]) if eager else None


def _opened(head: list[dict[str, Any]], messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The messages with `head` before what the user said first."""
    first = messages[0]
    if first.get("role") != "user":
        raise RequestError(
            "messages.0: documents that are not text open the first message, which must be the user's"
        )
    return [{**first, "content": [*head, *_as_blocks(first["content"])]}, *messages[1:]]


def _as_blocks(content: Any) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def _tail(body: Mapping[str, Any]) -> Path | None:
    """The last block of the conversation that takes a marker (a string is one that does)."""
    messages = body["messages"]
    for index in range(len(messages) - 1, -1, -1):
        for block in reversed(blocks({"messages": [messages[index]]})):
            if block.markable and block.depth == 0:
                return ("messages", index, *block.path[2:])
    return None


def _with_turn(body: dict[str, Any], turn: str) -> dict[str, Any]:
    """`body` with text at the end of the last user message, behind its marker."""
    messages = list(body["messages"])
    place = max((n for n, message in enumerate(messages) if message.get("role") == "user"), default=None)
    if place is None:
        raise RequestError("messages: text for one turn goes into the last user message, and there is none")
    message = messages[place]
    text = {"type": "text", "text": turn}
    messages[place] = {**message, "content": [*_as_blocks(message["content"]), text]}
    return {**body, "messages": messages}
