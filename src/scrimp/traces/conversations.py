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
from typing import TYPE_CHECKING, TypeVar

import msgspec

from scrimp.traces.transcript_calls import MAIN, Conversation, NewInput, Reply, TranscriptCall
from scrimp.traces.transcript_lines import (
    EMPTY,
    Added,
    Line,
    Message,
    added,
    attachment_of,
    message_decoder,
    progress_decoder,
    seconds,
    sub_agent_decoder,
    thinking_setting,
)
from scrimp.wire.response import Usage, read_usage

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Linker"]

T = TypeVar("T")

SIDECHAIN = "sidechain"
SYNTHETIC = "<synthetic>"
COMMAND = re.compile(r"<command-(?:name|message)>\s*/?([^<\s]+)")
SKILL = "Base directory for this skill"
PLAN = "Implement the following plan"
INTERRUPTED = "[Request interrupted by user"


class Node(msgspec.Struct):
    """A line's place in the conversation tree. `call` is the message id where the line belongs to a call."""

    order: int
    parent: str | None
    at: float | None
    conversation: str
    line: Line
    role: str | None = None
    content: msgspec.Raw = EMPTY
    added: Added = msgspec.field(default_factory=Added)
    call: str | None = None

    @property
    def is_input(self) -> bool:
        """Whether the line is part of a request's new input."""
        return self.role == "user" or self.line.type == "attachment"


class Draft(msgspec.Struct):
    """A call while its lines are being merged."""

    id: str
    model: str
    request_id: str | None
    usage: Usage
    nodes: list[Node]
    stop_reason: str | None

    @property
    def tool_uses(self) -> list[str]:
        """Ids of the tool uses in the answer, in order."""
        return [use for node in self.nodes for use in node.added.tool_uses]


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
        self._count += 1
        self.session_id = self.session_id or line.session_id
        uuid = line.uuid or f"line {self._count}"
        parent = line.parent_uuid or line.logical_parent_uuid
        node = Node(self._count, parent, seconds(line.timestamp), MAIN, line)
        if line.is_sidechain:
            node.conversation = line.agent_id or SIDECHAIN
        self._nodes[uuid] = node
        if line.type == "progress":
            self._take_progress(line)
        elif line.type in ("user", "assistant"):
            node.role = line.type
            self._take_message(node, line.message, line.request_id)

    def _take_progress(self, line: Line) -> None:
        progress = progress_decoder.decode(line.data)
        agent = progress.agent_id
        if progress.type != "agent_progress" or agent is None:
            return
        said = sub_agent_decoder.decode(progress.message)
        at = seconds(said.timestamp or line.timestamp)
        node = Node(self._count, self._last_of_agent.get(agent), at, agent, line, said.type)
        uuid = f"{agent} {said.uuid or self._count}"
        self._nodes[uuid] = node
        self._last_of_agent[agent] = uuid
        self._take_message(node, said.message, said.request_id)

    def _take_message(self, node: Node, raw: msgspec.Raw, request_id: str | None) -> None:
        if not bytes(raw):
            return
        message = message_decoder.decode(raw)
        node.content = message.content
        node.added = added(message.content)
        if node.role == "assistant":
            self._take_answer(node, message, request_id)
        elif node.added.results and node.parent is not None:
            self._answers.setdefault(node.parent, []).append(node)

    def _take_answer(self, node: Node, message: Message, request_id: str | None) -> None:
        reason = _not_billed(node.line, message)
        if reason is not None or message.id is None or message.usage is None:
            reason = reason or "no usage"
            self._skipped[reason] = self._skipped.get(reason, 0) + 1
            return
        usage = read_usage(message.usage)
        node.call = message.id
        self._tool_names.update(node.added.tool_uses)
        draft = self._drafts.get(message.id)
        if draft is None:
            model = message.model or ""
            self._drafts[message.id] = Draft(
                message.id, model, request_id, usage, [node], message.stop_reason
            )
            return
        draft.nodes.append(node)
        draft.stop_reason = message.stop_reason or draft.stop_reason
        # Early lines of a streamed answer hold a placeholder of its output.
        if (usage.total_input, usage.output_tokens) >= (draft.usage.total_input, draft.usage.output_tokens):
            draft.usage = usage

    def conversations(self) -> list[Conversation]:
        """The calls linked to their parents, grouped, in file order."""
        grouped: dict[str, list[TranscriptCall]] = {}
        extended: set[str] = set()
        for draft in self._drafts.values():
            path, parent, lost = self._walk_up(draft)
            earlier = grouped.setdefault(draft.nodes[0].conversation, [])
            if lost and earlier:
                parent = earlier[-1].message_id
            call = self._call(draft, path, self._drafts.get(parent or ""))
            forked = parent in extended
            extended.update([parent] if parent else [])
            earlier.append(msgspec.structs.replace(call, parent_lost=lost, edited_history=forked))
        return [Conversation(name, calls) for name, calls in grouped.items()]

    def _walk_up(self, draft: Draft) -> tuple[list[Node], str | None, bool]:
        """The lines between a call and its parent, in file order; the parent's id; whether a line is lost."""
        first = draft.nodes[0]
        uuid, path, visited = first.parent, list[Node](), set[str]()
        while uuid is not None and uuid in self._nodes and uuid not in visited:
            visited.add(uuid)
            node = self._nodes[uuid]
            if node.call is not None and node.call != draft.id:
                path += self._other_results(self._drafts[node.call], path, before=first.order)
                return sorted(path, key=lambda node: node.order), node.call, False
            if node.call is None:
                path.append(node)
            uuid = node.parent
        return path[::-1], None, uuid is not None and uuid not in self._nodes

    def _other_results(self, parent: Draft, path: list[Node], before: int) -> list[Node]:
        """Results of parallel tool uses: each hangs on the line of its own use, off the path walked up."""
        walked = {node.order for node in path}
        hanging = [result for node in parent.nodes for result in self._answers.get(node.line.uuid or "", ())]
        return [node for node in hanging if node.order < before and node.order not in walked]

    def _call(self, draft: Draft, path: list[Node], parent: Draft | None) -> TranscriptCall:
        line = draft.nodes[0].line
        new = _new_input(path, self._tool_names, parent.tool_uses if parent is not None else [])
        times = [node.at for node in draft.nodes if node.at is not None]
        asked = [node.at for node in path if node.at is not None and node.is_input]
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
            reply=_reply(draft.nodes),
            parent_id=parent.id if parent is not None else None,
            stop_reason=draft.stop_reason,
            # Only the last line of an answer states a stop reason, and only it has the real count.
            output_reliable=draft.stop_reason is not None,
            version=line.version,
            entrypoint=line.entrypoint,
            cwd=line.cwd,
            effort=line.effort if isinstance(line.effort, str) else None,
            after_compaction=new.compacted,
            model_switch=parent is not None and parent.model != draft.model,
        )


def _not_billed(line: Line, message: Message) -> str | None:
    if message.model == SYNTHETIC:
        return "synthetic message"
    return "API error" if line.is_api_error_message else None


def _reply(nodes: list[Node]) -> Reply:
    return Reply(
        blocks=sum(node.added.blocks for node in nodes),
        text_bytes=sum(node.added.text_bytes for node in nodes),
        tool_use_bytes=sum(node.added.tool_use_bytes for node in nodes),
        thinking_blocks=sum(node.added.thinking_blocks for node in nodes),
        tool_uses=sum(len(node.added.tool_uses) for node in nodes),
        contents=tuple(node.content for node in nodes),
    )


def _new_input(path: list[Node], tool_names: dict[str, str], tool_uses: list[str]) -> NewInput:
    said = [node for node in path if node.role == "user"]
    texts = [node for node in said if node.added.text]
    kinds = [attachment_of(node.line) for node in path if node.line.type == "attachment"]
    results = {use: size for node in said for use, size in node.added.results.items()}
    subtypes = {node.line.subtype: node.at for node in path if node.line.subtype is not None}
    hooks = [_hook(node.line) for node in path] + [kind.hook_name for kind in kinds]
    return NewInput(
        blocks=sum(node.added.blocks for node in said),
        prompts=sum(not node.line.is_meta for node in texts),
        text_bytes=sum(node.added.text_bytes for node in said),
        result_bytes=sum(results.values()),
        trailing_bytes=_trailing(results, tool_uses),
        images=sum(node.added.images for node in said),
        tool_references=sum(node.added.tool_references for node in said),
        tools=tuple(tool_names.get(use, "?") for use in results),
        commands=tuple(name for node in said for name in COMMAND.findall(node.added.text)),
        hooks=tuple(name for name in hooks if name),
        attachments=tuple(kind.type for kind in kinds if kind.type),
        skills=sum(node.added.text.startswith(SKILL) for node in said),
        interrupted=any(node.added.text.startswith(INTERRUPTED) for node in said),
        thinking=_last(_implied_thinking(node) for node in texts),
        permission_mode=_last(node.line.permission_mode for node in said),
        turn_closed="stop_hook_summary" in subtypes,
        touched_at=subtypes.get("away_summary"),
        compacted="compact_boundary" in subtypes,
        microcompacted="microcompact_boundary" in subtypes,
        contents=tuple(node.content for node in said),
    )


def _last(values: Iterable[T | None]) -> T | None:
    found = None
    for value in values:
        found = value if value is not None else found
    return found


def _hook(line: Line) -> str | None:
    return progress_decoder.decode(line.data).hook_name if bytes(line.data) else None


def _trailing(results: dict[str, int], tool_uses: list[str]) -> int:
    """Bytes of the results that come after the marked one in the request (module docstring)."""
    marked = next(reversed(results), None)
    if marked not in tool_uses:
        return 0
    return sum(results.get(use, 0) for use in tool_uses[tool_uses.index(marked) + 1 :])


def _implied_thinking(node: Node) -> bool | None:
    """The setting a prompt states; bodies of skills and commands, and handed-over plans, ran without it."""
    stated = thinking_setting(node.line)
    if stated is not None:
        return stated
    text = node.added.text
    is_body = node.line.is_meta and not text.startswith(("<", "Caveat"))
    return False if is_body or text.startswith(PLAN) else None
