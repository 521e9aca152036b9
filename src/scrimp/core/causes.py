"""Why a cached prefix was not read: the causes, their fixes, and one diagnosis as a value."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from scrimp.core.changes import Change, Kind
from scrimp.core.money import usd
from scrimp.core.settings import Setting

__all__ = ["FIXES", "Cause", "Diagnosis", "agreement", "cause_of_change", "cause_of_switch"]


class Cause(StrEnum):
    """Why what should have been read was not."""

    TIMESTAMP = "timestamp in the prefix"
    UUID = "UUID in the prefix"
    RANDOM_ID = "random id in the prefix"
    KEY_ORDER = "key order"
    WHITESPACE = "whitespace"
    TOOLS_CHANGED = "tool set changed"
    TOOL_ORDER = "tool order"
    TOOL_EDITED = "tool definition edited"
    SYSTEM_EDITED = "system edited"
    MESSAGE_EDITED = "message edited"
    SHORTENED = "history shortened"
    COMPACTED = "history compacted"
    CLEARED = "history cleared by the server"
    RESUMED = "session resumed"
    INTERRUPTED = "turn interrupted"
    THINKING_DROPPED = "old thinking dropped"
    IMAGE = "image added"
    MODEL_SWITCH = "model switch"
    SPEED_SWITCH = "speed switch"
    EFFORT_SWITCH = "effort switch"
    THINKING_SWITCH = "thinking switch"
    TOOL_CHOICE_SWITCH = "tool_choice switch"
    FORMAT_SWITCH = "output format switch"
    BUDGET_SWITCH = "task budget switch"
    EXPIRED = "TTL expired"
    LOOKBACK = "beyond the lookback"
    BELOW_MINIMUM = "below the model's minimum"
    NO_MARKER = "no marker"
    CONCURRENT = "concurrent writer not started"
    SETTLING = "written too recently to be read"
    EVICTED = "evicted early"
    UNCACHED = "served without a cache"
    FIRST = "first call"
    UNKNOWN = "unknown"


FIXES: dict[Cause, str] = {
    Cause.TIMESTAMP: "Move the time behind the last marker, into the newest user message, or drop it.",
    Cause.UUID: "Leave the UUID out of the prompt, or put it behind the last marker.",
    Cause.RANDOM_ID: "Make the id the same for every call, or put it behind the last marker.",
    Cause.KEY_ORDER: "Serialise with one fixed order of keys (json.dumps(…, sort_keys=True)) and sort sets.",
    Cause.WHITESPACE: "Render the text the same way each time: one formatter, one kind of line ending.",
    Cause.TOOLS_CHANGED: "Send the same tools on every call of a conversation; say in a message what to use.",
    Cause.TOOL_ORDER: "Sort the tools by name before sending them.",
    Cause.TOOL_EDITED: "Keep tool definitions constant; put what changes into a message.",
    Cause.SYSTEM_EDITED: "Keep the system prompt constant; put what changes into the newest user message.",
    Cause.MESSAGE_EDITED: "Append to the history instead of editing it.",
    Cause.SHORTENED: "Trim rarely and much at a time, or let the API clear old tool results.",
    Cause.COMPACTED: "None needed: a compaction pays with one write for every shorter call after it.",
    Cause.CLEARED: "Clear rarely and much at a time: set clear_at_least in context_management.",
    Cause.RESUMED: "Resume within the TTL, or start the next task in a new session.",
    Cause.INTERRUPTED: "None: the client rewrites the turn that was interrupted.",
    Cause.THINKING_DROPPED: "None on this model: it drops thinking of earlier turns; newer models keep it.",
    Cause.IMAGE: "Send images from the first call on, or as text or a file the agent reads.",
    Cause.MODEL_SWITCH: "Stay on one model within a conversation, or let a sub-agent ask the other one.",
    Cause.SPEED_SWITCH: "Keep one speed within a conversation.",
    Cause.EFFORT_SWITCH: "Keep one effort within a conversation, or set it per message where the model can.",
    Cause.THINKING_SWITCH: "Keep thinking as it is for the whole conversation.",
    Cause.TOOL_CHOICE_SWITCH: "Keep tool_choice as it is; say in the newest message which tool to use.",
    Cause.FORMAT_SWITCH: "Keep one output format within a conversation.",
    Cause.BUDGET_SWITCH: "Keep one task budget within a conversation.",
    Cause.EXPIRED: "Use the 1h TTL where gaps last 5 to 60 minutes, or keep the entry alive.",
    Cause.LOOKBACK: "Add a marker within 20 blocks of the last one written: long turns need one in between.",
    Cause.BELOW_MINIMUM: "None while the prompt is this short: the model caches longer prefixes only.",
    Cause.NO_MARKER: "Put a cache_control marker at the end of what stays the same, as safe mode does.",
    Cause.CONCURRENT: "Send one call first and the rest once its response has begun (scrimp.fanout).",
    Cause.SETTLING: "None: the provider had not made the last entry readable yet.",
    Cause.EVICTED: "None: the entry was gone before its time, or the call was served elsewhere.",
    Cause.UNCACHED: "Send all calls of a conversation to one provider that caches.",
    Cause.FIRST: "None: somebody has to write the prefix first.",
    Cause.UNKNOWN: "Compare this request with the one before it.",
}

_OF_CHANGE: dict[Kind, Cause] = {
    Kind.TIMESTAMP: Cause.TIMESTAMP,
    Kind.UUID: Cause.UUID,
    Kind.RANDOM_ID: Cause.RANDOM_ID,
    Kind.KEY_ORDER: Cause.KEY_ORDER,
    Kind.WHITESPACE: Cause.WHITESPACE,
    Kind.IMAGE: Cause.IMAGE,
    Kind.THINKING: Cause.THINKING_DROPPED,
}
_EDITED = {
    "tools": Cause.TOOL_EDITED,
    "system": Cause.SYSTEM_EDITED,
    "messages": Cause.MESSAGE_EDITED,
}
_OF_SWITCH: dict[Setting, Cause] = {
    "model": Cause.MODEL_SWITCH,
    "speed": Cause.SPEED_SWITCH,
    "format": Cause.FORMAT_SWITCH,
    "tool_choice": Cause.TOOL_CHOICE_SWITCH,
    "thinking": Cause.THINKING_SWITCH,
    "effort": Cause.EFFORT_SWITCH,
    "task_budget": Cause.BUDGET_SWITCH,
}
_VERDICTS: dict[str, frozenset[Cause]] = {
    "model_changed": frozenset({Cause.MODEL_SWITCH, Cause.SPEED_SWITCH}),
    "tools_changed": frozenset({Cause.TOOLS_CHANGED, Cause.TOOL_ORDER, Cause.TOOL_EDITED}),
    "system_changed": frozenset({Cause.SYSTEM_EDITED, Cause.FORMAT_SWITCH}),
    "messages_changed": frozenset(
        {
            Cause.MESSAGE_EDITED,
            Cause.SHORTENED,
            Cause.COMPACTED,
            Cause.CLEARED,
            Cause.THINKING_DROPPED,
            Cause.IMAGE,
            Cause.EFFORT_SWITCH,
            Cause.THINKING_SWITCH,
            Cause.TOOL_CHOICE_SWITCH,
            Cause.BUDGET_SWITCH,
        }
    ),
}
"""What the API says of a miss ("Cache diagnostics"), and the causes that mean the same."""

_NO_BUST = frozenset({Cause.FIRST, Cause.NO_MARKER, Cause.BELOW_MINIMUM, Cause.UNCACHED})
_INTENDED = frozenset({Cause.COMPACTED, Cause.CLEARED, Cause.THINKING_DROPPED})
"""What comes with a shorter prompt, by the caller's own wish or by the model's rules: no reason for alarm."""
_NO_REASON = _NO_BUST | _INTENDED


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """Why one call did not read what it should have.

    `promised` and `read` are tokens: what would have been read had nothing gone wrong, and what was (where
    `foreseen`: will be). `lost` is picodollars, against reading the difference at that day's rates. `change`
    is what differs from the request before, where something does. `written` says that the promise was a
    cache entry somebody paid for. `provider` is the API's own verdict, `agrees` whether it says the same
    (None: it was not asked, or does not know). `quiet` says that this cause was told already and the
    conversation has not read what it should since.
    """

    cause: Cause
    promised: int
    read: int
    lost: int
    detail: str = ""
    change: Change | None = None
    also: tuple[Cause, ...] = ()
    foreseen: bool = False
    written: bool = True
    provider: str | None = None
    agrees: bool | None = None
    quiet: bool = False

    @property
    def bust(self) -> bool:
        """Whether an entry that was paid for was not read."""
        return self.written and self.cause not in _NO_BUST

    @property
    def alarming(self) -> bool:
        """Whether to tell somebody: a bust that nobody asked for and that was not told before."""
        return self.unwanted and not self.quiet

    @property
    def unwanted(self) -> bool:
        """Whether it is a bust that nobody asked for."""
        return self.written and self.cause not in _NO_REASON

    def foretold_by(self, foreseen: Diagnosis | None) -> bool:
        """Whether this miss was told before the call was sent."""
        return foreseen is not None and foreseen.bust and foreseen.cause is self.cause

    @property
    def fix(self) -> str:
        """What to do about it, in one sentence."""
        return FIXES[self.cause]

    @property
    def path(self) -> str:
        """The first block that differs, dotted (`system.0`); empty where none does."""
        return self.change.path if self.change is not None else ""

    def describe(self, *, excerpts: bool = False) -> str:
        """A few lines for people. Without `excerpts` there is no prompt text in it."""
        place = f" at {self.change.where}" if self.change is not None else ""
        tokens = f"{self.read:,} of {self.promised:,} tokens"
        if self.foreseen:
            said = f"{tokens} will be read from the cache, about ${usd(self.lost)} is lost"
        else:
            said = f"{tokens} were read from the cache, ${usd(self.lost)} was lost"
        lines = [f"{self.cause}{place}: {said}"]
        if self.detail:
            lines.append(f"  {self.detail}")
        if excerpts and self.change is not None and (self.change.before or self.change.after):
            lines.append(f"  before: {self.change.before!r}")
            lines.append(f"  now:    {self.change.after!r}")
        if self.provider is not None:
            agreed = {True: ", and so do we", False: ", we do not", None: ""}[self.agrees]
            lines.append(f"  the provider says {self.provider}{agreed}")
        lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


def cause_of_change(change: Change) -> Cause:
    """The cause that a changed block is."""
    named = _OF_CHANGE.get(change.kind)
    if named is not None:
        return named
    if change.section == "tools" and change.kind in (Kind.ADDED, Kind.REMOVED):
        return Cause.TOOLS_CHANGED
    if change.kind is Kind.ORDER:
        return Cause.TOOL_ORDER
    if change.section == "messages" and change.kind is Kind.REMOVED:
        return Cause.SHORTENED
    return _EDITED[change.section]


def cause_of_switch(setting: Setting) -> Cause:
    """The cause that a switched setting is."""
    return _OF_SWITCH[setting]


def agreement(diagnosis: Diagnosis, verdict: str) -> bool | None:
    """Whether the API's verdict says the same; None where it does not know.

    `verdict` begins with the type of reason ("Cache diagnostics").
    """
    kind = verdict.split(",", 1)[0].strip()
    if kind not in _VERDICTS:
        return None
    if diagnosis.cause in _VERDICTS[kind]:
        return True
    change = diagnosis.change
    return change is not None and kind == f"{change.section}_changed"
