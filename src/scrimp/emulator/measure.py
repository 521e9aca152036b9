"""How long a prompt is: tokens up to each block, and in all.

Whatever measures must give a prefix the same length wherever it occurs, since the cache bills by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple, Protocol

from scrimp.core.lengths import CLOSING
from scrimp.core.prompt import Prompt
from scrimp.core.tokens.estimator import Estimator, Ruler, read_settings
from scrimp.facts.model import Model

__all__ = ["Estimated", "Measure", "PromptLength"]


class PromptLength(NamedTuple):
    """Tokens up to and including each position, and of the whole prompt (what closes it included)."""

    ends: Sequence[int]
    total: int


class Measure(Protocol):
    """Measures prompts."""

    def __call__(self, prompt: Prompt, body: dict[str, Any], model: Model, name: str) -> PromptLength:
        """The length of `prompt`, which was read from `body` for `model`, asked for as `name`."""


class Estimated:
    """Lengths as `scrimp.core.tokens` estimates them: right to a few percent, and the same every time."""

    def __init__(self) -> None:
        self._ruler = Ruler()
        self._estimators: dict[str, Estimator] = {}

    def __call__(self, prompt: Prompt, body: dict[str, Any], model: Model, name: str) -> PromptLength:
        estimator = self._estimators.get(name)
        if estimator is None:
            estimator = self._estimators[name] = Estimator(model, spelling=name, ruler=self._ruler)
        sized = estimator.measure(prompt.blocks, read_settings(body), prompt.digests)
        if not len(prompt):
            return PromptLength((), sized.estimate.mid)
        ends = [max(1, round(run)) for run in accumulate(sized.sizes)]
        return PromptLength(ends, ends[-1] + CLOSING)
