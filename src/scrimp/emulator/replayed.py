"""Recorded answers with their recorded lengths, so that a replay over HTTP bills what was billed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import msgspec

from scrimp.core.lengths import Lengths
from scrimp.core.prompt import Prompt
from scrimp.core.recorded import RecordedCall
from scrimp.emulator.asked import Asked
from scrimp.emulator.measure import PromptLength
from scrimp.emulator.refusals import Refusal, invalid
from scrimp.emulator.replies import Answer, Replies
from scrimp.facts.models import Facts, default
from scrimp.traces.corpus import read_corpus
from scrimp.traces.exchanges import Exchange, in_time_order
from scrimp.traces.recorded_calls import Sizer, recorded_call, unusable
from scrimp.traces.sizes import Sizes

__all__ = ["Replayed"]

_TOP_LEVEL = ("container", "context_management", "stop_details")


class _Recording(msgspec.Struct, frozen=True):
    call: RecordedCall
    answer: Answer
    lengths: Lengths


class Replayed(Replies):
    """Answers recorded for the same prompt and model, markers aside; in the recorded order where it was sent
    several times, and the last one again after that.

    Prompt lengths are read off all the bills of the recording's source, as `scrimp replay` does, and hold
    whatever markers a request has.
    """

    def __init__(
        self,
        exchanges: Iterable[Exchange],
        *,
        facts: Facts | None = None,
        sizer: Sizer | None = None,
        otherwise: Replies | None = None,
    ) -> None:
        """`otherwise` answers prompts that were not recorded; without it they are refused with a 400.

        Exchanges that are no billed Messages calls are left out.
        """
        self._otherwise = otherwise
        self._recorded: dict[tuple[str, bytes], list[_Recording]] = defaultdict(list)
        self._next: dict[tuple[str, bytes], int] = defaultdict(int)
        known, sized = facts or default(), sizer or Sizes()
        lengths: dict[str, Lengths] = defaultdict(Lengths)
        usable = [exchange for exchange in exchanges if unusable(exchange) is None]
        for exchange in in_time_order(usable):
            call = recorded_call(exchange, known, sized)
            if call.prompt.prefixes:
                lengths[call.source].reveal(call.prompt, call.usage)
                recording = _Recording(call, _recorded_answer(exchange), lengths[call.source])
                self._recorded[_key(call.model.id, call.prompt)].append(recording)

    @classmethod
    def read(cls, paths: Sequence[str | Path], **options: Any) -> Replayed:
        """Everything recorded under `paths`; raises `TraceError` for a path that is not there."""
        corpus = read_corpus(paths)
        exchanges = [exchange for source in corpus.sources.values() for exchange in source]
        return cls(exchanges, **options)

    def from_the_start(self) -> Replayed:
        """The same recordings, none of them told yet; what was read and measured of them is shared."""
        again = copy(self)
        again._next = defaultdict(int)  # noqa: SLF001 - one of its own kind
        return again

    def __len__(self) -> int:
        return sum(map(len, self._recorded.values()))

    def length(self, asked: Asked, prompt: Prompt) -> PromptLength | None:
        """The length the bills gave a recorded prompt."""
        found = self._find(asked, prompt)
        if found is None:
            return None if self._otherwise is None else self._otherwise.length(asked, prompt)
        total = found.call.usage.total_input
        return PromptLength(found.lengths.ends(found.call.prompt, found.call.sizes, total), total)

    def answer(self, asked: Asked, prompt: Prompt) -> Answer | Refusal:
        """The recorded answer."""
        found = self._find(asked, prompt)
        if found is not None:
            self._next[_key(asked.model.id, prompt)] += 1
            return found.answer
        if self._otherwise is not None:
            return self._otherwise.answer(asked, prompt)
        return invalid(
            f"emulator: no recorded call to {asked.model.id} has this prompt of {len(prompt)} blocks"
        )

    def _find(self, asked: Asked, prompt: Prompt) -> _Recording | None:
        if not prompt.prefixes:
            return None
        key = _key(asked.model.id, prompt)
        found = self._recorded.get(key)
        return found[min(self._next[key], len(found) - 1)] if found else None


def _key(model: str, prompt: Prompt) -> tuple[str, bytes]:
    return model, prompt.prefixes[-1]


def _recorded_answer(exchange: Exchange) -> Answer:
    response = exchange.response if isinstance(exchange.response, Mapping) else {}
    content = response.get("content")
    usage = response.get("usage")
    details = usage.get("output_tokens_details") if isinstance(usage, Mapping) else None
    return Answer(
        content=[block for block in content if isinstance(block, dict)] if isinstance(content, list) else [],
        stop_reason=str(response.get("stop_reason") or "end_turn"),
        stop_sequence=response.get("stop_sequence"),
        output_tokens=exchange.usage.output_tokens if exchange.usage else 0,
        thinking_tokens=(details or {}).get("thinking_tokens"),
        model=response.get("model") if isinstance(response.get("model"), str) else None,
        extra={name: response[name] for name in _TOP_LEVEL if response.get(name) is not None},
        usage=usage if isinstance(usage, Mapping) else {},
    )
