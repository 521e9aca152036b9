"""How long recorded replies got: one line for each call whose output was recorded as it was billed."""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from scrimp.traces.corpus import read_corpus
from scrimp.traces.exchanges import in_time_order
from scrimp.traces.recorded_calls import unusable
from scrimp.traces.transcripts import read_transcripts

__all__ = ["RecordedReply", "recorded_replies"]

_WRITER = {"name": "write", "input_schema": {"type": "object", "properties": {"content": {}}}}
_READER = {"name": "look_up", "input_schema": {"type": "object", "properties": {"id": {}}}}
_PI_CALL = re.compile(r'"model": "([^"]+)", "usage": \{"input": \d+, "output": (\d+)')


class RecordedReply(NamedTuple):
    """One reply. `body` is the request, or as much of one as tells what kind of reply it was; `task_type` is
    what the recording calls it."""

    source: str
    task_type: str | None
    body: Mapping[str, Any]
    model: str
    tokens: int


def recorded_replies(traces: Path, *, transcripts: bool = True) -> Iterator[RecordedReply]:
    """Every reply, source by source, in the order of their times."""
    yield from _exchanges(traces / "exchanges")
    yield from _tau2(traces / "trajectories" / "tau2_bench")
    yield from _pi(traces / "trajectories" / "pi_coding_agent" / "before-compaction.json.xz")
    if transcripts:
        yield from _transcripts(traces / "transcripts")


def _exchanges(folder: Path) -> Iterator[RecordedReply]:
    named = dict(_task_types(folder / "moatless_swebench"))
    for source, exchanges in read_corpus([folder]).sources.items():
        for one in in_time_order([each for each in exchanges if unusable(each) is None]):
            if one.usage is not None:
                task_type = named.get((one.run, one.seq))
                yield RecordedReply(source, task_type, one.body, one.model, one.usage.output_tokens)


def _task_types(folder: Path) -> Iterator[tuple[tuple[str, int], str]]:
    """The task types that recordings name, by run and number."""
    for path in folder.glob("*.xz"):
        for line in map(orjson.loads, lzma.decompress(path.read_bytes()).splitlines()):
            if line.get("task_type"):
                yield (str(line["run"]), int(line["seq"])), line["task_type"]


def _transcripts(folder: Path) -> Iterator[RecordedReply]:
    found: dict[str, list[tuple[float, RecordedReply]]] = {}
    for session in read_transcripts([folder], []):
        source = session.path.parent.name
        for call in (call for conversation in session.conversations for call in conversation.calls):
            if not call.output_reliable or call.duplicate or call.stop_reason is None:
                continue
            body: dict[str, Any] = {
                "model": call.model,
                "tools": [_WRITER],
                "messages": [{"role": "user", "content": "?"}],
            }
            body["thinking"] = {"type": "adaptive"}
            reply = RecordedReply(source, "Claude Code session", body, call.model, call.usage.output_tokens)
            found.setdefault(source, []).append((call.started_at, reply))
    for replies in found.values():
        yield from (reply for _, reply in sorted(replies, key=lambda pair: pair[0]))


def _tau2(folder: Path) -> Iterator[RecordedReply]:
    for path in sorted(folder.glob("*.xz")):
        whole = orjson.loads(lzma.decompress(path.read_bytes()))
        model = whole["info"]["agent_info"]["llm"]
        body = {"model": model, "tools": [_READER], "messages": [{"role": "user", "content": "?"}]}
        body["thinking"] = {"type": "disabled"}
        for run in sorted(whole["simulations"], key=lambda run: str(run["start_time"])):
            for message in run["messages"]:
                if message["role"] == "assistant" and message.get("usage"):
                    tokens = message["usage"]["completion_tokens"]
                    yield RecordedReply(f"tau2 {path.name[:12]}", None, body, model, tokens)


def _pi(path: Path) -> Iterator[RecordedReply]:
    if not path.exists():
        return
    text = lzma.decompress(path.read_bytes()).decode("utf-8", "replace")
    for model, tokens in _PI_CALL.findall(text):
        body = {"model": model, "tools": [_WRITER], "messages": [{"role": "user", "content": "?"}]}
        yield RecordedReply("pi coding agent", "pi session", body, model, int(tokens))
