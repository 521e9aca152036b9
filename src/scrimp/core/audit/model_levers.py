"""Which calls another model is worth trying for: successors of what is used, small models for easy work."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from scrimp.core.audit.walk import lane_of
from scrimp.core.recorded import RecordedCall
from scrimp.core.reproduce import Measured
from scrimp.core.whatif.changed import Lever
from scrimp.core.whatif.chosen import Chosen
from scrimp.core.whatif.model import OtherModel
from scrimp.facts.model import Model
from scrimp.facts.models import Facts

__all__ = [
    "family",
    "newest",
    "retired",
    "single_calls",
    "small_model",
    "small_model_setting",
    "successor_levers",
    "successor_settings",
    "successors",
]

_FAMILIES = ("opus", "sonnet", "haiku", "fable", "mythos")
_SETTABLE = ("fable", "opus", "sonnet", "haiku")
_SMALL = "haiku"
_CLAUDE_CODE = frozenset({"main", "sub-agent"})
"""Labels of conversations that its sessions hold."""
_EASY_CALLS = 5
_EASY_OUTPUT = 1_500
_MANY = 20
"""Conversations from which on easy ones are many."""


class Picked(Chosen, frozen=True):
    """Calls by the places they were recorded at."""

    places: frozenset[str] = frozenset()

    def takes(self, call: RecordedCall) -> bool:
        """Whether the call is one of them."""
        return call.where in self.places


def family(model: Model) -> str | None:
    """The family a model is of, by its id."""
    return next((name for name in _FAMILIES if name in model.id), None)


def newest(facts: Facts, name: str) -> Model | None:
    """The newest model of a family that is not retired."""
    offered = [one for one in facts.models if family(one) == name and one.retired is None and one.released]
    return max(offered, key=lambda one: str(one.released), default=None)


def successors(calls: Sequence[Measured], facts: Facts) -> dict[str, Model]:
    """By id of a model in use, the newest of its family where that is another one and no dearer.

    In place of a model that is retired any newer one is taken: it cannot be had any longer.
    """
    found: dict[str, Model] = {}
    for model in {one.call.model.id: one.call.model for one in calls}.values():
        name = family(model)
        later = newest(facts, name) if name else None
        if later is None or later.id == model.id:
            continue
        if model.retired is not None or not _dearer(later, model):
            found[model.id] = later
    return found


def retired(calls: Sequence[Measured]) -> tuple[str, ...]:
    """Models in use that are not served any longer, or soon will not be: `claude-2.1 (2025-07-21)`."""
    models = {one.call.model.id: one.call.model for one in calls}
    return tuple(f"{name} ({model.retired})" for name, model in models.items() if model.retired)


def successor_levers(calls: Sequence[Measured], facts: Facts) -> tuple[Lever, ...]:
    """Each model in use on its successor."""
    return tuple(
        OtherModel(Chosen(model=before), later) for before, later in successors(calls, facts).items()
    )


def successor_settings(calls: Sequence[Measured], facts: Facts) -> tuple[str, ...]:
    """Lines to copy: what Claude Code takes, where these are its calls, and what code names."""
    found = successors(calls, facts)
    lines = []
    if any(one.call.label in _CLAUDE_CODE for one in calls):
        lines += _variable("ANTHROPIC_MODEL", [one.call for one in calls if one.call.label == "main"], found)
        agents = [one.call for one in calls if one.call.label == "sub-agent"]
        if len({family(call.model) for call in agents}) == 1:  # the variable is for all of them
            lines += _variable("CLAUDE_CODE_SUBAGENT_MODEL", agents, found)
        names = {family(later): later.id for later in found.values()}
        lines += [
            f"export ANTHROPIC_DEFAULT_{name.upper()}_MODEL={names[name]}"
            for name in _SETTABLE
            if name in names
        ]
    lines += [f'model="{later.id}"  # in place of {before}' for before, later in found.items()]
    return tuple(lines)


def _variable(name: str, calls: Sequence[RecordedCall], found: Mapping[str, Model]) -> list[str]:
    """What the variable should be for these calls: the successor of the model most of them name."""
    most = Counter(call.model.id for call in calls).most_common(1)
    return [f"export {name}={found[model].id}" for model, _ in most if model in found]


def small_model_setting(calls: Sequence[Measured], facts: Facts) -> tuple[str, ...]:
    """What Claude Code takes for its sub-agents, where these are its calls, and what code names."""
    small = newest(facts, _SMALL)
    if small is None:
        return ()
    own = any(one.call.label in _CLAUDE_CODE for one in calls)
    variable = [f"export CLAUDE_CODE_SUBAGENT_MODEL={small.id}"] if own else []
    return (*variable, f'model="{small.id}"')


def _easy(calls: Sequence[Measured], than: Model) -> Picked | None:
    """Conversations of a few calls with short answers on models dearer than `than`, where they are many."""
    lanes: dict[tuple[str, str], list[RecordedCall]] = defaultdict(list)
    for one in calls:
        lanes[one.call.run, lane_of(one.call)].append(one.call)
    price = _price(than)
    chosen = [
        lane for lane in lanes.values() if _is_easy(lane) and all(_price(c.model) > price for c in lane)
    ]
    if len(chosen) < _MANY:
        return None
    places = frozenset(call.where for lane in chosen for call in lane)
    return Picked(who="short, easy conversations", places=places)


def small_model(calls: Sequence[Measured], facts: Facts) -> tuple[Lever, ...]:
    """Short, easy conversations on the newest small model, where there are many."""
    small = newest(facts, _SMALL)
    picked = _easy(calls, small) if small is not None else None
    return (OtherModel(picked, small),) if picked is not None and small is not None else ()


def single_calls(calls: Sequence[Measured]) -> Picked | None:
    """The calls of runs that are one call, if there are any."""
    count = Counter(one.call.run for one in calls)
    places = frozenset(one.call.where for one in calls if count[one.call.run] == 1)
    return Picked(who="runs of one call", places=places) if places else None


def _is_easy(lane: Sequence[RecordedCall]) -> bool:
    return len(lane) <= _EASY_CALLS and all(call.usage.output_tokens <= _EASY_OUTPUT for call in lane)


def _price(model: Model) -> int:
    rates = model.rates(None, prompt_tokens=0)
    return rates.input + rates.output


def _dearer(later: Model, model: Model) -> bool:
    new, old = later.rates(None, prompt_tokens=0), model.rates(None, prompt_tokens=0)
    pairs = zip(msgspec.structs.astuple(new), msgspec.structs.astuple(old), strict=True)
    return any(one > other for one, other in pairs)
