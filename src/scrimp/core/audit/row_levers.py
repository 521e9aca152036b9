"""Levers that are judged by replaying the calls: each alone, and those that pay together.

A figure is the difference of two replays through one model, in which most of the model's error falls out.
What is left is bounded by the error that the model showed on the source, as a share of those calls for which
the two replays differ at all.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from fractions import Fraction

import msgspec

from scrimp.core.audit.candidates import Candidate, candidates
from scrimp.core.audit.replays import Replays, Sourced
from scrimp.core.audit.weighed import Evidences, Weighed
from scrimp.core.money import usd
from scrimp.core.summary import billed_input
from scrimp.core.whatif.changed import Removed
from scrimp.facts.models import Facts

__all__ = ["RowSums", "Total"]

_SAMPLED = (
    "large sources: some runs were replayed and scaled up, what their halves differ by is in the interval"
)
_NOT_READ = "so nothing of them can be missed"
"""Ends a note with a share that is another one in every source: told by the regret itself."""
_ONE_ROUTE = "one-route"
_NAMED = 3
_VARIABLE = "export "


class Total:
    """Levers replayed together over all sources, and what each of them was worth alone where it was taken."""

    def __init__(self) -> None:
        self.sum = _Sum()
        self.singly: dict[str, int] = {}


class _Sum:
    """The difference that a row makes, over all sources."""

    def __init__(self) -> None:
        self._mid = 0
        self._below = self._above = Fraction(0)
        self._cases = self._untimed = 0
        self._touched = self._margin = Fraction(0)
        self._gone: dict[str, None] = {}
        self._removed: Removed | None = None
        self._notes: dict[str, None] = {}
        self._settings: dict[str, dict[str, int]] = {}
        self._evidence = Evidences()

    def add(self, replays: Replays, levers: Sequence[Candidate]) -> tuple[int, bool]:
        """Take what levers make of one source; returns what they save there, picodollars, and if surely."""
        found = replays.of(levers)
        saved = touched = spread = cases = 0
        before = replays.of(())
        for place, one in enumerate(replays.source.counted):
            difference = before.costs[place] - found.costs[place]
            if difference or before.reads[place] != found.reads[place]:
                saved, spread, cases = saved + difference, spread + found.spread[place], cases + 1
                touched += max(before.costs[place], found.costs[place])
                self._untimed += not one.call.timed
                self._evidence.add(one.call.where, f"${usd(before.costs[place])} as recorded", difference)
        scale, removed = replays.scale, found.removed
        refetched = removed.charged if removed is not None else 0
        doubt = max(one.doubt for one in levers) * touched + refetched
        margin = replays.source.error * touched * scale + replays.sampling_error(levers)
        saved = round(saved * scale)
        self._mid += saved
        self._below += margin + doubt * scale
        self._touched += touched * scale
        self._margin += replays.source.error * touched * scale
        self._gone.update(dict.fromkeys(model for lever in levers for model in lever.gone))
        self._above += margin + (doubt + spread) * scale
        self._cases += round(cases * scale)
        if removed is not None:
            self._removed = removed if self._removed is None else self._removed + removed
        self._notes.update(dict.fromkeys(note for note in found.notes if not note.endswith(_NOT_READ)))
        for line in (line for lever in levers for line in lever.settings):
            values = self._settings.setdefault(_set_by(line), {})
            values[line] = values.get(line, 0) + saved
        if scale > 1:
            self._notes[_SAMPLED] = None
        return saved, saved > margin + doubt * scale

    def add_routes(self, replays: Replays) -> int:
        """Take what balanced runs were billed beyond what they cost on one route, and return it."""
        source, on_one = replays.source, replays.of(())
        touched = saved = 0
        for one, cost in zip(source.counted, on_one.costs, strict=True):
            if one.call.run in source.balanced:
                billed = billed_input(one) + one.call.usage.output_tokens * one.rates.output
                saved += billed - cost
                self._cases += 1
                touched += cost
                self._evidence.add(one.call.where, f"${usd(cost)} on one route", billed - cost)
        margin = source.error * touched
        self._mid += saved
        self._below += margin
        self._above += margin
        return saved

    def _says(self) -> str:
        """What to say first where models are retired; else nothing that is not said of every lever."""
        if not self._gone:
            return ""
        models = sorted(self._gone)
        more = f" and {len(models) - _NAMED} more" if len(models) > _NAMED else ""
        first = f"no longer served, or soon: {', '.join(models[:_NAMED])}{more}"
        return f"{first}; {self._cases:,} calls would have been billed otherwise"

    def weighed(self, lever: str) -> Weighed:
        """The lever's worth."""
        lines = [max(values, key=values.__getitem__) for values in self._settings.values()]
        return Weighed(
            lever=lever,
            low=self._mid - round(self._below),
            mid=self._mid,
            high=self._mid + round(self._above),
            cases=self._cases,
            evidence=tuple(one for one in self._evidence.result() if one.amount > 0),
            removed=self._removed,
            says=self._says(),
            notes=tuple(self._notes),
            off=float(self._margin / self._touched) if self._touched else 0.0,
            untimed=2 * self._untimed > self._cases,
            setting="\n".join(sorted(lines, key=lambda line: not line.startswith(_VARIABLE))),
        )


class _Alone(msgspec.Struct, frozen=True):
    """A lever alone on one source; `surely` says that it saves there at the low end of its interval too."""

    candidate: Candidate
    saved: int
    surely: bool


class RowSums:
    """Replays the levers, source by source."""

    def __init__(
        self,
        facts: Facts,
        advance: Callable[[], None] = lambda: None,
        only: Container[str] | None = None,
    ) -> None:
        """`only` has the levers to replay (None: all there are)."""
        self._facts = facts
        self._only = only
        self._advance = advance
        self._sums: dict[str, _Sum] = {}
        self.together = Total()
        self.bolder = Total()

    def take(self, source: Sourced) -> None:
        """Replay every lever on one source."""
        replays = Replays(source)
        routed = self._sums.setdefault(_ONE_ROUTE, _Sum()).add_routes(replays)
        sample = replays.sample()
        alone: list[_Alone] = []
        for candidate in candidates(source.calls, self._facts):
            if self._only is not None and candidate.lever not in self._only:
                continue
            total = self._sums.setdefault(candidate.lever, _Sum())
            where = sample if candidate.slow else replays
            alone.append(_Alone(candidate, *total.add(where, [candidate])))
            self._advance()
        sure = [one for one in alone if one.surely and not one.candidate.told]
        safe = _chosen(replays, [one for one in sure if not one.candidate.bold], [])
        _keep(self.together, replays, safe)
        _keep(self.bolder, sample, _chosen(sample, [one for one in sure if one.candidate.bold], safe))
        for whole in (self.together, self.bolder) if routed > 0 else ():
            whole.sum.add_routes(replays)  # the levers were replayed on one route, so this is on top
            whole.singly[_ONE_ROUTE] = whole.singly.get(_ONE_ROUTE, 0) + routed

    def weighed(self) -> list[Weighed]:
        """Every lever's worth."""
        return [one.weighed(lever) for lever, one in self._sums.items()]


def _set_by(line: str) -> str:
    """What a line sets: of a variable that sources set otherwise only one value can be had."""
    return line.partition("=")[0] if line.startswith(_VARIABLE) else line


def _chosen(replays: Replays, more: Sequence[_Alone], chosen: Sequence[_Alone]) -> list[_Alone]:
    """`chosen` and those of `more` that still pay on top, the most valuable tried first."""
    found = list(chosen)
    least = replays.cost([one.candidate for one in found])
    for one in sorted(more, key=lambda one: -one.saved):
        if one.candidate.instead_of in {other.candidate.instead_of for other in found} - {None}:
            continue
        cost = replays.cost([other.candidate for other in (*found, one)])
        if cost < least:
            found, least = [*found, one], cost
    return found


def _keep(total: Total, replays: Replays, levers: Sequence[_Alone]) -> None:
    if levers:
        total.sum.add(replays, [one.candidate for one in levers])
    for one in levers:
        total.singly[one.candidate.lever] = total.singly.get(one.candidate.lever, 0) + one.saved
