"""Several blocks that change at different rates: slowest first, a marker where the rate changes.

Four markers are all there is, and longer lifetimes come before shorter ones.
"""

from __future__ import annotations

import anthropic
from connect import MODEL, connect, show
from texts import RULES, customer_file

import scrimp


def serve(client: anthropic.Anthropic, customer: str) -> None:
    """One customer's questions. The run says whose they are: who is somebody else has another file."""
    with scrimp.run("support", user=customer):
        for question in ("What did I call about?", "And before that?"):
            answer = client.messages.create(
                model=MODEL,
                max_tokens=200,
                system=[
                    # For everybody, all day: an hour's lifetime, renewed by every call that reads it.
                    {"type": "text", "text": RULES, "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                    # For one customer, as long as they write.
                    {"type": "text", "text": customer_file(customer), "cache_control": {"type": "ephemeral"}},
                ],
                messages=[{"role": "user", "content": question}],
            )
            show(f"{customer}: {question}", answer)


with connect() as client:
    serve(client, "Ada")
    serve(client, "Grace")
