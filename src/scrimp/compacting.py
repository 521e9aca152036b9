"""`scrimp.compact(…)`: a conversation summed up by the provider when that pays, at a moment you choose.

    found = scrimp.compact(client, model=…, system=…, tools=…, messages=messages)
    messages = found.messages              # as they were, where nothing was summed up

The API writes the summary on the agent's own prefix, so that the cache is read for it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import anthropic
import msgspec

from scrimp.calls import arguments, body_of, is_async, messages_of
from scrimp.core.carry.on_demand import (
    COMPACTING_BETA,
    gone_on,
    reason_against,
    summarizing,
    summary_in,
)
from scrimp.core.carry.summaries import SUMMARY
from scrimp.core.carry.worth import Moment, Summary, choose_compaction, summary_costs
from scrimp.core.carry.worth_account import Account
from scrimp.core.carry.worth_missed import Misses
from scrimp.core.money import dollars
from scrimp.core.prompt import read_prompt
from scrimp.core.tokens.estimator import Estimator, read_settings
from scrimp.core.workspace import reading
from scrimp.errors import InputError
from scrimp.facts.models import default
from scrimp.pricing import cost

__all__ = ["Compacted", "compact"]

_REFUSED = "compaction_"
"""What `error_code` begins with where the API does not sum this conversation up ("Compaction", errors)."""


class Compacted(msgspec.Struct, frozen=True):
    """What came of it: whether the conversation was `compacted`, and why, or why not, in one line.

    `messages` are those to go on with: the summary first and the last turns behind it, or the very list that
    came in. Requests with a summary need the beta header `compact-2026-09-04`. `cost` is what the summary was
    billed and `saves` what it is expected to save beyond that, US dollars.
    """

    messages: list[Any]
    compacted: bool
    why: str
    cost: Decimal = Decimal(0)
    saves: Decimal = Decimal(0)


def compact(
    client: Any,
    *,
    calls: float = 20,
    keep_turns: int = 0,
    instructions: str | None = None,
    force: bool = False,
    **request: Any,
) -> Any:
    """Have old turns summed up; returns a `Compacted`, to be awaited for an async client.

    `request` are the arguments of the agent's last `client.messages.create`, with the messages as they are
    now: so the cache is read. It is done where it is expected to pay over the `calls` to come, or with
    `force`. The last `keep_turns` turns stay as they are behind the summary; what the user asked last does
    always, and so does a turn whose tools have just answered. `instructions` take the place of the API's own
    prompt for summaries.

    Where the API gives no summary, or the model does not do this, the messages come back as they were. Raises
    what the SDK raises otherwise, and `InputError` for what is no client, no request, or no sense.
    """
    if calls < 0 or keep_turns < 0:
        raise InputError(f"compact: calls ({calls}) and keep_turns ({keep_turns}) should be 0 or more")
    job = _Job(request, calls=calls, keep_turns=keep_turns, instructions=instructions)
    resource = messages_of(client, {**request, "betas": ()})
    refused = job.refused(force=force)
    if is_async(client):
        return _acompact(resource, job, refused)
    if refused is not None:
        return refused
    started_at = time.time()
    try:
        return job.answered(resource.create(**job.arguments()), started_at)
    except anthropic.APIStatusError as error:
        return job.failed(error)


async def _acompact(resource: Any, job: _Job, refused: Compacted | None) -> Compacted:
    if refused is not None:
        return refused
    started_at = time.time()
    try:
        answering: Awaitable[Any] = resource.create(**job.arguments())
        return job.answered(await answering, started_at)
    except anthropic.APIStatusError as error:
        return job.failed(error)


class _Job:
    """What is known before anything is sent."""

    def __init__(
        self, request: Mapping[str, Any], *, calls: float, keep_turns: int, instructions: str | None
    ) -> None:
        self._request = request
        self._keep_turns = keep_turns
        self._instructions = instructions
        self._body = body_of(request)
        self._model = default().resolve(str(self._body.get("model", "")))
        self._why_not = reason_against(self._body, self._model)
        self.saves = 0
        if self._why_not is None:
            self._weigh(calls)

    def refused(self, *, force: bool) -> Compacted | None:
        """The messages as they are, and why; None where the conversation is to be summed up."""
        if self._why_not is not None:
            return self._as_it_was(self._why_not)
        if self.saves > 0 or force:
            return None
        return self._as_it_was("it is not expected to save more than it costs")

    def arguments(self) -> dict[str, Any]:
        """Arguments for `create` of the beta API."""
        betas = [*(self._request.get("betas") or ()), COMPACTING_BETA]
        body = summarizing(self._body, self._instructions)
        asked = arguments(self._request, {name: body[name] for name in body if name != "compaction"})
        extra = {**(asked.get("extra_body") or {}), "compaction": body["compaction"]}
        return {**asked, "betas": list(dict.fromkeys(betas)), "extra_body": extra}

    def answered(self, message: Any, started_at: float) -> Compacted:
        """The messages to go on with."""
        spent = cost(message, at=started_at).usd
        summary = summary_in(body_of(message.to_dict()))
        if summary is None:
            why = f"the API gave no summary (stop_reason {message.stop_reason})"
            return msgspec.structs.replace(self._as_it_was(why), cost=spent)
        messages = gone_on(summary, self._messages, self._keep_turns)
        why = "it was summed up"
        return Compacted(messages, compacted=True, why=why, cost=spent, saves=dollars(self.saves))

    def failed(self, error: anthropic.APIStatusError) -> Compacted:
        """The messages as they are where the API does not sum them up; raises `error` where it is another."""
        code = _code(error.body)
        if not code.startswith(_REFUSED):
            raise error
        return self._as_it_was(f"the API does not sum it up: {code}")

    @property
    def _messages(self) -> Sequence[Any]:
        found: Sequence[Any] = self._body["messages"]
        return found

    def _as_it_was(self, why: str) -> Compacted:
        given = self._request.get("messages")
        return Compacted(given if isinstance(given, list) else list(given or ()), compacted=False, why=why)

    def _weigh(self, calls: float) -> None:
        """What a summary is expected to save where the cache holds the whole prompt."""
        day = datetime.fromtimestamp(time.time(), UTC).date()
        prompt = read_prompt(self._body, reading(default(), self._model, day))
        estimator, settings = Estimator(self._model), read_settings(self._body)
        sized = estimator.measure(prompt.blocks, settings, prompt.digests)
        sizes, total = sized.sizes, sized.estimate.mid
        kept = gone_on({}, self._messages, self._keep_turns)
        tail = len(self._messages) - (len(kept) - 1)
        left = sum(size for block, size in zip(prompt.blocks, sizes, strict=True) if block.message >= tail)
        static = round(sum(sizes[: prompt.static_end + 1]))
        rates = self._model.rates(day, prompt_tokens=total)
        moment = Moment(total, total, (static,), calls, rates, rates.write_5m)
        found = choose_compaction(moment, Summary(SUMMARY, static, ()), misses=Misses(), account=Account())
        # The choice knows of no turns that stay: they are written once more, and read at every later step.
        kept_costs = round(left * (rates.write_5m + max(0.0, calls - 1.0) * rates.read))
        self.saves = -summary_costs(moment, SUMMARY) if found is None else found.saves - kept_costs


def _code(body: object) -> str:
    error = body.get("error") if isinstance(body, Mapping) else None
    details = error.get("details") if isinstance(error, Mapping) else None
    return str(details.get("error_code", "")) if isinstance(details, Mapping) else ""
