"""Less effort: answers and thinking of another length, by a factor that the caller gives.

No factor is published, and none is invented here: what an effort does to the length of answers depends on the
work. Later prompts keep the recorded answers, so that what shorter ones would save as input is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from scrimp.core.reproduce import Measured
from scrimp.core.whatif.changed import Changed
from scrimp.core.whatif.chosen import EVERY, Chosen

__all__ = ["Effort"]


class Effort:
    """Output of the chosen calls times a factor."""

    def __init__(self, factor: Fraction, chosen: Chosen = EVERY, level: str = "") -> None:
        self._factor = factor
        self._chosen = chosen
        self._level = level

    @property
    def name(self) -> str:
        who = "" if self._chosen.everything else f"@{self._chosen.who}"
        return f"effort={self._level + ':' if self._level else ''}{float(self._factor):g}{who}"

    def describe(self) -> str:
        level = f"effort {self._level}: " if self._level else ""
        return f"{level}{self._chosen} with {float(self._factor):g} times the output (your factor)"

    def apply(self, calls: Sequence[Measured]) -> Changed:
        taken = [self._chosen.takes(one.call) for one in calls]
        found = [self._shorter(one) if is_taken else one for one, is_taken in zip(calls, taken, strict=True)]
        note = "the factor on output is yours; whether answers are as good is not judged"
        return Changed(found, (0,) * len(found), touched=sum(taken), notes=(note,))

    def _shorter(self, one: Measured) -> Measured:
        usage = one.call.usage
        output = round(usage.output_tokens * self._factor)
        usage = msgspec.structs.replace(usage, output_tokens=output, output_tokens_details=None)
        return msgspec.structs.replace(one, call=msgspec.structs.replace(one.call, usage=usage))
