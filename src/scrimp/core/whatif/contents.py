"""Levers that change what prompts hold, as `--what-if` writes them: `clear=100k,keep=5`, `clear-priced`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches

from scrimp.core.whatif.changed import Lever
from scrimp.core.whatif.clearing import ClearThinking, ClearToolUses
from scrimp.core.whatif.clearing_priced import CarryPriced, ClearPriced, CompactPriced
from scrimp.core.whatif.compacting import Compact
from scrimp.core.whatif.trimming import DropOldest, KeepLast
from scrimp.errors import InputError

__all__ = ["CONTENT_LEVERS"]

_COUNT = re.compile(r"(\d+)(k?)")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)%")


_LEAST_COMPACTED = 50_000
"""The lowest trigger that the API takes ("Compaction")."""


class _Options:
    """What is written behind a lever's name: a first value without a name, then `NAME=VALUE`, by commas."""

    def __init__(self, value: str, *known: str) -> None:
        """`known` are the names; the first one is that of a value without. Raises InputError."""
        self._found: dict[str, str] = {}
        for number, part in enumerate(value.split(",")):
            name, equals, given = (text.strip() for text in part.partition("="))
            if number == 0 and not equals:
                name, given = known[0], name
                if not given:
                    continue
            if name not in known:
                near = get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
                raise InputError(f"nothing is called {name!r} here: {hint}")
            self._found[name] = given

    def count(self, name: str, otherwise: int) -> int:
        """A whole number above 0, written as 100000 or 100k."""
        given = self._found.get(name)
        if given is None:
            return otherwise
        match = _COUNT.fullmatch(given)
        if match is None or not int(match[1]):
            raise InputError(f"{given!r} is no number of {name}: write it as 100000 or 100k")
        return int(match[1]) * (1_000 if match[2] else 1)

    def share(self, name: str, otherwise: float) -> float:
        """A share of one, written as 5%."""
        given = self._found.get(name)
        if given is None:
            return otherwise
        match = _SHARE.fullmatch(given)
        if match is None or float(match[1]) > 100:
            raise InputError(f"{given!r} is no share for {name}: write it as 0.8% or 5%")
        return float(match[1]) / 100

    def names(self, name: str) -> frozenset[str]:
        """Names joined by `/`."""
        return frozenset(self._found.get(name, "").split("/")) - {""}


def _clear(value: str) -> Lever:
    options = _Options(value, "tokens", "keep", "at-least", "except")
    plain = ClearToolUses()
    return ClearToolUses(
        trigger=options.count("tokens", plain.trigger),
        keep=options.count("keep", plain.keep),
        clear_at_least=options.count("at-least", plain.clear_at_least),
        exclude_tools=options.names("except"),
    )


def _clear_priced(value: str) -> Lever:
    options, plain = _Options(value, "keep", "except", "risk"), ClearPriced()
    return ClearPriced(
        keep=options.count("keep", plain.keep),
        exclude_tools=options.names("except"),
        risk=options.share("risk", plain.risk),
    )


def _carry(value: str) -> Lever:
    options, plain = _Options(value, "keep", "except", "summary", "risk"), CarryPriced()
    return CarryPriced(
        keep=options.count("keep", plain.keep),
        exclude_tools=options.names("except"),
        summary=options.count("summary", plain.summary),
        risk=options.share("risk", plain.risk),
    )


def _clear_thinking(value: str) -> Lever:
    return ClearThinking(keep=_Options(value, "turns").count("turns", ClearThinking().keep))


def _compact(value: str) -> Lever:
    options, plain = _Options(value, "tokens", "summary"), Compact()
    trigger = options.count("tokens", plain.trigger)
    if trigger < _LEAST_COMPACTED:
        raise InputError(f"the API compacts from {_LEAST_COMPACTED:,} tokens on, so not at {trigger:,}")
    return Compact(trigger, options.count("summary", plain.summary))


def _compact_priced(value: str) -> Lever:
    options, plain = _Options(value, "summary", "risk"), CompactPriced()
    return CompactPriced(options.count("summary", plain.summary), options.share("risk", plain.risk))


def _keep_last(value: str) -> Lever:
    return KeepLast(_Options(value, "pairs").count("pairs", KeepLast().pairs))


def _drop_oldest(value: str) -> Lever:
    return DropOldest(_Options(value, "tokens").count("tokens", DropOldest().limit))


CONTENT_LEVERS: Mapping[str, Callable[[str], Lever]] = {
    "carry": _carry,
    "clear": _clear,
    "clear-priced": _clear_priced,
    "clear-thinking": _clear_thinking,
    "compact": _compact,
    "compact-priced": _compact_priced,
    "keep-last": _keep_last,
    "drop-oldest": _drop_oldest,
}
"""By name, from what is written behind it; each raises InputError."""
