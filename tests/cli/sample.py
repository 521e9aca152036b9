"""A made-up report, shaped like a real one: three runs of a coding agent."""

from __future__ import annotations

from decimal import Decimal

from scrimp.cli.html.report import Bar, Basis, CalibrationSummary, Report, RunRow, Split, Step

BARS = ("No caching", "As billed", "Recorded markers", "scrimp", "Floor")


def sample_steps(count: int, *, growth: int = 1_150, miss_every: int = 2) -> tuple[Step, ...]:
    """A run that grows by about `growth` tokens a step; one billed call in `miss_every` missed its cache."""
    steps = []
    messages, results, before = 900, 0, 0
    for index in range(count):
        new = growth + (index * 7919) % 2_400 if index else 900
        prompt = 2_600 + 1_900 + (messages if index else 0) + results + new
        missed = index % miss_every == 0
        written = prompt - before
        steps.append(
            Step(
                index=index + 1,
                tools=2_600,
                system=1_900,
                earlier_messages=messages if index else 0,
                earlier_results=results,
                new=new,
                plain=14,
                write=prompt - 14 if missed else written - 14,
                read=0 if missed else before,
                planned=Split(plain=4, write=written - 4, read=before),
            )
        )
        before = prompt
        if index:
            messages, results = messages + new // 5, results + new - new // 5
    return tuple(steps)


def sample_report() -> Report:
    """Three runs; the amounts add up to the bars."""
    amounts = {
        "django__django-11099": ("2.8104", "1.9127", "0.7015", "0.6688", "0.6671"),
        "sympy__sympy-20590": ("4.1120", "2.7701", "1.0102", "0.9544", "0.9520"),
        "matplotlib__matplotlib-23314-with-a-long-name": ("0.9033", "0.7210", "0.3811", "0.3550", "0.3532"),
    }
    rows = tuple(
        RunRow(run, calls, dict(zip(BARS, map(Decimal, usd), strict=True)), share)
        for (run, usd), calls, share in zip(amounts.items(), (25, 34, 12), (0.912, 0.934, 0.861), strict=True)
    )
    totals = [sum((row.usd[name] or Decimal(0) for row in rows), Decimal(0)) for name in BARS]
    notes = (
        "every step pays for the whole prompt again",
        "two providers in turn: every other call missed",
        "the agent’s own markers, on one route",
        "markers placed by expected cost",
        "least any caching could have paid, in hindsight",
    )
    bases: tuple[Basis, ...] = ("estimated", "measured", "estimated", "estimated", "estimated")
    return Report(
        title="What recorded coding agents paid, and what they had to",
        calibration=CalibrationSummary(
            runs=29,
            calls=730,
            cache_calls=412,
            cache_within_1pct=0.978,
            warm_calls=31,
            warm_within_1pct=0.968,
            token_calls=698,
            token_median_error=0.021,
            token_p95_error=0.094,
            token_coverage=0.991,
            model_usd=Decimal("5.4213"),
            billed_usd=Decimal("5.4038"),
        ),
        bars=tuple(Bar(*values) for values in zip(BARS, totals, bases, notes, strict=True)),
        before="As billed",
        after="scrimp",
        floor="Floor",
        runs=rows,
        steps={
            "django__django-11099": sample_steps(25),
            "sympy__sympy-20590": sample_steps(34, growth=1_600, miss_every=3),
            "one call": sample_steps(1),
        },
        generated_from="Recorded benchmark runs of OpenHands on SWE-bench, December 2024.",
        scope="Input tokens at the prices of the day of each call.",
    )
