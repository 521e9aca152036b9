"""The most that one request can cost: a hard bound, not a likely figure.

Nothing is estimated. A token stands for at least one byte of text, as it is or normalised, so that the bytes
of the request bound the tokens of its text, and JSON's own bytes cover what is rendered around a block. To
that come what the provider adds, by the published figures and with room to spare; each image at the most an
image can have; and the model's whole window for what cannot be seen from here (PDFs, files and addresses of
documents, threads, tools and skills of other servers). A prompt beyond the window is refused, so no bound is
above it.

All of the prompt is taken as missed, and as written for the longest lifetime that any marker asks for, or as
plain input without markers; the output as `max_tokens`, which the API reference calls the most it generates,
thinking included. For server tools the API samples again with what they found, each time with a prompt of its
own; compaction reads the prompt once more and writes a summary; a fallback tries the next model with all of
it.

Not bounded here, because nothing that is published bounds it: searches of a `web_search` without `max_uses`
(ten a sampling are counted), and the hours of a code execution container, which no usage reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from scrimp.core.bill import day_of
from scrimp.core.prompt import Marker
from scrimp.core.worst_parts import look, may_shorten
from scrimp.core.worst_seen import Lifetime, Seen
from scrimp.core.worst_text import as_json, spelled_bytes
from scrimp.facts.model import Model
from scrimp.facts.models import Facts
from scrimp.facts.prices import Rates
from scrimp.wire.request import BILLING_HEADER, Body

__all__ = ["WorstCase", "worst_case"]

_LONG_WINDOW = 1_000_000
"""Tokens of the largest window there is: that of a model which is not known to have a smaller one."""

_SAMPLINGS = 10
"""Times the API samples again for its own tools before it pauses ("Handling stop reasons", `pause_turn`)."""

_MOST_OUTPUT = 1_000_000
"""Tokens of output beyond which the API refuses every request, whatever model it is for."""

_SEARCHES = 10
_NOBODY = "unknown"
_US = "us"


class WorstCase(msgspec.Struct, frozen=True, gc=False):
    """At most `amount` picodollars, for so many tokens; `notes` say what makes it large.

    Tokens are those of every sampling and attempt together.
    """

    amount: int
    input_tokens: int
    output_tokens: int
    notes: tuple[str, ...] = ()


def worst_case(
    body: Body,
    model: Model,
    *,
    facts: Facts,
    at: float,
    markers: Iterable[Marker] | None = None,
    size: int | None = None,
    known: int | None = None,
    messages: Seen | None = None,
) -> WorstCase:
    """The most that a request for `model` can cost, by the prices of the day of `at` (epoch seconds).

    `markers` are those that the request may go out with beside those in `body`. `size` are the bytes of the
    body's text as JSON, where they are known; `known` is what `known_bound` says of the prompt, `messages`
    what `look_at_messages` found in those of `body`. `facts` hold the fees, and the models that may answer
    instead.
    """
    seen = look(body, model, messages)
    text = _Text(body, size)
    usable = None if known is None else _usable(known, body, seen, model)
    work = _work(seen, _prompt(seen, model, text, usable), _max_tokens(body, model), model)
    notes = tuple(dict.fromkeys((*seen.unseen, *work.notes))) if seen.unseen or work.notes else ()
    works = [(model, work)]
    if seen.fallbacks or seen.advisors:
        works += _others(body, seen, text, facts, messages)
    day, ttl = day_of(at), _longest(seen.ttl, markers) if markers else seen.ttl
    named, fast = body.get("inference_geo"), body.get("speed") == "fast"
    geo = named if isinstance(named, str) else _US  # where the request names none, the workspace may
    amount = input_tokens = output_tokens = 0
    for one, work in works:
        prompt, output = work.prompt, work.output
        rates = one.rates(day, prompt_tokens=prompt, fast=fast, geo=geo)
        amount += prompt * (_dearest(rates, ttl) if ttl else rates.input) + output * rates.output
        if work.searches:
            amount += work.searches * facts.web_search_fee
        input_tokens += prompt
        output_tokens += output
    return WorstCase(amount, input_tokens, output_tokens, notes)


def _others(
    body: Body, seen: Seen, text: _Text, facts: Facts, messages: Seen | None
) -> list[tuple[Model, _Work]]:
    """What other models may be asked to do: those that answer instead, and those that advise."""
    works = []
    for name in seen.fallbacks:
        # What is known of one model's prompt says nothing of another's.
        other = facts.resolve(_NOBODY if name is None else name)
        again = look(body, other, messages)
        prompt = _prompt(again, other, text)
        works.append((other, _work(again, prompt, _max_tokens(body, other), other)))
    for advisor in seen.advisors:
        other = facts.resolve(advisor.model)
        uses = _SAMPLINGS if advisor.max_uses is None else advisor.max_uses
        most = other.max_output if advisor.max_tokens is None else advisor.max_tokens
        works.append((other, _Work(uses * _window(other), uses * most)))
    return works


def _dearest(rates: Rates, ttl: Lifetime) -> int:
    """The dearest price that a token of a prompt can have."""
    return max(rates.input, rates.write_5m, rates.write_1h if ttl == "1h" else 0)


def _longest(own: Lifetime, markers: Iterable[Marker]) -> Lifetime:
    """The longest lifetime that any marker asks for."""
    for marker in markers:
        if own != "1h":
            own = marker.ttl
    return own


class _Work(msgspec.Struct, frozen=True, gc=False):
    """Tokens of all samplings of one attempt, and what is paid by the piece."""

    prompt: int
    output: int
    searches: int = 0
    notes: tuple[str, ...] = ()


class _Text(msgspec.Struct, gc=False):
    """The text of a request: its bytes where they are known, and as JSON once they had to be counted."""

    body: Body
    size: int | None
    encoded: bytes | None = None


def _prompt(seen: Seen, model: Model, text: _Text, known: int | None = None) -> int:
    """Tokens of the prompt as it is sent, at most."""
    window = _window(model)
    if seen.unseen:
        return window
    most = window if known is None or known > window else known
    beside = seen.beside_text(model.image_rule.max_tokens)
    if seen.chars + seen.media + beside >= most:  # JSON has a byte for each of these at least
        return most
    found, encoded = text.size, text.encoded
    if found is None:
        if encoded is None:
            encoded = text.encoded = as_json(text.body)
        if encoded is None or len(encoded) + beside >= most:
            return most
        found = spelled_bytes(encoded, _LONG_WINDOW + seen.media)
    found += beside
    return found if found < most else most


def _usable(known: int, body: Body, seen: Seen, model: Model) -> int | None:
    """What bills have shown, where that bounds this request, and what may differ though it looks the same."""
    if may_shorten(body, model):
        return None
    if seen.server_tools and any(tool.kind == "tool_search" for tool in seen.server_tools):
        return None  # it brings definitions that were in no bill
    return known + seen.remote * model.image_rule.max_tokens + _attribution(body)


def _attribution(body: Body) -> int:
    """Bytes of a client's own line on top of the system prompt, which is no part of what is known."""
    system = body.get("system")
    first = system if isinstance(system, str) else None
    if isinstance(system, (list, tuple)) and system and isinstance(system[0], (dict, Mapping)):
        first = system[0].get("text")
    if not isinstance(first, str) or not first.startswith(BILLING_HEADER):
        return 0
    return spelled_bytes(first.encode("utf-8", "surrogatepass"), _LONG_WINDOW)


def _work(seen: Seen, prompt: int, output: int, model: Model) -> _Work:
    """What the API does on its own while it answers."""
    if not seen.server_tools and seen.compacts is None:
        return _Work(prompt, output)
    notes: list[str] = []
    total, rounds, searches = prompt, 0, 0
    if seen.server_tools:
        rounds = _rounds(seen)
        total += sum(min(_window(model), _grown(seen, prompt, output, n)) for n in range(1, rounds + 1))
        searches = sum(
            rounds * _SEARCHES if tool.max_uses is None else tool.max_uses
            for tool in seen.server_tools
            if tool.kind == "web_search"
        )
        notes.append(f"server tools: the prompt is sampled up to {rounds + 1} times; `max_uses` lowers that")
    if seen.compacts == 0:
        output = max(output, model.max_output)
    elif seen.compacts is not None and total > seen.compacts:
        notes.append("compaction: the prompt is read once more, and a summary written")
        total, output = 2 * total, output + (rounds + 1) * model.max_output
    return _Work(total, output, searches, tuple(notes))


def _rounds(seen: Seen) -> int:
    uses = [tool.max_uses for tool in seen.server_tools]
    bounded = [count for count in uses if count is not None]
    return min(_SAMPLINGS, sum(bounded)) if len(bounded) == len(uses) else _SAMPLINGS


def _grown(seen: Seen, prompt: int, output: int, rounds: int) -> int:
    """Tokens of the prompt after so many rounds of server tools."""
    found = 0
    for tool in seen.server_tools:
        if tool.finds is None:
            return _LONG_WINDOW
        found += rounds * prompt if tool.kind == "tool_search" else tool.finds
    return prompt + output + found


def _max_tokens(body: Body, model: Model) -> int:
    asked = body.get("max_tokens")
    if type(asked) is not int or asked < 0:
        return model.max_output
    return asked if asked < _MOST_OUTPUT else _MOST_OUTPUT


def _window(model: Model) -> int:
    """Tokens of a prompt beyond which the API refuses the request."""
    return model.window if model.known and not model.long_context else max(model.window, _LONG_WINDOW)
