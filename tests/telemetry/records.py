"""Records and limits to tell of, and a strict reader of what Prometheus is answered."""

from __future__ import annotations

import re
from typing import Any

from scrimp.core.budget import Limit, Refusal, Scope
from scrimp.core.record import Record, Tags
from scrimp.wire.response import CacheCreation, Usage

USAGE = Usage(100, 50, 1_000, 5_000, CacheCreation(700, 300))
TAGS = Tags(
    run=("nightly", "reviewer"),
    run_ids=("r1", "r2"),
    user="u_42",
    task_type="report",
    agent="writer",
    team="research",
    key="ci",
)
LIMIT = Limit(scope=Scope("user", "*"), amount=5 * 10**12, window="day")
REFUSAL = Refusal(LIMIT, Scope("user", "u_42"), spent=4 * 10**12, held=10**12, asked=3, resets_at=None)


def record(**changes: Any) -> Record:
    """A streamed call of two seconds, complete and billed."""
    known: dict[str, Any] = {
        "id": "attempt-1",
        "call_id": "call-1",
        "attempt": 0,
        "started_at": 1_000.0,
        "first_event_at": 1_000.25,
        "ended_at": 1_002.0,
        "provider": "anthropic",
        "model": "claude-sonnet-5",
        "tags": TAGS,
        "mode": "safe",
        "outcome": "complete",
        "status": 200,
        "stream": True,
        "usage": USAGE,
        "cost": 12_345_678_901,
        "measured": True,
        "own_cost": 20_000_000_000,
        "message_id": "msg_1",
        "request_id": "req_1",
    }
    return Record(**{**known, **changes})


_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_SAMPLE = re.compile(rf"({_NAME})(?:\{{(.*)\}})? (\S+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,|$)')
_ESCAPES = {r"\\": "\\", r"\n": "\n", r"\"": '"'}

Labels = frozenset[tuple[str, str]]


def parsed(text: bytes) -> dict[str, dict[Labels, str]]:
    """Samples by name and labels. Fails where the text format 0.0.4 is not kept to."""
    lines = text.decode("utf-8").split("\n")
    assert lines.pop() == "", "the last line ends with a line feed"
    found: dict[str, dict[Labels, str]] = {}
    kinds: dict[str, str] = {}
    family = ""
    for line in lines:
        if line.startswith("# HELP "):
            family = line.split(" ", 3)[2]
            assert family not in kinds, "all lines of a metric stand together"
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == family
            assert kind in ("counter", "gauge", "histogram")
            assert (kind == "counter") == name.endswith("_total")
            kinds[name] = kind
            continue
        match = _SAMPLE.fullmatch(line)
        assert match, line
        name, labels, value = match[1], match[2] or "", match[3]
        suffixes = ("_bucket", "_sum", "_count") if kinds[family] == "histogram" else ("",)
        assert name in [family + suffix for suffix in suffixes], line
        pairs = _LABEL.findall(labels)
        assert "".join(part[0] for part in _LABEL.finditer(labels)) == labels, line
        read = [(key, re.sub(r'\\[\\n"]', lambda m: _ESCAPES[m[0]], text)) for key, text in pairs]
        assert len({key for key, _ in read}) == len(read), line
        samples = found.setdefault(name, {})
        assert frozenset(read) not in samples, f"twice: {line}"
        float(value)
        samples[frozenset(read)] = value
    for name in [name for name, kind in kinds.items() if kind == "histogram"]:
        _check_histogram(name, found)
    return found


def _check_histogram(name: str, found: dict[str, dict[Labels, str]]) -> None:
    series: dict[Labels, list[tuple[float, int]]] = {}
    for labels, value in found.get(f"{name}_bucket", {}).items():
        bound = dict(labels)["le"]
        rest = frozenset(pair for pair in labels if pair[0] != "le")
        series.setdefault(rest, []).append((float(bound.replace("+Inf", "inf")), int(value)))
    for labels, buckets in series.items():
        assert buckets == sorted(buckets), "buckets go up, and are cumulative"
        assert [count for _, count in buckets] == sorted(count for _, count in buckets)
        assert buckets[-1][0] == float("inf")
        assert buckets[-1][1] == int(found[f"{name}_count"][labels])
        assert labels in found[f"{name}_sum"]


def one(found: dict[str, dict[Labels, str]], name: str, **labels: str) -> str:
    """The sample with exactly these labels."""
    return found[name][frozenset(labels.items())]
