"""Whether a model can be priced on a day: names that nobody sells, and models that were not there yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from difflib import get_close_matches
from operator import attrgetter

from scrimp.core.estimate.workload import Workload
from scrimp.errors import InputError
from scrimp.facts.model import Model
from scrimp.facts.models import Facts
from scrimp.facts.names import dashed

__all__ = ["check_apart", "offered", "sources_of", "there"]

_NEAREST = 3
_BRAND = "claude-"


def offered(facts: Facts, model_id: str, day: date) -> Model:
    """The model of that name.

    Raises InputError for a name without a published price, and for a day before the model's release: neither
    has a price or a rule that would not be made up.
    """
    model = facts.resolve(model_id)
    if model.estimated:
        raise InputError(f"models: no price of {model_id!r} is published; {_hint(facts, model_id, day)}")
    if model.released is not None and day < model.released:
        raise InputError(
            f"models: {model_id} was not released until {model.released}, so that it has no prices and rules "
            f"of {day}; {_then(facts, model, day)}"
        )
    return model


def check_apart(facts: Facts, names: Iterable[str]) -> None:
    """Raises InputError where two names mean the same model in the same place: its runs share one cache."""
    seen: dict[tuple[object, ...], str] = {}
    for name in names:
        model = facts.resolve(name)
        key = (model.id, model.provider, model.endpoint_factor, model.long_context, model.fast_id)
        other = seen.setdefault(key, name)
        if other != name:
            raise InputError(f"models: {other} and {name} are the same model; give its share once")


def there(facts: Facts, day: date) -> list[Model]:
    """The models that answered calls on a day, the newest first."""
    came = [model for model in facts.models if model.released is not None and model.released <= day]
    left = [model for model in came if not model.is_retired(day)]
    return sorted(left, key=attrgetter("released"), reverse=True)


def sources_of(work: Workload, facts: Facts) -> dict[str, str]:
    """Where the prices of each model are from."""
    known = {name: facts.resolve(name) for name in work.models}
    return {name: model.reason or model.source for name, model in known.items()}


def _hint(facts: Facts, name: str, day: date) -> str:
    near = _nearest(name, [model.id for model in there(facts, day)])
    return f"did you mean {_or(near)}?" if near else "`scrimp models` lists those that have one"


def _nearest(name: str, ids: Sequence[str]) -> list[str]:
    """The ids that hold the name, else those that are spelled like it; ids as they come, newest first."""
    asked = dashed(name.lower().removeprefix(_BRAND)).strip("-")
    short = {one.removeprefix(_BRAND): one for one in ids}
    holding = [one for part, one in short.items() if asked and asked in part]
    return holding[:_NEAREST] or [short[part] for part in get_close_matches(asked, short, n=_NEAREST)]


def _then(facts: Facts, model: Model, day: date) -> str:
    """Which model of its family there was on the day, else any."""
    models = there(facts, day)
    family = [one for one in models if set(_words(one)) & set(_words(model))]
    found = (family or models)[:1]
    return f"{found[0].id} was there by then" if found else f"the facts begin on {_first(facts)}"


def _first(facts: Facts) -> date:
    return min(model.released for model in facts.models if model.released is not None)


def _words(model: Model) -> list[str]:
    return [part for part in model.id.removeprefix(_BRAND).split("-") if part.isalpha()]


def _or(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
