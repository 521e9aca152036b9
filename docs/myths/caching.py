"""Myths about the prompt cache: how it is switched on, what it costs, how long it lives, what breaks it."""

from __future__ import annotations

from collections.abc import Mapping

from myths.shape import DAY, FACTS, MODEL, Myth, money, number, price, ran, rates
from scrimp.core.estimate.classics.example import spent
from scrimp.core.estimate.terms import Terms, published

__all__ = ["CACHING"]

_LOOP = {"steps": 20, "prefix": 8_000, "task": 500, "output": 400, "tool_result": 1_500, "runs_per_day": 1}


def _terms() -> Terms:
    return published(FACTS, MODEL, DAY)


def _header() -> Mapping[str, str]:
    return {"stable": ran(_BETAS).error}


_BETAS = """
client.messages.create(
    model=model, max_tokens=300, betas=["prompt-caching-2024-07-31"],
    messages=[{"role": "user", "content": questions[0]}],
)
"""


def _writes() -> Mapping[str, str]:
    one = rates()
    return {"input": price(one.input), "w5": price(one.write_5m), "w1": price(one.write_1h)}


def _reads() -> Mapping[str, str]:
    coding = {"steps": 40, "prefix": 20_000, "task": 1_000, "output": 500, "tool_result": 2_000}
    found = spent(_terms(), runs_per_day=1, **coding)
    read = round(found.read) * rates().read
    return {
        "tokens": number(round(found.read)),
        "cost": money(read),
        "share": f"{read / found.cost:.0%}".replace("%", " %"),
        "whole": money(found.cost),
        "least": f"{min(_multipliers()):g}",
        "most": f"{max(_multipliers()):g}",
    }


def _multipliers() -> list[float]:
    return [float(model.read_multiplier(DAY)) for model in FACTS.models if not model.is_retired(DAY)]


_DISPUTED = {
    "claude-opus-4-8": 4_096,
    "claude-opus-4-7": 4_096,
    "claude-fable-5": 2_048,
    "claude-sonnet-4-6": 2_048,
}
"""Models of which the provider's Claude API skill of July 2026 has another minimum than its pages."""


def _minimums() -> Mapping[str, str]:
    by_size: dict[int, list[str]] = {}
    for model in FACTS.models:
        if not model.is_retired(DAY) and "mythos" not in model.id:
            inferred = " (inferred)" if "cache_minimum" in model.inferred else ""
            disputed = " (disputed)" if model.id in _DISPUTED else ""
            by_size.setdefault(model.cache_minimum, []).append(f"`{model.id}`{inferred}{disputed}")
    table = "\n".join(f"| {size:,} | {', '.join(models)} |" for size, models in sorted(by_size.items()))
    other = ", ".join(f"{number(size)} on `{model}`" for model, size in _DISPUTED.items())
    return {"table": f"| tokens | models |\n|---|---|\n{table}", "other": other}


def _break_even() -> Mapping[str, str]:
    one = FACTS.resolve(MODEL)
    gain = 1 - one.read_multiplier(DAY)
    return {
        "gain5": f"{float((one.write_multiplier(DAY) - 1) / gain):.2f}",
        "gain1": f"{float((one.write_multiplier(DAY, ttl='1h') - 1) / gain):.2f}",
    }


def _hour() -> Mapping[str, str]:
    quick = [spent(_terms(), ttl=ttl, **_LOOP).cost for ttl in ("5m", "1h")]
    slow = [spent(_terms(), ttl=ttl, **_LOOP, gap=900).cost for ttl in ("5m", "1h")]
    return {
        "quick5": money(quick[0]),
        "quick1": money(quick[1]),
        "slow5": money(slow[0]),
        "slow1": money(slow[1]),
    }


def _batches() -> Mapping[str, str]:
    live, batch = rates(), rates(batch=True)
    return {
        "input": price(live.input),
        "read": price(live.read),
        "batched": price(batch.input),
        "both": price(batch.read),
    }


CACHING = (
    Myth(
        "Prompt caching needs its beta header",
        "in most tutorials of 2024, and copied since",
        "Nothing was cached: the header has been a no-op since caching became part of the API, and what "
        "caches is a marker. `betas=` is no argument of `client.messages` at all (`{stable}`).",
        told="""
        for question in questions:
            client.messages.create(
                model=model,
                max_tokens=300,
                system=rules,
                messages=[{"role": "user", "content": question}],
                extra_headers={"anthropic-beta": "prompt-caching-2024-07-31"},
            )
        """,
        instead="""
        for question in questions:
            client.messages.create(
                model=model,
                max_tokens=300,
                system=[{"type": "text", "text": rules, "cache_control": {"type": "ephemeral"}}],
                messages=[{"role": "user", "content": question}],
            )
        """,
        figures=_header,
    ),
    Myth(
        "One `cache_control` at the top of the request is all it takes",
        "in introductions to automatic caching",
        "It marks the last block, which is the question: three prefixes were written, and none is ever read. "
        "It suits a conversation that grows; what several requests share wants a marker where it ends.",
        told="""
        for question in questions:
            client.messages.create(
                model=model,
                max_tokens=300,
                cache_control={"type": "ephemeral"},
                system=rules,
                messages=[{"role": "user", "content": question}],
            )
        """,
        instead="""
        for question in questions:
            client.messages.create(
                model=model,
                max_tokens=300,
                system=[{"type": "text", "text": rules, "cache_control": {"type": "ephemeral"}}],
                messages=[{"role": "user", "content": question}],
            )
        """,
    ),
    Myth(
        "Marking is free: a write costs what plain input costs",
        "in cost calculators that bill `cache_creation_input_tokens` at the input price",
        "On `claude-sonnet-5-5` a million tokens cost {input} plain, {w5} written for five minutes and {w1} "
        "for an hour. A marker that nobody reads behind is a surcharge: mark what will be sent again while "
        "it lives.",
        told="""
        client.messages.create(
            model=model,
            max_tokens=300,
            system=[{"type": "text", "text": rules, "cache_control": {"type": "ephemeral"}}],
            messages=[{"role": "user", "content": "The only question of the day"}],
        )
        """,
        instead="""
        client.messages.create(
            model=model,
            max_tokens=300,
            system=rules,
            messages=[{"role": "user", "content": "The only question of the day"}],
        )
        """,
        figures=_writes,
    ),
    Myth(
        "Cache reads are free",
        "wherever savings are counted in tokens",
        "They cost {least} to {most} of the input price, and there are many of them: a coding agent of 40 "
        "steps reads {tokens} tokens, {cost} of its {whole} ({share}). Carrying less pays even where "
        "everything is read.",
        figures=_reads,
    ),
    Myth(
        "Every marked prefix is cached, from 1,024 tokens on (2,048 on Haiku)",
        "by [a guide](https://docs.aisupermarket.work/claude/prompt-caching), and many others",
        "Nothing was written, nothing read, and no error said so. The least that is cached depends on the "
        "model, and has changed with almost every one:\n\n{table}\n\nThe figures are those of the provider's "
        "pages. For Fable 5.2 they have none: it is taken to be that of its predecessor. The provider's "
        "Claude API skill of July 2026 disagrees with them ({other}); recorded calls wrote 1,425 tokens on "
        "Sonnet 4.6 and 1,590 on Opus 4.8, as the pages allow and the skill does not. The usage of your own "
        "first call settles it.",
        told="""
        for question in questions:
            client.messages.create(
                model="claude-haiku-4-5",
                max_tokens=300,
                system=[{"type": "text", "text": rules[:9_000], "cache_control": {"type": "ephemeral"}}],
                messages=[{"role": "user", "content": question}],
            )
        """,
        instead="""
        for question in questions:
            client.messages.create(
                model="claude-haiku-5-5",
                max_tokens=300,
                system=[{"type": "text", "text": rules[:9_000], "cache_control": {"type": "ephemeral"}}],
                messages=[{"role": "user", "content": question}],
            )
        """,
        figures=_minimums,
    ),
    Myth(
        "The cache lives five minutes on Sonnet and an hour on Haiku",
        "by [one post](https://www.agentupdate.ai/news/claude-api-cost-optimization-caching/), and its "
        "copies",
        "A marker says how long its entry lives, on any model: five minutes, unless `ttl` says an hour. Ten "
        "minutes later the first entry was gone.",
        told="""
        for question in questions:
            client.messages.create(
                model="claude-haiku-5-5",
                max_tokens=300,
                system=[{"type": "text", "text": rules, "cache_control": {"type": "ephemeral"}}],
                messages=[{"role": "user", "content": question}],
            )
            wait(600)
        """,
        instead="""
        marker = {"type": "ephemeral", "ttl": "1h"}
        for question in questions:
            client.messages.create(
                model="claude-haiku-5-5",
                max_tokens=300,
                system=[{"type": "text", "text": rules, "cache_control": marker}],
                messages=[{"role": "user", "content": question}],
            )
            wait(600)
        """,
    ),
    Myth(
        "A hit upgrades the entry to an hour",
        "in posts on how the lifetime is extended",
        "A read begins the entry's own lifetime again, and that is all: after two reads it was gone in five "
        "minutes as before. An hour has to be bought when it is written.",
        told="""
        for pause in (100, 100, 400):
            client.messages.create(
                model=model,
                max_tokens=300,
                system=[{"type": "text", "text": rules, "cache_control": {"type": "ephemeral"}}],
                messages=[{"role": "user", "content": questions[0]}],
            )
            wait(pause)
        client.messages.create(
            model=model,
            max_tokens=300,
            system=[{"type": "text", "text": rules, "cache_control": {"type": "ephemeral"}}],
            messages=[{"role": "user", "content": questions[1]}],
        )
        """,
    ),
    Myth(
        "Caching pays from the fourth call on; an hour's cache needs four reads",
        "by [a benchmark page](https://claudeguide.io/benchmarks) and "
        "[a report](https://agentbeck.bot/report/30556)",
        "On `claude-sonnet-5-5` a write for five minutes is paid for by {gain5} reads, so by the first one, "
        "and one for an hour by {gain1}, so by the second. Only reads in time count: one within five "
        "minutes, or two, each within an hour of the one before.",
        figures=_break_even,
    ),
    Myth(
        "The hour is always the better lifetime",
        "as a rule of thumb",
        "An agent of 20 steps, 20 seconds apart, costs {quick5} with five minutes and {quick1} with the "
        "hour: its reads keep the entry alive anyway. With 15 minutes between the steps it is {slow5} "
        "against {slow1}. The pauses decide, which is why scrimp learns them.",
        figures=_hour,
    ),
    Myth(
        "Batches and caching do not go together: pick one",
        "by [a cookbook](https://claude-api-cookbook.vercel.app/claude-prompt-caching-vs-batch-api-savings/)",
        "They multiply. On `claude-sonnet-5-5` a million tokens cost {input}, read {read}, in a batch "
        "{batched}, and read in a batch {both}. What is true of it: hits in a batch are best effort. Mark "
        "what its requests share for an hour, and do not count on it.",
        figures=_batches,
    ),
)
