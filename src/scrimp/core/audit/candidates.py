"""The levers that are replayed on every source, and how they go together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import msgspec

from scrimp.core.audit.cards import CARDS
from scrimp.core.audit.model_levers import (
    retired,
    single_calls,
    small_model,
    small_model_setting,
    successor_levers,
    successor_settings,
)
from scrimp.core.reproduce import Measured
from scrimp.core.whatif.batch import Batch
from scrimp.core.whatif.clearing import ClearToolUses
from scrimp.core.whatif.clearing_priced import CarryPriced
from scrimp.core.whatif.compacting import Compact
from scrimp.core.whatif.gating import Gated
from scrimp.core.whatif.grouping import Grouped
from scrimp.core.whatif.marking import SetLifetime
from scrimp.core.whatif.pinging import KeptAlive
from scrimp.core.whatif.rows import Row
from scrimp.core.whatif.trimming import KeepLast
from scrimp.facts.models import Facts

__all__ = ["Candidate", "candidates"]

_HOUR = 3600.0
_HALF = Fraction(1, 2)
_OTHER_TOKENS = Fraction(15, 100)
_MARKERS = "markers"
_CLEARING = "clearing"
_EARLY = ClearToolUses(trigger=50_000, clear_at_least=20_000)


class Candidate(msgspec.Struct, frozen=True):
    """One lever on one source. `row` makes it anew, with no memory.

    `instead_of` names the choice that it is one answer to: of those only one can be had. `doubt` is what
    else may be off besides the model's error, as a share of the bill of the calls it touches. `stage` orders
    levers that go together: what changes prompts comes before what changes times. A lever that stands on a
    claim only the user can check is `told` and part of no total. One that is `slow` is replayed on a sample
    of large sources. `settings` are lines to copy that depend on the calls, `gone` are their retired models.
    """

    lever: str
    row: Callable[[], Row]
    stage: int
    instead_of: str | None = None
    doubt: Fraction = Fraction(0)
    told: bool = False
    slow: bool = False
    settings: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    @property
    def bold(self) -> bool:
        """Whether it changes what the model reads or which model answers."""
        return CARDS[self.lever].bold


def candidates(calls: Sequence[Measured], facts: Facts) -> list[Candidate]:
    """Every lever that can be replayed on these calls."""
    found = [
        Candidate("caching", lambda: Row("caching", policy="scrimp"), 0, _MARKERS),
        Candidate("ttl-5m", lambda: Row("ttl-5m", markings=(SetLifetime("5m"),)), 0, _MARKERS),
        Candidate("ttl-1h", lambda: Row("ttl-1h", markings=(SetLifetime("1h"),)), 0, _MARKERS),
        Candidate("carry", lambda: Row("carry", levers=(CarryPriced(),)), 1, _CLEARING, slow=True),
        Candidate("clear", lambda: Row("clear", levers=(ClearToolUses(),)), 1, _CLEARING, slow=True),
        Candidate("clear-early", lambda: Row("clear-early", levers=(_EARLY,)), 1, _CLEARING, slow=True),
        Candidate("compact", lambda: Row("compact", levers=(Compact(),)), 1, _CLEARING, slow=True),
        Candidate("trim", lambda: Row("trim", levers=(KeepLast(),)), 1, _CLEARING, slow=True),
        Candidate("fan-out", lambda: Row("fan-out", levers=(Gated(),)), 4),
        Candidate("grouping", lambda: Row("grouping", levers=(Grouped(_HOUR),)), 5, told=True),
        Candidate("keep-alive", lambda: Row("keep-alive", levers=(KeptAlive(1),)), 6),
    ]
    later = successor_levers(calls, facts)
    if later:
        lines, gone = successor_settings(calls, facts), retired(calls)
        row = Row("successor", levers=later)
        found.append(Candidate("successor", lambda: row, 2, doubt=_OTHER_TOKENS, settings=lines, gone=gone))
    small = small_model(calls, facts)
    if small:
        lines = small_model_setting(calls, facts)
        cheaper = Row("small-model", levers=small)
        found.append(Candidate("small-model", lambda: cheaper, 3, doubt=_HALF, told=True, settings=lines))
    alone = single_calls(calls)
    if alone is not None:
        found.append(Candidate("batch", lambda: Row("batch", levers=(Batch(alone),)), 7, told=True))
    return found
