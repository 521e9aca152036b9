"""Write the prefix before the first user comes, so that the first answer is as quick as the second."""

from __future__ import annotations

from connect import MODEL, connect, show
from texts import CONTRACT

import scrimp

PREFIX = {"model": MODEL, "system": [{"type": "text", "text": CONTRACT}]}

with connect() as client:
    # Sends max_tokens: 0, once for all threads and processes of this machine, and only if it is not warm yet.
    warmth = scrimp.warm(client, PREFIX)
    print(f"{warmth.why}: {warmth.written:,} tokens written, ${warmth.cost:f}\n")
    for question in ("When is the rent due?", "May I keep a dog?", "Who pays for the boiler?"):
        answer = client.messages.create(
            **PREFIX, max_tokens=200, messages=[{"role": "user", "content": question}]
        )
        show(question, answer)
