"""A large text reduced to what matters of it: the same text, hints and settings give the same words, always.

What comes out begins with one line that says what it is, how much there was, and how the rest is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from scrimp.core.offload import as_code, as_diff, as_html, as_json, as_listing, as_log, as_table, as_text
from scrimp.core.offload.handles import handle_of
from scrimp.core.offload.kinds import Kind, kind_of
from scrimp.core.offload.measuring import tokens_of
from scrimp.core.offload.source import NO_HINTS, Hints, Source, read_source
from scrimp.errors import InputError

__all__ = ["Policy", "Reduced", "is_reduced", "reduce_text", "summarized"]

_REDUCERS: Mapping[Kind, Callable[[Source, Hints, int], str]] = {
    "json": as_json.reduced,
    "html": as_html.reduced,
    "diff": as_diff.reduced,
    "listing": as_listing.reduced,
    "table": as_table.reduced,
    "log": as_log.reduced,
    "code": as_code.reduced,
    "text": as_text.reduced,
}

_LINE_BY_LINE = ("code", "diff", "text", "listing")
"""Kinds of which very long texts are gone through at their ends only; the others are looked for in the whole:
errors in a log, ranges of numbers in a table.
"""

_MARK = "[scrimp: shortened"
_MOST_SHARE = 0.4
_TRIES = 4
_SHRINK = 0.95


class Policy(msgspec.Struct, frozen=True):
    """What is reduced, and to how much: tokens.

    Texts of up to `whole` tokens stay as they are; of longer ones `share` is left, at most `most`.
    """

    whole: int = 2_000
    share: float = 0.3
    most: int = 2_000

    def checked(self) -> Policy:
        """The policy itself. Raises `InputError` where it makes no sense."""
        if self.whole < 1 or self.most < 1 or not 0.0 < self.share <= _MOST_SHARE:
            raise InputError(
                f"offload: over ({self.whole}) and most ({self.most}) should be above 0, share ({self.share})"
                f" above 0 and up to {_MOST_SHARE}"
            )
        return self

    def budget(self, tokens: int) -> int:
        """Tokens that a text of so many is reduced to, about."""
        return max(1, min(int(tokens * self.share), self.most))


class Reduced(msgspec.Struct, frozen=True):
    """What is sent in a text's place, under which handle the whole is kept, and the tokens of both."""

    text: str
    handle: str
    kind: Kind
    before: int
    after: int


def is_reduced(text: str) -> bool:
    """Whether a text was reduced before: it stays as it is."""
    return text.startswith(_MARK)


def reduce_text(text: str, policy: Policy, hints: Hints = NO_HINTS) -> Reduced | None:
    """The text reduced; None where it stays whole: short, reduced before, or no shorter for it."""
    if len(text) <= policy.whole or is_reduced(text) or not _is_unicode(text):
        return None
    tokens = tokens_of(text)
    if tokens <= policy.whole:
        return None
    source = read_source(text, tokens)
    kind = kind_of(source, hints)
    handle = handle_of(text)
    head = _head(source, kind, handle)
    if kind in _LINE_BY_LINE:
        source = source.at_the_ends()
    most = budget = policy.budget(tokens)
    for _ in range(_TRIES):
        said = f"{head}\n{_REDUCERS[kind](source, hints, max(1, budget - tokens_of(head)))}"
        after = tokens_of(said)
        if after <= most:
            return Reduced(said, handle, kind, tokens, after)
        budget = int(budget * _SHRINK * most / after)
    return None


def _is_unicode(text: str) -> bool:
    """Whether a text can be kept: halves of pairs of characters have no bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _head(source: Source, kind: Kind, handle: str) -> str:
    """What the model is told before all else."""
    lines = source.text.count("\n") + 1
    return (
        f"{_MARK} from {lines:,} lines, {source.tokens:,} tokens ({kind}). "
        '"[… 5-90: a, b]" stands for lines 5-90, which name a and b. '
        f'scrimp_fetch(handle="{handle}", range="5-90" or query="words") reads any part of the full text.]'
    )


def summarized(reduced: Reduced, summary: str | None, policy: Policy) -> Reduced:
    """The same text with somebody's summary in place of its reduction, unless that is empty or no shorter."""
    if summary is None or not summary.strip():
        return reduced
    head, _, _ = reduced.text.partition("\n")
    said = f"{head}\nSummary:\n{summary.strip()}"
    after = tokens_of(said)
    if after > policy.budget(reduced.before):
        return reduced
    return msgspec.structs.replace(reduced, text=said, after=after)
