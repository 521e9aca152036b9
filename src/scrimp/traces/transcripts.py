"""Reads Claude Code session files (`~/.claude/projects/<folder>/<session>.jsonl`, sub-agents' files too).

There is no system prompt and no tool definition in these files; nothing here pretends otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scrimp.errors import ResponseError
from scrimp.traces.conversations import Linker
from scrimp.traces.files import Fault, Faults, find_files, read_lines
from scrimp.traces.transcript_calls import Conversation, NewInput, Reply, Session, TranscriptCall
from scrimp.traces.transcript_lines import line_decoder, read_without_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = [
    "Conversation",
    "NewInput",
    "Reply",
    "Session",
    "TranscriptCall",
    "read_session",
    "read_transcripts",
]

SPEAKING = ("user", "assistant", "progress")
"""Types of lines that carry messages, a sub-agent's too."""


def read_transcripts(
    paths: Iterable[str | Path],
    faults: Faults,
    skipped: dict[str, int] | None = None,
    seen: set[str] | None = None,
) -> Iterator[Session]:
    """Every session under `paths`, file by file, repeated calls marked as duplicates.

    Resumed sessions copy the lines of the session they continue, so a call counts once over all files: its
    first appearance in path order, which is also the one on the main chain rather than a side chain.
    `faults` receives the lines that could not be read, `skipped` (if given) counts assistant lines left out,
    by reason. `seen` (if given) has the message ids of calls read before, and receives those read here.
    Raises TraceError for paths that do not exist.
    """
    seen = set() if seen is None else seen
    for path in find_files(paths):
        yield _marking_copies(read_session(path, faults, skipped), seen)


def read_session(path: Path, faults: Faults, skipped: dict[str, int] | None = None) -> Session:
    """One session file, read on its own."""
    linker = Linker(skipped if skipped is not None else {})
    for number, raw in read_lines(path, faults):
        try:
            _take(linker, raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ResponseError) as error:
            faults.append(Fault(path, number, str(error) or type(error).__name__))
    return Session(linker.session_id or path.name.split(".")[0], path, linker.conversations())


def _take(linker: Linker, raw: bytes) -> None:
    """Take one line. A part of an unknown shape is an error, but leaves the line its place in the chain."""
    try:
        line = line_decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        bare = read_without_parts(raw)
        linker.place(bare)
        if bare.type in SPEAKING:
            raise
    else:
        linker.take(line)


def _marking_copies(session: Session, seen: set[str]) -> Session:
    conversations = []
    for conversation in sorted(session.conversations, key=lambda conversation: not conversation.is_main):
        calls = []
        for call in conversation.calls:
            known = call.message_id in seen
            seen.add(call.message_id)
            calls.append(msgspec.structs.replace(call, duplicate=True) if known else call)
        conversations.append(Conversation(conversation.name, calls))
    return Session(session.id, session.path, conversations)
