"""The workload that is asked about: how large, how often, on which models, cached how."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from fractions import Fraction
from math import isfinite
from typing import Annotated, Any, Literal

import msgspec

from scrimp.errors import InputError
from scrimp.wire.markers import TTL

__all__ = ["DEFAULT_MODEL", "Caching", "Workload", "read_workload", "shares_of"]

Caching = Literal["none", "prefix", "auto", "full"]
"""Where markers stand: nowhere; at the end of tools and system; where top-level `cache_control` puts one, on
the last block; or at the end of tools and system, of the call before, and of the call."""

DEFAULT_MODEL = "claude-sonnet-5-5"

_Tokens = Annotated[int, msgspec.Meta(ge=0, le=100_000_000)]
_Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
_Some = Annotated[int, msgspec.Meta(ge=1, le=100_000_000)]


class Workload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One agent. Tokens are the models' own; a step is one API call.

    The first call of a run carries `prefix` (tools and system) and `task`. Each later call carries all of the
    one before it and, new, that call's answer (`output`, thinking included), the results of its `tool_calls`
    tool calls (`tool_result` each), and `growth` more. `prefix_shared` is False where tools and system differ
    from run to run.

    A day has `runs_per_day` runs, evenly spread over `hours`; a run is `fanout` branches with the same prefix
    that start together, or, with `first_alone`, the others once the first answer has begun. Steps begin
    `gap` seconds apart; an answer begins after `first_event` seconds.

    With `clear_above`, a prompt beyond so many tokens loses its oldest tool results but the last
    `clear_keep`, if these are `clear_at_least` tokens; `clear_leaves` remain of each (its size is not
    published). `batch` percent of the runs go through batches, where `batch_hits` percent of the calls find
    the prefix in the cache and the others write it; with 0 nothing is marked there.
    """

    models: dict[str, int | float] = msgspec.field(default_factory=lambda: {DEFAULT_MODEL: 100})
    steps: Annotated[int, msgspec.Meta(ge=1, le=2_000)] = 10
    prefix: _Tokens = 8_000
    prefix_shared: bool = True
    task: _Tokens = 500
    output: _Tokens = 400
    tool_calls: Annotated[int, msgspec.Meta(ge=0, le=100)] = 1
    tool_result: _Tokens = 1_500
    growth: _Tokens = 0
    runs_per_day: _Some = 100
    hours: Annotated[int, msgspec.Meta(ge=1, le=24)] = 24
    days_per_month: Annotated[int, msgspec.Meta(ge=1, le=31)] = 30
    gap: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] = 20
    first_event: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 2
    caching: Caching = "full"
    ttl: TTL = "5m"
    prefix_ttl: TTL | None = None
    clear_above: _Some | None = None
    clear_keep: _Tokens = 3
    clear_at_least: _Tokens = 0
    clear_leaves: _Tokens = 20
    batch: _Percent = 0
    batch_hits: _Percent = 0
    fanout: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 1
    first_alone: bool = False

    @property
    def ttl_of_prefix(self) -> TTL:
        """The lifetime of what is written of tools and system."""
        return self.prefix_ttl or self.ttl

    def __post_init__(self) -> None:
        """What no field can say alone. Raises InputError."""
        if not self.prefix + self.task:
            raise InputError("prefix and task: both are 0, and a request says something")
        if self.prefix_ttl == "5m" and self.ttl == "1h":
            raise InputError("prefix_ttl: 5m before 1h is refused by the API; give both 1h, or ttl 5m")
        shares_of(self.models)


def shares_of(models: Mapping[str, int | float]) -> dict[str, Fraction]:
    """Each model's share of the runs, as written in per cent. Raises InputError where they are not 100."""
    odd = next((model for model, percent in models.items() if not isfinite(percent)), None)
    if odd is not None:
        raise InputError(f"models: {odd} has {models[odd]} % of the runs; give it a number")
    shares = {model: Fraction(str(percent)) for model, percent in models.items()}
    below = next((model for model, share in shares.items() if share <= 0), None)
    if below is not None:
        raise InputError(f"models: {below} has {models[below]} % of the runs; leave it out, or give it some")
    total = sum(shares.values(), Fraction(0))
    if total != 100:
        raise InputError(f"models: the shares are {float(total):g} % together; they have to be 100")
    return {model: share / 100 for model, share in shares.items()}


def read_workload(given: Mapping[str, Any]) -> Workload:
    """A workload from plain values; `model` may stand for `models`. Raises InputError naming the field."""
    values = dict(given)
    if "model" in values:
        if "models" in values:
            raise InputError("model and models: give one of them")
        values["models"] = {values.pop("model"): 100}
    names = Workload.__struct_fields__
    for name in values:
        if name not in names:
            near = get_close_matches(name, (*names, "model"), n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
            raise InputError(f"{name}: nothing of a workload is called so; {hint}")
    try:
        return msgspec.convert(values, Workload)
    except msgspec.ValidationError as error:
        raise InputError(_in_words(str(error), values)) from None


def _in_words(message: str, values: Mapping[str, Any]) -> str:
    """`Expected … - at `$.steps`` as `steps: …, not …`."""
    said, _, place = message.partition(" - at `$.")
    name = place.rstrip("`")
    if not name:
        return message
    given = f", not {values[name]!r}" if name in values and not isinstance(values[name], dict) else ""
    return f"{name}: {said[:1].lower()}{said[1:].replace('`', '')}{given}"
