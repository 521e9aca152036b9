"""Myths about carrying less: clearing, trimming, compacting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from myths.shape import DAY, FACTS, MODEL, Myth, money, number, ran
from scrimp.core.estimate.classics import classics
from scrimp.core.estimate.classics.example import spent
from scrimp.core.estimate.terms import published
from scrimp.emulator import Answer, text, tool_use
from scrimp.emulator.replies import Reply

__all__ = ["CONTEXT"]

_WINDOW = (
    "https://dev.to/subprime2010/how-to-implement-claude-conversation-history-without-storing-everything-"
    "token-efficient-pattern-2ne9"
)
_LOOP = {"prefix": 8_000, "task": 500, "output": 400, "tool_result": 1_500, "runs_per_day": 1}


def _clearing() -> Mapping[str, str]:
    example = {row.what: row for row in classics(FACTS, DAY, ["clearing"])[0].rows}
    terms = published(FACTS, MODEL, DAY)
    kept = spent(terms, steps=40, **_LOOP).cost
    often = spent(terms, steps=40, clear_above=30_000, **_LOOP).cost
    seldom = spent(terms, steps=40, clear_above=60_000, clear_at_least=20_000, **_LOOP).cost
    long = spent(terms, steps=100, **_LOOP).cost
    much = spent(terms, steps=100, clear_above=100_000, clear_at_least=80_000, **_LOOP).cost
    return {
        "calls": example["calls until it has paid"].true.exact,
        "then": example["calls until it has paid"].follows.exact,
        "kept": money(kept),
        "often": money(often),
        "seldom": money(seldom),
        "long": money(long),
        "much": money(much),
        "saved": f"{1 - much / long:.0%}".replace("%", " %"),
    }


def _search(body: dict[str, Any]) -> Reply:
    return Answer((tool_use("search", {"query": f"rent {len(body['messages'])}"}),), output_tokens=60)


def _trimmed() -> Mapping[str, str]:
    return {"error": ran(_TRIMMED, _search).error, "calls": str(ran(_TRIMMED, _search).calls)}


_TRIMMED = """
messages = [{"role": "user", "content": questions[0]}]
for _ in range(8):
    answer = client.messages.create(model=model, max_tokens=300, tools=tools, messages=messages[-5:])
    messages.append({"role": "assistant", "content": answer.content})
    call = answer.content[0]
    found = {"type": "tool_result", "tool_use_id": call.id, "content": rules[:2_000]}
    messages.append({"role": "user", "content": [found]})
"""
_CLEARED = """
messages = [{"role": "user", "content": questions[0]}]
for _ in range(8):
    answer = client.beta.messages.create(
        model=model,
        max_tokens=300,
        tools=tools,
        messages=messages,
        cache_control={"type": "ephemeral"},
        betas=["context-management-2025-06-27"],
        context_management={
            "edits": [
                {
                    "type": "clear_tool_uses_20250919",
                    "trigger": {"type": "input_tokens", "value": 100_000},
                    "clear_at_least": {"type": "input_tokens", "value": 40_000},
                }
            ]
        },
    )
    messages.append({"role": "assistant", "content": answer.content})
    call = answer.content[0]
    found = {"type": "tool_result", "tool_use_id": call.id, "content": rules[:2_000]}
    messages.append({"role": "user", "content": [found]})
"""


def _summary(_: dict[str, Any]) -> Reply:
    return Answer((text("The tenant asked when the rent is due. " * 20),))


def _compacted() -> Mapping[str, str]:
    found = ran(_COMPACTED, _summary)
    top, _, real = found.printed.partition(" / ")
    return {"top": top, "real": real, "input": number(found.plain)}


_COMPACTED = """
answer = client.beta.messages.create(
    model="claude-opus-5-5",
    max_tokens=2_000,
    betas=["compact-2026-09-04"],
    compaction={"type": "summarize"},
    messages=[
        {"role": "user", "content": rules + questions[0]},
        {"role": "assistant", "content": "On the third working day."},
        {"role": "user", "content": questions[1]},
    ],
)
usage = answer.usage
print(usage.input_tokens + usage.output_tokens, "/", f"${scrimp.cost(answer).usd}")
"""

_COMPACTING = """
for question in questions:
    messages.append({{"role": "user", "content": question}})
    answer = client.beta.messages.create(
        model="claude-opus-5-5",
        max_tokens=2_000,
        betas=["compact-2026-01-12"],
        context_management={{
            "edits": [
                {{
                    "type": "compact_20260112",
                    "trigger": {{"type": "input_tokens", "value": 50_000}},
                }}
            ]
        }},
        messages=messages,
    )
    {appended}
"""

CONTEXT = (
    Myth(
        "Clearing old tool results always saves",
        "as the first advice on long loops",
        "What is cut out of a warm cache has to be written anew behind the cut. 8,000 of 20,000 tokens "
        "cleared have paid for themselves after {calls} calls, the clearing one included ({then} while reads "
        "cost 0.1). An agent of 40 steps costs {kept} uncleared, {often} when everything beyond 30,000 "
        "tokens is cleared at once, {seldom} when it waits for 60,000 and for 20,000 to free. Where many "
        "calls follow it pays: 100 steps cost {long} uncleared, and {much} when it waits for 100,000 and for "
        "80,000 to free ({saved} less). Clear seldom, much, and late in the history: "
        "[the sum](estimate.md#worked-examples-recomputed).",
        figures=_clearing,
    ),
    Myth(
        "Keep only the last few messages",
        f"by [a pattern]({_WINDOW}), and many more",
        "After {calls} calls the window began with the result of a tool call that was cut off, and the API "
        "refused it ({error}). Where it happens to fit, each call begins with other messages than the last, "
        "and reads none of them: at best tools and system, where a marker stands behind them. Cut whole "
        "turns, or let the provider clear.",
        told=_TRIMMED,
        instead=_CLEARED,
        figures=_trimmed,
        answers=_search,
    ),
    Myth(
        "Compaction is free",
        "by sums of the top-level usage",
        "A summary is written by the model, from the whole conversation. The top-level usage of a "
        "compaction on demand says {top} tokens; what it cost stands in `usage.iterations`, and was {real}. "
        "It pays where many calls follow, and most when it reads the conversation from the cache.",
        told=_COMPACTED,
        answers=_summary,
        figures=_compacted,
        unbilled=True,
    ),
    Myth(
        "After a compaction, append the text of the answer",
        "by loops that keep `answer.content[0].text`",
        "The compaction block stands for everything before it. Without it the whole history is sent, and "
        "summed up, again: append `answer.content` as it came.",
        told=_COMPACTING.format(
            appended='text = next(block.text for block in answer.content if block.type == "text")\n'
            '    messages.append({"role": "assistant", "content": text})'
        ),
        instead=_COMPACTING.format(
            appended='messages.append({"role": "assistant", "content": answer.content})'
        ),
    ),
)
