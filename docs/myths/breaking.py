"""Myths about what leaves the cache as it is: times, orders, tools, parallel calls, other models."""

from __future__ import annotations

from collections.abc import Mapping

from myths.shape import DAY, FACTS, Myth, money, number, price, rates
from scrimp.core.whatif.model import text_ratio

__all__ = ["BREAKING"]


_STAY, _NEW, _OLD = "claude-sonnet-5-5", "claude-haiku-5-5", "claude-haiku-4-5"
_ANSWER = 400


def _switch() -> Mapping[str, str]:
    """One step on a prompt that Sonnet has in its cache, on either side of where Haiku 5.5 gets dearer."""
    cliff = FACTS.resolve(_NEW).tier_above(DAY) or 0
    ratio = text_ratio(FACTS.resolve(_STAY), FACTS.resolve(_OLD))
    rows = []
    for tokens in (cliff * 9 // 10, cliff * 12 // 10):
        stay, new = rates(_STAY, tokens=tokens), rates(_NEW, tokens=tokens)
        fewer = round(tokens * ratio / 1_000) * 1_000
        old = rates(_OLD, tokens=fewer)
        said = [
            tokens * stay.read + _ANSWER * stay.output,
            tokens * new.input + _ANSWER * new.output,
            fewer * old.input + round(_ANSWER * ratio) * old.output,
        ]
        rows.append(f"| {number(tokens)} | {' | '.join(map(money, said))} (about {number(fewer)} tokens) |")
    head = "| tokens | Sonnet 5.5, read | Haiku 5.5, plain | Haiku 4.5, plain |\n|---|---|---|---|"
    return {
        "table": "\n".join([head, *rows]),
        "answer": number(_ANSWER),
        "cliff": number(cliff),
        "read": price(rates(_STAY).read),
        "short": price(rates(_NEW).input),
        "long": price(rates(_NEW, tokens=cliff + 1).input),
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
        "A cache belongs to one model. A step with an answer of {answer} tokens, on a prompt that Sonnet 5.5 "
        "has in its cache and the others have not:\n\n{table}\n\nHaiku 5.5 takes for plain input what Sonnet "
        "5.5 takes for a read ({short} and {read} a million), and less for the answer: up to {cliff} tokens "
        "the switch pays. Beyond them a million costs {long}, for the whole request, and it does not. Haiku "
        "4.5 splits text into fewer tokens, and is dearer either way. Send whole conversations to the "
        "cheaper model, or sub-agents of their own: what they send again is then read from its own cache.",
        figures=_switch,
    ),
)
