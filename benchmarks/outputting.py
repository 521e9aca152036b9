"""How `scrimp.Output` fares on recorded replies: what it would have cut, and how much less it reserves.

    python -m benchmarks.outputting [--own] [--table] [TRACES]

Every source is an agent of its own, and its replies go through the lever one by one in the order of their
times, so that nothing is known of a reply before it is judged. Figures to begin with are those of the other
sources alone. Against a flat `max_tokens` of 4,096 (beyond the thinking budget, where there is one), or with
`--own` against what the recorded requests asked for. A reply that the flat limit would have cut as well is
not counted as cut by the lever; the last but one line leaves out the types of which the flat limit itself
cuts more than 1 %. `--table` prints the table that ships, derived from all sources.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import NamedTuple

from benchmarks.recorded_replies import RecordedReply, recorded_replies
from scrimp.core.levers import Answered, Step
from scrimp.core.output import Output
from scrimp.core.output.kinds import budget_of, row_name, thinks
from scrimp.core.output.lengths import ENOUGH
from scrimp.core.output.shipped import LEAST, LEAST_ELSE, SHIPPED, Row
from scrimp.core.record import Tags
from scrimp.core.task_type import inferred_task_type
from scrimp.facts.models import default
from scrimp.wire.response import Usage

__all__ = ["FLAT", "Fared", "derived", "judged", "kind_of", "total"]

FLAT = 4_096
_CLAUDE_CODES_OWN = 32_000
_NO_FIGURE = 10**9
_TRACES = Path(__file__).parents[2] / "shared" / "traces"
_QUANTILE, _MARGIN, _RECORDED = 99, 5 / 4, 50

Kind = tuple[str, bool]
"""A row of the table, and whether replies may think."""


class Fared(NamedTuple):
    """Replies of one type: how many, how many the lever cut (`late`: beyond the first twenty of an agent),
    how many the flat limit cut, and `max_tokens` of all of them by the lever and by the flat limit."""

    calls: int = 0
    cut: int = 0
    late: int = 0
    late_cut: int = 0
    flat_cut: int = 0
    given: int = 0
    flat: int = 0

    def plus(self, other: Fared) -> Fared:
        """Both together."""
        return Fared(*map(sum, zip(self, other, strict=True)))

    @property
    def cut_share(self) -> float:
        """Per cent of the replies that the lever cut and the flat limit would not have."""
        return 100 * self.cut / max(1, self.calls)

    @property
    def late_share(self) -> float:
        """The same of those beyond the first twenty."""
        return 100 * self.late_cut / max(1, self.late)

    @property
    def saved_share(self) -> float:
        """Per cent of the output that is not reserved any more."""
        return 100 * (1 - self.given / self.flat) if self.flat else 0.0


def kind_of(reply: RecordedReply) -> Kind:
    """The row that stands for a reply."""
    return row_name(reply.body), thinks(reply.body, default().resolve(reply.model))


def derived(replies: Iterable[RecordedReply]) -> dict[Kind, int]:
    """The figures of the table by its own rule, from these replies."""
    lengths: dict[Kind, list[int]] = defaultdict(list)
    for reply in replies:
        lengths[kind_of(reply)].append(reply.tokens)
    return {
        kind: _figure(kind[0], sorted(found)) for kind, found in lengths.items() if len(found) >= _RECORDED
    }


def _figure(name: str, lengths: Sequence[int]) -> int:
    needed = lengths[min(len(lengths), ceil((len(lengths) + 1) * _QUANTILE / 100)) - 1] * _MARGIN
    power = 1
    while power < needed:
        power *= 2
    rounded = power * 3 // 4 if power * 3 // 4 >= needed else power
    return max(rounded, LEAST.get(name, LEAST_ELSE))


def judged(replies: Sequence[RecordedReply], *, own: bool = False) -> dict[tuple[str, bool], Fared]:
    """How replies fared, by task type (as recorded, else as inferred) and whether they may think."""
    found: dict[tuple[str, bool], Fared] = defaultdict(Fared)
    for source in dict.fromkeys(reply.source for reply in replies):
        others = derived(reply for reply in replies if reply.source != source)
        levers: dict[Kind, Output] = {}
        seen: dict[tuple[Kind, str | None], int] = defaultdict(int)
        for number, reply in enumerate(reply for reply in replies if reply.source == source):
            kind = kind_of(reply)
            if kind not in levers:
                levers[kind] = Output(max_tokens={source: others.get(kind, _NO_FIGURE)})
            late = seen[kind, reply.task_type] >= ENOUGH
            seen[kind, reply.task_type] += 1
            fared = _passed(levers[kind], reply, number, late=late, own=own)
            name = reply.task_type or kind[0]
            found[name, kind[1]] = found[name, kind[1]].plus(fared)
    return dict(found)


def _passed(lever: Output, reply: RecordedReply, number: int, *, late: bool, own: bool) -> Fared:
    """One reply: what the lever makes of its request, then what it learns of the answer."""
    flat = _limit(reply, own=own)
    body = {**reply.body, "max_tokens": flat}
    tags = Tags(agent=reply.source, task_type=reply.task_type or inferred_task_type(body))
    model = default().resolve(reply.model)
    step = Step(body, model, tags, float(number), lambda _: None)
    change = lever.change(step)
    given = flat if change is None else change.body["max_tokens"]
    said = min(reply.tokens, given)
    reason = "max_tokens" if reply.tokens > given else "end_turn"
    lever.answered(step, Answered(Usage(output_tokens=said), reason, complete=True, at=float(number)))
    cut = given < reply.tokens <= flat
    return Fared(1, cut, late, cut and late, reply.tokens > flat, given, flat)


def _limit(reply: RecordedReply, *, own: bool) -> int:
    """What the caller asks for."""
    asked = reply.body.get("max_tokens")
    if own:
        return asked if isinstance(asked, int) and asked > 0 else _CLAUDE_CODES_OWN
    return FLAT + budget_of(reply.body)


def total(found: Iterable[Fared]) -> Fared:
    """All of them together."""
    whole = Fared()
    for fared in found:
        whole = whole.plus(fared)
    return whole


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.outputting")
    parser.add_argument("traces", nargs="?", type=Path, default=_TRACES)
    parser.add_argument("--own", action="store_true", help="against what the requests asked for")
    parser.add_argument("--table", action="store_true", help="print the table that ships")
    options = parser.parse_args()
    replies = list(recorded_replies(options.traces))
    if options.table:
        _print_table(derived(replies), replies)
        return 0
    found = judged(replies, own=options.own)
    print(f"{'task type':28}{'replies':>8}{'cut':>8}{'later':>8}{'flat cut':>10}{'reserve':>9}")
    for (name, thinking), fared in sorted(found.items(), key=lambda item: -item[1].calls):
        _print_row(name + (", may think" if thinking else ""), fared)
    enough = [fared for fared in found.values() if fared.flat_cut * 100 <= fared.calls]
    _print_row("all that the limit is for", total(enough))
    _print_row("all", total(found.values()))
    return 0


def _print_row(name: str, fared: Fared) -> None:
    flat = 100 * fared.flat_cut / fared.calls
    print(
        f"{name:28}{fared.calls:8,}{fared.cut_share:7.2f}%{fared.late_share:7.2f}%{flat:9.2f}%"
        f"{-fared.saved_share:8.1f}%"
    )


def _print_table(figures: Mapping[Kind, int], replies: Sequence[RecordedReply]) -> None:
    for name in SHIPPED:
        row = Row(figures.get((name, False)), figures.get((name, True)))
        counts = [sum(kind_of(reply) == (name, thinking) for reply in replies) for thinking in (False, True)]
        print(f"{name:20} {row} from {counts} replies; ships {SHIPPED[name]}")


if __name__ == "__main__":
    raise SystemExit(main())
