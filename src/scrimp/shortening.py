"""`scrimp.offload` and `scrimp.fetch`: large texts shortened in a loop of one's own.

result = scrimp.offload(text)                      # short, with the handle of the whole in its first line
scrimp.fetch("k3v7q2m9d4x8p2ab", range="120-180")  # exactly these lines
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

from scrimp.core.offload.keys import text_key
from scrimp.core.offload.reducing import Policy, reduce_text, summarized
from scrimp.core.offload.scopes import scope_of
from scrimp.core.offload.source import hints_of
from scrimp.core.record import Tags
from scrimp.errors import ScrimpWarning
from scrimp.runs import current_tags
from scrimp.stores.offload import Kept, Kind, OffloadStore
from scrimp.stores.offload_keeping import Keeper

__all__ = ["fetch", "offload"]


def offload(
    text: str,
    *,
    over: int = 2_000,
    share: float = 0.3,
    most: int = 2_000,
    looking_for: str = "",
    user: str | None = None,
    store: OffloadStore | None = None,
    summarize: Callable[[str], str] | None = None,
) -> str:
    """A text of more than `over` tokens shortened to `share` of them, at most `most`, with a handle.

    What says something of `looking_for` is kept first: the question, the call, what the model said. The whole
    text is kept in scrimp's home folder, or in `store`, where `fetch` of the same `user` finds it, and so do
    calls of that user through `scrimp.Offload`; without one, the user of the run that this is in. The same
    arguments give the same words. A text that is short, or cannot be kept (a `ScrimpWarning` says why), comes
    back as it is. `summarize` may write a summary that takes the place of the shortened text; where it fails
    or writes too much, the shortened text stays. Raises `InputError` for settings that make no sense.
    """
    policy = Policy(over, share, most).checked()
    reduced = reduce_text(text, policy, hints_of(looking_for))
    if reduced is None:
        return text
    if summarize is not None:
        reduced = summarized(reduced, _tried(summarize, text), policy)
    keeper = Keeper(store)
    kept = keeper.put(
        Kept(
            text_key(scope_of(current_tags() if user is None else Tags(user=user)), reduced.handle),
            Kind.TEXT,
            text.encode(),
        )
    )
    for fault in keeper.faults():
        warnings.warn(fault, ScrimpWarning, stacklevel=2)
    return reduced.text if kept else text


def fetch(
    handle: str,
    *,
    range: str | None = None,  # noqa: A002 - what the tool calls it
    query: str | None = None,
    user: str | None = None,
    store: OffloadStore | None = None,
) -> str:
    """A part of a text that was offloaded: a `range`, lines around what matches `query`, or its beginning.

    Ranges are lines, `"120-180"`, or characters, `"chars 1-4000"`, from 1, both ends included, and come back
    exactly as they stand in the text. An unknown or expired handle gives one line that says so: nothing is
    raised that an agent would have to catch.
    """
    asked = {"handle": handle, "range": range, "query": query}
    return Keeper(store).answer(asked, scope_of(current_tags() if user is None else Tags(user=user))).text


def _tried(summarize: Callable[[str], str], text: str) -> str | None:
    """What the user's own function writes; None where it fails."""
    try:
        return summarize(text)
    except Exception:  # noqa: BLE001 - it is the user's: the text is shortened without it
        return None
