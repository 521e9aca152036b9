"""What a plan comes to, as something to compare."""

from __future__ import annotations

import msgspec

from scrimp.core.plan import Decision, Plan

__all__ = ["decided"]


def decided(plan: Plan) -> tuple[Plan, tuple[Decision, ...]]:
    """The plan and its reasons, without the situation: that holds what was asked, which is nobody else's."""
    return msgspec.structs.replace(plan, situation=None), plan.decisions
