"""What sessions of Claude Code were billed, counted again: the standard library and the price list alone."""

from __future__ import annotations

import gzip
import json
import lzma
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PICODOLLARS_PER_TOKEN = {
    "claude-fable-5": (10_000_000, 12_500_000, 20_000_000, 1_000_000, 50_000_000),
    "claude-opus": (5_000_000, 6_250_000, 10_000_000, 500_000, 25_000_000),
    "claude-sonnet-5": (2_000_000, 2_500_000, 4_000_000, 200_000, 10_000_000),
    "claude-sonnet-4": (3_000_000, 3_750_000, 6_000_000, 300_000, 15_000_000),
    "claude-haiku-4-5": (1_000_000, 1_250_000, 2_000_000, 100_000, 5_000_000),
}
"""Plain, written for 5m, written for 1h, read and output: the published prices of these model families."""

LONG_PROMPT = 200_000
LONG_UNTIL = {
    "claude-opus-4-6": "2026-03-13",
    "claude-sonnet-4-6": "2026-03-13",
    "claude-sonnet-4-5": "2026-04-30",
}
"""Until this day a prompt beyond 200,000 tokens cost twice as much, and its output half as much again."""

Five = tuple[int, int, int, int, int]


class Recount:
    """Calls, tokens and picodollars, in all and by day, model and project."""

    def __init__(self) -> None:
        self.calls = self.cost = 0
        self.tokens: list[int] = [0] * 5
        self.by_day: Counter[str] = Counter()
        self.by_model: Counter[str] = Counter()
        self.by_project: Counter[str] = Counter()

    def add(self, day: str, model: str, project: str, tokens: Five) -> None:
        """Add one call."""
        cost = price(model, day, tokens)
        self.calls += 1
        self.cost += cost
        self.tokens = [before + more for before, more in zip(self.tokens, tokens, strict=True)]
        self.by_day[day] += cost
        self.by_model[model] += cost
        self.by_project[project] += cost


def recount(folder: Path) -> Recount:
    """Every call of every session below `folder` once: where the first file has it, by its fullest usage."""
    found, seen = Recount(), set[str]()
    for path in sorted(path for path in folder.rglob("*") if ".jsonl" in path.suffixes):
        calls: dict[str, tuple[str, str, Five]] = {}
        for line in _lines(path):
            call = _call(line)
            if call is None:
                continue
            name, day, model, tokens = call
            before = calls.get(name)
            if before is None:
                calls[name] = day, model, tokens
            elif (sum(tokens[:4]), tokens[4]) >= (sum(before[2][:4]), before[2][4]):
                calls[name] = before[0], before[1], tokens
        for name, (day, model, tokens) in calls.items():
            if name not in seen:
                seen.add(name)
                found.add(day, model, path.parent.name, tokens)
    return found


def price(model: str, day: str, tokens: Five) -> int:
    """Picodollars of one call by the price list."""
    family = next(name for name in PICODOLLARS_PER_TOKEN if model.startswith(name))
    cost = [count * rate for count, rate in zip(tokens, PICODOLLARS_PER_TOKEN[family], strict=True)]
    until = next((last for name, last in LONG_UNTIL.items() if model.startswith(name)), "")
    if sum(tokens[:4]) > LONG_PROMPT and day < until:
        return 2 * sum(cost[:4]) + cost[4] * 3 // 2
    return sum(cost)


def _lines(path: Path) -> list[Any]:
    """The lines that may carry an answer."""
    opening: Any = {".xz": lzma.open, ".gz": gzip.open}.get(path.suffix, open)
    lines = []
    with opening(path, "rb") as file:
        for raw in file:
            if b'"usage"' not in raw:  # most of a session is no answer
                continue
            try:
                lines.append(json.loads(raw))
            except ValueError:
                continue
    return lines


def _call(line: Any) -> tuple[str, str, str, Five] | None:
    """Message id, day, model and tokens of a line that carries an answer."""
    at, message, kind = line.get("timestamp"), line.get("message"), line.get("type")
    data = line.get("data")
    if kind == "progress" and isinstance(data, dict) and data.get("type") == "agent_progress":
        carried = data["message"]
        kind, message, at = carried.get("type"), carried.get("message"), carried.get("timestamp") or at
    if kind != "assistant" or not isinstance(message, dict) or line.get("isApiErrorMessage"):
        return None
    usage = message.get("usage")
    if not usage or message["model"] == "<synthetic>":
        return None
    split = usage.get("cache_creation") or {}
    write_1h = split.get("ephemeral_1h_input_tokens", 0)
    tokens = (
        usage["input_tokens"],
        usage.get("cache_creation_input_tokens", 0) - write_1h,
        write_1h,
        usage.get("cache_read_input_tokens", 0),
        usage["output_tokens"],
    )
    day = datetime.fromisoformat(at).astimezone(UTC).date().isoformat()
    return message["id"], day, message["model"], tokens
