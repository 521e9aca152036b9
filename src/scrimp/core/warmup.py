"""The request that only warms the cache: the stable part of a request, asked for no answer.

`max_tokens: 0` writes the marked prefix and generates nothing; it is refused together with streaming,
thinking with a budget, an output format and a forced tool ("Prompt caching", pre-warming). What is refused is
left out where the marked prefix stays the same without it, which is read off its digest; where it does not,
one token is asked for instead. What follows the marked prefix is left out too: it would be paid for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from scrimp.core.cache import CacheRules
from scrimp.core.prompt import Digest, Prompt
from scrimp.facts.prices import Rates
from scrimp.wire.markers import TTL, MarkerEdit
from scrimp.wire.request import with_markers

__all__ = ["Sight", "Unsuited", "WarmUp", "warm_up", "warming_saves"]

Body = dict[str, Any]

_PLACEHOLDER = {"role": "user", "content": "Ready?"}
_NEVER_SENT = ("stream", "thread", "diagnostics", "compaction", "stop_sequences")
_NO_ANSWER, _LEAST_ANSWER = 0, 1


class Sight(msgspec.Struct, frozen=True):
    """How the model sees a request: its prompt, how long a prefix may be, and the rules of its cache.

    `most_tokens` takes a body's prompt and a position, and gives the tokens up to and including it.
    """

    read: Callable[[Mapping[str, Any]], Prompt]
    most_tokens: Callable[[Prompt, int], int]
    rules: CacheRules


class WarmUp(msgspec.Struct, frozen=True):
    """A request that warms `prefix`, an estimated `tokens` long, for `ttl`."""

    body: Body
    prefix: Digest
    tokens: int
    ttl: TTL

    @property
    def is_silent(self) -> bool:
        """Whether no answer at all is asked for."""
        return bool(self.body["max_tokens"] == _NO_ANSWER)

    @property
    def aloud(self) -> Body:
        """The same with one token of answer, for where `max_tokens: 0` is not known."""
        return {**self.body, "max_tokens": _LEAST_ANSWER}


class Unsuited(msgspec.Struct, frozen=True):
    """There is nothing to warm, and why, in one line."""

    why: str


def warm_up(body: Mapping[str, Any], sight: Sight, ttl: TTL | None = None) -> WarmUp | Unsuited:
    """The request that warms what is stable in `body`, with a marker of `ttl` (None: the caller's, or 5m).

    Stable is what ends at the last marker of the caller; without one, tools and system; where those are too
    short to be cached, all but the last block. Raises `RequestError` when `body` is not a Messages request.
    """
    whole = {**body, "messages": body.get("messages") or [_PLACEHOLDER]}
    prompt = sight.read(whole)
    least = sight.rules.minimum
    if not sight.rules.caches:
        return Unsuited("this model, or where it runs, has no prompt cache")
    longest = 0
    for position in _stable_ends(prompt):
        tokens = sight.most_tokens(prompt, position)
        longest = max(longest, tokens)
        if tokens >= least:
            found = _silenced(whole, prompt, position, sight)
            if found is None:
                continue
            marked, lifetime = _marked(found, sight.read(found), position, ttl)
            return WarmUp(marked, prompt.prefixes[position], tokens, lifetime)
    if longest >= least:
        return Unsuited("its thinking has a budget, which no request without an answer can have")
    return Unsuited(
        f"its stable part has {longest:,} tokens at most, and {least:,} is the least that is cached"
    )


def warming_saves(tokens: int, rates: Rates, ttl: TTL, at_once: float) -> int:
    """Picodollars that warming saves (or loses) before so many calls that would each write the prefix."""
    write = rates.write_1h if ttl == "1h" else rates.write_5m
    return round(tokens * (at_once * (write - rates.read) - write))


def _stable_ends(prompt: Prompt) -> Iterator[int]:
    """Ends of what may be called stable, the likeliest first."""
    marked = [marker.position for marker in prompt.markers if not marker.automatic]
    static = prompt.last_markable(at_most=prompt.static_end) if prompt.static_end >= 0 else None
    if marked:
        yield max(marked)
        if static is not None and static < max(marked):
            yield static
        return
    if static is not None:
        yield static
    before = prompt.last_markable(at_most=len(prompt) - 2) if len(prompt) > 1 else None
    if before is not None and before != static:
        yield before


def _silenced(whole: Body, prompt: Prompt, position: int, sight: Sight) -> Body | None:
    """`whole` cut down to what the prefix needs, or None where it cannot be asked without an answer."""

    def kept(changed: Body) -> bool:
        seen = sight.read(changed).prefixes
        return len(seen) > position and seen[position] == prompt.prefixes[position]

    body = {name: value for name, value in whole.items() if name not in _NEVER_SENT}
    shorter = _cut(body, prompt, position)
    body = shorter if kept(shorter) else body
    for without in (_without_thinking, _without_choice, _without_format):
        less = without(body)
        body = less if less is not body and kept(less) else body
    if _budgeted(body):
        return None
    body["max_tokens"] = _LEAST_ANSWER if _needs_answer(body) else _NO_ANSWER
    return body


def _cut(body: Body, prompt: Prompt, position: int) -> Body:
    """Without the messages, and the blocks of the last one, that come after the prefix."""
    block = prompt.blocks[position]
    if block.section != "messages":
        return {**body, "messages": [_PLACEHOLDER]}
    messages = list(body["messages"][: block.message + 1])
    last = messages[-1]
    content = last["content"]
    if last["role"] != "user":  # its tool calls need their results
        return {**body, "messages": body["messages"][: block.message + 2]}
    number = block.path[3]
    rest = content[int(number) + 1 :] if isinstance(content, list) else []
    if rest and all(item.get("type") != "tool_result" for item in rest):
        messages[-1] = {**last, "content": content[: int(number) + 1]}
    return {**body, "messages": messages}


def _without_thinking(body: Body) -> Body:
    return {name: value for name, value in body.items() if name != "thinking"} if _budgeted(body) else body


def _without_choice(body: Body) -> Body:
    return {name: value for name, value in body.items() if name != "tool_choice"} if _forced(body) else body


def _without_format(body: Body) -> Body:
    config = body.get("output_config")
    if not isinstance(config, Mapping) or not config.get("format"):
        return body
    return {**body, "output_config": {name: value for name, value in config.items() if name != "format"}}


def _budgeted(body: Body) -> bool:
    thinking = body.get("thinking")
    return isinstance(thinking, Mapping) and thinking.get("type") == "enabled"


def _forced(body: Body) -> bool:
    choice = body.get("tool_choice")
    return isinstance(choice, Mapping) and choice.get("type") in ("any", "tool")


def _needs_answer(body: Body) -> bool:
    return _forced(body) or _without_format(body) is not body


def _marked(body: Body, prompt: Prompt, position: int, ttl: TTL | None) -> tuple[Body, TTL]:
    """`body` with its last marker at `position`: one behind it would write what varies."""
    own = {marker.position: marker for marker in prompt.markers if not marker.automatic}
    lifetime = ttl or (own[position].ttl if position in own else "5m")
    edits = [MarkerEdit((), None)] if prompt.automatic is not None else []
    edits += [MarkerEdit(prompt.blocks[at].path, None) for at in own if at > position]
    if lifetime == "1h":
        edits += [MarkerEdit(prompt.blocks[at].path, "1h") for at in own if at < position]
    if position not in own or own[position].ttl != lifetime:
        edits.append(MarkerEdit(prompt.blocks[position].path, lifetime))
    return dict(with_markers(body, edits)), lifetime
