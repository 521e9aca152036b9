"""One agent and its growing context: ten steps, five iterations, and clearing."""

from __future__ import annotations

from fractions import Fraction

from scrimp.core.cache import Cache
from scrimp.core.estimate.amounts import Amounts
from scrimp.core.estimate.classics.example import SONNET, Classic, Today, Unit, pair, row, spent
from scrimp.core.estimate.simulate import bill
from scrimp.core.estimate.synthetic import Request, Script
from scrimp.core.estimate.terms import Terms, stated
from scrimp.core.prompt import Marker

__all__ = ["clearing", "five_iterations", "ten_steps"]

_STATED = stated("the model", "3", "15")
_GAP = 20
_LONGEST = 10_000
_CLEARING: tuple[tuple[str, str, Unit, str], ...] = (
    ("prompt after it", "12K", "tokens", "Eight old tool results are gone."),
    ("a call, not cleared", "", "units", "All of it is read."),
    (
        "the call that clears",
        "",
        "units",
        "Tools and system are read; the 8,000 tokens behind the cut are written anew.",
    ),
    ("each call after it", "", "units", "All of the shorter prompt is read."),
    (
        "calls until it has paid",
        "",
        "steps",
        "The clearing one included. The re-write has to be earned back: the cheaper reads are, the slower.",
    ),
)


def ten_steps(today: Today) -> Classic:
    """20,000 tokens carried through ten steps, with and without a cache."""
    terms = (_STATED, today.terms(SONNET))
    carried = {"steps": 10, "prefix": 20_000, "task": 0, "output": 0, "tool_result": 0, "runs_per_day": 1}
    without, cached = (
        tuple(_units(spent(one, **carried, caching=caching), one) for one in terms)
        for caching in ("none", "full")
    )
    reads = today.reads(SONNET)
    rows = (
        row("without a cache", pair(without), "units", "Ten times 20,000, at any price.", said="200K"),
        row(
            "with a cache",
            pair(cached),
            "units",
            f"One write at 1.25 and nine reads: at 0.1 as it is told, at {reads} on {SONNET}.",
            said="~43K",
        ),
    )
    return Classic(
        "ten-steps",
        "Ten steps that carry 20,000 tokens",
        "10 steps, 20,000 tokens in each, writes at 1.25 and reads at 0.1 of the input price",
        f"nothing new in any step, pauses under five minutes; today's figure is that of {SONNET}",
        rows,
    )


def five_iterations(today: Today) -> Classic:
    """The table of five iterations."""
    terms = (_STATED, today.terms(SONNET))
    loop = {"steps": 5, "prefix": 3_000, "task": 0, "output": 370, "tool_result": 1_965, "runs_per_day": 1}
    plain = [spent(one, **loop, caching="none") for one in terms]
    cached = [spent(one, **loop) for one in terms]
    rows = (
        row("input", pair(a.prompt for a in plain), "tokens", "The sum of five prompts.", said="38,350"),
        row("output", pair(a.output for a in plain), "tokens", "The sum of five answers.", said="1,850"),
        row(
            "cost, not cached",
            pair(a.cost for a in plain),
            "usd",
            f"It follows; {SONNET} costs {today.prices(SONNET)}, not $3 and $15.",
            said="$0.14",
        ),
        row(
            "cost, cached",
            pair(a.cost for a in cached),
            "usd",
            "Four of the five prompts begin with all of the one before, which is read, not sent again.",
        ),
    )
    return Classic(
        "five-iterations",
        "An agent of five iterations",
        "38,350 input and 1,850 output tokens in five calls, Sonnet at $3 and $15 per million",
        "only the sums are told; here prompts grow evenly from 3,000 tokens, by 2,335 a call (which matters "
        "to the cache alone)",
        rows,
    )


def clearing(today: Today) -> Classic:
    """8,000 of 20,000 tokens cleared out of a warm cache."""
    terms = (_STATED, today.terms(SONNET))
    races = [_race(one) for one in terms]
    found = [pair(race[number] for race in races) for number in range(len(_CLEARING))]
    rows = tuple(
        row(what, figures, unit, why, said=said)
        for figures, (what, said, unit, why) in zip(found, _CLEARING, strict=True)
    )
    return Classic(
        "clearing",
        "20K cleared to 12K, with the re-write charged",
        "a prompt of 20,000 tokens, 8,000 of them cleared",
        "4,000 tokens of tools and system with a marker of their own, then the 8,000, then 8,000 that stay; "
        "everything in the cache before",
        rows,
    )


def _race(terms: Terms) -> tuple[Fraction, ...]:
    """Tokens after the cut; units of a call without it, of the one that cuts, of each after; break-even."""
    kept, cut = _carried(cleared=False), _carried(cleared=True)
    asked, shorter = (script.request(terms.reading) for script in (kept, cut))
    without, after = Cache(), Cache()
    for cache in (without, after):
        _call(cache, asked, terms, 0)
    plain: list[Fraction] = []
    cleared: list[Fraction] = []
    for number in range(1, _LONGEST):
        plain.append(_call(without, asked, terms, number))
        cleared.append(_call(after, shorter, terms, number))
        if sum(cleared) <= sum(plain):
            break
    return Fraction(shorter.tokens), plain[0], cleared[0], cleared[1], Fraction(len(plain))


def _carried(*, cleared: bool) -> Script:
    script = Script()
    script.begin("tools and system", 4_000)
    script.say("user", ("text", "task", 0))
    for number in range(16):
        script.say("assistant", ("tool_use", f"call {number}", 0))
        script.say("user", ("tool_result", f"call {number}", 1_000))
    script.cleared = {f"call {number}" for number in range(8)} if cleared else set()
    return script


def _call(cache: Cache, request: Request, terms: Terms, number: int) -> Fraction:
    prompt = request.prompt
    markers = [Marker(prompt.static_end, "5m"), Marker(len(prompt) - 1, "5m")]
    marked = Request(prompt.remarked(markers), request.ends)
    return _units(bill(cache, marked, 0, terms, (number * _GAP, number * _GAP + 2)), terms)


def _units(amounts: Amounts, terms: Terms) -> Fraction:
    """Input cost in tokens at the full price."""
    return Fraction(amounts.input_cost) / terms.live(0).input
