"""What was spent, from recordings of every kind; what was read before is remembered and not read again.

spent = spend(["~/.claude/projects"])
for line in spent.spend.by("day"):
    print(line.name, line.sums.tokens, line.sums.cost)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path

import msgspec

from scrimp.core.spend import Cell, Spend
from scrimp.errors import ScrimpError
from scrimp.home import scrimp_home
from scrimp.stores.trace_index import TraceIndex, load_index, save_index
from scrimp.traces.usage_listing import Listed, list_recordings

__all__ = ["Spent", "spend"]

Advance = Callable[[int], None]

_PRICED_BY = tuple(
    Path(__file__).parent / name for name in ("facts/models.toml", "core/bill.py", "core/spend_pricing.py")
)
"""What calls are priced by: sums of other prices, or of other rules, are no sums of today."""

_DIGEST = 16


class Spent(msgspec.Struct, frozen=True):
    """What was spent according to so many `files`, and what of them could not be read, one line each.

    `copies` counts calls that several files hold, as resumed sessions do; each is counted once.
    """

    spend: Spend
    files: int
    copies: int = 0
    faults: tuple[str, ...] = ()


class _Answer(msgspec.Struct, array_like=True):
    cells: list[Cell]
    copies: int
    faults: list[str]


_answers = msgspec.msgpack.Decoder(_Answer)


def spend(
    paths: Iterable[str | os.PathLike[str]],
    *,
    begin: Advance = lambda _: None,
    advance: Advance = lambda _: None,
) -> Spent:
    """Add up every billed call recorded under `paths`: sessions of Claude Code, exchanges, captures, ledgers.

    A call that several files hold counts once, where the first of them in the order of their paths has it.
    Files that did not change since they were last read are not read again, and of those that grew only the
    new end is. `begin(n)` is told how many files are to be read, `advance(n)` of every `n` done, from any
    thread. What cannot be read is in `faults`; raises TraceError for paths that do not exist.
    """
    listed = list_recordings(paths)
    index = _index()
    prices = _prices()
    question = _question(listed, prices)
    known = index.answers.get(question)
    if known is None or listed.databases:
        answer = _answer(listed, index, prices, begin=begin, advance=advance)
        index.remember(question, msgspec.msgpack.encode(answer))
        with suppress(OSError, ScrimpError):  # not remembered, but answered
            save_index(scrimp_home(create=True), index)
    else:
        answer = _answers.decode(known)
    files = len(listed.files) + len(listed.databases)
    return Spent(Spend(answer.cells), files, answer.copies, tuple(answer.faults))


def _answer(listed: Listed, index: TraceIndex, prices: bytes, *, begin: Advance, advance: Advance) -> _Answer:
    # Where nothing has changed none of this is needed, and prices alone take longer to load than that.
    from scrimp.traces.usage_sums import bring_up_to_date, summed  # noqa: PLC0415 - see above

    bring_up_to_date(index, listed.files, prices, begin=begin, advance=advance)
    return _Answer(*summed(listed, index.entries))


def _index() -> TraceIndex:
    try:
        return load_index(scrimp_home())
    except ScrimpError:
        return TraceIndex()


def _prices() -> bytes:
    """What names the prices and rules in force, and the package that prices what they do not know."""
    digest = blake2b(digest_size=_DIGEST)
    for file in _PRICED_BY:
        digest.update(file.read_bytes())
    elsewhere = find_spec("genai_prices")
    if elsewhere is not None and elsewhere.origin is not None:
        digest.update(str(Path(elsewhere.origin).stat().st_mtime_ns).encode())
    return digest.digest()


def _question(listed: Listed, prices: bytes) -> bytes:
    """What names an answer: the files with their states, in order, and the prices."""
    asked = msgspec.msgpack.encode((prices, listed.files, listed.faults))
    return blake2b(asked, digest_size=_DIGEST).digest()
