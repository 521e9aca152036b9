"""What became of the blocks of a prompt since its snapshot, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Literal, NamedTuple

from scrimp.core.money import usd
from scrimp.facts.models import default
from scrimp.testing.snapshot import RENEW, TIERS, Kept, Snapshot, opening

__all__ = ["Change", "changes", "describe"]


class Change(NamedTuple):
    """One block that is not as it was; `before` or `after` is None where it was not there."""

    what: Literal["changed", "added", "removed", "moved"]
    before: Kept | None
    after: Kept | None


def changes(old: Sequence[Kept], new: Sequence[Kept]) -> list[Change]:
    """Every block that changed, in the order of the prompt as it is now, removed ones last."""
    gone, came = _unmatched(old, new)
    found = [*_paired("moved", gone, came, _same_digest), *_paired("changed", gone, came, _same_tool)]
    found += _paired("changed", gone, came, _same_place)
    found += [Change("added", None, block) for block in came]
    place = {id(block): at for at, block in enumerate(new)}
    found.sort(key=lambda change: place[id(change.after)])
    return [*found, *(Change("removed", block, None) for block in gone)]


def describe(old: Snapshot, new: Snapshot, body: Mapping[str, Any], path: str) -> str | None:
    """What differs between a snapshot and the prompt of `body`, for people; None where nothing does."""
    if old.after == new.after and [b.prefix for b in old.blocks] == [b.prefix for b in new.blocks]:
        return None
    rows = [_line(change, body) for change in changes(old.blocks, new.blocks)]
    rows += list(_settings(old, new))
    return "\n".join(
        [
            f"the prefix of this prompt is not the one in {path}:",
            "",
            *(f"  {row}" for row in rows),
            "",
            *_cost(old, new),
            f"If that is meant, renew the snapshot with {RENEW} and commit it.",
            "If nobody edited the prompt, something in it changes by itself: a time, an id, an order.",
        ]
    )


def _unmatched(old: Sequence[Kept], new: Sequence[Kept]) -> tuple[list[Kept], list[Kept]]:
    """Blocks that are not where they were among their neighbours."""
    was, now = ([(block.tier, block.digest) for block in blocks] for blocks in (old, new))
    gone: list[Kept] = []
    came: list[Kept] = []
    for kind, a, b, c, d in SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
        if kind != "equal":
            gone += old[a:b]
            came += new[c:d]
    return gone, came


def _paired(
    what: Literal["changed", "moved"], gone: list[Kept], came: list[Kept], alike: Any
) -> Iterator[Change]:
    """Pairs of a block that went and one that came; both are taken off their lists."""
    for before in list(gone):
        after = next((block for block in came if alike(before, block)), None)
        if after is not None:
            gone.remove(before)
            came.remove(after)
            yield Change(what, before, after)


def _same_digest(before: Kept, after: Kept) -> bool:
    return before.digest == after.digest


def _same_tool(before: Kept, after: Kept) -> bool:
    return before.name is not None and before.name == after.name


def _same_place(before: Kept, after: Kept) -> bool:
    return before.path == after.path and before.name is None


def _line(change: Change, body: Mapping[str, Any]) -> str:
    before, after = change.before, change.after
    if after is None:
        return f"removed  {before.label}, {before.tokens:,} tokens" if before else "removed"
    if before is None:
        return f"added    {after.label}, {after.tokens:,} tokens{_begins(after, body)}"
    if change.what == "moved":
        return f"moved    {before.label} to {after.path}"
    return f"changed  {after.label}, {before.tokens:,} → {after.tokens:,} tokens{_begins(after, body)}"


def _begins(block: Kept, body: Mapping[str, Any]) -> str:
    said = opening(body, block.path)
    return f", now begins “{said}”" if said else ""


def _settings(old: Snapshot, new: Snapshot) -> Iterator[str]:
    if old.model != new.model:
        yield f"changed  model: {old.model} → {new.model}"
    for name in sorted(old.settings.keys() | new.settings.keys()):
        before, after = old.settings.get(name), new.settings.get(name)
        if before != after:
            yield f"changed  {name}: {before} → {after}"


def _cost(old: Snapshot, new: Snapshot) -> Iterator[str]:
    """Which tiers are lost, and what writing them anew costs."""
    at = _first_difference(old, new)
    there = [*old.blocks[at : at + 1], *new.blocks[at : at + 1]]
    place = min((block.path for block in there), key=_tier_of, default="messages")
    lost = ", ".join(TIERS[_tier_of(place) :])
    yield f"Cached prefixes that reach to {place} are not read any more; tiers of the cache lost: {lost}."
    yield from _money(new, at)


def _money(new: Snapshot, at: int) -> Iterator[str]:
    total = sum(block.tokens for block in new.blocks)
    anew = sum(block.tokens for block in new.blocks[at:])
    model = default().resolve(new.model)
    rates = model.rates(prompt_tokens=total)
    if total < model.cache_minimum:
        yield (
            f"It is too short to be cached by itself: about {total:,} tokens, and {model.id} caches prefixes "
            f"from {model.cache_minimum:,} on."
        )
    elif anew:
        yield (
            f"Of about {total:,} tokens {anew:,} are written anew, once for each cached copy: "
            f"${usd(anew * rates.write_5m)} where reading them cost ${usd(anew * rates.read)} "
            f"({model.id}, 5-minute writes, estimated). Conversations under way write their messages too."
        )
    else:
        yield "Conversations under way write their messages anew."


def _tier_of(path: str) -> int:
    return TIERS.index(path.partition(".")[0])


def _first_difference(old: Snapshot, new: Snapshot) -> int:
    """Index of the first block whose prefix is another one."""
    pairs = zip(old.blocks, new.blocks, strict=False)
    shared = min(len(old.blocks), len(new.blocks))
    return next((at for at, (a, b) in enumerate(pairs) if a.prefix != b.prefix), shared)
