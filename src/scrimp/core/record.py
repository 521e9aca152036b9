"""One billed attempt as the ledger keeps it: money, usage, tags, times, and what was predicted.

A logical call may take several attempts; each that was billed, or may have been, is a record of its own.
Records hold digests and counts, never prompt text or keys.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from scrimp.core.plan import Mode
from scrimp.wire.response import Usage

__all__ = ["Outcome", "Record", "Tags"]

Outcome = Literal["complete", "cut off", "refused", "unknown"]
"""`complete`: the whole response was seen. `cut off`: the stream ended early, output is estimated. `refused`:
the API answered with an error, nothing was billed. `unknown`: no answer was seen; it may have been billed."""


class Tags(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """Whose call it was. `run` is a path of names from the outermost run inwards, `run_ids` of their ids.

    `key` is the name of a gateway's key, never the key itself. `inferred` says that nobody named the task
    type: it is what the request looks like.
    """

    run: tuple[str, ...] = ()
    run_ids: tuple[str, ...] = ()
    user: str | None = None
    task_type: str | None = None
    agent: str | None = None
    team: str | None = None
    key: str | None = None
    inferred: bool = False

    @property
    def label(self) -> str | None:
        """What kind of agent calls, as closely as the caller says: agent, else task type, else run name."""
        task_type = None if self.inferred else self.task_type
        return self.agent or task_type or (self.run[-1] if self.run else None)


class Record(msgspec.Struct, frozen=True, gc=False):
    """One attempt. Money in picodollars, times in epoch seconds, tokens as billed.

    `id` is unique and makes writing twice harmless; `call_id` is shared by the attempts of one logical call,
    `attempt` counts from 0. `started_at` is when the request went out, `first_event_at` when its response
    began, `ended_at` when it was over (None: not seen). `cost` is exact when `measured`. `own_cost` is what
    the caller's own request would have cost under the same model, always an estimate. `predicted_read` and
    `predicted_write` are what was expected of the cache. `prompt` is the chained digest of the whole prompt.
    `fault` is why scrimp left the request untouched, in one line without prompt text. `miss` names the cause
    where the cache was not read as it should have been (see `causes.Cause`), `lost` is what that cost.
    `static_tokens` is the size of tools and system as estimated, None where it was not looked at. `window` is
    how many tokens the model's context holds, None where that is not known.
    """

    id: str
    call_id: str
    attempt: int
    started_at: float
    first_event_at: float | None
    ended_at: float | None
    provider: str
    model: str
    tags: Tags
    mode: Mode
    outcome: Outcome
    status: int | None
    stream: bool
    usage: Usage
    cost: int
    measured: bool
    notes: tuple[str, ...] = ()
    own_cost: int | None = None
    predicted_read: int | None = None
    predicted_write: int | None = None
    prompt: bytes | None = None
    message_id: str | None = None
    request_id: str | None = None
    fault: str | None = None
    miss: str | None = None
    lost: int | None = None
    static_tokens: int | None = None
    window: int | None = None

    @property
    def window_used(self) -> float | None:
        """The share of the model's window that the prompt took; output is not counted."""
        return self.usage.total_input / self.window if self.window else None

    @property
    def saved(self) -> int | None:
        """Picodollars below the caller's own request (an estimate); negative where it was dearer."""
        return None if self.own_cost is None else self.own_cost - self.cost
