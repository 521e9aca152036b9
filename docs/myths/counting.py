"""Myths about what is counted, and at what price."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from myths.shape import DAY, FACTS, MODEL, Myth, money, number, price, ran, rates
from scrimp.core.estimate.classics.example import spent
from scrimp.core.estimate.terms import published
from scrimp.emulator import Answer, text, thinking
from scrimp.emulator.replies import Reply
from scrimp.facts.tokenizers import hidden_prompt, token_factors

__all__ = ["COUNTING"]

_CHAT = {"steps": 8, "prefix": 6_000, "task": 200, "output": 300, "tool_calls": 0, "growth": 200}
_THOUGHT = 1_200
_AGENT = {"steps": 10, "prefix": 8_000, "task": 500, "output": 400, "tool_result": 1_500}


def _subtraction() -> Mapping[str, str]:
    return {"printed": ran(_SUBTRACTED).printed, "instead": ran(_SUMMED).printed}


_CACHED_CALL = """
for question in questions[:2]:
    response = client.messages.create(
        model=model,
        max_tokens=300,
        system=[{"type": "text", "text": rules, "cache_control": {"type": "ephemeral"}}],
        messages=[{"role": "user", "content": question}],
    )
"""
_SUBTRACTED = f"""{_CACHED_CALL}
usage = response.usage
plain = usage.input_tokens - usage.cache_read_input_tokens - usage.cache_creation_input_tokens
print(f"{{plain:,}} tokens at the input price")
"""
_SUMMED = f"""{_CACHED_CALL}
usage = response.usage
prompt = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
print(f"{{prompt:,}} tokens in all, ${{scrimp.cost(response).usd}}")
"""


def _prices() -> Mapping[str, str]:
    rows = [
        f"| `{model}` | {price(rates(model).input)} | {price(rates(model).output)} |"
        for model in ("claude-opus-4-6", "claude-opus-5-5", "claude-haiku-4-5", "claude-haiku-5-5")
    ]
    return {"table": "\n".join(["| model | input | output |", "|---|---|---|", *rows])}


def _room() -> Mapping[str, str]:
    costs = [ran(_ROOM.format(most)).cost for most in (300, 20_000)]
    return {"small": money(costs[0]), "large": money(costs[1])}


_ROOM = """
client.messages.create(model=model, max_tokens={}, messages=[{{"role": "user", "content": questions[0]}}])
"""


def _long_answer(_: dict[str, Any]) -> Reply:
    return Answer((text("It is due on the third working day. " * 120),))


def _streams() -> Mapping[str, str]:
    whole, streamed = (ran(code, _long_answer) for code in (_WHOLE, _STREAMED))
    return {"whole": money(whole.cost), "streamed": money(streamed.cost)}


_WHOLE = """
client.messages.create(model=model, max_tokens=3_000, messages=[{"role": "user", "content": rules}])
"""
_STREAMED = """
request = {"model": model, "max_tokens": 3_000, "messages": [{"role": "user", "content": rules}]}
with client.messages.stream(**request) as stream:
    stream.until_done()
"""


def _thoughtful(_: dict[str, Any]) -> Reply:
    return Answer(
        (thinking(""), text("The third working day.")), output_tokens=_THOUGHT + 6, thinking_tokens=_THOUGHT
    )


def _hidden() -> Mapping[str, str]:
    found = ran(_HIDDEN, _thoughtful)
    return {
        "seen": str(found.output - _THOUGHT),
        "output": number(found.output),
        "cost": money(found.output * rates().output),
    }


_HIDDEN = """
client.messages.create(
    model=model,
    max_tokens=4_000,
    thinking={"type": "adaptive"},
    messages=[{"role": "user", "content": questions[0]}],
)
"""


def _once() -> Mapping[str, str]:
    found = spent(published(FACTS, MODEL, DAY), runs_per_day=1, caching="none", **_CHAT)
    cached = spent(published(FACTS, MODEL, DAY), runs_per_day=1, **_CHAT)
    return {
        "prefix": number(_CHAT["prefix"]),
        "steps": str(_CHAT["steps"]),
        "again": number(_CHAT["prefix"] * _CHAT["steps"]),
        "sent": number(found.prompt),
        "plain": money(found.cost),
        "cached": money(cached.cost),
    }


def _ten() -> Mapping[str, str]:
    terms = published(FACTS, MODEL, DAY)
    single = spent(terms, runs_per_day=1, **{**_AGENT, "steps": 1}, caching="none")
    plain = spent(terms, runs_per_day=1, **_AGENT, caching="none")
    cached = spent(terms, runs_per_day=1, **_AGENT)
    return {
        "one": money(single.cost),
        "plain": f"{plain.cost / single.cost:.1f}",
        "cached": f"{cached.cost / single.cost:.1f}",
    }


def _tools() -> Mapping[str, str]:
    counts = [ran(_TOOLS.format(tools)).plain for tools in ("[]", "tools")]
    more, model = counts[1] - counts[0], FACTS.resolve(MODEL)
    hidden = round(hidden_prompt(token_factors(model.tokenizer).tool_prompts, model).auto)
    return {
        "without": number(counts[0]),
        "with": number(counts[1]),
        "more": number(more),
        "definition": number(more - hidden),
        "hidden": number(hidden),
    }


_TOOLS = """
client.messages.create(
    model=model, max_tokens=300, tools={}, messages=[{{"role": "user", "content": questions[0]}}]
)
"""


def _long() -> Mapping[str, str]:
    return {
        "then": money(300_000 * rates("claude-sonnet-4-6", tokens=300_000, day=date(2026, 2, 20)).input),
        "now": money(300_000 * rates("claude-sonnet-4-6", tokens=300_000).input),
        "haiku": f"{rates('claude-haiku-5-5', tokens=100_001).input // rates('claude-haiku-5-5').input}",
    }


COUNTING = (
    Myth(
        "Regular input is `input_tokens` minus what was read and written",
        "in a classic cost function",
        "It printed “{printed}”. `input_tokens` already leaves out what was read and written; the whole "
        "prompt is the sum. The right sum says: {instead}.",
        told=_SUBTRACTED,
        instead=_SUMMED,
        figures=_subtraction,
        unbilled=True,
    ),
    Myth(
        "Opus costs $15 and $75, Haiku $0.80 and $4",
        "by [a guide of June 2026](https://aipromptshub.co/blog/ai-agent-cost-vs-quality-tradeoffs-2026), "
        "among many",
        "Those were Opus 4.1 and Haiku 3.5, and both are retired. Dollars per million "
        "tokens:\n\n{table}\n\n[`scrimp estimate --classics`](estimate.md#worked-examples-recomputed) shows "
        "what became of the sums that were made with them.",
        figures=_prices,
    ),
    Myth(
        "A high `max_tokens` costs money",
        "as a reason to set it low",
        "The same answer was billed {small} with room for 300 tokens and {large} with room for 20,000: what "
        "is written is billed, not what could have been. It bounds the worst case, which is what budgets "
        "reserve.",
        figures=_room,
    ),
    Myth(
        "Streaming is cheaper",
        "as a way to save",
        "The same long answer cost {whole} at once and {streamed} streamed. Nor is a stream free that is "
        "stopped: as users report (the provider publishes nothing on it), the prompt is billed, and what had "
        "been written by then. Stopping saves the output still to come.",
        figures=_streams,
    ),
    Myth(
        "Thinking that is not shown is not billed",
        "by estimates from the length of the answer",
        "The visible answer was {seen} tokens, the bill said {output} of output, {cost}: thinking is "
        "output, shown, summarised or hidden. Effort steers how much there is; only `max_tokens` bounds it.",
        figures=_hidden,
    ),
    Myth(
        "The system prompt is sent once",
        "of chats and agents alike",
        "The API is stateless: each call carries everything. Eight turns on a system prompt of {prefix} "
        "tokens sent it {steps} times, {again} of {sent} tokens in all: {plain} without a cache, {cached} "
        "with one.",
        figures=_once,
    ),
    Myth(
        "Ten steps cost ten times one step, or 55 times",
        "by [a calculator](https://calculatorapp.io/ai/agentic-loop-cost.html) (55), and by intuition (ten)",
        "It depends on what grows. Ten steps on 8,500 tokens with 1,900 more in each cost {plain} times a "
        "single one ({one}) without a cache, and {cached} times with one. 55 is 1 + 2 + … + 10: it holds "
        "where a run begins with nothing, and nothing is cached.",
        figures=_ten,
    ),
    Myth(
        "Tools cost nothing until they are called",
        "by agents with everything connected",
        "A question of five words was {without} tokens, and {with} with one tool that nobody called. Of the "
        "{more} more about {definition} are its definition, which is part of every prompt, and {hidden} a "
        "system prompt that any tool brings. Both are estimated: the provider publishes that prompt's length "
        "for other models, and here it is taken from Sonnet 5.",
        figures=_tools,
    ),
    Myth(
        "Beyond 200,000 tokens everything costs double",
        "by calculators of 2025",
        "300,000 tokens of input on Sonnet 4.6 cost {then} in February 2026 and {now} since that surcharge "
        "ended in March. One threshold there is: beyond 100,000 tokens Haiku 5.5 costs {haiku} times as "
        "much, for the whole request, answer included.",
        figures=_long,
    ),
)
