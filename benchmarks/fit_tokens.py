"""Refit the factors of src/scrimp/facts/token_factors.toml to a folder of recorded, billed calls.

    uv run --with numpy python -m benchmarks.fit_tokens TRACES [--write]

TRACES holds `exchanges/` (whole requests with their bills) and `transcripts/` (sessions, whose consecutive
bills say how long the messages in between were); `token_rows` reads them. The same folder always gives the
same factors.

What is fitted, per tokenizer family: tokens = sum of factor x count. The fit minimises absolute relative
errors (least squares, reweighted), pulled weakly towards the priors below, every project weighted by the
square root of its rows, so that no single agent decides. For every project with exchanges a second set is
fitted without it; those sets are what the table at the end and `scrimp calibrate` judge. The spread of the
intervals is read off those held-out errors.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.token_rows import Row, prompt_rows, session_rows
from scrimp.core.tokens import Estimator, Ruler, read_settings
from scrimp.core.tokens.counts import COUNTED
from scrimp.facts import tokenizers
from scrimp.facts.tokenizers import fitted_factors

if TYPE_CHECKING:
    from collections.abc import Iterator

OUT = Path(tokenizers.__file__).with_name("token_factors.toml")
AROUND = ("messages", "results_beside", "thinking_on", "answers", "answer_schema")
PRIORS = {
    "claude-3": {"vocabulary": 1.0, "schema": 1.0},
    "claude-4.7": {"vocabulary": 1.3, "schema": 1.35, "tool_uses": 26.0, "results": 26.0},
}
COMMON = {
    "letter_runs": 0.25,  # a run of one letter: as long as any other word of four letters
    "tool_uses": 20.0,
    "results": 20.0,
    "parameters": 15.0,
    "tools": 0.0,
    "eager_tools": 0.0,
    "thinking": 15.0,  # recorded: 12 to 26 around a block
    "sealed": 0.4,
    "images": 3.0,
    "messages": 4.0,
    "results_beside": 20.0,
    "thinking_on": 28.0,
    "answers": 100.0,
    "answer_schema": 1.4,
}
FITTED = {
    "claude-3": (
        *("vocabulary", "numbers", "indents", "joints", "long_words", "unbroken", "letter_runs"),
        *("schema", "tools", "eager_tools", "tool_uses", "parameters", "results", *AROUND),
    ),
    "claude-4.7": (
        *("vocabulary", "numbers", "unbroken", "schema"),
        *("tool_uses", "parameters", "results", "sealed", *AROUND),
    ),
}
# Priors that stand where nothing is fitted: too few recordings tell them apart.
KEPT = ("thinking", "sealed", "images", "letter_runs", "tools", "eager_tools")
RIDGE = 1e-4
TOLERATED = 0.01  # relative errors below this count as noise: squares, not absolute values
STEP_NOISE = 60  # tokens a session adds to a step unseen (reminders)
PART_WEIGHT = {"prompt": 1.0, "run": 1.0, "session": 0.15}
OUTSIDE = 0.015  # share of held-out bills of mostly text left outside an interval, on each side
MARGIN = 1.1
# The least spread of text, below and above: whole sessions of agents not in the corpus scatter this much.
LEAST = {"claude-3": (0.08, 0.14), "claude-4.7": (0.12, 0.22)}
SPREAD = {"schema": 0.10, "structure": 0.06, "loose": 0.5, "builtin": 0.3}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("traces", type=Path)
    parser.add_argument("--write", action="store_true", help=f"overwrite {OUT.name}")
    options = parser.parse_args()
    ruler = Ruler()
    rows = list(chain(prompt_rows(options.traces, ruler), session_rows(options.traces, ruler)))
    fits = {family: fit_family(family, [r for r in rows if r.family == family]) for family in FITTED}
    if options.write:
        OUT.write_text(written(fits), encoding="utf-8")
    report(fits, ruler)


# -- fitting ---------------------------------------------------------------------------------------------


@dataclass
class Fit:
    """Factors of one family by `names`, those without each project, and the rows they were fitted to."""

    names: list[str]
    factors: np.ndarray
    without: dict[str, np.ndarray]
    spread: dict[str, float]
    rows: list[Row]

    def held_out(self, project: str) -> dict[str, float]:
        return dict(zip(self.names, self.without[project].tolist(), strict=True))


def fit_family(family: str, rows: list[Row]) -> Fit:
    prompts = [p for p in fitted_factors(family).tool_prompts if p.name]
    published = {f"{kind} {p.name}": getattr(p, kind) for p in prompts for kind in ("auto", "forced")}
    priors = {**COMMON, **PRIORS[family], **published}
    names = [*FITTED[family], *published]
    standing = [name for name in KEPT if name not in names]
    prior = np.array([priors.get(name, 0.0) for name in names])
    matrix = np.array([[row.counts[name] for name in names] for row in rows], float)
    tokens = np.array([row.tokens - row.fixed for row in rows], float)
    tokens -= np.array([sum(row.counts[name] * priors[name] for name in standing) for row in rows])
    scale = np.array([row.tokens + (STEP_NOISE if row.part == "session" else 0) for row in rows], float)
    project = np.array([row.project for row in rows])
    size = Counter(project.tolist())
    weight = np.array([PART_WEIGHT[row.part] / size[row.project] ** 0.5 for row in rows])
    unfitted = np.array([priors[name] for name in standing])

    def solved(chosen: np.ndarray) -> np.ndarray:
        rates = matrix[chosen] / scale[chosen, None]
        found = solve(rates, tokens[chosen] / scale[chosen], weight[chosen], prior)
        return np.concatenate([found, unfitted])

    without = {name: solved(project != name) for name in sorted(size)}
    fit = Fit([*names, *standing], solved(np.ones(len(rows), bool)), without, {}, rows)
    fit.spread = spreads(fit, LEAST[family])
    return fit


def solve(matrix: np.ndarray, target: np.ndarray, weight: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Least absolute relative errors, by least squares reweighted until nothing moves."""
    pull = RIDGE * np.maximum((weight[:, None] * matrix**2).sum(0), 1e-12 * weight.sum()) + 1e-9
    residual = target - matrix @ prior
    factors, weights = prior, weight
    for _ in range(40):
        left = (matrix * weights[:, None]).T @ matrix + np.diag(pull)
        factors = prior + np.linalg.solve(left, (matrix * weights[:, None]).T @ residual)
        weights = weight / np.maximum(np.abs(target - matrix @ factors) / TOLERATED, 1.0)
    return factors


def spreads(fit: Fit, least: tuple[float, float]) -> dict[str, float]:
    """Shares of text that leave few held-out bills of mostly text out on each side, and a margin."""
    text = COUNTED[: COUNTED.index("schema")]
    below, above = [], []
    for row in (row for row in fit.rows if row.judged):
        factors = fit.held_out(row.project)
        total = predicted(row, factors)
        words = sum(factors.get(name, 0.0) * row.counts[name] for name in text)
        schema = factors["schema"] * row.counts["schema"]
        runs = factors["letter_runs"] * row.counts["letter_runs"]
        slack = 4 + SPREAD["schema"] * schema + SPREAD["structure"] * (total - words - schema)
        slack += SPREAD["loose"] * runs
        if words > total / 3:
            below.append((total - row.tokens - slack) / words)
            above.append((row.tokens - total - slack) / words)
    found = {"text_below": covering(below, least[0]), "text_above": covering(above, least[1])}
    return {name: round(share, 3) for name, share in {**found, **SPREAD}.items()}


def predicted(row: Row, factors: dict[str, float]) -> float:
    return row.fixed + sum(factor * row.counts[name] for name, factor in factors.items())


def covering(needed: list[float], least: float) -> float:
    return max(least, MARGIN * float(np.quantile(needed, 1 - OUTSIDE)))


# -- writing ---------------------------------------------------------------------------------------------


def written(fits: dict[str, Fit]) -> str:
    head = [
        "# Written by benchmarks/fit_tokens.py: do not edit, refit.",
        "#",
        "# Tokens per counted thing, per tokenizer family, fitted to recorded bills. `without` holds the",
        "# same factors fitted without one project: whoever judges estimates on its recordings uses those.",
        "",
        "as_of = 2026-11-21",
    ]
    return "\n".join([*head, *chain.from_iterable(table(name, fit) for name, fit in fits.items()), ""])


def table(family: str, fit: Fit) -> Iterator[str]:
    parts = Counter(row.part for row in fit.rows)
    yield from (
        "",
        f'["{family}"]',
        f"calls = {parts['prompt']}",
        f"deltas = {parts['run'] + parts['session']}",
    )
    yield f"projects = {len({row.project for row in fit.rows})}"
    yield 'source = "Recorded, billed calls of public repositories"'
    yield "names = [\n" + "".join(f'  "{name}",\n' for name in fit.names) + "]"
    yield f"factors = {numbers(fit.factors)}"
    yield "spread = { " + ", ".join(f"{k} = {v}" for k, v in sorted(fit.spread.items())) + " }"
    yield from ("", f'["{family}".without]')
    whole = {row.project for row in fit.rows if row.part == "prompt"}
    yield from (f'"{name}" = {numbers(found)}' for name, found in fit.without.items() if name in whole)


def numbers(values: np.ndarray) -> str:
    return "[" + ", ".join(f"{value:.4g}" if abs(value) >= 1e-4 else "0.0" for value in values + 0.0) + "]"


def report(fits: dict[str, Fit], ruler: Ruler) -> None:
    """Held-out errors: of judged prompts by the estimator itself, of steps of partly known prompts."""
    found = defaultdict(list)
    for family, fit in fits.items():
        for row in fit.rows:
            names = [f"{family} {row.part}s", f"{family} {row.part} {row.project}"]
            if row.judged:
                result = judged(row, fit, family, ruler)
                names.append(f"{family} {row.part} {row.call.model.id}")
            elif row.part == "prompt":
                continue
            else:
                error = predicted(row, fit.held_out(row.project)) - row.tokens
                result = error / (row.tokens + STEP_NOISE), np.nan, np.nan
            for name in names:
                found[name].append(result)
    print(f"{'held out':58s} {'n':>5s} {'median':>7s} {'p95':>7s} {'bias':>7s} {'covered':>7s} {'width':>6s}")
    for name, results in sorted(found.items()):
        errors, covered, widths = map(np.array, zip(*results, strict=True))
        print(
            f"{name:58s} {len(errors):5d} {np.median(abs(errors)):7.2%} {np.quantile(abs(errors), 0.95):7.2%}"
            f" {np.median(errors):+7.2%} {covered.mean():7.2%} {np.median(widths):6.1%}"
        )


def judged(row: Row, fit: Fit, family: str, ruler: Ruler) -> tuple[float, bool, float]:
    """Relative error, whether the interval held, and its relative width."""
    call = row.call
    factors = fitted_factors(family, fit.held_out(row.project), fit.spread, without=row.project)
    estimator = Estimator(call.model, spelling=call.spelling, factors=factors, ruler=ruler)
    found = estimator.estimate(call.seen, read_settings(call.body), call.digests)
    width = (found.high - found.low) / row.tokens
    return found.mid / row.tokens - 1, found.low <= row.tokens <= found.high, width


if __name__ == "__main__":
    main()
