"""How many tokens replies of each kind are given: as their form, their label or the table says."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

from scrimp.core.forgetting import forget_oldest
from scrimp.core.output.kinds import Kind
from scrimp.core.output.lengths import ENOUGH, Lengths

__all__ = ["Needs"]

K = TypeVar("K", bound=Hashable)

_FORMS, _LABELS = 4_096, 1_024
"""Each takes up to half a kilobyte."""


class Needs:
    """Lengths of replies, of the forms and of the labels that were met last.

    A form is a prompt with its tools, as this process sees it: what a few calls of a label need is learned
    from them alone, and one reply that was cut changes what the next one gets.
    """

    def __init__(self) -> None:
        self._forms: dict[int, Lengths] = {}
        self._labels: dict[str, Lengths] = {}

    def given(self, kind: Kind) -> int | None:
        """Tokens that the next reply of a kind gets; None where nothing is known of such replies."""
        form = self._forms.get(kind.form) or Lengths()
        if len(form) >= ENOUGH:
            return form.given(0)
        label = None if kind.label is None else self._labels.get(kind.label)
        if label is not None and len(label) >= ENOUGH:
            return form.given(label.given(0))
        return None if kind.shipped is None else form.given(kind.shipped, stretched=2)

    def seen(self, kind: Kind) -> int:
        """How many replies what is given next would be learned from; 0: it is from the table."""
        counts = [len(self._forms.get(kind.form, ())), len(self._labels.get(kind.label or "", ()))]
        return next((count for count in counts if count >= ENOUGH), 0)

    def saw(self, kind: Kind, tokens: int) -> None:
        """A reply of that kind came to its end."""
        for lengths in self._of(kind):
            lengths.saw(tokens)

    def cut(self, kind: Kind, tokens: int) -> None:
        """A reply of that kind was cut after so many tokens."""
        form, *label = self._of(kind)
        # Of a form that is hardly known, what its label needs may say nothing.
        form.cut(tokens, (kind.shipped or 0) if len(form) < ENOUGH else 0)
        for lengths in label:
            lengths.cut(tokens)

    def learned(self) -> dict[str, bytes]:
        """The lengths by label."""
        return {label: lengths.kept for label, lengths in self._labels.items()}

    def recall(self, kept: Mapping[str, bytes]) -> None:
        """Begin with what another one learned; what is known already stays."""
        for label, lengths in kept.items():
            self._labels.setdefault(label, Lengths(lengths))
        forget_oldest(self._labels, _LABELS)

    def _of(self, kind: Kind) -> list[Lengths]:
        """What learns from a reply of that kind; it was met last from now on."""
        found = [_taken(self._forms, kind.form, _FORMS)]
        return found if kind.label is None else [*found, _taken(self._labels, kind.label, _LABELS)]


def _taken(table: dict[K, Lengths], key: K, most: int) -> Lengths:
    found = table.pop(key) if key in table else Lengths()
    table[key] = found
    forget_oldest(table, most)
    return found
