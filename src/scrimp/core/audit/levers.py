"""All levers of the checklist, fed with the same calls."""

from __future__ import annotations

from collections.abc import Callable, Container

from scrimp.core.audit.bills import BillSums
from scrimp.core.audit.checklist import checklist
from scrimp.core.audit.checklist_model import Checklist
from scrimp.core.audit.loops import StepSums
from scrimp.core.audit.model import Misses, Span
from scrimp.core.audit.replays import Sourced
from scrimp.core.audit.results import ResultSums
from scrimp.core.audit.row_levers import RowSums
from scrimp.core.audit.sub_agents import SubAgentSums
from scrimp.core.audit.tool_sets import ToolSetSums
from scrimp.core.audit.walk import Walked
from scrimp.facts.models import Facts

__all__ = ["LeverSums"]


class LeverSums:
    """Adds up every lever, source by source: `add` each call that counts, then `end_source`."""

    def __init__(
        self,
        facts: Facts,
        advance: Callable[[], None] = lambda: None,
        only: Container[str] | None = None,
    ) -> None:
        """`only` has the levers to replay (None: all there are)."""
        self.bills = BillSums()
        self._rows = RowSums(facts, advance, only)
        self._steps = StepSums()
        self._tools = ToolSetSums()
        self._agents = SubAgentSums()

    def add(self, walked: Walked) -> None:
        """Take one call of the source being walked."""
        self._steps.add(walked)
        self._tools.add(walked)
        self._agents.add(walked)

    def end_source(self) -> None:
        """The source is over."""
        self._steps.end_source()
        self._tools.end_source()
        self._agents.end_source()

    def replay(self, source: Sourced) -> None:
        """Take one source for the levers that are replayed."""
        self._rows.take(source)

    def saved_by_an_hour(self) -> int | None:
        """What writing everything for an hour would have saved, replayed; picodollars."""
        return next((one.mid for one in self._rows.weighed() if one.lever == "ttl-1h"), None)

    def result(self, results: ResultSums, misses: Misses | None, span: Span, billed: int) -> Checklist:
        """The checklist; `billed` is the whole bill."""
        weighed = [
            *self._rows.weighed(),
            *self._steps.weighed(),
            *self.bills.weighed(),
            self._tools.weighed(),
            self._agents.weighed(),
            results.repeated(),
            results.offloaded(),
        ]
        return checklist(weighed, misses, (self._rows.together, self._rows.bolder), span, billed)
