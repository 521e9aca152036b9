"""Identifiers of the provider's shape: a prefix and 24 letters and digits."""

from __future__ import annotations

from hashlib import blake2b
from itertools import count
from secrets import token_hex

__all__ = ["Ids", "workspace_of"]

_LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_LENGTH = 22


class Ids:
    """Unique ids; the same seed gives the same ids in the same order."""

    def __init__(self, seed: str | None = None) -> None:
        """Without a seed ids differ from every other emulator's, so that ledgers never mix them up."""
        self._seed = (seed if seed is not None else token_hex(8)).encode()
        self._count = count()

    def new(self, prefix: str) -> str:
        """A new id: `msg_01…`, `req_01…`, `toolu_01…`."""
        number = int.from_bytes(blake2b(b"%b %d" % (self._seed, next(self._count)), digest_size=17).digest())
        digits = []
        for _ in range(_LENGTH):
            number, digit = divmod(number, len(_LETTERS))
            digits.append(_LETTERS[digit])
        return f"{prefix}_01{''.join(digits)}"

    def signature(self) -> str:
        """What a thinking block is signed with: opaque, of a length that real ones have at least."""
        number = b"%b signature %d" % (self._seed, next(self._count))
        return "".join(blake2b(number + bytes([part]), digest_size=64).hexdigest() for part in range(2))


def workspace_of(key: str) -> str:
    """A short name for an API key that does not give the key away."""
    return f"wrkspc_{blake2b(key.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"
