"""Volatile text of a system prompt moved behind what stays, so that what stays is read from the cache.

What is volatile is learned by comparing the requests of one kind of agent (`skeletons`). Text that is another
in each conversation becomes the last system block; text that changes from step to step goes into the
conversation as a system message, where the model documents those, so that the messages stay cached as well.
Both change what the model reads, its order at least: only who asks for it gets it.

A conversation that was relocated stays so, byte for byte: what was placed where is replayed at every later
step. It is known by its own messages and by whose it is. Unless the request says whose it is, only a text
is replayed that differs from the present one in nothing but dates and times.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from scrimp.core.chains import chained, packed
from scrimp.core.forgetting import Newest
from scrimp.core.prompt import Digest
from scrimp.core.skeletons import Families, Family, Seal, aligned, seal, segments, timeless
from scrimp.facts.model import Model
from scrimp.wire.relocations import (
    system_texts,
    takes_system_message,
    with_system_messages,
    with_system_split,
)
from scrimp.wire.request import Body

__all__ = ["Caller", "Relocated", "Relocation", "relocated"]

Form = Literal["system block", "system message"]

_CONVERSATIONS, _MODELS = 4_096, 1_000
_ALTERNATIVES = 4
_CHARS_PER_TOKEN = 4
_AHEAD = 10
"""Earlier texts that a step reads again, halfway through a conversation of twenty steps."""

_SHARE, _BOUND_SHARE = 0.25, 0.5
"""Share of steps with another system prompt from which it changes within conversations.

Where it is so often, thinking that is bound to it would not have been accepted without the move either.
"""

_COMPACTED = b"compaction"
_SYSTEM_MESSAGES = "features.mid_conversation_system"


class Caller(msgspec.Struct, frozen=True):
    """Whose request it is: the kind of agent, and the person or account, as far as it is known."""

    label: str | None = None
    user: str | None = None


class Relocated(msgspec.Struct, frozen=True):
    """What was moved: `form` where to, `moved` characters of system text, `kept` those that stay."""

    form: Form
    moved: int
    kept: int


class _Kept(msgspec.Struct, frozen=True):
    """A conversation as it was last sent.

    `system` stands for the caller's whole system prompt. Where it was relocated, `skeleton` is what stayed,
    `lines` what was moved, `placed` the system messages as pairs of message index and text.
    """

    system: Seal
    form: Form | None = None
    skeleton: tuple[Seal, ...] = ()
    lines: tuple[str, ...] = ()
    placed: tuple[tuple[int, str], ...] = ()


class _Asked(msgspec.Struct, frozen=True):
    """A request as far as relocation is concerned.

    `texts` are the segments of its system prompt, `seals` what stands for them, `homes` the system block of
    each; `chain` has a digest of each beginning of the conversation, `said` about how many characters it has.
    `owned` says that the request names whose it is.
    """

    body: Body
    model: Model
    texts: list[str]
    seals: tuple[Seal, ...]
    homes: list[int]
    chain: list[Digest]
    said: int
    owned: bool

    @property
    def messages(self) -> list[Any]:
        found: list[Any] = self.body["messages"]
        return found

    @property
    def last(self) -> int:
        """Index of the last message."""
        return len(self.chain) - 1

    @property
    def begins(self) -> bool:
        """Whether no answer is in it yet."""
        return not any(message.get("role") == "assistant" for message in self.messages)

    @property
    def bound(self) -> bool:
        """Whether thinking may be bound to the whole prompt before it."""
        return self.model.features.thinking_binding != "none"

    def places(self, skeleton: Sequence[Seal]) -> set[int] | None:
        """Which segments are the skeleton's; None when it is not all there."""
        return aligned(skeleton, self.seals)

    def lines(self, skeleton: Sequence[Seal]) -> tuple[str, ...] | None:
        """What stands between the skeleton's segments, blanks left out."""
        places = self.places(skeleton)
        if places is None:
            return None
        return tuple(
            text.strip() for place, text in enumerate(self.texts) if place not in places and text.strip()
        )


class Relocation:
    """What relocation remembers: kinds of system prompts, and conversations under way; bounded."""

    def __init__(self) -> None:
        self.families = Families()
        self._kept: OrderedDict[Digest, list[_Kept]] = OrderedDict()
        self._refused = Newest[str](_MODELS)

    def refused(self, model: Model) -> None:
        """The API took a request only as the caller wrote it: leave that model alone from here on."""
        self._refused.add(model.id)

    def trusts(self, model: Model) -> bool:
        """Whether relocated requests of `model` are accepted, as far as is known."""
        return model.id not in self._refused

    def before(self, chain: Sequence[Digest]) -> list[_Kept]:
        """How the longest known beginning of a conversation was sent."""
        for digest in reversed(chain):
            found = self._kept.get(digest)
            if found:
                return found
        return []

    def keep(self, key: Digest, sent: _Kept) -> None:
        """Remember how a conversation was sent; equal messages may have been sent in several ways."""
        ways = [way for way in self._kept.get(key, ()) if way != sent]
        self._kept[key] = [sent, *ways][:_ALTERNATIVES]
        self._kept.move_to_end(key)
        if len(self._kept) > _CONVERSATIONS:
            self._kept.popitem(last=False)


def relocated(
    body: Body, state: Relocation, model: Model, caller: Caller | None = None
) -> tuple[Body, Relocated | None]:
    """`body` with volatile system text moved, and what was moved; `body` itself where nothing is.

    `state` learns from every request that is handed in. A request that is not understood stays as it is.
    """
    caller = caller or Caller()
    asked = _read(body, model, caller) if state.trusts(model) else None
    if asked is None:
        return body, None
    family = state.families.take_in(caller.label, asked.texts, asked.seals)
    # What was sent of this very request before (a retry) says nothing that its beginning does not.
    ways = state.before(asked.chain[:-1])
    whole = seal("".join(asked.texts))
    changed = bool(ways) and all(way.system != whole for way in ways)
    if ways:
        family.steps.append(changed)
    sent = _continued(asked, family, ways) or _begun(asked, family, broken=changed)
    state.keep(asked.chain[-1], msgspec.structs.replace(sent or _Kept(whole), system=whole))
    return (body, None) if sent is None else _moved(asked, sent)


def _read(body: Body, model: Model, caller: Caller) -> _Asked | None:
    """The request, unless it is of a kind that is left alone: threads, compactions, no system text."""
    systems, messages = system_texts(body), body.get("messages")
    if systems is None or not isinstance(messages, list) or not messages:
        return None
    if body.get("thread") is not None or body.get("compaction") is not None:
        return None
    said = [_packed(message) for message in messages]
    if None in said:
        return None
    metadata = body.get("metadata")
    account = metadata.get("user_id") if isinstance(metadata, Mapping) else None
    cut = [segments(text) for text in systems]
    texts = [text for parts in cut for text in parts]
    return _Asked(
        body=body,
        model=model,
        texts=texts,
        seals=tuple(map(seal, texts)),
        homes=[home for home, parts in enumerate(cut) for _ in parts],
        chain=chained([data for data in said if data], repr((caller.label, caller.user, account, model.id))),
        said=sum(len(data) for data in said if data),
        owned=bool(caller.user or account),
    )


def _packed(message: Any) -> bytes | None:
    """What a message says, markers left out; None for a compacted one, and what is no message."""
    data = packed(message)
    if data is not None and _COMPACTED in data:
        content = message.get("content")
        parts = content if isinstance(content, list) else ()
        if any(isinstance(part, dict) and part.get("type") == "compaction" for part in parts):
            return None
    return data


def _continued(asked: _Asked, family: Family, ways: Sequence[_Kept]) -> _Kept | None:
    """The next step of a conversation that was relocated; None when it was not, or it is not certain how."""
    fits = [way for way in ways if way.form and asked.lines(way.skeleton) == way.lines]
    way = ways[0] if len(ways) == 1 else fits[0] if len(fits) == 1 else None
    lines = asked.lines(way.skeleton) if way is not None and way.form else None
    if way is None or lines is None:
        return None
    if way.form == "system block":
        moved = _in_messages(asked, family, way.skeleton, lines) if lines != way.lines else None
        return moved or msgspec.structs.replace(way, lines=lines)
    fresh = [line for line in lines if line not in way.lines]
    if not fresh:
        return way if set(lines) == set(way.lines) else None
    if not asked.owned and [timeless(line) for line in lines] != [timeless(line) for line in way.lines]:
        return None
    if not takes_system_message(asked.messages, asked.last):
        return way
    return msgspec.structs.replace(way, lines=lines, placed=(*way.placed, (asked.last, "\n".join(fresh))))


def _begun(asked: _Asked, family: Family, *, broken: bool) -> _Kept | None:
    """A conversation relocated from here on; None when that is not allowed, or does not pay.

    Later than at its beginning only where its messages have to be written anew anyway (`broken`: its system
    prompt changed since its last step), and no thinking is bound to what they were.
    """
    lines = asked.lines(family.skeleton) if family.volatile else None
    if not lines:
        return None
    if asked.begins or (broken and not asked.bound):
        moved = _in_messages(asked, family, family.skeleton, lines)
        if moved is not None:
            return moved
    # Bound thinking would not be accepted by a process that does not know of the move.
    if asked.bound or not asked.begins or not _pays(asked, family.skeleton, "system block"):
        return None
    return _Kept(0, "system block", family.skeleton, lines)


def _in_messages(
    asked: _Asked, family: Family, skeleton: tuple[Seal, ...], lines: tuple[str, ...]
) -> _Kept | None:
    """The text as a system message behind the last message, where the text changes from step to step."""
    features, inferred = asked.model.features, asked.model.inferred
    if not features.mid_conversation_system or _SYSTEM_MESSAGES in inferred:
        return None
    share = _BOUND_SHARE if asked.bound else _SHARE
    if not family.changes_in_conversation(share) or not _may_be_kept(asked, family):
        return None
    if not takes_system_message(asked.messages, asked.last) or not _pays(asked, skeleton, "system message"):
        return None
    return _Kept(0, "system message", skeleton, lines, ((asked.last, "\n".join(lines)),))


def _may_be_kept(asked: _Asked, family: Family) -> bool:
    """Whether the text may be replayed at later steps: never to somebody who may be somebody else."""
    return asked.owned or family.only_time


def _pays(asked: _Asked, skeleton: Sequence[Seal], form: Form) -> bool:
    """Whether more is read from the cache than the moved text costs.

    Without the move, everything from the first changed block on is written anew when the text changes. In a
    system message the text is written once and read at every later step.
    """
    places = asked.places(skeleton) or set()
    stable = [(asked.homes[place], len(asked.texts[place])) for place in places]
    if sum(size for _, size in stable) < _CHARS_PER_TOKEN * asked.model.cache_minimum:
        return False
    between = [n for n, text in enumerate(asked.texts) if n not in places and text.strip()]
    first = min((asked.homes[place] for place in between), default=0)
    lost = sum(size for home, size in stable if home >= first)
    if form == "system block":
        return lost > 0
    moved = sum(len(asked.texts[place]) for place in between)
    read, write = asked.model.read_multiplier(), asked.model.write_multiplier()
    return (1 - read) * (lost + asked.said) > (read * _AHEAD + write) * moved


def _moved(asked: _Asked, sent: _Kept) -> tuple[Body, Relocated | None]:
    """The request with the text where `sent` says."""
    places = asked.places(sent.skeleton) or set()
    stable = [""] * (max(asked.homes) + 1)
    for place in sorted(places):
        stable[asked.homes[place]] += asked.texts[place]
    in_system = sent.form == "system block"
    text = "\n".join(sent.lines) if in_system and sent.lines else None
    body = with_system_split(asked.body, stable, text)
    if not in_system:
        texts = {at: words for at, words in sent.placed if takes_system_message(asked.messages, at)}
        body = with_system_messages(body, texts)
    kept = sum(map(len, stable))
    form: Form = "system block" if in_system else "system message"
    return body, Relocated(form, sum(map(len, asked.texts)) - kept, kept)
