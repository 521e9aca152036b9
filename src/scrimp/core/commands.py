"""What the flow of a call asks for, step by step, and what it is answered.

`flow` yields these; a driver and a desk carry them out. None is ever part of a circle, so that the collector
need not know of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from scrimp.core.budget import Settlement
from scrimp.core.diagnose import Watched
from scrimp.core.levers import Answered, Change
from scrimp.core.meter import Metered, OutputChars
from scrimp.core.plan import Mode
from scrimp.core.record import Record, Tags
from scrimp.core.workspace import Planned
from scrimp.facts.model import Model
from scrimp.wire.markers import MarkerEdit
from scrimp.wire.request import Body
from scrimp.wire.response import Usage

__all__ = [
    "Answer",
    "Attempt",
    "Began",
    "Billed",
    "Command",
    "Dropped",
    "Fault",
    "Finished",
    "Foresee",
    "Keep",
    "Meter",
    "Plan",
    "Release",
    "Reserve",
    "Reshape",
    "Send",
    "Tell",
]


class Attempt(msgspec.Struct, frozen=True):
    """One HTTP attempt of a logical call. `number` counts the retries before it.

    `max_context` is the most tokens of input that its run allows. Without `plans` it goes out as it is.
    `betas` are the values of its `anthropic-beta` header (None: not known); with `reshapes` the levers are
    asked about it. `follows` is what one of them asks in place of the answer to the attempt before it.
    Without `asked` it is a request of scrimp's own, for an answer that the caller waits for. `untouched` says
    why it goes out as its caller wrote it, after what levers made of it was refused.
    """

    id: str
    call_id: str
    number: int
    body: Body
    mode: Mode
    tags: Tags
    stream: bool
    max_context: int | None = None
    plans: bool = True
    betas: frozenset[str] | None = frozenset()
    reshapes: bool = False
    follows: Change | None = None
    asked: bool = True
    untouched: str | None = None


class Reshape(msgspec.Struct, frozen=True):
    """Ask the levers. Answered with a `Change`, None where all leave the request as it is, or a `Fault`."""

    attempt: Attempt


class Plan(msgspec.Struct, frozen=True, gc=False):
    """Plan the request. Answered with a `Planned`, None when there is nothing to plan, or a `Fault`.

    `label` says what kind of agent calls: those of a kind behave alike.
    """

    body: Body
    again: bool
    label: str | None = None


class Foresee(msgspec.Struct, frozen=True, gc=False):
    """Say what the request should read, and warn of a miss that is certain. Answered with a `Watched`.

    `cuts`: a lever breaks the cache on purpose, which nobody need be warned of.
    """

    planned: Planned
    body: Body
    tags: Tags
    cuts: bool = False


class Reserve(msgspec.Struct, frozen=True, gc=False):
    """Hold the most that the request can cost. Answered with `Held`, or None where nothing limits the call.

    Nothing is sent before it is answered. A limit's refusal is thrown in as `BudgetExceeded`, and so is
    whatever keeps it from being answered.
    """

    attempt: Attempt
    model: Model
    planned: Planned | None


class Release(msgspec.Struct, frozen=True, gc=False):
    """Nothing was billed: the hold of this attempt is free again."""

    hold: str


class Send(msgspec.Struct, frozen=True):
    """Send the request with these edits (none: the very request). Answered with an `Answer`.

    `previous` is the last answer of the conversation: where the API diagnoses cache misses, it is asked to.
    `change` is what levers made of the request: its body is then the one that the edits belong to. Where the
    API refuses that, or it cannot be made, nothing else is sent in its place before the answer says so:
    another request needs a hold of its own.
    """

    edits: tuple[MarkerEdit, ...]
    previous: str | None = None
    change: Change | None = None


class Began(msgspec.Struct, frozen=True, gc=False):
    """A planned request was accepted: its entries are in the cache."""

    planned: Planned
    answer: Answer
    watched: Watched | None = None


class Dropped(msgspec.Struct, frozen=True, gc=False):
    """The request came to nothing, or another went out in its place: it writes no entries."""

    planned: Planned
    watched: Watched | None


class Meter(msgspec.Struct, frozen=True, gc=False):
    """Wait for the end of the response. Answered with `Finished`; for a stream that may be much later."""

    output_tokens_of: Callable[[OutputChars], int]


class Billed(msgspec.Struct, frozen=True, gc=False):
    """A planned request's bill is known: learn from it. Answered with a `Diagnosis` where it missed.

    `missed` is the provider's own word on why, where it was asked; `edited` its word on what it took out of
    the prompt; `cuts` as for `Foresee`.
    """

    planned: Planned
    usage: Usage
    message_id: str | None = None
    watched: Watched | None = None
    missed: str | None = None
    tags: Tags = Tags()
    edited: Mapping[str, int] | None = None
    cuts: bool = False


class Tell(msgspec.Struct, frozen=True):
    """Tell the levers what came of what they were shown; None: the API took it only as the caller wrote it.

    `sent` is what was answered. Answered with a `Change` where one of them asks something else in its place.
    """

    answered: Answered | None
    sent: Body | None = None


class Keep(msgspec.Struct, frozen=True, gc=False):
    """Write the record down, and settle the attempt's hold in the same step."""

    record: Record
    settlement: Settlement | None = None


Command = Reshape | Plan | Foresee | Reserve | Release | Send | Began | Dropped | Meter | Billed | Tell | Keep


class Fault(msgspec.Struct, frozen=True):
    """Why scrimp could not do its part, in one line without prompt text."""

    reason: str


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The response began. Times in epoch seconds; `fault` says why the untouched request went out.

    `refused`: what levers made of the request did not go through, for the reason that `fault` gives.
    """

    status: int
    started_at: float
    first_event_at: float
    provider: str
    request_id: str | None = None
    fault: str | None = None
    refused: bool = False


class Finished(msgspec.Struct, frozen=True, gc=False):
    """The response is over, completely or not."""

    metered: Metered
    ended_at: float
