"""What commands read: recordings under paths, with a progress bar, and the facts that go with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scrimp.cli.output import console, progress
from scrimp.facts.models import Facts, default
from scrimp.traces.corpus import Corpus, read_corpus
from scrimp.traces.files import Fault, find_files

__all__ = ["Recordings", "name_faults", "read_recordings"]

_FAULTS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Recordings:
    """Recordings and the facts to read them with."""

    corpus: Corpus
    facts: Facts


def read_recordings(paths: Sequence[str]) -> Recordings:
    """Read everything under `paths`; bad lines are named on stderr, never fatal."""
    files = find_files(paths)
    with progress("reading", len(files)) as advance:
        corpus = read_corpus(files, advance)
    name_faults(corpus.faults)
    return Recordings(corpus, default())


def name_faults(faults: Sequence[Fault]) -> None:
    """Name bad lines on stderr, the first few of many."""
    err = console(stderr=True)
    for fault in faults[:_FAULTS_SHOWN]:
        err.print(f"scrimp: skipped {fault}", soft_wrap=True, markup=False)
    more = len(faults) - _FAULTS_SHOWN
    if more > 0:
        err.print(f"scrimp: skipped {more:,} more bad lines", markup=False)
