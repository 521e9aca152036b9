"""Settings of a workload that change nothing beside its others, so that nobody believes they were counted."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from scrimp.core.estimate.workload import Workload

__all__ = ["unused"]


def unused(work: Workload, given: Collection[str] | None = None) -> Iterator[str]:
    """One sentence, or none; `given` are the fields that were said (None: those unlike their defaults)."""
    plain = Workload()
    said = [
        name
        for name in Workload.__struct_fields__
        if (getattr(work, name) != getattr(plain, name) if given is None else name in given)
    ]
    idle = dict(_idle(work))
    found = [f"{name} {idle[name]}" for name in said if name in idle]
    if found:
        yield f"Not used: {', '.join(found)}."


def _idle(work: Workload) -> Iterator[tuple[str, str]]:
    """Fields that say nothing here, each with what is missing."""
    if work.steps == 1:
        yield from ((name, "in a single call") for name in ("tool_calls", "tool_result", "growth"))
    elif not work.tool_calls:
        yield "tool_result", "without tool_calls"
    if work.clear_above is None:
        clearing = ("clear_keep", "clear_at_least", "clear_leaves")
        yield from ((name, "without clear_above") for name in clearing)
    if work.caching == "none":
        yield from ((name, "with caching none") for name in ("ttl", "batch_hits", "first_alone"))
    if work.caching in ("none", "auto"):
        yield "prefix_ttl", f"with caching {work.caching}"
    if not work.batch:
        yield "batch_hits", "without batch"
    if work.fanout == 1:
        yield "first_alone", "without fanout"
