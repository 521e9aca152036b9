"""Token estimates against recorded bills, with factors that have not seen the project being judged."""

from __future__ import annotations

import lzma
from statistics import median
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from scrimp.core.prompt import Reading, read_prompt
from scrimp.core.tokens import Estimator, Ruler, read_settings, why_not_judged
from scrimp.facts.models import resolve
from scrimp.facts.tokenizers import token_factors
from scrimp.wire.request import blocks
from scrimp.wire.response import read_usage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAMPLED = (
    "cassettes/0xPlaygrounds__rig",
    "cassettes/activeagents__activeagent",
    "cassettes/braintrustdata__braintrust-sdk-javascript",
    "cassettes/crewAIInc__crewAI",
    "cassettes/crmne__ruby_llm",
    "cassettes/pydantic__pydantic-ai",
    "openhands_swebench/astropy__astropy-14182",
    "openhands_swebench/django__django-11400",
)


def judged(folder: Path) -> Iterator[tuple[float, bool, float]]:
    """Relative error, whether the interval held and its relative width, of calls to the older tokenizer."""
    ruler = Ruler()
    for name in SAMPLED:
        for line in map(
            orjson.loads, lzma.decompress((folder / f"{name}.jsonl.xz").read_bytes()).splitlines()
        ):
            result = judge(line, ruler)
            if result is not None:
                yield result


def judge(line: dict[str, Any], ruler: Ruler) -> tuple[float, bool, float] | None:
    body = line["request"]["body"]
    spelling = body.get("model") if isinstance(body, dict) else None
    if line.get("kind", "messages") != "messages" or not line["usage"] or not spelling:
        return None
    model = resolve(spelling)
    usage = read_usage(line["usage"])
    if model.tokenizer != "claude-3" or why_not_judged(body, blocks(body), usage) is not None:
        return None
    prompt = read_prompt(body, Reading(model.id, strips_thinking=not model.features.thinking_kept))
    factors = token_factors("claude-3", line["source"]["repo"])
    estimator = Estimator(model, spelling=spelling, factors=factors, ruler=ruler)
    found = estimator.estimate(prompt.blocks, read_settings(body), prompt.digests)
    total = usage.total_input
    return abs(found.mid - total) / total, found.low <= total <= found.high, (found.high - found.low) / total


def test_held_out_estimates_are_as_good_as_promised(traces: Path) -> None:
    results = list(judged(traces / "exchanges"))
    errors, covered, widths = zip(*results, strict=True)
    assert len(results) > 900
    assert median(errors) < 0.015
    assert sorted(errors)[int(0.95 * len(errors))] < 0.12
    assert sum(covered) / len(covered) >= 0.98
    assert median(widths) <= 0.25


@pytest.mark.parametrize("project", ["All-Hands-AI/OpenHands", "crmne/ruby_llm", "pydantic/pydantic-ai"])
def test_factors_are_held_out_for_every_project_judged_here(project: str) -> None:
    assert token_factors("claude-3", project).without == project
