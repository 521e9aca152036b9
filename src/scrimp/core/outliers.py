"""Who spends far more than their peers: users among users, runs among runs of one kind.

Spending is compared on a logarithmic scale, because it differs by factors: a peer is an outlier beyond 3.5
median absolute deviations above the median (the usual bound for modified z-scores), and only from 4 times
the median and one dollar on. Medians stay where they are whatever the outliers spend. Fewer than 8 peers
have no outliers: there is nothing to be far from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import exp, log

import msgspec

from scrimp.core.forgetting import forget_oldest
from scrimp.core.money import PICODOLLARS

__all__ = ["RULE", "Outlier", "Peers", "Rule", "outliers"]

_TO_SIGMA = 1.4826
"""Median absolute deviations of a normal distribution in one standard deviation."""

_MOST = 2**63
_LEAST_WAIT = 16
_SHARE_NEW = 8
_MOST_PEERS = 10_000


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """How far is far: at least `deviations` above the median, `times` the median, and `least` picodollars.

    `peers` is how many must have spent something for any of them to stand out.
    """

    peers: int = 8
    least: int = PICODOLLARS
    times: float = 4.0
    deviations: float = 3.5


RULE = Rule()


class Outlier(msgspec.Struct, frozen=True):
    """One that spent `amount` where half of the `peers` spent at most `typical`; picodollars."""

    name: str
    amount: int
    typical: int
    peers: int

    @property
    def times(self) -> float:
        """How many times the typical spending it is."""
        return self.amount / self.typical


def outliers(spent: Mapping[str, int], rule: Rule = RULE) -> list[Outlier]:
    """Those of `spent` (name → picodollars) that are far above the others, the dearest first."""
    typical, bound, peers = _bound(spent.values(), rule)
    found = [Outlier(name, amount, typical, peers) for name, amount in spent.items() if amount > bound]
    return sorted(found, key=lambda one: (-one.amount, one.name))


class Peers:
    """Peers whose spending grows call by call, and each that stands out told once.

    Not for several threads at once. `most` peers are remembered, those with the newest spending; a peer that
    is forgotten begins anew. For another window, make another one.
    """

    def __init__(self, rule: Rule = RULE, *, most: int = _MOST_PEERS) -> None:
        self._rule = rule
        self._most = most
        self._spent: dict[str, int] = {}
        self._newest: str | None = None
        self._told: set[str] = set()
        self._known = (0, _MOST, 0)
        self._wait = 0

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._spent)

    def add(self, name: str, amount: int) -> Outlier | None:
        """Count `amount` more for `name`; the outlier that it is from now on, else None."""
        by_name = self._spent
        if name == self._newest:
            spent = by_name[name] = by_name[name] + amount
        else:
            spent = by_name[name] = by_name.pop(name, 0) + amount
            self._newest = name
            if forget_oldest(by_name, self._most):
                self._told = {told for told in self._told if told in by_name}
        self._wait -= 1
        if self._wait < 0:
            self._look()
        if spent <= self._known[1] or name in self._told:
            return None
        self._look()  # the bound may have moved since
        typical, bound, peers = self._known
        if spent <= bound:
            return None
        self._told.add(name)
        return Outlier(name, spent, typical, peers)

    def _look(self) -> None:
        self._known = _bound(self._spent.values(), self._rule)
        self._wait = max(_LEAST_WAIT, len(self._spent) // _SHARE_NEW)


def _bound(amounts: Iterable[int], rule: Rule) -> tuple[int, int, int]:
    """What is typical, above what a peer is an outlier, and how many peers there are."""
    spent = sorted(amount for amount in amounts if amount > 0)
    if len(spent) < rule.peers:
        return 0, _MOST, len(spent)
    middle = (len(spent) - 1) // 2
    typical = spent[middle]
    centre = log(typical)
    spread = sorted(abs(log(amount) - centre) for amount in spent)[middle] * _TO_SIGMA
    above = centre + max(log(rule.times), rule.deviations * spread)
    bound = int(exp(above)) if above < log(_MOST) else _MOST
    return typical, max(bound, rule.least), len(spent)
