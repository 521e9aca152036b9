"""A recorded call in the terms of the model: what calibration and replay both start from."""

from __future__ import annotations

from datetime import date

import msgspec

from scrimp.core.cache import CacheRules
from scrimp.core.carry.seen import Edited
from scrimp.core.prompt import Prompt
from scrimp.core.tokens.estimator import Sized
from scrimp.facts.model import Model
from scrimp.wire.response import Usage

__all__ = ["RecordedCall"]


class RecordedCall(msgspec.Struct, frozen=True):
    """One billed call.

    `at` is the start of the request in epoch seconds; `timed` is False where nothing was recorded and calls
    are taken to be a second apart. `day` is the day whose prices and rules hold (None: the newest). `sized`
    is the prompt measured before any bill. `complete` is False when part of the request was not recorded.
    `source` is whose recording it is, `workspace` whose cache it used, `where` the file and line. `began_at`
    is when the answer began (None: unknown), `label` the kind of agent, `offers_automatic` whether the API
    took automatic caching on that day. `edited` is what was taken out of the prompt before it was read.
    `inferred` says that one of its markers was not recorded: earlier bills show it.
    """

    run: str
    seq: int
    at: float
    timed: bool
    day: date | None
    workspace: str
    source: str
    where: str
    model: Model
    prompt: Prompt
    sized: Sized
    rules: CacheRules
    usage: Usage
    complete: bool
    server_tools: bool
    began_at: float | None = None
    label: str | None = None
    offers_automatic: bool = True
    edited: Edited | None = None
    inferred: bool = False

    @property
    def sizes(self) -> list[float]:
        """Estimated tokens per position, what surrounds the blocks included."""
        return self.sized.sizes

    @property
    def cached(self) -> bool:
        """Whether the prompt cache could have played a part: a marker is there, or a bill says so."""
        usage = self.usage
        return bool(self.prompt.markers or usage.cache_creation_input_tokens or usage.cache_read_input_tokens)
