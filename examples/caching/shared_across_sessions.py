"""One prefix for many sessions: whoever comes second reads what the first one wrote.

A cache belongs to a workspace, not to a client, a user or a machine. All it takes is the same bytes in the
same order: tools sorted, no names, ids or times in them, and what is personal behind the marker.
"""

from __future__ import annotations

import anthropic
from connect import MODEL, connect, show
from texts import RULES

TOOLS = sorted(
    [
        {
            "name": name,
            "description": f"The {name} of a customer.",
            "input_schema": {
                "type": "object",
                "properties": {"customer": {"type": "string"}},
                "required": ["customer"],
            },
        }
        for name in ("invoices", "contracts", "complaints")
    ],
    key=lambda tool: str(tool["name"]),
)


def session(client: anthropic.Anthropic, user: str) -> None:
    """One user's session, with a client of its own, as in another process or on another machine."""
    for question in ("What do I owe?", "Since when?"):
        answer = client.messages.create(
            model=MODEL,
            max_tokens=200,
            tools=TOOLS,
            system=[{"type": "text", "text": RULES, "cache_control": {"type": "ephemeral"}}],
            messages=[{"role": "user", "content": f"I am {user}. {question}"}],
        )
        show(f"{user}: {question}", answer)


with connect() as one, connect() as another, connect() as a_third:
    session(one, "Ada")
    session(another, "Grace")
    session(a_third, "Mary")
