"""One finding for every cause of cache misses: what fixing it would have saved, and what that risks."""

from __future__ import annotations

from scrimp.core.audit.checklist_model import Amount, Evidence, Finding
from scrimp.core.audit.miss_settings import MISS_SETTINGS
from scrimp.core.audit.model import CauseLine, Misses, Span
from scrimp.core.causes import Cause
from scrimp.core.money import rounded

__all__ = ["miss_findings"]

_WORTH_IT = 1_000
_PLACES = 3
_SURE = "what was lost is billed; that the fix prevents every such miss is not sure"
_SAME = "None: the model reads the same prompt."
_OTHER = "The prompt changes a little: see that answers do not."
_RISKS = {
    Cause.RESUMED: "A new session does not know what the old one said.",
    Cause.SHORTENED: "What is left out is gone for the model: it may ask again.",
    Cause.CLEARED: "What is cleared is gone for the model: it may ask again.",
    Cause.MODEL_SWITCH: "Another model answers, or a sub-agent that knows only what it is told.",
    Cause.THINKING_SWITCH: "More or less thinking than was wanted for some calls.",
    Cause.EFFORT_SWITCH: "More or less effort than was wanted for some calls.",
    Cause.SPEED_SWITCH: "Some calls are slower, or dearer, than was wanted.",
    Cause.KEY_ORDER: _SAME,
    Cause.WHITESPACE: _SAME,
    Cause.LOOKBACK: _SAME,
    Cause.NO_MARKER: _SAME,
    Cause.UNCACHED: _SAME,
    Cause.CONCURRENT: "None for the answers: all but the first call begin a little later.",
}


def miss_findings(misses: Misses | None, span: Span, billed: int) -> list[Finding]:
    """A finding for each cause, in the order given; `billed` is the whole bill."""
    return [_of_cause(line, span, billed) for line in (misses.causes if misses is not None else ())]


def _of_cause(line: CauseLine, span: Span, billed: int) -> Finding:
    why_not = _why_not(line)
    saved = Amount(0, 0, 0) if why_not else Amount(line.lost // 2, line.lost, line.lost)
    return Finding(
        lever=f"miss: {line.cause}",
        title=f"Cache misses: {line.cause}",
        says=f"{line.misses:,} misses: {line.tokens:,} tokens, cached before, were paid anew for "
        f"${rounded(line.lost, 2)}",
        pays=saved.mid > _WORTH_IT,
        applies=True,
        saved=saved,
        monthly=saved.monthly(span),
        share=saved.mid / billed if billed else 0.0,
        basis="estimated",
        confidence="low" if why_not else "medium",
        because="there is nothing to change" if why_not else _SURE,
        why_not=why_not,
        risk="" if why_not else next((risk for cause, risk in _RISKS.items() if cause == line.cause), _OTHER),
        change=line.fix,
        setting=MISS_SETTINGS.get(line.cause, ""),
        evidence=tuple(Evidence(where, line.cause) for where in line.examples[:_PLACES]),
    )


def _why_not(line: CauseLine) -> str:
    """Why nothing is said to be saved, if so: there is no fix, or one that is replayed as a lever."""
    lost = f"${rounded(line.lost, 2)} was lost"
    if line.cause.startswith(Cause.EXPIRED):
        return f"{lost}; what spares such writes is replayed as a lever of its own: lifetimes, pings"
    if line.cause == Cause.UNKNOWN:
        return f"{lost} for a cause that is not known"
    if line.intended or line.fix.startswith("None"):
        said = line.fix.partition(": ")[2] or line.fix
        return f"{lost}, and there is nothing to change: {said[:1].lower()}{said[1:]}"
    return ""
