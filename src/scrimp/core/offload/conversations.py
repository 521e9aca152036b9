"""What offloading remembers of conversations: which have the tool, and what stands for which result.

A result that was sent whole stays whole and one that was cut stays cut, byte for byte: the cache lives by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from scrimp.core.forgetting import forget_oldest

__all__ = ["Conversations", "Cut", "Habits", "read_cut"]

_ROOTS, _CUTS, _WHOLE = 20_000, 4_000, 50_000
_KINDS = 1_000
_PROVING, _TRYING, _SHARE = 20, 3, 0.01
"""Conversations of a kind that have the tool without having shown large results, and the most of their first
prompt that it may be.
"""

_MARGIN = 2
"""Times the tool's definition that large results must have saved, over all conversations of a kind."""

_REMEMBERED = 200
"""Conversations of a kind from which on those of long ago count for less."""

_encoder = msgspec.msgpack.Encoder()


class Cut(msgspec.Struct, frozen=True):
    """What stands in the place of a result: the text, its handle, and the tokens there were and are."""

    text: str
    handle: str
    before: int
    after: int

    def packed(self) -> bytes:
        """As it is kept."""
        return _encoder.encode(self)


def read_cut(data: bytes) -> Cut | None:
    """A cut as it was kept; None for what is none."""
    try:
        return msgspec.msgpack.decode(data, type=Cut)
    except msgspec.DecodeError:
        return None


class Conversations:
    """A bounded memory; what it has forgotten, or never knew, the store is asked for."""

    def __init__(self) -> None:
        self._roots: dict[bytes, bool] = {}
        self._cuts: dict[bytes, Cut] = {}
        self._whole: dict[bytes, None] = {}

    def has_tool(self, name: bytes) -> bool | None:
        """Whether a conversation has the tool; None where that is not known."""
        return self._roots.get(name)

    def begins(self, name: bytes, *, has_tool: bool) -> None:
        """A conversation has the tool, or is left alone."""
        self._roots.pop(name, None)
        self._roots[name] = has_tool
        forget_oldest(self._roots, _ROOTS)

    def unknown(self, keys: Sequence[bytes]) -> list[bytes]:
        """Those of which it is not known whether they were cut."""
        return [key for key in keys if key not in self._cuts and key not in self._whole]

    def cut(self, key: bytes) -> Cut | None:
        """What stands for a result, if it was cut."""
        found = self._cuts.pop(key, None)
        if found is not None:
            self._cuts[key] = found  # the oldest are forgotten, by when they were last needed
        return found

    def is_whole(self, key: bytes) -> bool:
        """Whether a result was sent whole."""
        return key in self._whole

    def keep_cut(self, key: bytes, cut: Cut) -> None:
        """A result is cut from here on."""
        self._cuts[key] = cut
        forget_oldest(self._cuts, _CUTS)

    def keep_whole(self, key: bytes) -> None:
        """A result is whole, for good."""
        self._cuts.pop(key, None)
        self._whole[key] = None
        forget_oldest(self._whole, _WHOLE)


class Habits:
    """Which kinds of conversations have large results: the tool is carried by all that have it."""

    def __init__(self) -> None:
        self._kinds: dict[str, tuple[int, int]] = {}

    def pays(self, kind: str, tokens: int, prompt: int) -> bool:
        """Whether a definition of so many tokens pays for a new conversation of this kind.

        `prompt` is how long its first prompt is. Of a kind that has shown no large results a few try it,
        some more where it is next to nothing beside the prompt, and no others.
        """
        begun, saved = self._kinds.pop(kind, (0, 0))
        later = (begun + 1, saved)
        self._kinds[kind] = later if begun < _REMEMBERED else (later[0] // 2, later[1] // 2)
        forget_oldest(self._kinds, _KINDS)
        if saved and saved >= _MARGIN * tokens * begun:
            return True
        return begun < (_PROVING if tokens <= _SHARE * prompt else _TRYING)

    def saw(self, kind: str, tokens: int) -> None:
        """A result came in of which so many tokens are saved, or would have been."""
        begun, saved = self._kinds.get(kind, (1, 0))
        self._kinds[kind] = (begun, saved + tokens)
        forget_oldest(self._kinds, _KINDS)

    def learned(self) -> dict[str, bytes]:
        """What was learned, by kind."""
        return {kind: _encoder.encode(counts) for kind, counts in self._kinds.items()}

    def recall(self, kept: Mapping[str, bytes]) -> None:
        """What was learned before; what cannot be understood is passed over."""
        for kind, data in kept.items():
            try:
                begun, saved = msgspec.msgpack.decode(data, type=tuple[int, int])
            except msgspec.DecodeError:
                continue
            if begun >= 0 and saved >= 0:
                self._kinds[kind] = (begun, saved)
