"""What is remembered of conversations under way: what was cleared of each, what that cost and saved."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

import msgspec

from scrimp.core.carry.cut import NO_CUT, Cut
from scrimp.core.carry.history import Place
from scrimp.core.carry.worth_account import Account
from scrimp.core.carry.worth_missed import Misses, Out
from scrimp.core.forgetting import forget_oldest
from scrimp.core.prompt import Digest

__all__ = ["Books", "CutStore", "Gone", "Kept", "Talks"]

_STEPS_REMEMBERED = 20_000
_STEPS_BACK = 8
"""Messages back from the last up to which a store is asked: more than a turn usually has."""


class CutStore(Protocol):
    """Where what was cleared is kept for the next process, an hour or so: digests and counts, no text."""

    def keep(self, key: Digest, kept: bytes) -> None:
        """Keep this under that key, soon; never raises."""

    def find(self, key: Digest) -> bytes | None:
        """What was kept under that key, and not let go since; None also where that cannot be told."""


class Books(msgspec.Struct, eq=False):
    """Of one conversation, forks of it included.

    `gone` are the tools of cleared results by what they were asked; `said` is what was said last of why
    nothing more is cleared. `odd` says that the API once cleared something else than it was told to.
    """

    account: Account = Account()
    gone: dict[Digest, str] = {}
    said: str = ""
    odd: bool = False


class Gone(NamedTuple):
    """A result that is out of the prompt: tokens fewer, its tool, and which of the tool uses it answered."""

    tokens: int
    tool: str
    use: int


class Kept(msgspec.Struct, frozen=True):
    """A conversation as its last step left it.

    `gone` are the results that are out of the prompt, `uses` counts all of them since the last `summary`. The
    step went out at `at`, what it left in the cache lives for `lifetime` seconds. `waited` is what
    carrying what could go has cost since the last cut, picodollars, and `waited_all` what carrying all that
    could be summed up has. `calls` went out in a row while the cache was warm; the step asked to be summed up
    beyond `compacts` tokens (0: it did not). `elsewhere`: it was another process that saw it last.
    """

    books: Books
    name: Digest = b""
    cut: Cut = NO_CUT
    gone: tuple[Gone, ...] = ()
    uses: int = 0
    summary: Place | None = None
    at: float = 0.0
    lifetime: int = 0
    waited: int = 0
    waited_all: int = 0
    calls: int = 1
    compacts: int = 0
    elsewhere: bool = False

    @property
    def outs(self) -> list[Out]:
        """What is out of the prompt, as old as it is by now."""
        return [Out(tokens, tool, self.uses - 1 - use) for tokens, tool, use in self.gone]

    def warm(self, now: float) -> bool:
        """Whether what its last step left in the cache can still be read."""
        return bool(self.name) and now - self.at < self.lifetime


class Talks:
    """Conversations by their beginnings, and what has been missed in all of them; bounded.

    With a store, what was cleared outlives the process: sent whole again, it would be written anew.
    """

    def __init__(self, store: CutStore | None = None) -> None:
        self._store = store
        self.misses = Misses()
        self._kept: dict[Digest, Kept] = {}

    def before(self, chain: Sequence[Digest]) -> Kept | None:
        """The conversation as the longest known beginning of it left it."""
        found = next((found for digest in reversed(chain) if (found := self._kept.get(digest))), None)
        return self._from_store(chain) if found is None else found

    def _from_store(self, chain: Sequence[Digest]) -> Kept | None:
        if self._store is None or len(chain) <= 1:  # it begins here
            return None
        for digest in chain[: -_STEPS_BACK - 1 : -1]:
            data = self._store.find(digest)
            if data is not None:
                with suppress(msgspec.MsgspecError):
                    return msgspec.structs.replace(_written.decode(data), elsewhere=True)
        return None

    def keep(self, kept: Kept) -> None:
        """Remember a step by its name, the digest of all its messages."""
        self._kept.pop(kept.name, None)
        self._kept[kept.name] = kept
        forget_oldest(self._kept, _STEPS_REMEMBERED)
        if self._store is not None and kept.cut:
            self._store.keep(kept.name, msgspec.msgpack.encode(kept))


_written = msgspec.msgpack.Decoder(Kept)
