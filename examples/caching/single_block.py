"""One long block, many questions: mark its end once, and ask."""

from __future__ import annotations

from connect import MODEL, connect, show
from texts import CONTRACT

SYSTEM = [
    {"type": "text", "text": "Answer questions about this contract:"},
    # All up to here is the same in every call: written by the first, read by the others.
    {"type": "text", "text": CONTRACT, "cache_control": {"type": "ephemeral"}},
]

with connect() as client:
    for question in ("When is the rent due?", "May I keep a dog?", "Who pays for the boiler?"):
        answer = client.messages.create(
            model=MODEL,
            max_tokens=200,
            system=SYSTEM,
            messages=[{"role": "user", "content": question}],
        )
        show(question, answer)
