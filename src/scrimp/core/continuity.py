"""What a client's next call will read from the cache, told from its earlier bills alone.

Where a transcript holds no system prompt and no tools, prefixes cannot be compared block by block. What is
left is continuity: a call extends the call before it, so it reads what that one read and wrote, unless
something the transcript shows broke the prefix, or the entry outlived its TTL. How much of the hidden static
prefix survives a break is learned from the bills of earlier calls.

Everything is causal: `predict` knows the calls settled before it, and of its own call no more than the total
input. Sources: the provider's prompt caching page; where it is silent, billed sessions (said at each rule).
"""

from __future__ import annotations

from enum import StrEnum
from itertools import chain, product

import msgspec

__all__ = ["Bill", "Cause", "Continuity", "Forecast", "Scope", "Step"]

LOOKBACK = 20
"""Positions a marker tests for an earlier entry, itself included."""

GRACE = 12.0
"""Seconds by which recorded times are off and evictions late: billed sessions read entries up to 8 s beyond
their TTL, counted from the request that used them last, and none from 23 s on."""

SHRUNK = 300
"""A prompt this many tokens below the known prefix cannot contain it: history was edited."""

READ_AHEAD_UNCACHED = 10_000
READ_AHEAD_DELAY = 5.0
"""After a turn some clients call the model once more over the same prefix (to suggest a next prompt), unless
much of it was uncached (tokens); the call takes some seconds. Seen after two of three finished turns."""

TURN_OVERHEAD = 6
AFTER_LAST_MARKER = 3
BYTES_PER_TOKEN = 3.6


class Cause(StrEnum):
    """Why the predicted read is what it is."""

    FIRST = "first call"
    CONTINUES = "continues"
    READ_AHEAD = "read ahead"
    EXPIRED = "expired"
    COMPACTION = "compaction"
    EDITED = "edited history"
    RESUMED = "resumed"
    MODEL_SWITCH = "model switch"
    THINKING_SWITCH = "thinking switch"
    EFFORT_SWITCH = "effort switch"
    NEW_TOOLS = "new tools"
    LOOKBACK = "beyond the lookback"


SURVIVORS: dict[Cause, tuple[str, ...]] = {
    Cause.FIRST: ("first", "idle"),
    Cause.EXPIRED: ("idle", "first"),
    Cause.MODEL_SWITCH: ("idle", "first"),
    Cause.COMPACTION: ("edited", "seen"),
    Cause.EDITED: ("edited", "seen"),
    Cause.RESUMED: ("seen",),
    Cause.THINKING_SWITCH: ("seen",),
    Cause.EFFORT_SWITCH: ("seen",),
    Cause.NEW_TOOLS: ("seen",),
    Cause.LOOKBACK: ("seen",),
}
"""Which observations tell what survives a break, best first: after a first call, after idling (both may be
nothing at all), after an edit (somewhat beyond the system prompt), or the last that was not nothing."""


CUTS = (Cause.EXPIRED, Cause.COMPACTION, Cause.EDITED, Cause.RESUMED)
"""Breaks after which whatever was still read is what survived."""


class Scope(msgspec.Struct, frozen=True):
    """Who calls: the closer two scopes, the more of the static prefix they share.

    `folder` is the working directory (system prompts name it), `workspace` whoever shares a cache.
    """

    session: str
    folder: str
    workspace: str
    model: str
    version: str
    main: bool


class Step(msgspec.Struct, frozen=True):
    """A call before it is answered. Times in epoch seconds, sizes in tokens unless said otherwise.

    `at` is the request's start, `total` its total input. `begins` says that no earlier call was left out of
    the recording. `prompted` says a person typed after a finished turn, `typed_bytes` what came in with it;
    `answer` is the length of the parent's answer where known.
    `touched_at` is when the client was seen to use the prefix on its own since. `thinking` is the request's
    setting where known; `drops_thinking` says the model loses older thinking at a new prompt. `blocks`
    counts content blocks since the parent, its answer (`answer_blocks`) included, `one_marker` says that no
    marker but the last is among the messages; `unmarked` is what lies beyond the last marker.
    """

    id: str
    parent: str | None
    scope: Scope
    at: float
    total: int
    begins: bool = True
    prompted: bool = False
    typed_bytes: int = 0
    answer: int | None = None
    touched_at: float | None = None
    thinking: bool | None = None
    drops_thinking: bool = False
    planning: bool = False
    compacted: bool = False
    resumed: bool = False
    switches_effort: bool = False
    loads_tools: bool = False
    one_marker: bool = False
    blocks: int = 2
    answer_blocks: int = 1
    unmarked: int = 0


class Bill(msgspec.Struct, frozen=True):
    """What a call was billed, in tokens, and when its answer ended (epoch seconds)."""

    read: int
    write_5m: int
    write_1h: int
    plain: int
    ended_at: float

    @property
    def written(self) -> int:
        """Tokens written at either lifetime."""
        return self.write_5m + self.write_1h

    @property
    def prefix(self) -> int:
        """The cached length the call leaves behind."""
        return self.read + self.written


class Forecast(msgspec.Struct, frozen=True):
    """The predicted read and write, why, and the read that a plain continuation would give (tokens)."""

    read: int
    write: int
    cause: Cause
    expected: int


class Known(msgspec.Struct, frozen=True):
    """A settled call: what it was billed, how long its entry lives, the thinking setting it ran with."""

    step: Step
    bill: Bill
    ttl: float
    thinking: bool | None


class Continuity:
    """Predicts calls and learns from every settled one. One instance per corpus, calls in time order."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}
        self._survived: dict[tuple[str, ...], int] = {}
        self._habits: dict[tuple[str, ...], bool] = {}

    def known(self, call: str | None) -> Known | None:
        """The settled call of that id."""
        return self._known.get(call or "")

    def predict(self, step: Step) -> Forecast:
        """The read and write of `step` as its history tells them."""
        parent = self.known(step.parent)
        cause = self._cause(step, parent) if parent is not None else Cause.FIRST
        expected = parent.bill.prefix if parent is not None else 0
        if parent is None:
            read = self._survives(step, cause)
        elif cause is Cause.CONTINUES:
            read = expected
        elif cause is Cause.READ_AHEAD:
            read = _read_ahead(step, parent)
        else:
            reverted = self._same_setting(step, parent) if cause is Cause.THINKING_SWITCH else 0
            read = min(reverted or self._survives(step, cause), expected)
        read = min(read, step.total)
        plain = AFTER_LAST_MARKER + step.unmarked
        return Forecast(read, max(step.total - read - plain, 0), cause, expected)

    def _cause(self, step: Step, parent: Known) -> Cause:
        ahead = self._asks_ahead(step, parent)
        reads_ahead = ahead and step.at - parent.bill.ended_at >= READ_AHEAD_DELAY
        idle = step.at - _refreshed_at(step, parent, ahead=ahead)
        shrunk = step.total < parent.bill.prefix - SHRUNK
        causes = (
            (Cause.COMPACTION, step.compacted),
            (Cause.MODEL_SWITCH, step.scope.model != parent.step.scope.model),
            (Cause.EXPIRED, idle > parent.ttl + GRACE),
            (Cause.RESUMED, step.resumed),
            # A model that drops older thinking gets a shorter prompt, which the client's own call had cached.
            (Cause.EDITED, shrunk and not (step.drops_thinking and reads_ahead)),
            (Cause.THINKING_SWITCH, _switches(step, parent) and self._habit("thinking", step, default=True)),
            (Cause.EFFORT_SWITCH, step.switches_effort),
            (Cause.NEW_TOOLS, step.loads_tools),
            (Cause.LOOKBACK, step.one_marker and step.blocks > LOOKBACK),
            (Cause.READ_AHEAD, reads_ahead),
        )
        return next((cause for cause, holds in causes if holds), Cause.CONTINUES)

    def _asks_ahead(self, step: Step, parent: Known) -> bool:
        return _may_ask_ahead(step, parent) and self._habit("ahead", step, default=True)

    def _same_setting(self, step: Step, parent: Known) -> int:
        """Where the nearest entry with this thinking setting ends, if a marker can still find it; else 0."""
        above, below, distance = parent, step, step.blocks
        while above.thinking != step.thinking:
            next_above = self.known(above.step.parent)
            if next_above is None:
                return 0
            above, below = next_above, above.step
            distance += below.blocks
        if step.at - above.step.at > above.ttl + GRACE:
            return 0
        if below is not step and self._asks_ahead(below, above):
            end, distance = _read_ahead(below, above), distance - below.answer_blocks
        else:
            end = above.bill.prefix
        return end if distance <= LOOKBACK else 0

    def _survives(self, step: Step, cause: Cause) -> int:
        """The hidden prefix that survives `cause`, as last billed in the nearest scope that has a bill."""
        for nearest in _static_keys(step.scope):
            for kind, key in product(SURVIVORS[cause], nearest):
                if (kind, *key) in self._survived:
                    return self._survived[kind, *key]
        return 0

    def _habit(self, habit: str, step: Step, *, default: bool) -> bool:
        for key in _habit_keys(step.scope):
            if (habit, *key) in self._habits:
                return self._habits[habit, *key]
        return default

    def settle(self, step: Step, forecast: Forecast, bill: Bill) -> None:
        """Learn from what `step` was really billed."""
        parent = self.known(step.parent)
        missed = bill.read < forecast.expected / 2
        thinking = step.thinking
        if thinking is None and parent is not None:
            thinking = parent.thinking
        self._known[step.id] = Known(step, bill, _ttl(bill, parent), thinking)
        cut = forecast.cause in CUTS and bill.read < forecast.expected - SHRUNK
        if missed or cut or (parent is None and step.begins):
            self._learn_survivor(step, forecast.cause, bill.read)
        if parent is None:
            return
        if not missed and _shows_ahead(step, parent, forecast, bill):
            self._learn("ahead", step, happened=bill.read > parent.bill.prefix)
        if _switches(step, parent) and forecast.cause not in (Cause.EXPIRED, Cause.EDITED):
            self._learn("thinking", step, happened=bill.read < forecast.expected - SHRUNK)

    def _learn_survivor(self, step: Step, cause: Cause, read: int) -> None:
        kind = SURVIVORS.get(cause, ("seen",))[0]
        for key in chain.from_iterable(_static_keys(step.scope)):
            if kind in ("first", "idle"):
                self._survived[kind, *key] = read
            if read:
                self._survived[kind, *key] = read
                self._survived["seen", *key] = read

    def _learn(self, habit: str, step: Step, *, happened: bool) -> None:
        for key in _habit_keys(step.scope):
            self._habits[habit, *key] = happened


def _ttl(bill: Bill, parent: Known | None) -> float:
    if bill.write_1h:
        return 3600.0
    return parent.ttl if parent is not None and not bill.write_5m else 300.0


def _refreshed_at(step: Step, parent: Known, *, ahead: bool) -> float:
    """When the parent's entry was last used: by its own request, or by the client while it lived."""
    at = parent.step.at
    for touched in (parent.bill.ended_at if ahead else None, step.touched_at):
        if touched is not None and at < touched <= at + parent.ttl + GRACE:
            at = touched
    return at


def _may_ask_ahead(step: Step, parent: Known) -> bool:
    dear = parent.bill.plain + parent.bill.written > READ_AHEAD_UNCACHED
    return step.prompted and not step.planning and not dear


def _read_ahead(step: Step, parent: Known) -> int:
    if step.answer is not None:
        return parent.bill.prefix + parent.bill.plain + step.answer
    typed = round(step.typed_bytes / BYTES_PER_TOKEN) + TURN_OVERHEAD
    least = 0 if step.drops_thinking else parent.bill.prefix
    return max(step.total - typed - AFTER_LAST_MARKER, least)


def _shows_ahead(step: Step, parent: Known, forecast: Forecast, bill: Bill) -> bool:
    """Whether the bill of `step` tells if the client had read ahead: there was time, and enough to read."""
    return (
        forecast.cause in (Cause.CONTINUES, Cause.READ_AHEAD)
        and _may_ask_ahead(step, parent)
        and step.at - parent.bill.ended_at >= READ_AHEAD_DELAY
        and step.total - bill.plain - parent.bill.prefix >= 10 * TURN_OVERHEAD
    )


def _switches(step: Step, parent: Known) -> bool:
    return None not in (step.thinking, parent.thinking) and step.thinking != parent.thinking


def _habit_keys(scope: Scope) -> list[tuple[str, ...]]:
    return [
        ("session", scope.session),
        (scope.workspace, scope.version),
        ("version", scope.version),
        ("any",),
    ]


def _static_keys(scope: Scope) -> list[list[tuple[str, ...]]]:
    """Where a surviving prefix is looked up: same folder, same client, then any client of the model."""
    kind = "main" if scope.main else "agent"
    client = (kind, scope.model, scope.version)
    return [
        [(*client, scope.session), (*client, scope.folder)],
        [(*client, scope.workspace), client],
        [
            (kind, scope.model, "", scope.folder),
            (kind, scope.model, "", scope.workspace),
            (kind, scope.model),
        ],
    ]
