"""Watch what caching does: by call, by run, and an alarm when a prefix stops being read."""

from __future__ import annotations

from connect import MODEL, connect, show
from texts import CONTRACT

import scrimp

with connect() as client, scrimp.run("contract questions", task_type="support") as run:
    turns: list[dict[str, object]] = []
    cached = 0
    for question in ("When is the rent due?", "May I keep a dog?", "Who pays for the boiler?"):
        turns.append({"role": "user", "content": question})
        answer = client.messages.create(model=MODEL, max_tokens=200, system=CONTRACT, messages=turns)
        turns.append({"role": "assistant", "content": answer.content})
        show(question, answer)
        # A conversation that only grows reads what its last call read and wrote.
        read, written = (
            answer.usage.cache_read_input_tokens or 0,
            answer.usage.cache_creation_input_tokens or 0,
        )
        if read < cached:
            print(f"ALARM: {cached - read:,} tokens were cached and not read")
        cached = read + written

print()
print(run.receipt())
