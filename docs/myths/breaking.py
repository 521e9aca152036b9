"""Myths about what leaves the cache as it is: times, orders, tools, parallel calls, other models."""

from __future__ import annotations

from collections.abc import Mapping

from myths.shape import Myth, money, number, price, rates

__all__ = ["BREAKING"]


def _switch() -> Mapping[str, str]:
    """One step on 120,000 tokens that Sonnet has in its cache."""
    tokens = 120_000
    stay = tokens * rates("claude-sonnet-5-5", tokens=tokens).read
    haiku, old = rates("claude-haiku-5-5", tokens=tokens), rates("claude-haiku-4-5", tokens=tokens)
    return {
        "tokens": number(tokens),
        "stay": money(stay),
        "haiku": money(tokens * haiku.input),
        "old": money(tokens * old.input),
        "short": price(rates("claude-haiku-5-5").input),
        "long": price(haiku.input),
    }


BREAKING = (
    Myth(
        "A timestamp in the system prompt costs a few tokens",
        "in assistants that should know what time it is",
        "Everything behind it is another prefix each time: every call wrote the rules anew, dearer than no "
        "cache. What changes goes behind the last marker.",
        told="""
        for question in questions:
            now = f"It is {datetime.now().isoformat()}."
            client.messages.create(
                model=model,
                max_tokens=300,
                system=[{"type": "text", "text": now + rules, "cache_control": {"type": "ephemeral"}}],
                messages=[{"role": "user", "content": question}],
            )
        """,
        instead="""
        for question in questions:
            now = f"It is {datetime.now().isoformat()}."
            client.messages.create(
                model=model,
                max_tokens=300,
                system=[{"type": "text", "text": rules, "cache_control": {"type": "ephemeral"}}],
                messages=[{"role": "user", "content": f"{now} {question}"}],
            )
        """,
    ),
    Myth(
        "The same JSON is the same prompt",
        "by `json.dumps` of whatever came out of a set, a database or a merge",
        "The cache compares bytes. Keys in another order are another prefix from there on; `sort_keys` "
        "makes them the same.",
        told="""
        for known in profiles:
            context = json.dumps(known)
            client.messages.create(
                model=model,
                max_tokens=300,
                system=[{"type": "text", "text": context + rules, "cache_control": {"type": "ephemeral"}}],
                messages=[{"role": "user", "content": questions[0]}],
            )
        """,
        instead="""
        for known in profiles:
            context = json.dumps(known, sort_keys=True)
            client.messages.create(
                model=model,
                max_tokens=300,
                system=[{"type": "text", "text": context + rules, "cache_control": {"type": "ephemeral"}}],
                messages=[{"role": "user", "content": questions[0]}],
            )
        """,
    ),
    Myth(
        "Eight parallel calls with one prefix write it once",
        "as the reason to fan out",
        "An entry can be read once the answer of the call that writes it has begun. All eight were under "
        "way before that, and each wrote. One first, then seven: one write, seven reads.",
        told="""
        def ask(number):
            return client.messages.create(
                model=model,
                max_tokens=300,
                system=[{"type": "text", "text": rules, "cache_control": {"type": "ephemeral"}}],
                messages=[{"role": "user", "content": f"Judge text number {number}."}],
            )


        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, range(8)))
        """,
        instead="""
        requests = [
            {
                "model": model,
                "max_tokens": 300,
                "system": rules,
                "messages": [{"role": "user", "content": f"Judge text number {number}."}],
            }
            for number in range(8)
        ]
        scrimp.fanout(client, requests)
        """,
        slow=1.0,
    ),
    Myth(
        "Offering a tool only where it is needed saves tokens",
        "as advice on large tool sets",
        "Tools come first in the prompt: another set is another prefix, and all of system and conversation "
        "behind it is written again. Send the same tools every time, or defer them (`defer_loading` with "
        "tool search).",
        told="""
        for number, question in enumerate(questions):
            client.messages.create(
                model=model,
                max_tokens=300,
                tools=tools if number % 2 else [],
                system=[{"type": "text", "text": rules, "cache_control": {"type": "ephemeral"}}],
                messages=[{"role": "user", "content": question}],
            )
        """,
        instead="""
        for question in questions:
            client.messages.create(
                model=model,
                max_tokens=300,
                tools=tools,
                system=[{"type": "text", "text": rules, "cache_control": {"type": "ephemeral"}}],
                messages=[{"role": "user", "content": question}],
            )
        """,
    ),
    Myth(
        "A cheaper model for the easy steps is always cheaper",
        "by routers that choose a model for each call",
        "A cache belongs to one model. A step on {tokens} tokens that Sonnet 5.5 has cached costs {stay} of "
        "input; on Haiku 4.5, which has not, {old}, and on Haiku 5.5 {haiku}: beyond 100,000 tokens it "
        "takes {long} a million instead of {short}, for the whole request. Route whole conversations, or "
        "sub-agents of their own.",
        figures=_switch,
    ),
)
