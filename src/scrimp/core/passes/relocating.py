"""`scrimp.Relocate`: relocation as a lever, with what it remembers of conversations under way."""

from __future__ import annotations

from scrimp.core.levers import Answered, Change, Step
from scrimp.core.passes.relocate import Caller, Relocation, relocated
from scrimp.core.plan import Decision, Mode

__all__ = ["Relocate"]


class Relocate:
    """Moves system text that changes from request to request behind what stays, so that the rest is read
    from the cache. What the model reads stays the same but for its order.

        scrimp.Middleware(levers=[scrimp.Relocate()])
    """

    name = "relocate"
    mode: Mode = "save"

    def __init__(self) -> None:
        self._state = Relocation()

    def change(self, step: Step) -> Change | None:
        """The request with its volatile system text moved."""
        caller = Caller(step.tags.label, step.tags.user)
        body, moved = relocated(step.body, self._state, step.model, caller)
        if moved is None:
            return None
        what = f"{moved.moved:,} characters of system text to a {moved.form}"
        why = f"they change from request to request; {moved.kept:,} characters before them stay as they are"
        return Change(body, decisions=(Decision(self.name, self.mode, what, why, 0),))

    def answered(self, step: Step, answered: Answered) -> None:
        """Bills say nothing that requests do not."""

    def refused(self, step: Step) -> None:
        """The model is left alone from here on."""
        self._state.refused(step.model)
