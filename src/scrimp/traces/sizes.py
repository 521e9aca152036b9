"""Token sizes of recorded prompts, from factors that have not seen the project they are from."""

from __future__ import annotations

from scrimp.core.prompt import Prompt
from scrimp.core.tokens.estimator import Estimator, Ruler, Sized, read_settings
from scrimp.facts.model import Model
from scrimp.facts.tokenizers import token_factors
from scrimp.traces.exchanges import Exchange

__all__ = ["Sizes"]


class Sizes:
    """A `Sizer` that counts every block once, whatever calls and models it comes in."""

    def __init__(self) -> None:
        self._ruler = Ruler()
        self._estimators: dict[tuple[str, str, str], Estimator] = {}

    def __call__(self, exchange: Exchange, prompt: Prompt, model: Model) -> Sized:
        """`prompt` measured before any bill."""
        estimator = self.estimator(exchange, model)
        return estimator.measure(prompt.blocks, read_settings(exchange.body), prompt.digests)

    def estimator(self, exchange: Exchange, model: Model) -> Estimator:
        """The estimator for `model` that has not learned from the exchange's own project."""
        key = (model.id, exchange.model, exchange.source)
        found = self._estimators.get(key)
        if found is None:
            found = self._estimators[key] = Estimator(
                model,
                spelling=exchange.model,
                factors=token_factors(model.tokenizer, exchange.source),
                ruler=self._ruler,
            )
        return found
