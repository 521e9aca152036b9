"""Rows of a what-if as people write them: levers joined by `+`, such as `effort=low:0.6+batch@nightly*`.

A lever is `NAME`, `NAME=VALUE` or either with `@WHO` behind it: the label or run (with `*`) it is for. In
whatever order they are written, levers are applied in one order: the model first, then what changes prompts,
the output, the times, and the price of a batch last. Rows that say the same are then the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from fractions import Fraction
from typing import NamedTuple, cast

from scrimp.core.replay import POLICIES
from scrimp.core.reproduce import HitOdds
from scrimp.core.whatif.batch import BEST_EFFORT, Batch
from scrimp.core.whatif.changed import Lever
from scrimp.core.whatif.chosen import Chosen
from scrimp.core.whatif.contents import CONTENT_LEVERS
from scrimp.core.whatif.effort import Effort
from scrimp.core.whatif.gating import Gated
from scrimp.core.whatif.grouping import Grouped
from scrimp.core.whatif.marking import SLOTS, Marking, Placement, ScrimpLifetimes, SetLifetime
from scrimp.core.whatif.model import OtherModel
from scrimp.core.whatif.pinging import KeptAlive
from scrimp.core.whatif.rows import Row
from scrimp.errors import InputError
from scrimp.facts.models import Facts
from scrimp.wire.markers import TTL

__all__ = ["LEVERS", "LEVER_NAMES", "Written", "parse_row"]

_NAMED = re.compile(r"([\w-]*)\s*(?:[=,]\s*(.*))?", re.DOTALL)
_UNITS = {"s": 1, "m": 60, "h": 3600}
_MOST_PINGS = 300
_MOST_FACTOR = 100


class Written(NamedTuple):
    """One lever as written: its name, its value and whom it is for (empty where nothing was)."""

    name: str
    value: str
    who: str

    @property
    def chosen(self) -> str:
        """Whom it is for, as a pattern."""
        return self.who or "*"


def _model(written: Written, facts: Facts) -> Lever:
    old, arrow, new = written.value.partition("->")
    if not arrow:
        raise InputError(f"`{_text(written)}`: write the models as OLD->NEW")
    return OtherModel(
        Chosen(_old(old.strip(), facts), written.chosen), facts.resolve(_new(new.strip(), facts))
    )


def _effort(written: Written, _: Facts) -> Lever:
    level, colon, factor = written.value.rpartition(":")
    found = _fraction(factor, _text(written), "the output as a factor, such as effort=low:0.6")
    if not 0 < found <= _MOST_FACTOR:
        raise InputError(
            f"`{_text(written)}`: the factor on output must be above 0 and at most {_MOST_FACTOR}"
        )
    return Effort(found, Chosen(who=written.chosen), level if colon else "")


def _batch(written: Written, _: Facts) -> Lever:
    odds = BEST_EFFORT
    if written.value:
        share = written.value.removesuffix("%")
        found = _fraction(share, _text(written), "the share of cache hits, such as batch=80%")
        found = found / 100 if share != written.value else found
        if not 0 <= found <= 1:
            raise InputError(f"`{_text(written)}`: a share of cache hits lies between 0 % and 100 %")
        odds = HitOdds(found, found)
    return Batch(Chosen(who=written.chosen), odds)


def _group(written: Written, _: Facts) -> Lever:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", written.value)
    if match is None or not float(match[1]):
        raise InputError(f"`{_text(written)}`: give the window as a time with its unit, such as group=10m")
    return Grouped(float(match[1]) * _UNITS[match[2]])


def _gate(written: Written, _: Facts) -> Lever:
    if written.value:
        raise InputError(f"`{_text(written)}`: gate takes no value")
    return Gated()


def _keepalive(written: Written, _: Facts) -> Lever:
    if not written.value.isdecimal() or not 0 < int(written.value) <= _MOST_PINGS:
        raise InputError(f"`{_text(written)}`: give the most pings, 1 to {_MOST_PINGS}, such as keepalive=3")
    return KeptAlive(int(written.value))


LEVERS: dict[str, Callable[[Written, Facts], Lever]] = {
    "model": _model,
    "effort": _effort,
    "group": _group,
    "gate": _gate,
    "keepalive": _keepalive,
    "batch": _batch,
}
"""Levers on calls by name, in the order they are applied; those on contents come after the model."""

_MARKINGS = ("place", "ttl")
_OWN = ("policy", *_MARKINGS)
_ORDER = ("model", *CONTENT_LEVERS, *(name for name in LEVERS if name != "model"))
"""The model comes first: what is taken out then, and fetched again, is of its tokens and at its prices."""
LEVER_NAMES = (*_OWN, *_ORDER)
"""Every name that a row can have."""
_FOR_SOME = frozenset({"model", "effort", "batch"})
_MANY = frozenset({"model", "effort"})
_ONE_OF = (
    frozenset({"carry", "clear", "clear-priced"}),
    frozenset({"carry", "compact", "compact-priced"}),
    frozenset({"keep-last", "drop-oldest"}),
)


def parse_row(text: str, facts: Facts) -> Row:
    """The row that `text` writes. Raises InputError with one line that names what is wrong."""
    written = [_read(part) for part in text.split("+")]
    _check_twice(written)
    single = {one.name: one for one in written if one.name in _OWN}
    for one in written:
        if one.who and one.name not in _FOR_SOME:
            raise InputError(f"`{_text(one)}`: @ is for {', '.join(sorted(_FOR_SOME))} only")
    policy = _policy(single.get("policy"))
    markings = _markings(single, policy)
    called = sorted((one for one in written if one.name not in _OWN), key=lambda one: _ORDER.index(one.name))
    levers = [_lever(one, facts) for one in called]
    ttl = single["ttl"].value if "ttl" in single else ""
    if ttl in ("5m", "1h"):
        levers = [one.living(cast(TTL, ttl)) if isinstance(one, KeptAlive) else one for one in levers]
    if policy == "none" and any(isinstance(one, KeptAlive) for one in levers):
        raise InputError(f"`{text}`: without markers there is nothing to keep alive")
    names = [f"policy={policy}"] if "policy" in single else []
    for one, lever in zip(called, levers, strict=True):
        names.append(_text(one) if one.name in CONTENT_LEVERS else lever.name)
    names += [marking.name for marking in markings]
    changes = any(one.name in CONTENT_LEVERS for one in called)
    return Row("+".join(names), policy, tuple(levers), markings, changes)


def _lever(written: Written, facts: Facts) -> Lever:
    if written.name not in CONTENT_LEVERS:
        return LEVERS[written.name](written, facts)
    try:
        return CONTENT_LEVERS[written.name](written.value)
    except InputError as fault:
        raise InputError(f"`{_text(written)}`: {fault}") from None


def _read(part: str) -> Written:
    body, _, who = part.strip().rpartition("@") if "@" in part else (part.strip(), "", "")
    match = _NAMED.fullmatch(body)
    name, value = (match[1], match[2]) if match else (body, "")
    if not name:
        raise InputError("a lever is missing: write NAME or NAME=VALUE, several joined by +")
    if name not in LEVER_NAMES:
        near = get_close_matches(name, LEVER_NAMES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(LEVER_NAMES)}"
        raise InputError(f"no lever is called {name!r}: {hint}")
    return Written(name, (value or "").strip(), who.strip())


def _check_twice(written: Sequence[Written]) -> None:
    seen = set()
    for one in written:
        key = (one.name, one.value, one.who) if one.name in _MANY else one.name
        if key in seen:
            raise InputError(f"`{_text(one)}`: {one.name} is given twice in one row")
        seen.add(key)
    for group in _ONE_OF:
        both = [one for one in written if one.name in group]
        if len(both) > 1:
            raise InputError(f"`{_text(both[1])}`: {both[0].name} does the same in its own way; take one")


def _policy(written: Written | None) -> str:
    if written is None:
        return "recorded"
    if written.value not in POLICIES:
        raise InputError(
            f"`{_text(written)}`: {_nearest(written.value, list(POLICIES), 'policy', 'policies')}"
        )
    return written.value


def _markings(single: Mapping[str, Written], policy: str) -> tuple[Marking, ...]:
    given = [single[name] for name in _MARKINGS if name in single]
    if given and policy == "scrimp":
        raise InputError(f"`{_text(given[0])}`: scrimp places its own markers; leave out policy=scrimp")
    if "ttl" in single and policy == "none" and "place" not in single:
        raise InputError(f"`{_text(single['ttl'])}`: without markers there is no lifetime; add place=tail")
    return tuple(_placement(one) if one.name == "place" else _lifetime(one) for one in given)


def _placement(written: Written) -> Marking:
    slots = [slot.strip() for slot in written.value.split(",")]
    for slot in slots:
        if slot not in SLOTS:
            raise InputError(f"`{_text(written)}`: {_nearest(slot, SLOTS, 'place', 'places')}")
    return Placement(slots)


def _lifetime(written: Written) -> Marking:
    if written.value == "scrimp":
        return ScrimpLifetimes()
    if written.value not in ("5m", "1h"):
        raise InputError(
            f"`{_text(written)}`: {_nearest(written.value, ('5m', '1h', 'scrimp'), 'ttl', 'ttls')}"
        )
    return SetLifetime(cast(TTL, written.value))


def _old(name: str, facts: Facts) -> str:
    if any(sign in name for sign in "*?"):
        return name
    return facts.resolve(_new(name, facts)).id


def _new(name: str, facts: Facts) -> str:
    if name and facts.resolve(name).known:
        return name
    raise InputError(_nearest(name, [model.id for model in facts.models], "model", "models"))


def _fraction(text: str, whole: str, what: str) -> Fraction:
    if not re.fullmatch(r"\d+(?:\.\d+)?", text):
        raise InputError(f"`{whole}`: give {what}")
    return Fraction(text)


def _nearest(name: str, names: Sequence[str], kind: str, kinds: str) -> str:
    near = get_close_matches(name, names, n=1)
    if near:
        return f"no {kind} is called {name!r}: did you mean {near[0]}?"
    return f"no {kind} is called {name!r}: {kinds} are {', '.join(names)}"


def _text(written: Written) -> str:
    value = f"={written.value}" if written.value else ""
    return f"{written.name}{value}{'@' + written.who if written.who else ''}"
