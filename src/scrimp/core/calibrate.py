"""Calibration of the cache model: what it predicts for each recorded call against what was billed.

The model goes through the calls of a workspace in time order and sees only what came before. Token lengths
are taken from bills (`lengths`), so that what is judged here is the cache alone. A call that read an entry no
recorded call wrote is *warm*: what it read must end where the rules allow a hit, and then seeds the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from scrimp.core.cache import TTL_SECONDS, Cache, Outcome, windows
from scrimp.core.lengths import Lengths
from scrimp.core.prompt import Digest
from scrimp.core.recorded import RecordedCall
from scrimp.core.tolerance import tolerance

__all__ = ["Group", "Verdict", "judge"]

Group = Literal["predicted", "warm"]


class Verdict(msgspec.Struct, frozen=True):
    """The model's word on one call against its bill.

    `promised` is what the call would have read had every entry lived, in tokens. `cause` names why model and
    bill disagree, else is empty.
    """

    call: RecordedCall
    group: Group
    outcome: Outcome
    promised: int
    within: bool
    read_exact: bool
    cause: str


class _Workspace:
    """What the model knows of one workspace."""

    def __init__(self, lengths: Lengths) -> None:
        self.cache = Cache()
        self.lengths = lengths
        self.dies_at: dict[Digest, float] = {}

    def known_to_live(self, prefix: Digest, now: float) -> bool:
        """Whether an entry of a recorded call can still be what is read now, up to twice its lifetime."""
        return now < self.dies_at.get(prefix, 0.0)


def judge(calls: Iterable[RecordedCall]) -> Iterator[Verdict]:
    """A verdict for every call of one source, which must come in time order.

    Runs without times are judged each on its own: nothing says in which order they ran.
    """
    shared = Lengths()
    workspaces: dict[str, _Workspace] = {}
    lengths: dict[str, Lengths] = {}
    for call in calls:
        known = shared if call.timed else lengths.setdefault(call.run, Lengths())
        key = call.workspace if call.timed else f"{call.workspace} {call.run}"
        yield _verdict(workspaces.setdefault(key, _Workspace(known)), call)


def _verdict(workspace: _Workspace, call: RecordedCall) -> Verdict:
    usage, total = call.usage, call.usage.total_input
    slack = tolerance(total)
    ends = workspace.lengths.ends(call.prompt, call.sizes, total)
    expected = workspace.cache.outcome(call.prompt, ends, total, call.rules, call.at)
    promised = _promised(workspace, call, ends)
    group: Group = "predicted"
    allowed = True
    if usage.cache_read_input_tokens > expected.read + slack:
        position = _entry_read(workspace, call, ends)
        if position is not None:
            group = "warm"
            allowed = abs(ends[position] - usage.cache_read_input_tokens) <= slack
            workspace.cache.add(call.prompt.prefixes[position], "5m", call.at, call.at)
            workspace.lengths.learn(call.prompt.prefixes[position], usage.cache_read_input_tokens)
            ends = workspace.lengths.ends(call.prompt, call.sizes, total)
            expected = workspace.cache.outcome(call.prompt, ends, total, call.rules, call.at)
    read_exact = abs(expected.read - usage.cache_read_input_tokens) <= slack
    within = allowed and read_exact and abs(expected.written - usage.cache_creation_input_tokens) <= slack
    cause = "" if within else _cause(call, expected)
    _learn(workspace, call, ends, expected)
    return Verdict(call, group, expected, promised, within, read_exact, cause)


def _promised(workspace: _Workspace, call: RecordedCall, ends: list[int]) -> int:
    """Tokens up to the last entry that some recorded call left and this one could reach."""
    reach = windows(call.prompt, call.rules.lookback) if call.rules.caches else ()
    return max(
        (ends[position] for position in reach if call.prompt.prefixes[position] in workspace.dies_at),
        default=0,
    )


def _entry_read(workspace: _Workspace, call: RecordedCall, ends: list[int]) -> int | None:
    """Where the entry that was read must end, if it cannot be one that a recorded call left alive."""
    billed, slack = call.usage.cache_read_input_tokens, tolerance(call.usage.total_input)
    allowed = list(windows(call.prompt, call.rules.lookback))
    if not allowed or any(
        abs(end - billed) <= slack and workspace.known_to_live(prefix, call.at)
        for prefix, end in zip(call.prompt.prefixes, ends, strict=True)
    ):
        return None
    return min(allowed, key=lambda position: abs(ends[position] - billed))


def _learn(workspace: _Workspace, call: RecordedCall, ends: list[int], expected: Outcome) -> None:
    """Take from the bill what it reveals: lengths, and entries that were not there after all."""
    usage, prompt = call.usage, call.prompt
    read = usage.cache_read_input_tokens
    slack = tolerance(usage.total_input)
    outcome = expected
    while outcome.hit >= 0 and read < outcome.read - slack:
        workspace.cache.drop(prompt.prefixes[outcome.hit])
        outcome = workspace.cache.outcome(prompt, ends, usage.total_input, call.rules, call.at)
    agrees = outcome.hit >= 0 and abs(outcome.read - read) <= slack
    if agrees:
        workspace.lengths.learn(prompt.prefixes[outcome.hit], read)
    workspace.lengths.reveal(prompt, usage)
    workspace.cache.commit(prompt, outcome, call.at, call.at)
    used = [(write.prefix, write.ttl) for write in outcome.writes]
    entry = workspace.cache.alive(prompt.prefixes[outcome.hit], call.at) if outcome.hit >= 0 else None
    if entry is not None:
        used.append((prompt.prefixes[outcome.hit], entry.ttl))
    for prefix, ttl in used:
        workspace.dies_at[prefix] = call.at + 2 * TTL_SECONDS[ttl]


def _cause(call: RecordedCall, expected: Outcome) -> str:
    """Why the bill differs, as far as the recording can tell."""
    usage, slack = call.usage, tolerance(call.usage.total_input)
    read, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    if read < expected.read - slack:
        return "evicted early, or served from another cache" if read == 0 else "longest entry evicted early"
    if read > expected.read + slack:
        return "read an entry beyond the lookback, or one that had outlived its TTL"
    if not written and expected.written:
        return "prefix near the minimum was not written" if _near_minimum(call, expected) else "not written"
    if written and not expected.written:
        return (
            "prefix near the minimum was written" if _near_minimum(call, expected) else "written unexpectedly"
        )
    return "length of a prefix that no earlier bill reveals"


def _near_minimum(call: RecordedCall, expected: Outcome) -> bool:
    length = call.usage.cache_creation_input_tokens or expected.written
    return abs(length - call.rules.minimum) <= call.rules.minimum / 5
