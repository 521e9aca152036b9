"""An audit with something in every section, its figures made up and easy to tell apart."""

from __future__ import annotations

from typing import Any

from scrimp.core.audit.checklist_model import Amount, Checklist, Evidence, Finding, Regret, Together
from scrimp.core.audit.model import (
    GAPS,
    Audit,
    Calibration,
    CauseLine,
    Floor,
    Gaps,
    Misses,
    Paid,
    Part,
    PartCost,
    Results,
    RunTax,
    SourceCalibration,
    Span,
    StepTax,
    Tax,
    ToolCost,
    ToolResultCost,
    TtlFit,
)
from scrimp.core.spend import Cell, Place, Spend, Sums

__all__ = ["CENT", "sample_audit", "sample_finding", "sample_spend"]

CENT = 10**10
"""Picodollars."""

DAY = 86_400.0
BEGAN = 1_785_600_000.0  # 2026-08-01T16:00:00Z


def sample_finding(**fields: Any) -> Finding:
    """A lever that pays 12.00 a month, 9 to 15."""
    plain: dict[str, Any] = {
        "lever": "placement",
        "title": "Let scrimp place the markers",
        "says": "Turns of more than 20 blocks lose the cache.",
        "pays": True,
        "applies": True,
        "saved": Amount(300 * CENT, 400 * CENT, 500 * CENT),
        "monthly": Amount(900 * CENT, 1_200 * CENT, 1_500 * CENT),
        "share": 0.2,
        "basis": "replayed",
        "confidence": "high",
        "because": "The replay reproduces the bill to +0.7 %.",
        "risk": "None: the prompt stays as it is.",
        "change": "Pass the middleware to the client.",
        "setting": "client = anthropic.Anthropic(middleware=[scrimp.Middleware()])",
        "evidence": (Evidence("runs/a.jsonl:29", "0 of 18,900 tokens read", 7 * CENT),),
        "in_total": True,
    }
    return Finding(**plain | fields)


def _parts(scale: int) -> tuple[PartCost, ...]:
    sizes: dict[Part, int] = {"tools": 10, "system": 5, "messages": 20, "results": 55, "new": 10}
    return tuple(
        PartCost(
            part,
            Paid(plain=size * scale, read=9 * size * scale, amount=size * scale * CENT // 1_000),
            Paid() if part == "new" else Paid(read=9 * size * scale, amount=size * scale * CENT // 2_000),
        )
        for part, size in sizes.items()
    )


def _run(name: str, *, steps: int = 0) -> RunTax:
    return RunTax(
        run=name,
        project="ada/shop",
        where=f"runs/{name}.jsonl:1",
        calls=max(steps, 12),
        parts=_parts(1_000),
        verdict="growing" if steps else "too short",
        slope=412.4,
        steps=tuple(
            StepTax(
                where=f"runs/{name}.jsonl:{step + 1}",
                at=BEGAN + step,
                conversation="main",
                parts={
                    "tools": 900,
                    "system": 400,
                    "messages": 50 * step,
                    "results": 300 * step,
                    "new": 350,
                },
                amount=CENT,
                again=CENT // 2,
                output_tokens=40,
            )
            for step in range(steps)
        ),
    )


def sample_audit(**fields: Any) -> Audit:
    """Ten days, 2,000 calls, 20 dollars."""
    whole = SourceCalibration("all", 2_000, 1_960, 13, 1_010 * CENT, 1_000 * CENT)
    sources = (
        SourceCalibration("ada/shop", 1_500, 1_480, 3, 805 * CENT, 800 * CENT),
        SourceCalibration("eve/<script>", 500, 480, 10, 205 * CENT, 200 * CENT),
    )
    plain: dict[str, Any] = {
        "span": Span(BEGAN, BEGAN + 10 * DAY, 10.0),
        "calls": 2_000,
        "runs": 40,
        "billed": 2_000 * CENT,
        "input_billed": 1_500 * CENT,
        "output_billed": 500 * CENT,
        "subscription": True,
        "output_doubtful": 7,
        "calibration": Calibration(whole, sources),
        "floor": Floor(1_500 * CENT, 600 * CENT),
        "tax": Tax(
            calls=2_000,
            parts=_parts(15_000),
            beside=0,
            uncached_again=4_000 * CENT,
            growing=30,
            bounded=6,
            too_short=4,
            projects={"ada/shop": _parts(10_000), "eve/<script>": _parts(5_000)},
            runs=(_run("nightly-build", steps=60), _run("review")),
        ),
        "results": _results(),
        "misses": Misses(
            2_000,
            (
                CauseLine(
                    "TTL expired",
                    31,
                    900_000,
                    210 * CENT,
                    "Use the 1h TTL.",
                    intended=False,
                    examples=("runs/a.jsonl msg_1",),
                ),
                CauseLine(
                    "history compacted",
                    4,
                    80_000,
                    20 * CENT,
                    "None needed.",
                    intended=True,
                    examples=("runs/b.jsonl msg_2",),
                ),
            ),
        ),
        "ttl": TtlFit(
            written=Paid(write_5m=900_000, write_1h=100_000, amount=700 * CENT),
            never_read=250_000,
            wasted=40 * CENT,
            expired=300_000,
            rewritten=180 * CENT,
            saved_by_1h=90 * CENT,
            one_hour=100_000,
            hour_not_needed=60_000,
            spared_by_5m=12 * CENT,
            gaps=tuple(
                Gaps(gap, calls, 1_000 * calls)
                for gap, calls in zip(GAPS, (900, 500, 300, 60, 40, 15, 5), strict=True)
            ),
        ),
        "levers": _checklist(),
        "skipped": {"copy of a call that another file holds": 12},
        "faults": (
            "runs/bad.jsonl:3: not JSON",
            "runs/bad.jsonl:9: not JSON",
            "runs/shut.jsonl: permission denied",
        ),
    }
    return Audit(**plain | fields)


def _results() -> Results:
    paid = Paid(plain=400_000, read=5_000_000, amount=700 * CENT)
    return Results(
        tools=(
            ToolCost("Bash", 500, 300_000, 9_000, Paid(read=5_000_000, amount=500 * CENT)),
            ToolCost("Read <b>", 300, 200_000, 4_000, Paid(plain=400_000, amount=200 * CENT)),
        ),
        dearest=(
            ToolResultCost(
                "Bash", "runs/a.jsonl:2", "nightly-build", 10_800, 50, Paid(amount=90 * CENT), "ls -R /"
            ),
        ),
        paid=paid,
        input_amount=1_500 * CENT,
    )


def _checklist() -> Checklist:
    nothing = Amount(0, 0, 0)
    findings = (
        sample_finding(),
        sample_finding(
            lever="clearing",
            title="Clear old tool results",
            monthly=Amount(100 * CENT, 600 * CENT, 900 * CENT),
            confidence="medium",
            regret=Regret(removed=400_000, uses=9, share=0.031, charged=3 * CENT),
            assumptions=("a re-fetch costs one call",),
            setting="",
        ),
        sample_finding(
            lever="hour",
            title="Write for 1h",
            pays=False,
            saved=Amount(-100 * CENT, -67 * CENT, -33 * CENT),
            monthly=Amount(-300 * CENT, -200 * CENT, -100 * CENT),
            why_not="Gaps are short.",
        ),
        sample_finding(
            lever="batch",
            title="Send as batches",
            pays=False,
            applies=False,
            saved=nothing,
            monthly=nothing,
            why_not="No call could wait.",
        ),
    )
    together = Together(
        ("placement",), Amount(300 * CENT, 400 * CENT, 500 * CENT), findings[0].monthly, 0.2, 450 * CENT
    )
    bolder = Together(
        ("placement", "clearing"),
        Amount(350 * CENT, 550 * CENT, 800 * CENT),
        Amount(1_050 * CENT, 1_650 * CENT, 2_400 * CENT),
        0.275,
        650 * CENT,
    )
    return Checklist(findings, together, 2_000 * CENT, bolder)


def sample_spend() -> Spend:
    """A call a day for ten days, dearer from day to day, two models in turn; the first day has no others."""
    return Spend(
        [
            Cell(
                Place(
                    quarter=int(BEGAN + number * DAY) // 900,
                    model="claude-opus-5" if number % 2 else "claude-haiku-4-5",
                    project="ada/shop" if number < 7 else "eve/<script>",
                    session=f"s{number}",
                    agent="main",
                    source="transcript",
                ),
                Sums(
                    200,
                    (100, 2_000, 500, 90_000, 800, 0),
                    (5 * CENT, 30 * CENT * (number + 1), 10 * CENT, 40 * CENT, 20 * CENT, 0),
                ),
            )
            for number in range(10)
        ]
    )
