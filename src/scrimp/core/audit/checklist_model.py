"""The checklist as values: one finding for every lever, what it is worth, and the change to make.

Money is in integer picodollars.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from scrimp.core.audit.span import Span

__all__ = ["Amount", "Basis", "Checklist", "Confidence", "Evidence", "Finding", "Regret", "Together"]

Confidence = Literal["high", "medium", "low"]

Basis = Literal["measured", "replayed", "estimated", "told"]
"""What a figure rests on: billed usage; the recorded calls replayed through the cache and price model; a
stated assumption about what the recording does not show; or only a claim that the user alone can check."""


class Amount(msgspec.Struct, frozen=True):
    """What is saved, picodollars, as an interval; negative where the lever would cost money."""

    low: int
    mid: int
    high: int

    def monthly(self, span: Span) -> Amount:
        """The same scaled to 30 days."""
        return Amount(span.monthly(self.low), span.monthly(self.mid), span.monthly(self.high))


class Evidence(msgspec.Struct, frozen=True):
    """A place to look at: `where` as `scrimp explain` takes it (file:line, or file and message id)."""

    where: str
    note: str
    amount: int = 0


class Regret(msgspec.Struct, frozen=True):
    """Of the tokens a lever removes, the share that the recorded continuation used after all.

    `uses` counts those uses; fetching them again is `charged` in the finding's amount, picodollars.
    """

    removed: int
    uses: int
    share: float
    charged: int


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One lever on the audited calls.

    `saved` is over the audited span, `monthly` the same scaled to 30 days, `share` that of the whole bill
    (mid). `pays` is False where it would not save, with its figure; `applies` is False where the recordings
    hold nothing the lever is for, and `why_not` says what was looked for. `change` is the exact change to
    make, `setting` the line to copy (code, environment variable, gateway or scrimp setting; empty where there
    is none). `in_total` says that it is part of the one total of levers replayed together.
    """

    lever: str
    title: str
    says: str
    pays: bool
    applies: bool
    saved: Amount
    monthly: Amount
    share: float
    basis: Basis
    confidence: Confidence
    because: str
    risk: str
    change: str
    setting: str = ""
    evidence: tuple[Evidence, ...] = ()
    regret: Regret | None = None
    assumptions: tuple[str, ...] = ()
    in_total: bool = False
    why_not: str = ""


class Together(msgspec.Struct, frozen=True):
    """Levers that pay, replayed together: one total, in which nothing is saved twice.

    Each source takes those that pay there. `summed` is what adding their single figures up would claim.
    """

    levers: tuple[str, ...]
    saved: Amount
    monthly: Amount
    share: float
    summed: int


class Checklist(msgspec.Struct, frozen=True):
    """Every lever, those that pay first, the most dollars first; then those that would not; then the rest.

    `together` is of levers that mean the same to the model and need nobody's word, `bolder` with those that
    change what a prompt holds or which model answers. `billed` is the whole bill they are shares of. `scaled`
    is False where the span is too short, or not known: what is said of a month says little then.
    """

    findings: tuple[Finding, ...]
    together: Together | None
    billed: int
    bolder: Together | None = None
    scaled: bool = True

    @property
    def paying(self) -> tuple[Finding, ...]:
        """The findings that pay."""
        return tuple(finding for finding in self.findings if finding.pays)
