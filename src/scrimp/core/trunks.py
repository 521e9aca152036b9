"""Conversations read before: what is kept of each, and which of them a request goes on with."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import is_, itemgetter
from typing import Any, NamedTuple

import msgspec

from scrimp.core.prompt import Digest, Prompt, Reading, Static
from scrimp.core.settings import CacheSettings
from scrimp.core.tokens.estimator import Measured, Settings
from scrimp.core.worst_parts import Looked

__all__ = ["UNMEASURED", "Frame", "Kept", "Trunk", "encoded", "longest_of", "name_of", "same_objects"]

_BLOCK_BYTES = 1_000
"""What is kept of a block beside its value, in bytes: about."""
_TRIED = 64
"""Conversations with the same beginning that are compared with a request."""
_PROBED, _PROBE_BYTES = 8, 48
_NAME_BYTES = 256

_encoder = msgspec.msgpack.Encoder()


class Kept(NamedTuple):
    """How many leading positions were measured before, and how."""

    positions: int
    measured: Measured


UNMEASURED = Kept(0, Measured())


class Frame(msgspec.Struct, eq=False):
    """All that a request is besides its messages, and the conversations that began so, by `name_of`."""

    key: bytes
    reading: Reading
    spelling: str
    static: Static
    settings: Settings
    asks: CacheSettings
    strips: bool
    states: tuple[Digest, Digest]
    """The chain where the messages begin: without images in the prompt, and with."""
    trunks: dict[bytes, list[Trunk]] = {}
    said: Sequence[Any] = ()
    """What it was made of in a request whose parts nobody changes (empty: in none): what is the same object
    need not be encoded."""

    @property
    def weight(self) -> int:
        """Bytes kept for it, about."""
        return 2 * len(self.key) + _BLOCK_BYTES * len(self.static.prompt)


class Trunk(msgspec.Struct, eq=False):
    """The last request of a conversation: its messages encoded, and what was read from them.

    Per message: `bounds` are the bytes and `positions` the positions up to its end, `inputs` the last message
    up to it in which the user said something (-1: none). `image` is where the first image of the messages is
    (-1: nowhere), `summed_up` that of `Read`; `prompt` has no automatic marker. `kept` is as far as it was
    measured. `shared` are the messages themselves, where nobody will ever change them: what is the same
    object then need not be encoded to be known, and all of it is encoded only for who needs it (`payload`
    None: not yet). `begun` is by which first object it is looked for (0: by none), `counted` are the bytes
    that it was last said to weigh.

    A request that goes on with all of it makes it longer, where it is: what was kept of its beginning holds
    all the same, and who reads has what was read by then (`Read`). `plain` says of a short one that its
    messages surely `are_plain`.
    """

    frame: Frame
    first: bytes
    prompt: Prompt
    payload: bytes | None = None
    bounds: list[int] = []
    positions: list[int] = []
    inputs: list[int] = []
    image: int = -1
    summed_up: bool = False
    kept: Kept = UNMEASURED
    shared: Sequence[Any] = ()
    looked: Looked = ()
    plain: bool = True
    counted: int = 0
    begun: int = 0

    def goes_on(self, messages: list[Any]) -> bool:
        """Whether `messages`, which nobody changes, surely begin with all of these, and with no other's."""
        count = len(self.shared)
        return (
            0 < count <= len(messages)
            and self.shared[count - 1] is messages[count - 1]  # and so are all before it, see `SharedBody`
            and len(self.frame.trunks[self.first]) == 1
        )

    def weighed(self) -> int:
        """Bytes kept for it: the encoded messages, about as much of values, and what was read."""
        self.counted = 2 * self.bounds[-1] + _BLOCK_BYTES * len(self.prompt.blocks)
        return self.counted

    def encoded(self) -> bytes:
        """The messages encoded, one after the other."""
        if self.payload is None:
            self.payload = b"".join(encoded(self.shared))
        return self.payload


def name_of(first: bytes) -> bytes:
    """What conversations are looked for by that begin with a message: few others have its ends and length.

    A whole long message would take longer to look for than to compare.
    """
    if len(first) <= 2 * _NAME_BYTES:
        return first
    return b"%b%d%b" % (first[:_NAME_BYTES], len(first), first[-_NAME_BYTES:])


def encoded(messages: Sequence[Any]) -> list[bytes]:
    """Each of the messages, encoded."""
    return list(map(_encoder.encode, messages))


def same_objects(trunks: Sequence[Trunk], messages: list[Any]) -> tuple[Trunk | None, int]:
    """The conversation with most leading messages that are the very objects of a request, and how many."""
    best, common = None, 0
    for trunk in reversed(trunks[-_TRIED:]):
        same = list(map(is_, trunk.shared, messages))
        found = len(same) if all(same) else same.index(False)
        if found > common:
            best, common = trunk, found
    return best, common


def longest_of(trunks: Sequence[Trunk], payload: bytes) -> tuple[Trunk | None, int]:
    """The conversation that has most in common with a request, and how many leading messages that is."""
    best, common = None, 0
    for trunk in trunks[-_TRIED:]:
        if payload.startswith(trunk.encoded()) and len(trunk.bounds) > common:
            best, common = trunk, len(trunk.bounds)
    if best is not None:  # nearly always
        return best, common
    probed = [(_probed(trunk, payload), trunk) for trunk in reversed(trunks[-_TRIED:])]
    for reach, trunk in sorted(probed, key=itemgetter(0), reverse=True):
        if reach <= common:
            break
        found = _common(trunk, payload)
        if found > common:
            best, common = trunk, found
    return best, common


def _probed(trunk: Trunk, payload: bytes) -> int:
    """How many messages are probably common, from the few last bytes of each."""
    known, fitting = trunk.encoded(), bisect_right(trunk.bounds, len(payload))
    for count in range(fitting, max(1, fitting - _PROBED), -1):
        end = trunk.bounds[count - 1]
        start = max(0, end - _PROBE_BYTES)
        if payload[start:end] == known[start:end]:
            return count
    return 1


def _common(trunk: Trunk, payload: bytes) -> int:
    """How many leading messages are the same, byte for byte."""
    known = memoryview(trunk.encoded())
    low, high = 0, bisect_right(trunk.bounds, len(payload))
    tried = high
    while low < high:
        start = trunk.bounds[low - 1] if low else 0
        if payload.startswith(known[start : trunk.bounds[tried - 1]], start):
            low = tried
        else:
            high = tried - 1
        tried = (low + high + 1) // 2
    return low
