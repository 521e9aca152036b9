"""Claude Code sessions as recorded calls that can be replayed.

A session file holds no system prompt and no tools, so the front of each prompt is opaque: blocks whose length
is what the bills show of them (`transcript_hidden`). The conversation follows block by block
(`transcript_history`), with lengths anchored at the billed end of every call. Where a prompt was changed –
compaction, a restarted client, an edited history – what follows the part still read is new content.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import repeat
from typing import TYPE_CHECKING

from scrimp.core.continuity import BYTES_PER_TOKEN, SHRUNK, Cause
from scrimp.core.lengths import CLOSING
from scrimp.core.prompt import Marker, Prompt
from scrimp.core.recorded import RecordedCall
from scrimp.core.replay import Measured
from scrimp.core.tokens.estimator import Estimate, Sized
from scrimp.core.workspace import cache_rules
from scrimp.traces.claude_code import ANSWER_BYTES_PER_TOKEN, has_one_marker
from scrimp.traces.transcript_hidden import Hidden, find_hidden
from scrimp.traces.transcript_history import History, Part, Place, answer_parts, cached_end, input_parts
from scrimp.traces.transcript_runs import as_sent, run_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scrimp.facts.models import Facts
    from scrimp.traces.transcript_calibration import JudgedCall
    from scrimp.wire.markers import TTL
    from scrimp.wire.request import Section
    from scrimp.wire.response import Usage

__all__ = ["transcript_calls"]

_CHANGED = (
    Cause.COMPACTION,
    Cause.EDITED,
    Cause.RESUMED,
    Cause.THINKING_SWITCH,
    Cause.EFFORT_SWITCH,
    Cause.NEW_TOOLS,
)
"""Causes of a miss that change the prompt itself, whatever the cache still holds."""

_LEFT_OVER = 16
"""Tokens: what closes a prompt after its last marker is shorter, a block left there by the client longer."""

_UNSEEN = Part("text", {"type": "text"}, None)
"""Something the transcript does not show."""


def transcript_calls(
    judged: Sequence[JudgedCall], facts: Facts, *, source: str, at: date | None = None
) -> list[Measured]:
    """The calls of one source as they can be replayed, in the order they were sent.

    `at` takes the prices and rules of another day than each call's own.
    """
    builder = _Builder(facts, source, at, find_hidden(judged))
    return [builder.take(call) for call in as_sent(judged)]


class _Builder:
    """Builds the prompts of one source, each on that of the call it extends."""

    def __init__(self, facts: Facts, source: str, at: date | None, hidden: dict[str, Hidden]) -> None:
        self._facts = facts
        self._source = source
        self._at = at
        self._hidden = hidden
        self._places: dict[str, tuple[Place, JudgedCall]] = {}
        self._ttls: dict[str, TTL] = {}
        self._seq: dict[str, int] = {}

    def take(self, call: JudgedCall) -> Measured:
        """The next call in time."""
        found = self._places.get(call.step.parent or "")
        if found is None:
            place, before = self._begun(call), None
        else:
            before, parent = found
            place = self._continued(call, before, parent)
        self._places[call.step.id] = (place, call)
        return self._measured(call, place, before)

    def _begun(self, call: JudgedCall) -> Place:
        step, hidden = call.step, self._hidden[call.step.id]
        history = History(self._model_id(call))
        owner = "shared" if hidden.shared else step.id
        kind = "main" if step.scope.main else "agent"
        for number, end in enumerate(hidden.ends):
            section: Section = "system" if number == len(hidden.ends) - 1 else "tools"
            history.add_hidden(section, f"{step.scope.workspace} {kind} {owner} {end}", end)
        if not step.begins and call.bill.read > history.ends[-1] + SHRUNK:
            history.add_message("user", [_UNSEEN], f"{step.id} before", call.bill.read)
        self._add_input(history, call)
        return _placed(history, call)

    def _continued(self, call: JudgedCall, before: Place, parent: JudgedCall) -> Place:
        history = self._base(call, before)
        parts = answer_parts(parent.placed.call.reply)
        if parts and not call.step.compacted:
            low, end = history.ends[-1], cached_end(call.placed.call.usage)
            answer_end = _answer_end(call, parent, low, end)
            history.add_message("assistant", parts, call.step.parent or "", answer_end)
        self._add_input(history, call)
        return _placed(history, call)

    def _base(self, call: JudgedCall, before: Place) -> History:
        """What the call has in common with the one it extends: that one's prompt, or a changed form of it."""
        history, length, name = before.history, before.length, call.step.id
        model, end = self._model_id(call), cached_end(call.placed.call.usage)
        if model != history.model:
            return history.rewritten(length, length, name, model, min(before.end, _before_new(call, end)))
        if not _is_changed(call) and end >= before.end - SHRUNK:
            return history if len(history) == length else history.forked(length)
        kept = max(history.position_at(call.bill.read + _LEFT_OVER, length), history.front)
        if call.step.compacted:
            return history.forked(kept)
        low = history.ends[kept - 1]
        return history.rewritten(length, kept, name, model, max(min(before.end, _before_new(call, end)), low))

    def _add_input(self, history: History, call: JudgedCall) -> None:
        """What came in, and after the last marker what the client left there."""
        usage = call.placed.call.usage
        parts = input_parts(call.placed.call.new)
        left_over = _leaves_some(usage)
        last = parts.pop() if left_over and len(parts) > 1 else _UNSEEN
        history.add_message("user", parts, call.step.id, cached_end(usage))
        if left_over:
            history.add_message("user", [last], f"{call.step.id} after", usage.total_input - CLOSING)

    def _measured(self, call: JudgedCall, place: Place, before: Place | None) -> Measured:
        usage, step, placed = call.placed.call.usage, call.step, call.placed
        model = self._facts.resolve(placed.call.model)
        day = self._at or datetime.fromtimestamp(step.at, UTC).date()
        ends = place.history.ends[: place.length]
        total = usage.total_input
        if ends[-1] > total:
            ends = [min(end, total) for end in ends]
        run = run_of(placed.path)
        seq = self._seq[run] = self._seq.get(run, 0) + 1
        recorded = RecordedCall(
            run=run,
            seq=seq,
            at=step.at,
            began_at=call.began_at,
            timed=True,
            day=day,
            workspace=self._source,  # digests tell apart who shares a cache: a session may change its folder
            source=self._source,
            where=f"{placed.path} {step.id}",
            label="main" if step.scope.main else "sub-agent",
            model=model,
            prompt=self._prompt(call, place, before),
            sized=_sized(place, ends),
            rules=cache_rules(self._facts, model, "anthropic", day),
            usage=usage,
            complete=False,
            server_tools=False,
            offers_automatic=self._facts.rules.automatic_caching(day),
        )
        return Measured(recorded, ends, model.rates(day, prompt_tokens=total))

    def _prompt(self, call: JudgedCall, place: Place, before: Place | None) -> Prompt:
        history, length = place.history, place.length
        return Prompt(
            model=history.model,
            blocks=tuple(history.blocks[:length]),
            digests=tuple(history.digests[:length]),
            prefixes=tuple(history.prefixes[:length]),
            ranks=tuple(range(length)),
            markers=tuple(self._markers(call, place, before)),
        )

    def _markers(self, call: JudgedCall, place: Place, before: Place | None) -> Iterator[Marker]:
        """The client's own: the ends of tools and system, the last message, earlier on the one before it."""
        usage = call.placed.call.usage
        if not usage.cache_creation_input_tokens and not usage.cache_read_input_tokens:
            return
        ttl = self._ttl(call)
        positions = {*range(place.history.front), place.tail}
        if before is not None and not has_one_marker(call.placed.call) and before.tail < place.tail:
            positions.add(before.tail)
        yield from (Marker(position, ttl) for position in sorted(positions))

    def _ttl(self, call: JudgedCall) -> TTL:
        """The lifetime billed; where nothing was written, that of the call before."""
        usage, step = call.placed.call.usage, call.step
        ttl: TTL = (
            "1h" if usage.write_1h else "5m" if usage.write_5m else self._ttls.get(step.parent or "", "5m")
        )
        self._ttls[step.id] = ttl
        return ttl

    def _model_id(self, call: JudgedCall) -> str:
        return self._facts.resolve(call.placed.call.model).id


def _placed(history: History, call: JudgedCall) -> Place:
    usage, length = call.placed.call.usage, len(history)
    return Place(history, length, length - (2 if _leaves_some(usage) else 1), usage.total_input)


def _leaves_some(usage: Usage) -> bool:
    """Whether the client left a block after its last marker."""
    return usage.input_tokens > _LEFT_OVER and usage.total_input > usage.input_tokens


def _before_new(call: JudgedCall, end: int) -> int:
    """About where what is new in a changed prompt begins."""
    new = call.placed.call.new
    return end - (call.step.answer or 0) - round((new.text_bytes + new.result_bytes) / BYTES_PER_TOKEN)


def _is_changed(call: JudgedCall) -> bool:
    """Whether the prompt itself was changed: the transcript shows it, and the bill does not disprove it."""
    if call.lasting not in _CHANGED:
        return False
    missed = call.bill.read < call.forecast.expected - SHRUNK
    return missed or call.forecast.cause is Cause.EXPIRED


def _answer_end(call: JudgedCall, parent: JudgedCall, low: int, end: int) -> int:
    """Where the parent's answer ends: where a read beyond the parent's prompt did, else about there."""
    if low + _LEFT_OVER < call.bill.read < end:
        return call.bill.read
    reply, new = parent.placed.call.reply, call.placed.call.new
    tokens = call.step.answer
    if tokens is None:
        tokens = round((reply.text_bytes + reply.tool_use_bytes) / ANSWER_BYTES_PER_TOKEN)
        visible = reply.text_bytes + reply.tool_use_bytes + new.text_bytes + new.result_bytes
        share = (reply.text_bytes + reply.tool_use_bytes) / visible if visible else 0.5
        tokens = max(tokens, round(share * max(end - low, 0)))
    return min(low + tokens, max(end, low))


def _sized(place: Place, ends: Sequence[int]) -> Sized:
    """The prompt's length as billed: how well lengths are foreseen is judged apart (`scrimp calibrate`)."""
    around = list(repeat(0.0, place.length))
    around[-1] = float(place.total - ends[-1])
    total = place.total
    return Sized(place.history.sizes[: place.length], around, Estimate(total, total, total))
