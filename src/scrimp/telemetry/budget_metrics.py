"""How limits stand, for Prometheus: read from the store when it is asked, not kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from scrimp.core.budget import EACH, Standing
from scrimp.core.money import usd
from scrimp.telemetry.exposition import Exposition

__all__ = ["expose_budgets"]

_MEMBERS = 100
"""Of a limit that counts each member by itself, the members shown: those that spent most."""

_AMOUNTS: tuple[tuple[str, str, Callable[[Standing], int]], ...] = (
    ("scrimp_budget_limit_dollars", "What may be spent in the window.", lambda s: s.limit.amount),
    ("scrimp_budget_spent_dollars", "Spent in the window.", lambda s: s.spent),
    ("scrimp_budget_held_dollars", "Held for calls under way.", lambda s: s.held),
    ("scrimp_budget_unsettled_dollars", "The part of it that no bill says.", lambda s: s.unsettled),
    ("scrimp_budget_overrun_dollars", "Billed beyond what was held.", lambda s: s.overrun),
)


def expose_budgets(standings: Sequence[Standing], into: Exposition) -> None:
    """Write every limit, dearest first as they come; of one for each member, the dearest 100 of them."""
    shown: list[Standing] = []
    members: Counter[str] = Counter()
    for standing in standings:
        limit = standing.limit
        members[limit.id] += 1
        if limit.scope.name != EACH or members[limit.id] <= _MEMBERS:
            shown.append(standing)
    for name, about, amount in _AMOUNTS:
        into.family(name, "gauge", about, [(_labels(one), usd(amount(one))) for one in shown])
    into.family(
        "scrimp_budget_members_not_shown",
        "gauge",
        "Members of limits for each that are left out here.",
        [({}, len(standings) - len(shown))],
    )


def _labels(standing: Standing) -> dict[str, str]:
    return {
        "limit": standing.limit.id,
        "scope": str(standing.scope),
        "window": standing.limit.window,
        "zone": standing.limit.zone,
    }
