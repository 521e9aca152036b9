"""Levers: what may change a request beyond its markers, and what one is shown of a step and answers.

A lever looks at a step before it is planned. It answers with the request as it should go out, with the
reasons, or with the error that keeps the step from going out, or with None where it leaves everything as it
is. Several act one after the other, each on what the one before it made; what comes out is then planned like
any request. Levers are called by one thread at a time. A lever that fails is passed over: the step goes on
without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, cast, get_args, runtime_checkable

import msgspec

from scrimp.core.plan import Decision, Mode
from scrimp.core.record import Tags
from scrimp.core.workspace import Planned
from scrimp.errors import InputError, ScrimpError
from scrimp.facts.model import Model
from scrimp.wire.request import Body
from scrimp.wire.response import Usage

__all__ = [
    "Answered",
    "Change",
    "Following",
    "Learning",
    "Lever",
    "Step",
    "checked_levers",
    "in_order",
    "with_room_for_a_summary",
]


class Step(msgspec.Struct, frozen=True):
    """One request before it is planned.

    `now` in epoch seconds; `number` counts the retries before it; `betas` are the values of the caller's
    `anthropic-beta` header (None: not known yet, and nothing that needs one may be asked for). `look` says
    how a body stands: its prompt, its length, what of it the cache holds and what usually comes next, without
    anything being remembered of it; None where that cannot be told. `max_context` is the most tokens of input
    that the run of this step allows.
    """

    body: Body
    model: Model
    tags: Tags
    now: float
    look: Callable[[Body], Planned | None]
    number: int = 0
    betas: frozenset[str] | None = frozenset()
    max_context: int | None = None


class Change(msgspec.Struct, frozen=True):
    """What a lever makes of a step.

    `body` goes out, with `betas` added to the `anthropic-beta` header where they are not there yet.
    `own_extra` is what the caller's own request would have cost beyond this one, picodollars, by the lever's
    estimate. With `error` nothing goes out: it is raised to the caller. `warnings` are told to the user, each
    once. `reads_answer`: `answered` needs the message. `cuts`: this very step breaks the cache on purpose, so
    that nobody is to be warned of it. No prompt text in any of these.
    """

    body: Body
    betas: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()
    own_extra: int = 0
    error: ScrimpError | None = None
    warnings: tuple[str, ...] = ()
    reads_answer: bool = False
    cuts: bool = False


class Answered(msgspec.Struct, frozen=True):
    """What came back: `usage` as billed, `message` the whole answer where the lever asked for it.

    `complete` says that the end of it was seen. `at` is when it was over, epoch seconds. `edited` is what the
    API says it took out of the prompt: by type of edit, how many tool uses or turns of thinking.
    """

    usage: Usage
    stop_reason: str | None
    complete: bool
    at: float
    message: Mapping[str, Any] | None = None
    edited: Mapping[str, int] | None = None


class Lever(Protocol):
    """One way to change what is sent.

    `name` is what records and warnings call it; `mode` the least mode in which it acts: `safe` where it
    cannot change an answer, else `save`. Steps are not for keeping: `look` holds all that is behind them. A
    lever with a true attribute `locks_itself` may be called by several threads at once: what takes long, or
    calls what its user wrote, must not be waited for by others.
    """

    name: str
    mode: Mode

    def change(self, step: Step) -> Change | None:
        """What to make of `step`; None: nothing."""

    def answered(self, step: Step, answered: Answered) -> None:
        """The step as this lever was shown it was answered so, whether or not the lever changed it."""

    def refused(self, step: Step) -> None:
        """The API took this step only as its caller wrote it."""


@runtime_checkable
class Following(Protocol):
    """What a lever has beside, if an answer may not be the one to give to its caller; `follows` says so."""

    follows: bool

    def again(self, step: Step, answered: Answered, sent: Body) -> Change | None:
        """What to ask in place of giving this answer to the caller; None: it is given.

        Asked after `answered`, once for a call, where nobody has seen anything of the answer yet. `sent` is
        the request that was answered, without markers. What this asks is planned, paid and written down as
        any attempt, and levers hear of its answer as of another to the same step; where it fails, the answer
        that is there is given after all.
        """


@runtime_checkable
class Learning(Protocol):
    """What a lever has beside, if it learns something that the next process should begin with."""

    def learned(self) -> Mapping[str, bytes]:
        """What was learned, by whatever it is about, a label mostly: never prompt text or digests of it."""

    def recall(self, kept: Mapping[str, bytes]) -> None:
        """What an earlier process learned; what cannot be understood is passed over."""


_ORDER = ("loop", "offload", "relocate", "output", "trim", "context", "carry")


def checked_levers(levers: Any, mode: str | None) -> tuple[Mode, tuple[Lever, ...]]:
    """The mode that levers act in, and the levers; `mode` None is what they need.

    Raises `InputError` for what is no lever, two of a kind, no mode, and a lever that changes what the model
    reads in a mode that never does.
    """
    if mode is not None and mode not in get_args(Mode):
        raise InputError(f"mode: {mode!r} is none; say observe, safe or save")
    if not isinstance(levers, Iterable) or isinstance(levers, str):
        raise InputError(f"levers: expected a list such as [scrimp.Carry()], found {type(levers).__name__}")
    found = tuple(levers)
    for lever in found:
        if isinstance(lever, type) or not callable(getattr(lever, "change", None)):
            shown = f"{lever.__name__} without ()" if isinstance(lever, type) else repr(lever)[:80]
            raise InputError(f"levers: {shown} is no lever; write such as [scrimp.Carry()]")
    kinds = [type(lever) for lever in found]
    twice = next((kind for kind in _ONCE if [one.__name__ for one in kinds].count(kind) > 1), None)
    if twice is not None:
        raise InputError(f"levers: {twice} is there twice; one of a kind is enough")
    saving = next((lever.name for lever in found if lever.mode == "save"), None)
    if saving is not None and mode not in (None, "save"):
        raise InputError(
            f"{saving}: changes what the model reads, which mode={mode!r} never does; leave mode out"
        )
    least: Mode = "save" if saving else "safe"
    return cast(Mode, mode or least), found


_ONCE = ("Carry", "Offload", "Output", "LoopGuard", "Relocate", "Trim")


def in_order(levers: Iterable[Lever]) -> tuple[Lever, ...]:
    """Levers in the order in which they act, however they were listed; those of others come last.

    Whoever stops a step comes first, and next who puts back what was taken out before: others must see it.
    Effort is part of what the cache knows a prompt by, so it is set before anybody asks what is cached.
    Who has the provider clear comes behind who cuts: it goes by what the cache holds of what goes out.
    """
    places = {name: place for place, name in enumerate(_ORDER)}
    return tuple(sorted(levers, key=lambda lever: places.get(lever.name, len(_ORDER))))


def with_room_for_a_summary(change: Change, own: Body) -> Change:
    """A change by which the API may sum up, with the caller's `max_tokens`: a summary needs its room."""
    if change.body is own or not _sums_up(change.body) or _sums_up(own):
        return change
    if change.body.get("max_tokens") == own.get("max_tokens"):
        return change
    return msgspec.structs.replace(change, body={**change.body, "max_tokens": own.get("max_tokens")})


def _sums_up(body: Body) -> bool:
    asked = body.get("context_management")
    edits = asked.get("edits") if isinstance(asked, Mapping) else None
    kinds = [edit.get("type") for edit in edits or () if isinstance(edit, Mapping)]
    return any(str(kind).startswith("compact_") for kind in kinds)
