"""What `scrimp.summarize` takes out of recorded long runs, and what of it was needed later.

    python -m benchmarks.summaries TRACES

Runs of at least fifty answers are walked through; every tenth request goes through the form that costs no
call, which goes on from its own result. Tokens are those of all requests walked through, by scrimp's own
estimate. "Needed" are names, paths and numbers that the agent used after the turns were gone and that none of
the messages left says by itself: they are there if the session state has them. `trim` cuts alike and
leaves nothing in its place.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.recorded_conversations import Conversation, conversations
from scrimp.core.summarize.obligations import squeezed
from scrimp.core.summarize.parting import Sizes, length
from scrimp.core.summarize.state import is_state
from scrimp.core.whatif.regret_needles import names_in, texts_of
from scrimp.emulator.asked import Asked
from scrimp.emulator.validate import validate
from scrimp.facts.models import resolve
from scrimp.summarizing import summarized

__all__ = ["Walked", "long_runs", "walked"]

MODEL = "claude-opus-4-5"
TRIGGER, KEEP = 60_000, 20_000
Known = dict[int, list[str]]
"""What messages of a run name, by their identity."""

_LONG = 50
_EVERY = 10


class Walked(msgspec.Struct):
    """What was seen along one run. Tokens are of requests walked through; the rest are counts."""

    source: str
    cuts: int = 0
    whole: int = 0
    left: int = 0
    obligations: int = 0
    survived: int = 0
    needed: int = 0
    there: int = 0
    invalid: int = 0


def long_runs(traces: Path, *kinds: str) -> Iterable[Conversation]:
    """Recorded runs that are long, and where nobody's own context management cut the history already."""
    for found in conversations(traces, *kinds):
        if sum(message["role"] == "assistant" for message in found.messages) >= _LONG:
            yield found


def walked(run: Conversation) -> Walked:
    """One run, every tenth request with a session state in place of what was too much."""
    seen, sizes = Walked(run.source), Sizes(resolve(MODEL))
    ends = [at for at, message in enumerate(run.messages) if message["role"] == "assistant"][::_EVERY]
    own: list[Any] = []
    taken, known = 0, Known()
    for end, following in zip(ends, [*ends[1:], len(run.messages)], strict=True):
        own, taken = [*own, *run.messages[taken:end]], end
        found = summarized(own, model=MODEL, trigger=TRIGGER, keep=KEEP)
        if found.state is not None:
            seen.cuts += 1
            left = squeezed(_text(found.messages))
            seen.obligations += len(found.obligations)
            seen.survived += sum(one.text in left for one in found.obligations)
            seen.invalid += _breaks(run.messages[:end], found.messages)
        own = found.messages
        seen.whole += length(run.messages[:end], sizes)
        seen.left += length(own, sizes)
        if seen.cuts:
            _need(seen, run.messages[:end], own, run.messages[end:following], known)
    return seen


def _need(seen: Walked, whole: list[Any], left: list[Any], later: list[Any], known: Known) -> None:
    """What the agent used of what is gone."""
    used = {name for message in later if message["role"] == "assistant" for name in _names(message, known)}
    used &= {name for message in whole for name in _names(message, known)}
    state = next((_text([message]) for message in left if is_state(message)), "")
    kept = {name for message in left if not is_state(message) for name in _names(message, known)}
    gone, state = used - kept, squeezed(state)
    seen.needed += len(gone)
    seen.there += sum(squeezed(name) in state for name in gone)


def _names(message: Any, known: Known) -> list[str]:
    """Names of at most sixty characters, as an agent uses them: whole lines are none."""
    found = known.get(id(message))
    if found is None:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        texts = [text for block in blocks for text in texts_of(block)]
        names = (name for text in texts for name in names_in(text[:20_000]))
        found = known[id(message)] = [name for name in names if len(name) <= 60 and " " not in name]
    return found


def _text(messages: list[Any]) -> str:
    return "\n".join(text for message in messages for block in message["content"] for text in _of(block))


def _of(block: Any) -> list[str]:
    return [block] if isinstance(block, str) else list(texts_of(block))


def _breaks(before: list[Any], after: list[Any]) -> bool:
    """Whether the API took the conversation as it was, and would not as it is."""

    def refused(messages: list[Any]) -> bool:
        tools = [{"name": "any", "input_schema": {"type": "object"}}]
        body = {"model": MODEL, "max_tokens": 100, "messages": messages, "tools": tools}
        return validate(Asked(body, MODEL, resolve(MODEL), date(2026, 11, 21))) is not None

    return not refused(before) and refused(after)


def main(traces: Path) -> None:
    """Print a line for each source."""
    warnings.simplefilter("ignore")
    totals: dict[str, Walked] = {}
    runs: dict[str, int] = {}
    for run in long_runs(traces):
        one = walked(run)
        if not one.cuts:
            continue
        runs[one.source] = runs.get(one.source, 0) + 1
        total = totals.setdefault(one.source, Walked(one.source))
        for name in Walked.__struct_fields__[1:]:
            setattr(total, name, getattr(total, name) + getattr(one, name))
    for source, total in totals.items():
        print(
            f"{source}: {runs[source]} runs, {total.cuts} cuts; tokens {total.whole:,} -> {total.left:,} "
            f"({total.left / total.whole - 1:+.1%}); obligations kept {total.survived:,} of "
            f"{total.obligations:,}; needed later and gone {total.needed:,}, in the state {total.there:,} "
            f"({total.there / max(total.needed, 1):.0%}); invalid {total.invalid}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
