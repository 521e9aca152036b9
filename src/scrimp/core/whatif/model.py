"""Another model for chosen calls: its prices, its tokenizer, its cache. Whether its answers do is not judged.

A model that is younger than a call is priced for it at its newest prices: nobody can go back and pay others.

Where two models split text alike, prompts keep their length. Else every block is measured for both and its
recorded length changes in proportion; blocks whose text was not recorded change as running text does. Answers
are taken to say the same, in the new model's tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain, pairwise
from operator import sub

import msgspec

from scrimp.core.prompt import Digest, Prompt
from scrimp.core.recorded import RecordedCall
from scrimp.core.reproduce import Measured
from scrimp.core.tokens.estimator import Estimate, Estimator, Ruler, Sized
from scrimp.core.whatif.changed import Changed
from scrimp.core.whatif.chosen import Chosen
from scrimp.facts.model import Model
from scrimp.facts.tokenizers import token_factors
from scrimp.wire.response import CacheCreation, Usage

__all__ = ["OtherModel", "text_ratio"]

_TEXT = "vocabulary"
"""The factor of running text in the facts of a tokenizer."""


class OtherModel:
    """The chosen calls on another model."""

    def __init__(self, chosen: Chosen, to: Model) -> None:
        self._chosen = chosen
        self._to = to

    @property
    def name(self) -> str:
        who = "" if self._chosen.who == "*" else f"@{self._chosen.who}"
        return f"model={self._chosen.model}->{self._to.id}{who}"

    def describe(self) -> str:
        return f"{self._chosen} on {self._to.name}; the quality of its answers is not judged"

    def apply(self, calls: Sequence[Measured]) -> Changed:
        moved = _Moved(self._to)
        found, touched = [], 0
        for one in calls:
            takes = self._takes(one.call)
            touched += takes
            found.append(moved.take(one) if takes else one)
        return Changed(found, (0,) * len(found), touched=touched, notes=tuple(self._notes(calls)))

    def _takes(self, call: RecordedCall) -> bool:
        return self._chosen.takes(call) and call.model.id != self._to.id

    def _notes(self, calls: Sequence[Measured]) -> list[str]:
        taken = [one.call for one in calls if self._takes(one.call)]
        notes = []
        if any(call.model.tokenizer != self._to.tokenizer for call in taken):
            notes.append(f"{self._to.name} splits text into other tokens: lengths are estimates")
        released = self._to.released
        if released is not None and any(call.day is not None and call.day < released for call in taken):
            notes.append(f"{self._to.name} is younger than some calls: its newest price is taken for them")
        if self._to.retired is not None:
            notes.append(f"{self._to.name} is not served any longer from {self._to.retired} on")
        if any(call.usage.total_input > self._to.window for call in taken):
            notes.append(f"some prompts do not fit in {self._to.name}'s window")
        return notes


class _Moved:
    """Calls moved to one model, with what was worked out for those before."""

    def __init__(self, to: Model) -> None:
        self._to = to
        self._ruler = Ruler()
        self._estimators: dict[str, Estimator] = {}
        self._prefixes: dict[Digest, Digest] = {}

    def take(self, one: Measured) -> Measured:
        """The call as the other model would have billed it."""
        call, to = one.call, self._to
        same = call.model.tokenizer == to.tokenizer
        ratio = text_ratio(call.model, to)
        ends = one.ends if same else self._ends(one, ratio)
        usage = call.usage if same else _scaled(call.usage, one.ends, ends, ratio)
        total = usage.total_input
        released = to.released
        day = None if call.day is not None and released is not None and call.day < released else call.day
        moved = msgspec.structs.replace(
            call,
            model=to,
            day=day,
            prompt=self._prompt(call.prompt),
            sized=call.sized if same else _sized(call.sized, ends, total),
            usage=usage,
            rules=msgspec.structs.replace(
                call.rules, minimum=to.cache_minimum, caches=call.rules.caches and to.features.caching
            ),
        )
        return msgspec.structs.replace(one, call=moved, ends=ends, rates=to.rates(day, prompt_tokens=total))

    def _prompt(self, prompt: Prompt) -> Prompt:
        """The same blocks in the other model's cache, which shares nothing with that of the first."""
        known, salt = self._prefixes, self._to.id.encode()
        for prefix in reversed(prompt.prefixes):
            if prefix in known:  # so are those before it
                break
            known[prefix] = prefix + salt
        prefixes = tuple([known.get(prefix) or prefix + salt for prefix in prompt.prefixes])
        other = msgspec.structs.replace(prompt, model=self._to.id, prefixes=prefixes)
        other.__dict__.update(prompt.__dict__)
        return other

    def _ends(self, one: Measured, ratio: float) -> Sequence[int]:
        call = one.call
        if not call.complete:
            return [round(end * ratio) for end in one.ends]
        before, after = self._estimator(call.model), self._estimator(self._to)
        spans = [one.ends[0], *(high - low for low, high in pairwise(one.ends))] if one.ends else []
        longer = (
            span * _change(before.block_size(block, digest), after.block_size(block, digest), ratio)
            for span, block, digest in zip(spans, call.prompt.blocks, call.prompt.digests, strict=True)
        )
        return [round(end) for end in accumulate(longer)]

    def _estimator(self, model: Model) -> Estimator:
        found = self._estimators.get(model.id)
        if found is None:
            found = self._estimators[model.id] = Estimator(model, ruler=self._ruler)
        return found


def text_ratio(before: Model, after: Model) -> float:
    """How many tokens of `after` running text has for each of `before`."""
    if before.tokenizer == after.tokenizer:
        return 1.0
    was, will_be = (token_factors(model.tokenizer).factors.get(_TEXT, 0.0) for model in (before, after))
    return will_be / was if was and will_be else 1.0


def _change(before: float, after: float, otherwise: float) -> float:
    return after / before if before > 0 and after > 0 else otherwise


def _scaled(usage: Usage, before: Sequence[int], ends: Sequence[int], ratio: float) -> Usage:
    """The bill in the other model's tokens: the prompt as its blocks have changed, the answer as text."""
    change = ends[-1] / before[-1] if before and before[-1] else ratio
    read = round(usage.cache_read_input_tokens * change)
    write_5m, write_1h = round(usage.write_5m * change), round(usage.write_1h * change)
    closing = usage.total_input - (before[-1] if before else 0)
    total = (ends[-1] if ends else 0) + max(closing, 0)
    return Usage(
        input_tokens=max(total - read - write_5m - write_1h, 0),
        output_tokens=round(usage.output_tokens * ratio),
        cache_creation_input_tokens=write_5m + write_1h,
        cache_read_input_tokens=read,
        cache_creation=CacheCreation(write_5m, write_1h),
        reports_cache=usage.reports_cache,
    )


def _sized(sized: Sized, ends: Sequence[int], total: int) -> Sized:
    """Lengths in proportion to those billed, an interval as wide as it was."""
    spans = list(map(float, map(sub, ends, chain((0,), ends))))
    around = [0.0] * len(spans)
    if around:
        around[-1] = float(total - ends[-1])
    before = sized.estimate
    change = total / before.mid if before.mid else 1.0
    estimate = Estimate(round(before.low * change), total, round(before.high * change))
    return Sized(spans, around, estimate)
