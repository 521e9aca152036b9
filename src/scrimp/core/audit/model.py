"""What an audit found, as values. Money is in integer picodollars, tokens are billed tokens.

A figure is *measured* where it is billed usage at the dated prices, and *estimated* where a model stood in
for the provider; each section says which. `scrimp.auditing.audit` makes an `Audit`, the faces only show it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

from scrimp.core.audit.checklist_model import Checklist
from scrimp.core.audit.span import Span
from scrimp.core.spend import Spend

__all__ = [
    "GAPS",
    "SECTIONS",
    "Audit",
    "Calibration",
    "CauseLine",
    "Floor",
    "Gap",
    "Gaps",
    "Misses",
    "Paid",
    "Part",
    "PartCost",
    "Results",
    "RunTax",
    "Section",
    "SourceCalibration",
    "Span",
    "StepTax",
    "Tax",
    "ToolCost",
    "ToolResultCost",
    "TtlFit",
    "Verdict",
]

Section = Literal["spend", "tax", "results", "misses", "ttl", "levers"]
SECTIONS: tuple[Section, ...] = get_args(Section)
"""What an audit can hold, in the order it is shown; the calibration always comes first."""

Part = Literal["static", "tools", "system", "messages", "results", "new"]
"""What a prompt consists of. `static` is tools and system together, where the recording shows neither (Claude
Code transcripts); `messages` and `results` were sent before by the same run, `new` is what was not."""

Verdict = Literal["growing", "bounded", "too short"]
"""Whether the input of a run's calls grows with every step; runs of a few calls say nothing."""

Gap = Literal["≤ 10 s", "10–60 s", "1–5 min", "5–15 min", "15–60 min", "1–4 h", "> 4 h"]
GAPS: tuple[Gap, ...] = get_args(Gap)
"""Times between a call and the one it extends."""


class Paid(msgspec.Struct, frozen=True):
    """Tokens of some input and what they were billed, by how they were billed."""

    plain: int = 0
    write_5m: int = 0
    write_1h: int = 0
    read: int = 0
    amount: int = 0

    @property
    def tokens(self) -> int:
        """All tokens together."""
        return self.plain + self.write_5m + self.write_1h + self.read

    def __add__(self, other: Paid) -> Paid:
        return Paid(
            self.plain + other.plain,
            self.write_5m + other.write_5m,
            self.write_1h + other.write_1h,
            self.read + other.read,
            self.amount + other.amount,
        )


class SourceCalibration(msgspec.Struct, frozen=True):
    """How the model foresaw the bills of one source (a project folder, or a recording's repository).

    `model` and `billed` are picodollars of input; `within` counts calls whose read was foreseen within 1 % of
    their input, `unexplained` those whose bill shows what no recorded call explains.
    """

    source: str
    calls: int
    within: int
    unexplained: int
    model: int
    billed: int

    @property
    def error(self) -> float:
        """Model against bill, as a share of the bill; negative where the model is below it."""
        return (self.model - self.billed) / self.billed if self.billed else 0.0

    @property
    def foreseen(self) -> float:
        """The share of calls whose read was foreseen."""
        return self.within / self.calls if self.calls else 0.0


class Calibration(msgspec.Struct, frozen=True):
    """The model against the bills: `whole` for all sources, `sources` one by one, the dearest first."""

    whole: SourceCalibration
    sources: tuple[SourceCalibration, ...]


class PartCost(msgspec.Struct, frozen=True):
    """One part of all prompts looked at together; `again` is what of it the same run had sent before."""

    part: Part
    paid: Paid
    again: Paid


class StepTax(msgspec.Struct, frozen=True):
    """One call of a run: tokens of each part of its prompt, and what its input was billed.

    `again` is what was billed for what the run had sent before.
    """

    where: str
    at: float
    conversation: str
    parts: Mapping[Part, int]
    amount: int
    again: int
    output_tokens: int


class RunTax(msgspec.Struct, frozen=True):
    """One run: the parts of its prompts, and whether its input grows.

    `slope` is tokens of input per step, by least squares over the steps of its longest conversation; a run
    that is cleared, compacted or trimmed can be bounded. `steps` is filled for the dearest runs only, in time
    order. `where` is its first call.
    """

    run: str
    project: str
    where: str
    calls: int
    parts: tuple[PartCost, ...]
    verdict: Verdict
    slope: float
    steps: tuple[StepTax, ...] = ()

    @property
    def amount(self) -> int:
        """What the run's input was billed."""
        return sum(part.paid.amount for part in self.parts)

    @property
    def again(self) -> int:
        """What was billed for what the run had sent before."""
        return sum(part.again.amount for part in self.parts)


class Tax(msgspec.Struct, frozen=True):
    """The stateless tax: every call sends the whole conversation again.

    `parts` add up to the whole input bill, to the token and picodollar; what stands where in a prompt is
    estimated where the bills do not show it. `beside` is input that was billed for other prompts than the
    calls' own (the provider's own samplings; calls that no prompt is known of) and makes up the rest of the
    bill. `uncached_again` is what everything sent again would have cost as plain input, `growing` and
    `bounded` count runs, `projects` maps a source to its parts, `runs` has the dearest runs.
    """

    calls: int
    parts: tuple[PartCost, ...]
    beside: int
    uncached_again: int
    growing: int
    bounded: int
    too_short: int
    projects: Mapping[str, tuple[PartCost, ...]]
    runs: tuple[RunTax, ...]

    @property
    def amount(self) -> int:
        """The whole input bill."""
        return self.beside + sum(part.paid.amount for part in self.parts)

    @property
    def again(self) -> Paid:
        """Everything that had been sent before."""
        return sum((part.again for part in self.parts), Paid())


class ToolResultCost(msgspec.Struct, frozen=True):
    """One tool result over its whole life: `tokens` long, in `calls` prompts, billed `paid` in all.

    `where` is the call that brought it, `asked` what the tool was asked where that is known.
    """

    tool: str
    where: str
    run: str
    tokens: int
    calls: int
    paid: Paid
    asked: str = ""

    @property
    def resent(self) -> int:
        """How often it was sent again."""
        return self.calls - 1


class ToolCost(msgspec.Struct, frozen=True):
    """All results of one tool: how many, their tokens once, how often they were sent again, what they cost.

    `resent` counts each result in each later prompt.
    """

    tool: str
    results: int
    tokens: int
    resent: int
    paid: Paid


class Results(msgspec.Struct, frozen=True):
    """Tool results: `tools` by cost, `dearest` single ones. Lengths are estimated between billed anchors."""

    tools: tuple[ToolCost, ...]
    dearest: tuple[ToolResultCost, ...]
    paid: Paid
    input_amount: int

    @property
    def share(self) -> float:
        """What tool results cost, as a share of the whole input bill."""
        return self.paid.amount / self.input_amount if self.input_amount else 0.0


class CauseLine(msgspec.Struct, frozen=True):
    """All misses of one cause: `lost` is picodollars against reading what should have been read.

    `examples` are the dearest, as places `scrimp explain` can open.
    """

    cause: str
    misses: int
    tokens: int
    lost: int
    fix: str
    intended: bool
    examples: tuple[str, ...]


class Misses(msgspec.Struct, frozen=True):
    """Cache misses by cause, the dearest first; `judged` calls were looked at."""

    judged: int
    causes: tuple[CauseLine, ...]

    @property
    def lost(self) -> int:
        """Lost in all."""
        return sum(line.lost for line in self.causes)


class Gaps(msgspec.Struct, frozen=True):
    """Calls by the time since the call before them in the same conversation, and the tokens they share."""

    gap: Gap
    calls: int
    tokens: int


class TtlFit(msgspec.Struct, frozen=True):
    """How well the lifetimes that were paid for fit the gaps there were.

    Of the written tokens, `written` in all, those of `never_read` were read by no call while they lived;
    `wasted` is what they cost over plain input. `expired` is what was written again after more than 5 minutes
    and less than an hour though a 5m entry had held it; `saved_by_1h` is what 1h instead would have saved net
    of its dearer writes (negative: it would have cost more). `one_hour` was written for 1h; of these tokens
    `hour_not_needed` were read only within 5 minutes of one another, or never, and `spared_by_5m` is their
    premium. Tokens and picodollars; estimated where a bill does not show which entry was read.
    """

    written: Paid
    never_read: int
    wasted: int
    expired: int
    rewritten: int
    saved_by_1h: int
    one_hour: int
    hour_not_needed: int
    spared_by_5m: int
    gaps: tuple[Gaps, ...]


class Floor(msgspec.Struct, frozen=True):
    """Input as billed, and the least any caching strategy could have paid for the same contents."""

    billed: int
    floor: int

    @property
    def multiple(self) -> float:
        """The bill as a multiple of the floor."""
        return self.billed / self.floor if self.floor else 1.0


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """The whole result. A section that was not asked for, or has nothing to stand on, is None.

    `billed` is all money, `input_billed` and `output_billed` its parts (fees make the rest). `subscription`
    says that (some) calls are Claude Code sessions, whose dollars are API-equivalent, not a plan's bill.
    `output_doubtful` counts calls whose recorded output is a stream's placeholder. `skipped` counts what was
    left out, by reason; `faults` are lines that could not be read. `spend` is read apart (`scrimp.spending`),
    and is put in by who asks for both.
    """

    span: Span
    calls: int
    runs: int
    billed: int
    input_billed: int
    output_billed: int
    subscription: bool
    output_doubtful: int
    calibration: Calibration | None
    floor: Floor | None
    tax: Tax | None
    results: Results | None
    misses: Misses | None
    ttl: TtlFit | None
    levers: Checklist | None
    skipped: Mapping[str, int]
    faults: tuple[str, ...]
    notes: tuple[str, ...] = ()
    spend: Spend | None = None
