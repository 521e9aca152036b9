"""One request from its body to its usage: the API behind the HTTP.

serving = provider.serve(asked, workspace, now, request_id)    # or a Refusal
provider.began(serving, at)                # the first event went out: its cache entries can be read
provider.settle(serving, generated, ...)   # it ended: booked and billed
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from scrimp.core.bill import bill
from scrimp.core.cache import Cache, Outcome
from scrimp.core.prompt import Prompt, read_prompt
from scrimp.core.workspace import cache_rules, reading
from scrimp.emulator.asked import Asked, flagged
from scrimp.emulator.books import Billed
from scrimp.emulator.context.binding import remember
from scrimp.emulator.context.compaction import (
    asks_for_compaction,
    compaction_block,
    since_compaction,
    summary_of,
)
from scrimp.emulator.context.rendering import Context, Rendered, render
from scrimp.emulator.diagnostics import Seen, diagnosis, seen
from scrimp.emulator.ids import Ids
from scrimp.emulator.limits import RateLimits
from scrimp.emulator.measure import Measure, PromptLength
from scrimp.emulator.messages import (
    Said,
    answering_model,
    complete_blocks,
    estimated_output,
    iteration_of,
    said,
    usage_json,
    usage_of,
)
from scrimp.emulator.refusals import Refusal, invalid
from scrimp.emulator.replies import Answer, Replies
from scrimp.emulator.room import room_for_answer
from scrimp.emulator.threads import Threads
from scrimp.emulator.validate import validate
from scrimp.errors import RequestError
from scrimp.facts.models import Facts
from scrimp.wire.response import OutputTokensDetails, Usage

__all__ = ["Provider", "Serving", "day_at"]

_ANSWERS_REMEMBERED = 10_000
_NOTHING = Outcome(hit=-1, writes=(), plain=0, write_5m=0, write_1h=0, read=0)

_LISTING_ITERATIONS = ("context-management-", "compact-")
"""Betas under which a usage lists its samplings, a single one too (recorded traffic)."""

_ASKING_FOR_A_SUMMARY = 100
"""Plain tokens that the API adds to a prompt to have it summed up (the same in all recorded compactions)."""

_AROUND_A_SUMMARY = 97
"""Tokens around a summary in the prompt that is answered next (95 to 101 in recorded compactions)."""


class WorkspaceState(msgspec.Struct):
    """What the API remembers for one workspace."""

    cache: Cache = msgspec.field(default_factory=Cache)
    threads: Threads = msgspec.field(default_factory=Threads)
    limits: RateLimits = msgspec.field(default_factory=RateLimits)
    answered: dict[str, Seen] = msgspec.field(default_factory=dict)
    context: Context = msgspec.field(default_factory=Context)


class Serving(msgspec.Struct, frozen=True):
    """A request that is being answered. `message` is the answer's JSON, `usage` what it bills in full."""

    asked: Asked
    workspace: str
    request_id: str
    started_at: float
    prompt: Prompt
    seen: Seen
    outcome: Outcome
    said: Said
    usage: Usage
    message: dict[str, Any]


class _Read(msgspec.Struct, frozen=True):
    """A valid request with its prompt as the model reads it; `recorded`: its length is from a recording."""

    asked: Asked
    rendered: Rendered
    prompt: Prompt
    length: PromptLength
    recorded: bool


class _Sampled(msgspec.Struct, frozen=True):
    """What the model made of a prompt, and what it bills; of several samplings the last one's prompt."""

    prompt: Prompt
    length: PromptLength
    outcome: Outcome
    said: Said
    usage: Usage
    answer: Answer


class Provider:
    """The API's memory and arithmetic; no HTTP, no clock."""

    def __init__(
        self, facts: Facts, replies: Replies, *, measure: Measure, ids: Ids, route: str, retires: bool
    ) -> None:
        """`route` is the cloud whose cache rules hold (`anthropic`, `bedrock`, `vertex`).

        `retires` refuses models once they have retired.
        """
        self.replies = replies
        self.books: list[Billed] = []
        self.facts = facts
        self._measure = measure
        self._ids = ids
        self._route = route
        self._retires = retires
        self._workspaces: dict[str, WorkspaceState] = {}

    def workspace(self, name: str) -> WorkspaceState:
        """The memory of one workspace."""
        found = self._workspaces.get(name)
        if found is None:
            found = self._workspaces[name] = WorkspaceState()
        return found

    def ask(
        self, body: dict[str, Any], headers: Mapping[str, str], now: float, *, counting: bool = False
    ) -> Asked:
        """A request as its body and headers state it."""
        name = body.get("model")
        name = name if isinstance(name, str) else ""
        betas = headers.get("anthropic-beta", "")
        return Asked(
            body=body,
            name=name,
            model=self.facts.resolve(name),
            day=day_at(now),
            version=headers.get("anthropic-version", ""),
            betas=frozenset(part.strip() for part in betas.split(",") if part.strip()),
            counting=counting,
            retires=self._retires,
        )

    def count(self, asked: Asked, workspace: str, now: float) -> dict[str, Any] | Refusal:
        """What `count_tokens` answers."""
        read = self._read(asked, workspace, now)
        if isinstance(read, Refusal):
            return read
        counted: dict[str, Any] = {"input_tokens": read.length.total}
        if asked.part("context_management"):
            original = read.rendered.original
            counted["context_management"] = {
                "original_input_tokens": read.length.total if original is None else original
            }
        return counted

    def serve(self, asked: Asked, workspace: str, now: float, request_id: str) -> Serving | Refusal:
        """Check a request and work out its answer; nothing is billed and no entry written yet."""
        read = self._read(asked, workspace, now)
        if isinstance(read, Refusal):
            return read
        state = self.workspace(workspace)
        sampled = self._sample(read, state, now)
        if isinstance(sampled, Refusal):
            return sampled
        asked = read.asked
        kept = seen(asked, sampled.prompt, sampled.length, sampled.outcome)
        message = self._message(asked, sampled.answer, sampled.said, sampled.usage)
        message["diagnostics"] = diagnosis(asked, kept, sampled.outcome.read, state.answered)
        if asked.part("context_management"):
            message["context_management"] = {"applied_edits": read.rendered.applied}
        if flagged(asked, "thinking-binding-controls-"):
            message["input_transformations"] = read.rendered.transformations
        message.update(sampled.answer.extra)
        state.threads.begin(asked.body)
        return Serving(
            asked=asked,
            workspace=workspace,
            request_id=request_id,
            started_at=now,
            prompt=sampled.prompt,
            seen=kept,
            outcome=sampled.outcome,
            said=sampled.said,
            usage=sampled.usage,
            message=message,
        )

    def began(self, serving: Serving, at: float) -> None:
        """The first event of the answer goes out at `at`."""
        state = self.workspace(serving.workspace)
        state.cache.commit(serving.prompt, serving.outcome, serving.started_at, at)
        state.answered[serving.message["id"]] = serving.seen
        remember(serving.asked, list(serving.said.content), state.context.bound)
        if len(state.answered) > _ANSWERS_REMEMBERED:
            del state.answered[next(iter(state.answered))]

    def settle(
        self, serving: Serving, *, began_at: float, ended_at: float, generated: int | None = None
    ) -> None:
        """The answer ended and is billed: `generated` output tokens where it was cut off, else all of it."""
        asked, usage = serving.asked, serving.usage
        if generated is not None:
            details = usage.output_tokens_details or OutputTokensDetails()
            usage = msgspec.structs.replace(
                usage,
                output_tokens=generated,
                output_tokens_details=OutputTokensDetails(min(generated, details.thinking_tokens)),
            )
        state = self.workspace(serving.workspace)
        state.threads.end(asked.body, answered=generated is None)
        if generated is None:
            state.threads.hold(serving.message["id"], asked.body, list(serving.said.content), ended_at)
        state.limits.count(usage, ended_at)
        self.books.append(
            Billed(
                request_id=serving.request_id,
                message_id=serving.message["id"],
                workspace=serving.workspace,
                model=serving.message["model"],
                started_at=serving.started_at,
                first_event_at=began_at,
                ended_at=ended_at,
                stream=asked.stream,
                outcome="complete" if generated is None else "cut off",
                usage=usage,
                bill=bill(usage, asked.model, at=asked.day, facts=self.facts),
                prompt=serving.prompt.prefixes[-1] if serving.prompt.prefixes else b"",
            )
        )

    def dropped(self, serving: Serving) -> None:
        """The attempt ended before anything was answered: nothing was billed."""
        self.workspace(serving.workspace).threads.end(serving.asked.body, answered=False)

    def _read(self, asked: Asked, workspace: str, now: float) -> _Read | Refusal:
        """The whole request (a thread's held turns included), as the model reads it, and its length."""
        whole = self.workspace(workspace).threads.whole(asked.body, now)
        if isinstance(whole, Refusal):
            return whole
        if whole is not asked.body:
            asked = msgspec.structs.replace(asked, body=whole)
        objection = validate(asked)
        if objection is not None:
            return objection
        recorded = self._recorded(asked)
        if recorded is not None:
            return recorded
        try:
            rendered = render(asked, self.workspace(workspace).context, self._measured)
            if isinstance(rendered, Refusal):
                return rendered
            prompt, length = self._measured(rendered.asked)
        except RequestError as error:
            return invalid(str(error))
        return _Read(asked, rendered, prompt, length, recorded=False)

    def _recorded(self, asked: Asked) -> _Read | None:
        """A request whose recorded answer says all that was done to it."""
        try:
            prompt = read_prompt(asked.body, reading(self.facts, asked.model, asked.day))
        except RequestError:
            return None
        known = self.replies.length(asked, prompt)
        return None if known is None else _Read(asked, Rendered(asked), prompt, known, recorded=True)

    def _measured(self, asked: Asked) -> tuple[Prompt, PromptLength]:
        prompt = read_prompt(asked.body, reading(self.facts, asked.model, asked.day))
        return prompt, self._measure(prompt, asked.body, asked.model, asked.name)

    def _outcome(self, read: _Read, state: WorkspaceState, now: float) -> Outcome:
        """What the prompt reads and writes."""
        in_thread = bool(read.asked.part("thread"))
        rules = cache_rules(self.facts, read.asked.model, self._route, read.asked.day, in_thread=in_thread)
        return state.cache.outcome(read.prompt, read.length.ends, read.length.total, rules, now)

    def _sample(self, read: _Read, state: WorkspaceState, now: float) -> _Sampled | Refusal:
        """The answer, after a summary where the request or its length asks for one."""
        total, compact = read.length.total, read.rendered.compact
        # What was recorded did fit: its length may be the sum of several samplings with tools.
        room = (
            max(0, read.asked.model.window - total) if read.recorded else room_for_answer(read.asked, total)
        )
        if isinstance(room, Refusal):
            return room
        if not read.recorded and asks_for_compaction(read.asked):
            return self._summed_up(read, self._outcome(read, state, now), signed=True)
        if compact is None or total <= compact.trigger.value:
            return self._answered(read, self._outcome(read, state, now), room)
        summed = self._summed_up(read, self._outcome(read, state, now), signed=False)
        return summed if compact.pause_after_compaction else self._gone_on(read, summed, state, now)

    def _answered(self, read: _Read, outcome: Outcome, room: int) -> _Sampled | Refusal:
        answer = self._answer(read.rendered.asked, read.prompt)
        if isinstance(answer, Refusal):
            return answer
        spoken = said(answer, read.asked, complete_blocks(answer.content, self._ids), room)
        usage = usage_of(read.asked, outcome, spoken.output_tokens, spoken.thinking_tokens, answer)
        if not read.recorded and any(flagged(read.asked, beta) for beta in _LISTING_ITERATIONS):
            own = iteration_of("message", outcome, spoken.output_tokens)
            usage = msgspec.structs.replace(usage, iterations=(own,))
        return _Sampled(read.prompt, read.length, outcome, spoken, usage, answer)

    def _summed_up(self, read: _Read, outcome: Outcome, *, signed: bool) -> _Sampled:
        """A summary and nothing else: all it costs is in `iterations`."""
        if read.asked.unsummed:
            blocks: tuple[dict[str, Any], ...] = () if signed else ({"type": "compaction", "content": None},)
            answer, tokens = Answer(blocks, stop_reason="end_turn", output_tokens=0), 0
        else:
            block = compaction_block(summary_of(read.rendered.asked.messages), signed=signed)
            tokens = estimated_output(str(block["content"]))
            answer = Answer((block,), stop_reason="compaction", output_tokens=0)
        own = iteration_of("compaction", _with_plain(outcome, _ASKING_FOR_A_SUMMARY), tokens)
        usage = usage_of(read.asked, _NOTHING, 0, 0, answer)
        usage = msgspec.structs.replace(usage, iterations=(own,))
        spoken = Said(answer.content, str(answer.stop_reason), None, 0, 0)
        return _Sampled(read.prompt, read.length, outcome, spoken, usage, answer)

    def _gone_on(
        self, read: _Read, summed: _Sampled, state: WorkspaceState, now: float
    ) -> _Sampled | Refusal:
        """The answer to what is left after a summary, which begins it."""
        state.cache.commit(summed.prompt, summed.outcome, now, now)
        asked = read.rendered.asked
        messages = asked.messages
        if not asked.unsummed:
            summary = {"role": "assistant", "content": list(summed.said.content)}
            messages = since_compaction([*messages, summary])
        left = msgspec.structs.replace(asked, body={**asked.body, "messages": messages})
        prompt, length = self._measured(left)
        rendered = msgspec.structs.replace(read.rendered, asked=left)
        shorter = msgspec.structs.replace(read, rendered=rendered, prompt=prompt, length=length)
        outcome = _with_plain(self._outcome(shorter, state, now), _AROUND_A_SUMMARY)
        sampled = self._answered(shorter, outcome, read.asked.model.window - length.total)
        if isinstance(sampled, Refusal):
            return sampled
        both = (*(summed.usage.iterations or ()), *(sampled.usage.iterations or ()))
        usage = msgspec.structs.replace(sampled.usage, iterations=both)
        content = [*summed.said.content, *sampled.said.content]
        return msgspec.structs.replace(
            sampled, usage=usage, said=msgspec.structs.replace(sampled.said, content=content)
        )

    def _answer(self, asked: Asked, prompt: Prompt) -> Answer | Refusal:
        if asked.body.get("max_tokens") == 0:
            return Answer((), stop_reason="max_tokens", output_tokens=0)
        return self.replies.answer(asked, prompt)

    def _message(self, asked: Asked, answer: Answer, spoken: Said, usage: Usage) -> dict[str, Any]:
        message: dict[str, Any] = {
            "id": self._ids.new("msg"),
            "type": "message",
            "role": "assistant",
            "model": answer.model or answering_model(asked),
            "content": spoken.content,
            "stop_reason": spoken.stop_reason,
            "stop_sequence": spoken.stop_sequence,
            "stop_details": None,
            "usage": usage_json(usage),
        }
        return message


def _with_plain(outcome: Outcome, tokens: int) -> Outcome:
    return msgspec.structs.replace(outcome, plain=outcome.plain + tokens)


def day_at(now: float) -> date:
    """The UTC day of a time."""
    return datetime.fromtimestamp(now, UTC).date()
