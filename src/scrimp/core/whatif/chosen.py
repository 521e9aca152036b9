"""Which calls a lever is for: those of a model, of an agent's label, of a run."""

from __future__ import annotations

from fnmatch import fnmatchcase

import msgspec

from scrimp.core.recorded import RecordedCall

__all__ = ["EVERY", "Chosen"]


class Chosen(msgspec.Struct, frozen=True):
    """Calls by patterns with `*` and `?`: of the model's id, and of the label or the run."""

    model: str = "*"
    who: str = "*"

    def takes(self, call: RecordedCall) -> bool:
        """Whether the call is one of them."""
        if self.model != "*" and not fnmatchcase(call.model.id, self.model):
            return False
        return self.who == "*" or fnmatchcase(call.label or "", self.who) or fnmatchcase(call.run, self.who)

    @property
    def everything(self) -> bool:
        """Whether no call is left out."""
        return self == EVERY

    def __str__(self) -> str:
        who = "" if self.who == "*" else f" of {self.who}"
        return f"{'every call' if self.model == '*' else f'calls to {self.model}'}{who}"


EVERY = Chosen()
