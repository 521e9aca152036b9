"""Links the lines of one session file into conversations of calls.

Lines of one call share `message.id` and are merged. A call extends the nearest call above it along
`parentUuid`, so a rewind shows as two calls with one parent. Sub-agents speak in `progress` lines, each a
conversation of its own; side chains and sub-agents' files do so through `isSidechain`.

Parallel tool uses: the client puts its marker on the result that arrived last, but the request holds results
in the order of their tool uses. What then follows the marked result is billed as plain input (seen in 208 of
219 recorded calls with more than 20 plain tokens and several results).
"""

from __future__ import annotations

import re
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

import msgspec

from scrimp.traces.transcript_calls import (
    MAIN,
    Conversation,
    NewInput,
    Reply,
    ToolPart,
    TranscriptCall,
)
from scrimp.traces.transcript_contents import NOTHING, Answer, Said, add_answer, said, together
from scrimp.traces.transcript_lines import EMPTY, Line, Message, Progress, seconds, sub_agent_decoder
from scrimp.traces.transcript_usage import usage_of
from scrimp.wire.response import Usage

__all__ = ["Linker"]

T = TypeVar("T")

_order = attrgetter("order")

SIDECHAIN = "sidechain"
SYNTHETIC = "<synthetic>"
COMMAND = re.compile(r"<command-(?:name|message)>\s*/?([^<\s]+)")
SKILL = "Base directory for this skill"
PLAN = "Implement the following plan"
SPOKEN = frozenset({"user", "assistant"})
INPUT = frozenset({"user", "attachment"})
INTERRUPTED = "[Request interrupted by user"


class Node(msgspec.Struct, gc=False):
    """A line's place in the conversation tree. `call` is the message id where the line belongs to a call.

    `is_input` says that the line is part of a request's new input.
    """

    order: int
    parent: str | None
    at: float | None
    conversation: str
    line: Line
    role: str | None
    is_input: bool
    said: Said
    content: msgspec.Raw = EMPTY
    call: str | None = None


class Draft(msgspec.Struct, gc=False):
    """A call while its lines are being merged."""

    id: str
    model: str
    request_id: str | None
    usage: Usage
    nodes: list[Node] = msgspec.field(default_factory=list)
    answer: Answer = msgspec.field(default_factory=Answer)
    stop_reason: str | None = None


class Link(NamedTuple):
    """What lies between a call and the call it extends, in file order; `lost` where a line is missing."""

    path: list[Node]
    parent: Draft | None
    lost: bool


class Linker:
    """Takes the lines of one file in order, then links them. `skipped` counts lines left out by reason."""

    def __init__(self, skipped: dict[str, int]) -> None:
        self.session_id: str | None = None
        self._skipped = skipped
        self._count = 0
        self._nodes: dict[str, Node] = {}
        self._drafts: dict[str, Draft] = {}
        self._answers: dict[str, list[Node]] = {}
        self._tool_names: dict[str, str] = {}
        self._last_of_agent: dict[str, str] = {}

    def take(self, line: Line) -> None:
        """Place one line; assistant lines with usage become (part of) a call.

        Raises msgspec.DecodeError for a part of an unknown shape, ResponseError for usage with a fault in it.
        """
        node = self.place(line)
        if line.type == "progress" and line.data is not None:
            self._take_progress(line, line.data)
        elif node.role is not None and line.message is not None:
            self._take_message(node, line.message, line.request_id)

    def place(self, line: Line) -> Node:
        """Place a line for what it links, whatever it carries."""
        self._count += 1
        self.session_id = self.session_id or line.session_id
        kind = line.type
        node = Node(
            self._count,
            line.parent_uuid or line.logical_parent_uuid,
            seconds(line.timestamp),
            (line.agent_id or SIDECHAIN) if line.is_sidechain else MAIN,
            line,
            kind if kind in SPOKEN else None,
            kind in INPUT,
            NOTHING,
        )
        self._nodes[line.uuid or f"line {self._count}"] = node
        return node

    def _take_progress(self, line: Line, progress: Progress) -> None:
        agent = progress.agent_id
        if progress.type != "agent_progress" or agent is None:
            return
        carried = sub_agent_decoder.decode(progress.message)
        at = seconds(carried.timestamp or line.timestamp)
        parent = self._last_of_agent.get(agent)
        node = Node(self._count, parent, at, agent, line, carried.type, carried.type in INPUT, NOTHING)
        uuid = f"{agent} {carried.uuid or self._count}"
        self._nodes[uuid] = node
        self._last_of_agent[agent] = uuid
        if carried.message is not None:
            self._take_message(node, carried.message, carried.request_id)

    def _take_message(self, node: Node, message: Message, request_id: str | None) -> None:
        node.content = message.content
        if node.role == "assistant":
            self._take_answer(node, message, request_id)
            return
        node.said = said(message.content)
        if node.said.results and node.parent is not None:
            self._answers.setdefault(node.parent, []).append(node)

    def _take_answer(self, node: Node, message: Message, request_id: str | None) -> None:
        reason = _not_billed(node.line, message)
        usage = usage_of(message.usage) if reason is None else None
        if usage is None or message.id is None:
            reason = reason or "no usage"
            self._skipped[reason] = self._skipped.get(reason, 0) + 1
            return
        node.call = message.id
        draft = self._drafts.get(message.id)
        if draft is None:
            draft = self._drafts[message.id] = Draft(message.id, message.model or "", request_id, usage)
        # Early lines of a streamed answer hold a placeholder of its output.
        elif _size(usage) >= _size(draft.usage):
            draft.usage = usage
        draft.nodes.append(node)
        draft.stop_reason = message.stop_reason or draft.stop_reason
        add_answer(message.content, draft.answer)

    def conversations(self) -> list[Conversation]:
        """The calls linked to their parents, grouped, in file order."""
        for draft in self._drafts.values():
            self._tool_names.update(draft.answer.tool_uses)
        grouped: dict[str, list[TranscriptCall]] = {}
        extended: set[str] = set()
        for draft in self._drafts.values():
            link = self._walk_up(draft)
            earlier = grouped.setdefault(draft.nodes[0].conversation, [])
            if link.lost and earlier:
                link = link._replace(parent=self._drafts[earlier[-1].message_id])
            earlier.append(self._call(draft, link, extended))
            if link.parent is not None:
                extended.add(link.parent.id)
        return [Conversation(name, calls) for name, calls in grouped.items()]

    def _walk_up(self, draft: Draft) -> Link:
        """Follow the parents of a call's first line up to the nearest line of another call."""
        first = draft.nodes[0]
        path: list[Node] = []
        visited: set[str] = set()
        uuid = first.parent
        while uuid is not None and uuid in self._nodes and uuid not in visited:
            visited.add(uuid)
            node = self._nodes[uuid]
            if node.call is not None and node.call != draft.id:
                parent = self._drafts[node.call]
                path += self._other_results(parent, path, before=first.order)
                path.sort(key=_order)
                return Link(path, parent, lost=False)
            if node.call is None:
                path.append(node)
            uuid = node.parent
        return Link(path[::-1], None, lost=uuid is not None and uuid not in self._nodes)

    def _other_results(self, parent: Draft, path: list[Node], before: int) -> list[Node]:
        """Results of parallel tool uses: each hangs on the line of its own use, off the path walked up."""
        walked = {node.order for node in path}
        hanging: list[Node] = []
        for node in parent.nodes:
            hanging += self._answers.get(node.line.uuid or "", ())
        return [node for node in hanging if node.order < before and node.order not in walked]

    def _call(self, draft: Draft, link: Link, extended: set[str]) -> TranscriptCall:
        line, parent = draft.nodes[0].line, link.parent
        tool_uses = [use for use, _ in parent.answer.tool_uses] if parent is not None else []
        new = _new_input(link.path, self._tool_names, tool_uses)
        times = [node.at for node in draft.nodes if node.at is not None]
        asked = [node.at for node in link.path if node.at is not None and node.is_input]
        first_at = min(times, default=0.0)
        return TranscriptCall(
            message_id=draft.id,
            request_id=draft.request_id,
            model=draft.model,
            usage=draft.usage,
            started_at=min(max(asked, default=first_at), first_at),
            first_at=first_at,
            ended_at=max(times, default=0.0),
            new=new,
            reply=_reply(draft),
            parent_id=parent.id if parent is not None else None,
            parent_lost=link.lost,
            stop_reason=draft.stop_reason,
            # Only the last line of an answer states a stop reason, and only it has the real count.
            output_reliable=draft.stop_reason is not None,
            version=line.version,
            entrypoint=line.entrypoint,
            cwd=line.cwd,
            effort=line.effort if isinstance(line.effort, str) else None,
            after_compaction=new.compacted,
            edited_history=parent is not None and parent.id in extended,
            model_switch=parent is not None and parent.model != draft.model,
        )


def _not_billed(line: Line, message: Message) -> str | None:
    if message.model == SYNTHETIC:
        return "synthetic message"
    return "API error" if line.is_api_error_message else None


def _size(usage: Usage) -> tuple[int, int]:
    return usage.total_input, usage.output_tokens


def _reply(draft: Draft) -> Reply:
    answer = draft.answer
    return Reply(
        blocks=answer.blocks,
        text_bytes=answer.text_bytes,
        tool_use_bytes=answer.tool_use_bytes,
        thinking_blocks=answer.thinking_blocks,
        tool_uses=len(answer.tool_uses),
        contents=tuple([node.content for node in draft.nodes]),
        uses=tuple(
            [
                ToolPart(use, name, size, digest, subject)
                for (use, name), size, digest, subject in zip(
                    answer.tool_uses,
                    answer.tool_sizes,
                    answer.tool_digests,
                    answer.tool_subjects,
                    strict=True,
                )
            ]
        ),
    )


def _new_input(path: list[Node], tool_names: dict[str, str], tool_uses: list[str]) -> NewInput:
    inputs = [node for node in path if node.role == "user"]
    texts = [node for node in inputs if node.said.text]
    events = [node for node in path if node.role is None]
    whole = together([node.said for node in inputs])
    results = whole.results
    return NewInput(
        blocks=whole.blocks,
        text_bytes=whole.text_bytes,
        result_bytes=sum(results.values()),
        trailing_bytes=_trailing(results, tool_uses),
        images=whole.images,
        tool_references=whole.tool_references,
        tools=tuple([tool_names.get(use, "?") for use in results]),
        permission_mode=_last([node.line.permission_mode for node in inputs]),
        contents=tuple([node.content for node in inputs]),
        results=_results(whole, tool_names, tool_uses),
        **(_told_by_texts(texts) if texts else {}),
        **(_told_by_events(events) if events else {}),
    )


def _told_by_texts(texts: list[Node]) -> dict[str, Any]:
    """The fields of NewInput that only texts can say something about."""
    words = [node.said.text for node in texts]
    return {
        "prompts": sum(not node.line.is_meta for node in texts),
        "commands": tuple(name for text in words for name in COMMAND.findall(text)),
        "skills": sum(text.startswith(SKILL) for text in words),
        "interrupted": any(text.startswith(INTERRUPTED) for text in words),
        "thinking": _last([_implied_thinking(node) for node in texts]),
    }


def _told_by_events(events: list[Node]) -> dict[str, Any]:
    """The fields of NewInput that come from lines that are no messages."""
    kinds = [node.line.attachment for node in events if node.line.attachment is not None]
    hooks = [node.line.data.hook_name for node in events if node.line.data is not None]
    subtypes = {node.line.subtype: node.at for node in events}
    return {
        "hooks": tuple(name for name in (*hooks, *(kind.hook_name for kind in kinds)) if name),
        "attachments": tuple(kind.type for kind in kinds if kind.type),
        "turn_closed": "stop_hook_summary" in subtypes,
        "touched_at": subtypes.get("away_summary"),
        "compacted": "compact_boundary" in subtypes,
        "microcompacted": "microcompact_boundary" in subtypes,
    }


def _last(values: list[T | None]) -> T | None:
    return next((value for value in reversed(values) if value is not None), None)


def _results(whole: Said, tool_names: dict[str, str], tool_uses: list[str]) -> tuple[ToolPart, ...]:
    """The results as the request holds them, in the order of the uses they answer; others come last."""
    results = whole.results
    if not results:
        return ()
    ordered = dict.fromkeys([use for use in tool_uses if use in results])
    ordered.update(dict.fromkeys(results))
    return tuple(
        [ToolPart(use, tool_names.get(use, "?"), results[use], whole.digests.get(use)) for use in ordered]
    )


def _trailing(results: dict[str, int], tool_uses: list[str]) -> int:
    """Bytes of the results that come after the marked one in the request (module docstring)."""
    marked = next(reversed(results), None)
    if marked not in tool_uses:
        return 0
    return sum(results.get(use, 0) for use in tool_uses[tool_uses.index(marked) + 1 :])


def _implied_thinking(node: Node) -> bool | None:
    """The setting a prompt states; bodies of skills and commands, and handed-over plans, ran without it."""
    stated = node.line.thinking_metadata
    if stated is not None:
        return not stated.disabled
    text = node.said.text
    is_body = node.line.is_meta and not text.startswith(("<", "Caveat"))
    return False if is_body or text.startswith(PLAN) else None
