"""Sessions of the pi coding agent as recorded calls: what each call sent is put together from its entries.

A session file has one entry a line: its header, messages, summaries of what went before, changes of settings.
Older files are in order, newer ones name the entry that each follows. A call's request is what the entries
before its answer say, in the API's terms, with the markers that the agent sets: at the end of its system
prompt and at the end of what came in. System prompt and tools are in no file; they are a block of about the
length that the first bill leaves for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

__all__ = ["is_pi_session", "pi_lines"]

Entry = Mapping[str, Any]

_NOT_RECORDED = "system prompt and tools are not in the session"
_SUMMARY = "Another language model worked on this before and left a summary:\n\n<summary>\n{}\n</summary>"
_BYTES_PER_TOKEN = 4
_MARKER = {"type": "ephemeral"}
_BUDGETS: Mapping[Any, int] = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384}
_UNSENT = frozenset({"error"})


def is_pi_session(record: Mapping[str, Any]) -> bool:
    """Whether a line is the header of such a session, or a whole session in one object."""
    if record.get("type") == "session":
        return "cwd" in record and "sessionId" not in record
    entries = record.get("entries")
    return isinstance(entries, list) and bool(entries) and _is_entry(entries[0]) and is_pi_session(entries[0])


def pi_lines(entries: Sequence[Any], *, source: str | None = None) -> Iterator[dict[str, Any]]:
    """One recorded exchange for each billed call of the session's entries, the header first.

    `source` is whose recording it is, where that is known. Calls of other providers are left out.
    """
    known = [entry for entry in entries if _is_entry(entry)]
    session = _Session(known)
    header = known[0] if known else {}
    run = str(header.get("id") or header.get("timestamp") or "session")
    seq = 0
    for place, entry in enumerate(known):
        message = _message(entry)
        if message.get("role") != "assistant" or message.get("api") not in (None, "anthropic-messages"):
            continue
        usage = _usage(message.get("usage"))
        if usage is None:
            continue
        line = {
            "run": run,
            "seq": seq,
            "started_at": _seconds(message.get("timestamp")),
            "ended_at": entry.get("timestamp"),
            "provider": "anthropic",
            "partial_request": _NOT_RECORDED,
            "request": {"body": session.body(place, str(message.get("model") or ""), usage)},
            "response": {"status": 200, "body": {"content": _answer(message, frozenset())}},
            "usage": usage,
        }
        if source is not None:
            line["source"] = {"repo": source}
        seq += 1
        yield line


class _Session:
    """The entries of one session and what of them each call saw."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._places = {entry["id"]: place for place, entry in enumerate(entries) if "id" in entry}
        self._answered = {
            _message(entry).get("toolCallId")
            for entry in entries
            if _message(entry).get("role") == "toolResult"
        }
        self._written: dict[int, dict[str, Any] | None] = {}
        self._hidden: str | None = None

    def body(self, place: int, model: str, usage: Mapping[str, int]) -> dict[str, Any]:
        """The request whose answer is the entry at `place`."""
        messages: list[dict[str, Any]] = []
        path = self._path(place)
        for entry in self._seen(path):
            written = self._said(entry)
            if written is None:
                continue
            last = messages[-1] if messages else None
            if last is not None and last["role"] == written["role"] == "user":
                messages[-1] = {"role": "user", "content": [*last["content"], *written["content"]]}
            else:
                messages.append(written)
        if self._hidden is None:
            self._hidden = _hidden(messages, usage)
        if messages and messages[-1]["role"] == "user":
            messages[-1] = _marked(messages[-1])
        system = [{"type": "text", "text": self._hidden, "cache_control": _MARKER}]
        return {"model": model, "system": system, "messages": messages, **self._thinking(path)}

    def _thinking(self, path: Sequence[int]) -> dict[str, Any]:
        """The setting of thinking: another one breaks the cache."""
        header = self._entries[0].get("thinkingLevel") if self._entries else None
        changes = (self._entries[at].get("thinkingLevel") for at in reversed(path))
        budget = _BUDGETS.get(next((level for level in changes if level is not None), header))
        return {"thinking": {"type": "enabled", "budget_tokens": budget}} if budget else {}

    def _seen(self, path: Sequence[int]) -> Sequence[int]:
        """The entries a call saw, first to last: of what was summed up only the summary and what was kept."""
        summed = next(
            (at for at in range(len(path) - 1, -1, -1) if self._entries[path[at]]["type"] == "compaction"),
            None,
        )
        if summed is None:
            return path
        kept = self._first_kept(self._entries[path[summed]])
        return [path[summed], *[at for at in path[:summed] if at >= kept], *path[summed + 1 :]]

    def _path(self, place: int) -> list[int]:
        if "parentId" not in self._entries[place]:
            return list(range(place))
        path: list[int] = []
        seen = {place}
        parent = self._places.get(self._entries[place].get("parentId"))
        while parent is not None and parent not in seen:
            seen.add(parent)
            path.append(parent)
            parent = self._places.get(self._entries[parent].get("parentId"))
        return path[::-1]

    def _first_kept(self, summary: Entry) -> int:
        index = summary.get("firstKeptEntryIndex")
        if isinstance(index, int):
            return index
        return self._places.get(summary.get("firstKeptEntryId"), len(self._entries))

    def _said(self, place: int) -> dict[str, Any] | None:
        """An entry as a message of the API; None where it is none."""
        if place not in self._written:
            self._written[place] = self._as_message(self._entries[place])
        return self._written[place]

    def _as_message(self, entry: Entry) -> dict[str, Any] | None:
        if entry["type"] == "compaction":
            return _user([_text(_SUMMARY.format(entry.get("summary")))])
        message = _message(entry)
        content: list[dict[str, Any]]
        match message.get("role"):
            case "user":
                return _user(_blocks(message.get("content")))
            case "bashExecution":
                return _user([_text(f"Ran `{message.get('command')}`\n{message.get('output')}")])
            case "toolResult":
                content = _blocks(message.get("content"))
                use = str(message.get("toolCallId"))
                return _user([{"type": "tool_result", "tool_use_id": use, "content": content}])
            case "assistant" if message.get("stopReason") not in _UNSENT:
                content = _answer(message, self._answered)
                return {"role": "assistant", "content": content} if content else None
            case _:
                return None


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, Mapping) and isinstance(entry.get("type"), str)


def _message(entry: Entry) -> Mapping[str, Any]:
    message = entry.get("message")
    return message if isinstance(message, Mapping) else {}


def _answer(message: Mapping[str, Any], answered: frozenset[Any] | set[Any]) -> list[dict[str, Any]]:
    """The content of an answer; tool uses only where they were answered."""
    found = []
    for block in message.get("content") or ():
        match block:
            case {"type": "text", "text": str(text)} if text:
                found.append(_text(text))
            case {"type": "thinking", "thinking": str(thinking), **rest} if thinking:
                signature = str(rest.get("thinkingSignature") or "")
                found.append({"type": "thinking", "thinking": thinking, "signature": signature})
            case {"type": "toolCall", "id": use, "name": name, "arguments": asked} if use in answered:
                found.append({"type": "tool_use", "id": use, "name": name, "input": asked})
    return found


def _blocks(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [_text(content)]
    found = []
    for block in content if isinstance(content, list) else ():
        match block:
            case {"type": "text", "text": str(text)} if text:
                found.append(_text(text))
            case {"type": "image", "data": str(data), "mimeType": str(kind)}:
                found.append(
                    {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}
                )
    return found


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _user(content: list[dict[str, Any]]) -> dict[str, Any] | None:
    return {"role": "user", "content": content} if content else None


def _marked(message: Mapping[str, Any]) -> dict[str, Any]:
    *others, last = message["content"]
    return {**message, "content": [*others, {**last, "cache_control": _MARKER}]}


def _hidden(messages: Sequence[Mapping[str, Any]], usage: Mapping[str, int]) -> str:
    """A text about as long as what the first bill of a session leaves for system prompt and tools."""
    billed = sum(count for name, count in usage.items() if name != "output_tokens")
    left = billed * _BYTES_PER_TOKEN - len(orjson.dumps(messages))
    words = f"{_NOT_RECORDED} "
    return (words * (max(left, 0) // len(words) + 1)).strip()


def _usage(usage: Any) -> dict[str, int] | None:
    """A bill in the API's words; None where nothing was billed."""
    if not isinstance(usage, Mapping):
        return None
    names = {
        "input_tokens": "input",
        "output_tokens": "output",
        "cache_read_input_tokens": "cacheRead",
        "cache_creation_input_tokens": "cacheWrite",
    }
    found = {name: int(usage.get(own) or 0) for name, own in names.items()}
    return found if sum(found.values()) > found["output_tokens"] else None


def _seconds(milliseconds: Any) -> str | None:
    if not isinstance(milliseconds, int):
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
