"""Recorded bills as rows of counts: what the factors of the token estimates are fitted to.

Three parts: whole prompts of exchanges; what consecutive calls of a partly recorded run add to each other;
what one tool step of a session adds. Every row has the counts that the estimator sees and the tokens billed.
"""

from __future__ import annotations

import json
import lzma
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrimp.core.prompt import Reading, read_prompt
from scrimp.core.tokens import read_settings, why_not_judged
from scrimp.core.tokens.counts import COUNTED
from scrimp.core.tokens.estimator import find_turns
from scrimp.core.tokens.images import image_tokens
from scrimp.facts import models
from scrimp.facts.tokenizers import builtin_tokens, fitted_factors, hidden_prompt
from scrimp.wire.request import blocks
from scrimp.wire.response import read_usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scrimp.core.tokens import Ruler, Settings
    from scrimp.facts.model import Model
    from scrimp.wire.request import Block

REQUEST = 3  # tokens of every request, see the estimator
LONGEST_STEP = 60_000  # tokens: beyond, something else happened between two calls


@dataclass
class Row:
    """One bill, or the difference of two."""

    project: str
    family: str
    part: str
    counts: Counter[str]
    tokens: int
    fixed: float = 0.0
    judged: bool = False
    call: Any = field(default=None, repr=False)


@dataclass
class Call:
    """One exchange as read: what the estimator is given."""

    line: dict[str, Any]
    model: Model
    spelling: str
    body: dict[str, Any]
    digests: tuple[bytes, ...]
    seen: tuple[Block, ...]
    total: int


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with lzma.open(path, "rt", encoding="utf-8", errors="replace") as stream:
        for line in stream:
            try:
                yield json.loads(line)
            except ValueError:
                continue


def prompt_rows(traces: Path, ruler: Ruler) -> Iterator[Row]:
    """Whole prompts, each once; and for partly recorded runs what one call adds to the call before."""
    seen: set[Any] = set()
    partial: dict[str, list[Call]] = defaultdict(list)
    for path in sorted((traces / "exchanges").rglob("*.jsonl.xz")):
        for line in lines(path):
            call = read_call(line)
            if call is None:
                continue
            if line.get("partial_request"):
                partial[line["run"]].append(call)
                continue
            settings = json.dumps([call.body.get(k) for k in ("tool_choice", "thinking", "output_config")])
            key = (call.spelling, call.digests, settings, call.total)
            if key in seen:
                continue
            seen.add(key)
            row = prompt_row(call, ruler)
            if row is not None:
                yield row
    for run in partial.values():
        yield from run_rows(run, ruler)


def read_call(line: dict[str, Any]) -> Call | None:
    body, usage = line["request"].get("body"), line.get("usage")
    if line.get("kind", "messages") != "messages" or not isinstance(body, dict) or not usage:
        return None
    if not isinstance(body.get("messages"), list) or usage.get("input_tokens") is None:
        return None
    spelling = body.get("model") or named_in(line["request"].get("url") or "")
    model = models.resolve(spelling)
    edits = (body.get("context_management") or {}).get("edits") or ()
    keeps = any(e.get("type", "").startswith("clear_thinking") and e.get("keep") == "all" for e in edits)
    reading = Reading(model.id, strips_thinking=not model.features.thinking_kept and not keeps)
    prompt = read_prompt(body, reading)
    total = read_usage(usage).total_input
    return Call(line, model, spelling, body, prompt.digests, prompt.blocks, total)


def named_in(url: str) -> str:
    found = re.search(r"/models?/([^/:]+)", url.replace("%3A", ":"))
    return found.group(1) if found else ""


def prompt_row(call: Call, ruler: Ruler) -> Row | None:
    reason = why_not_judged(
        call.body, blocks(call.body), read_usage(call.line["usage"]), partial=call.line.get("partial_request")
    )
    if reason is not None and not reason.startswith("fewer"):
        return None
    settings = read_settings(call.body)
    counts, fixed = counted(call, ruler)
    if any(block.section == "tools" for block in call.seen):
        fixed += tool_prompt(call, settings, counts)
    counts["thinking_on"] += settings.thinking
    if settings.answer is not None:
        counts["answers"] += 1
        counts["answer_schema"] += settings.answer.numbers[COUNTED.index("schema")]
    project, family = call.line["source"]["repo"], call.model.tokenizer
    return Row(project, family, "prompt", counts, call.total, fixed + REQUEST, reason is None, call)


def tool_prompt(call: Call, settings: Settings, counts: Counter[str]) -> float:
    """Tokens of the hidden prompt; one that is fitted is counted instead."""
    prompt = hidden_prompt(fitted_factors(call.model.tokenizer).tool_prompts, call.model, call.spelling)
    saved = prompt.serial if settings.serial and not settings.forced else 0.0
    if prompt.name:
        counts[f"{'forced' if settings.forced else 'auto'} {prompt.name}"] += 1
        return -saved
    return (prompt.forced if settings.forced else prompt.auto) - saved


def counted(call: Call, ruler: Ruler) -> tuple[Counter[str], float]:
    """Counts of all blocks, and the tokens that are not fitted."""
    counts: Counter[str] = Counter()
    fixed = 0.0
    builtin = fitted_factors(call.model.tokenizer).builtin
    for block, digest in zip(call.seen, call.digests, strict=True):
        found = ruler.counts(block, digest)
        counts.update({name: n for name, n in zip(COUNTED, found.numbers, strict=True) if n})
        fixed += sum(image_tokens(pixels, call.model.image_rule) for pixels in found.images if pixels)
        fixed += builtin_tokens(builtin, found.builtin) if found.builtin else 0
    turns = find_turns(call.seen)
    counts["messages"], counts["results_beside"] = len(turns.starts), len(turns.beside)
    return counts, fixed


def run_rows(run: list[Call], ruler: Ruler) -> Iterator[Row]:
    for before, after in pairwise(sorted(run, key=lambda call: call.line["seq"])):
        added = len(after.digests) - len(before.digests)
        if added <= 0 or after.digests[: len(before.digests)] != before.digests:
            continue
        new = replace(after, seen=after.seen[-added:], digests=after.digests[-added:])
        tokens = after.total - before.total
        if 0 < tokens < LONGEST_STEP:
            project = after.line["source"]["repo"]
            yield Row(project, after.model.tokenizer, "run", counted(new, ruler)[0], tokens)


def session_rows(traces: Path, ruler: Ruler) -> Iterator[Row]:
    """Tool steps of sessions: an answer without thinking and nothing but the results of its calls."""
    seen: set[str] = set()
    for path in sorted((traces / "transcripts").rglob("*.jsonl.xz")):
        meta = json.loads(Path(str(path).replace(".jsonl.xz", ".meta.json")).read_text("utf-8"))
        for before, between, after in steps(lines(path)):
            if before["id"] in seen or before["model"] != after["model"]:
                continue
            seen.add(before["id"])
            body = {"messages": [{"role": "assistant", "content": before["content"]}, between]}
            if not plain_step(before["content"], between["content"]) or "REDACTED" in json.dumps(body):
                continue
            model = models.resolve(before["model"])
            prompt = read_prompt(body, Reading(model.id))
            tokens = billed(after) - billed(before)
            call = Call({}, model, before["model"], body, prompt.digests, prompt.blocks, tokens)
            counts, _ = counted(call, ruler)
            if 0 < tokens < LONGEST_STEP and counts["vocabulary"] > 30:
                yield Row(meta["source_repo"], model.tokenizer, "session", counts, tokens)


def steps(
    session: Iterator[dict[str, Any]],
) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Consecutive calls of the main chain with the user turn between them; others are passed over."""
    before: dict[str, Any] | None = None
    between: list[Any] | None = []
    for line in session:
        message = line.get("message")
        if line.get("isSidechain"):
            continue
        if line.get("type") in {"attachment", "system"}:
            between = None if line.get("subtype") not in {"turn_duration", "stop_hook_summary"} else between
        elif line.get("type") == "user" and isinstance(message, dict):
            content = message.get("content")
            hidden = line.get("isMeta") or line.get("isCompactSummary") or isinstance(content, str)
            between = None if hidden or between is None else [*between, *(content or ())]
        elif line.get("type") == "assistant" and isinstance(message, dict) and message.get("usage"):
            if message.get("model") == "<synthetic>":
                continue
            if before is not None and before["id"] == message["id"]:
                before["content"] += message.get("content") or []
                continue
            call = {**message, "content": list(message.get("content") or [])}
            if before is not None and between:
                yield before, {"role": "user", "content": between}, call
            before, between = call, []


def plain_step(answer: list[Any], results: list[Any]) -> bool:
    if any(block.get("type") not in {"text", "tool_use"} for block in answer):
        return False
    if any(not isinstance(block, dict) or block.get("type") != "tool_result" for block in results):
        return False
    nested = [inner for block in results for inner in block.get("content") or () if isinstance(inner, dict)]
    if any(inner.get("type") != "text" for inner in nested):
        return False
    calls = {block["id"] for block in answer if block["type"] == "tool_use"}
    return calls == {block.get("tool_use_id") for block in results}


def billed(call: dict[str, Any]) -> int:
    return read_usage(call["usage"]).total_input
