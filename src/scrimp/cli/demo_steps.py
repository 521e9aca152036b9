"""What each request of a run carried: every token belongs to the tools, the system prompt, or the history."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from scrimp.cli.html.values import Split, Step
from scrimp.core.cache import Outcome
from scrimp.core.prompt import Digest
from scrimp.core.replay import Measured
from scrimp.wire.request import Block

__all__ = ["run_steps"]


def run_steps(
    calls: Sequence[Measured], planned: Sequence[Outcome], cacheless: Container[str]
) -> Iterator[Step]:
    """One `Step` for each call of a run, in order; `planned` is how the same prompts are paid with scrimp.

    Outside tools and system, what an earlier call of the run already carried at the same place is earlier,
    the rest is new. `cacheless` holds where calls are recorded that went to a provider without a cache: a
    bill of theirs that does not speak of the cache is one at full price.
    """
    carried: set[Digest] = set()
    for index, (measured, outcome) in enumerate(zip(calls, planned, strict=True), start=1):
        prompt, usage = measured.call.prompt, measured.call.usage
        split_known = usage.reports_cache or measured.call.where in cacheless
        parts = dict.fromkeys(("tools", "system", "earlier_messages", "earlier_results", "new"), 0)
        before = 0
        for block, prefix, end in zip(prompt.blocks, prompt.prefixes, measured.ends, strict=True):
            parts[_category(block, earlier=prefix in carried)] += end - before
            before = end
        parts["new"] += usage.total_input - before
        carried.update(prompt.prefixes)
        yield Step(
            index=index,
            **parts,
            plain=usage.input_tokens,
            write=usage.cache_creation_input_tokens if split_known else None,
            read=usage.cache_read_input_tokens if split_known else None,
            planned=Split(outcome.plain, outcome.written, outcome.read),
        )


def _category(block: Block, *, earlier: bool) -> str:
    if block.section != "messages":
        return block.section
    if not earlier:
        return "new"
    return "earlier_results" if block.depth or block.kind.endswith("tool_result") else "earlier_messages"
