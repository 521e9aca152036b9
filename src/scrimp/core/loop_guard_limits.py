"""How many answers a task takes, learned per kind of agent, so that one that takes far more is stopped.

What was learned allows more than the default and never less: fifty short tasks say nothing of a long one.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from scrimp.core.forgetting import forget_oldest

__all__ = ["DEFAULT", "Limits"]

DEFAULT = 200
"""Answers in one stretch of work; the longest of 2,800 recorded ones had 148."""

_ENOUGH = 50
"""Stretches of a kind to have been seen before they say anything."""

_QUANTILE, _MARGIN = 0.97, 3  # of fifty tasks one that ran away counts for nothing
_KEPT = 400
_LABELS = 512

_decoder = msgspec.msgpack.Decoder(list[int])


class Limits:
    """The most answers that a task of each label may take; bounded."""

    def __init__(self) -> None:
        self._lengths: dict[str, list[int]] = {}

    def limit(self, label: str | None) -> int:
        """Answers allowed: the default, or three times what most tasks take, once enough is known."""
        seen = self._lengths.get(label or "", ())
        if len(seen) < _ENOUGH:
            return DEFAULT
        high = sorted(seen)[min(len(seen) - 1, int(_QUANTILE * len(seen)))]
        return max(DEFAULT, _MARGIN * high)

    def ended(self, label: str | None, answers: int) -> None:
        """A task came to its end after so many answers, or was stopped there."""
        if not label:
            return
        seen = self._lengths.setdefault(label, [])
        seen.append(answers)
        del seen[:-_KEPT]
        forget_oldest(self._lengths, _LABELS)

    def learned(self) -> Mapping[str, bytes]:
        """What is known of each label."""
        return {label: msgspec.msgpack.encode(seen) for label, seen in self._lengths.items()}

    def recall(self, kept: Mapping[str, bytes]) -> None:
        """What an earlier process knew; what cannot be understood is passed over."""
        for label, value in kept.items():
            try:
                seen = [length for length in _decoder.decode(value) if length > 0]
            except msgspec.DecodeError:
                continue
            if seen:
                self._lengths[label] = seen[-_KEPT:]
        forget_oldest(self._lengths, _LABELS)
