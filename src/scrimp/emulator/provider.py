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
from scrimp.emulator.diagnostics import Seen, diagnosis, seen
from scrimp.emulator.ids import Ids
from scrimp.emulator.limits import RateLimits
from scrimp.emulator.measure import Measure, PromptLength
from scrimp.emulator.messages import Said, answering_model, complete_blocks, said, usage_json, usage_of
from scrimp.emulator.refusals import Refusal, invalid
from scrimp.emulator.replies import Answer, Replies
from scrimp.emulator.threads import Threads
from scrimp.emulator.validate import validate
from scrimp.errors import RequestError
from scrimp.facts.models import Facts
from scrimp.wire.response import OutputTokensDetails, Usage

__all__ = ["Provider", "Serving", "day_at"]

_ANSWERS_REMEMBERED = 10_000
_ACCEPTS_OVERFLOW_FROM = date(2025, 9, 29)
"""Models from here on take a prompt and `max_tokens` that overflow the window together (since Claude 4.5)."""

_OVERFLOW_SLACK = 100
"""Older models took up to 55 tokens too many in recorded calls: the check before the call is not exact."""


class WorkspaceState(msgspec.Struct):
    """What the API remembers for one workspace."""

    cache: Cache = msgspec.field(default_factory=Cache)
    threads: Threads = msgspec.field(default_factory=Threads)
    limits: RateLimits = msgspec.field(default_factory=RateLimits)
    answered: dict[str, Seen] = msgspec.field(default_factory=dict)


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
    """A valid request with its prompt; `recorded` where the length comes from a recording."""

    asked: Asked
    prompt: Prompt
    length: PromptLength
    recorded: bool


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
            counted["context_management"] = {"original_input_tokens": read.length.total}
        return counted

    def serve(self, asked: Asked, workspace: str, now: float, request_id: str) -> Serving | Refusal:
        """Check a request and work out its answer; nothing is billed and no entry written yet."""
        read = self._read(asked, workspace, now)
        if isinstance(read, Refusal):
            return read
        asked, prompt, length = read.asked, read.prompt, read.length
        # What was recorded did fit: its length may be the sum of several samplings with tools.
        room = max(0, asked.model.window - length.total) if read.recorded else _room(asked, length.total)
        if isinstance(room, Refusal):
            return room
        answer = self._answer(asked, prompt)
        if isinstance(answer, Refusal):
            return answer
        state = self.workspace(workspace)
        rules = cache_rules(
            self.facts, asked.model, self._route, asked.day, in_thread=bool(asked.part("thread"))
        )
        outcome = state.cache.outcome(prompt, length.ends, length.total, rules, now)
        spoken = said(answer, asked, complete_blocks(answer.content, self._ids), room)
        usage = usage_of(asked, outcome, spoken.output_tokens, spoken.thinking_tokens, answer)
        kept = seen(asked, prompt, length, outcome)
        message = self._message(asked, answer, spoken, usage)
        message["diagnostics"] = diagnosis(asked, kept, outcome.read, state.answered)
        state.threads.begin(asked.body)
        return Serving(
            asked=asked,
            workspace=workspace,
            request_id=request_id,
            started_at=now,
            prompt=prompt,
            seen=kept,
            outcome=outcome,
            said=spoken,
            usage=usage,
            message=message,
        )

    def began(self, serving: Serving, at: float) -> None:
        """The first event of the answer goes out at `at`."""
        state = self.workspace(serving.workspace)
        state.cache.commit(serving.prompt, serving.outcome, serving.started_at, at)
        state.answered[serving.message["id"]] = serving.seen
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
        try:
            prompt = read_prompt(asked.body, reading(self.facts, asked.model, asked.day))
        except RequestError as error:
            return invalid(str(error))
        known = self.replies.length(asked, prompt)
        length = known or self._measure(prompt, asked.body, asked.model, asked.name)
        return _Read(asked, prompt, length, recorded=known is not None)

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
        if asked.part("context_management"):
            message["context_management"] = {"applied_edits": []}
        if flagged(asked, "thinking-binding-controls-"):
            message["input_transformations"] = []
        message.update(answer.extra)
        return message


def day_at(now: float) -> date:
    """The UTC day of a time."""
    return datetime.fromtimestamp(now, UTC).date()


def _room(asked: Asked, prompt_tokens: int) -> int | Refusal:
    """Tokens left for the answer in the model's window."""
    window = asked.model.window
    if prompt_tokens > window:
        return invalid(f"prompt is too long: {prompt_tokens} tokens > {window} maximum")
    wanted = int(asked.body.get("max_tokens") or 0)
    released = asked.model.released
    older = released is not None and released < _ACCEPTS_OVERFLOW_FROM
    if older and prompt_tokens + wanted > window + _OVERFLOW_SLACK:
        return invalid(
            f"input length and `max_tokens` exceed context limit: {prompt_tokens} + {wanted} > {window}, "
            "decrease input length or `max_tokens` and try again"
        )
    return window - prompt_tokens
