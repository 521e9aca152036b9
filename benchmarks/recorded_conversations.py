"""Whole conversations of recorded agents as message lists, whatever format they were recorded in.

One for each run or session, as its last request holds it, with the last answer behind it. Transcripts that
were compacted give a conversation for each part, as the requests of the time had it. Where a recording says
whether the task was solved, so does the conversation.
"""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from scrimp.traces.corpus import read_corpus
from scrimp.traces.exchanges import Exchange
from scrimp.traces.transcripts import TranscriptCall, read_transcripts

__all__ = ["Conversation", "conversations"]

Message = dict[str, Any]

_ESCAPE = re.compile(r'(\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))|\\')
_CALL_NAMES = {"toolCall": "arguments", "tool_use": "input"}


class Conversation(NamedTuple):
    """One recorded conversation; `solved` is what the recording says of its task (None: nothing)."""

    source: str
    name: str
    model: str
    messages: list[Message]
    solved: bool | None = None


def conversations(traces: Path, *kinds: str) -> Iterator[Conversation]:
    """Every recorded conversation with at least one answer; `kinds` are folders to keep to."""
    readers = {"exchanges": _exchanges, "transcripts": _transcripts, "trajectories": _trajectories}
    for kind in kinds or readers:
        for found in readers[kind](traces / kind):
            if any(message["role"] == "assistant" for message in found.messages):
                yield found


def _exchanges(folder: Path) -> Iterator[Conversation]:
    longest: dict[str, Exchange] = {}
    for found in chain.from_iterable(read_corpus([folder]).sources.values()):
        messages = found.body.get("messages")
        if found.status == 200 and isinstance(messages, list) and isinstance(found.response, dict):
            known = longest.get(found.run)
            if known is None or len(messages) >= len(known.body["messages"]):
                longest[found.run] = found
    for name, found in longest.items():
        messages = [message for message in found.body["messages"] if isinstance(message, dict)]
        answer = found.response.get("content")
        if isinstance(answer, list):
            messages = [*messages, {"role": "assistant", "content": answer}]
        parts = Path(found.where).parts
        source = parts[parts.index("exchanges") + 1]
        yield Conversation(source, name, found.model, messages)


def _transcripts(folder: Path) -> Iterator[Conversation]:
    for session in read_transcripts([folder], []):
        for conversation in session.conversations:
            calls = {call.message_id: call for call in conversation.calls if not call.duplicate}
            extended = {call.parent_id for call in calls.values()}
            extended |= {call.parent_id for call in calls.values() if call.after_compaction}
            tips = [call for call in calls.values() if call.message_id not in extended]
            tips += [
                calls[call.parent_id]
                for call in calls.values()
                if call.after_compaction and call.parent_id in calls
            ]
            for tip in tips:
                name = f"{session.path.parent.name}/{session.id} {conversation.name} {tip.message_id}"
                yield Conversation("transcripts", name, tip.model, _said(tip, calls))


def _said(tip: TranscriptCall, calls: dict[str, TranscriptCall]) -> list[Message]:
    linked: list[TranscriptCall] = []
    call: TranscriptCall | None = tip
    while call is not None:
        linked.append(call)
        call = None if call.after_compaction else calls.get(call.parent_id or "")
    messages: list[Message] = []
    for one in reversed(linked):
        new = one.new.read_blocks()
        new.sort(key=lambda block: block.get("type") != "tool_result")  # as a request has to hold them
        for role, blocks in (("user", new), ("assistant", one.reply.read_blocks())):
            if blocks:
                messages.append({"role": role, "content": blocks})
    return messages


def _trajectories(folder: Path) -> Iterator[Conversation]:
    for path in sorted(folder.glob("*/*.json.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as file:
            # Addresses were blotted out after the files were written, an escape sometimes cut in two.
            found = json.loads(_ESCAPE.sub(lambda found: found[1] or r"\\", file.read()), strict=False)
        source = path.parent.name
        if source == "livemcpbench":
            for task in found["tasks"]:
                yield Conversation(
                    source, task["task_id"], "claude-sonnet-4-20250514", _chat(task["messages"])
                )
        elif source == "tau2_bench":
            for run in found["simulations"]:
                solved = run["reward_info"]["reward"] == 1.0
                name = f"{path.name} {run['task_id']} {run['trial']}"
                yield Conversation(source, name, "claude-sonnet-4-5", _chat(run["messages"]), solved)
        elif source == "bashkit_eval":
            for result in found["results"]:
                score = result.get("score", {})
                solved = score.get("score") == score.get("max_score")
                messages = result["trace"]["messages"]
                yield Conversation(
                    source, f"{path.name} {result['task']['id']}", found["model"], messages, solved
                )
        elif source == "pi_coding_agent":
            said = [entry["message"] for entry in found["entries"] if entry["type"] == "message"]
            yield Conversation(source, path.name, "claude-opus-4-5", _chat(said))
        else:
            yield Conversation(source, path.name, "claude-sonnet-4", _chat(found["log"]["messages"]))


def _chat(messages: list[Any]) -> list[Message]:
    """Messages with `tool_calls` and roles of their own for results, as the Messages API has them."""
    said: list[Message] = []
    for message in messages:
        role = message["role"]
        if role in ("system", "assistant", "user"):
            role, blocks = ("user" if role == "system" else role), _blocks(message)
        else:
            role, blocks = "user", [_result(message)]
        if not blocks:
            continue
        if said and said[-1]["role"] == role:
            said[-1] = {"role": role, "content": [*said[-1]["content"], *blocks]}
        else:
            said.append({"role": role, "content": blocks})
    return said


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content") or []
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    blocks = [_call(block) if block.get("type") in _CALL_NAMES else dict(block) for block in content]
    return [*blocks, *(_call(call) for call in message.get("tool_calls") or ())]


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function", call)
    given = function.get("arguments", function.get("input"))
    try:
        given = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        given = {"arguments": given}
    return {"type": "tool_use", "id": call["id"], "name": function["name"], "input": given}


def _result(message: dict[str, Any]) -> dict[str, Any]:
    known = message.get("tool_call_id") or message.get("toolCallId") or message.get("id")
    return {
        "type": "tool_result",
        "tool_use_id": known,
        "content": message.get("content") or "",
        "is_error": bool(message.get("error") or message.get("isError")),
    }
