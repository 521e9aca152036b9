"""An agent that knows nothing of scrimp: python agent.py. ANTHROPIC_BASE_URL says where its calls go."""

from __future__ import annotations

import anthropic

HANDBOOK = "The rent is due on the third working day of each month. " * 200

client = anthropic.Anthropic()
for question in ("When is the rent due?", "And in January?"):
    answer = client.messages.create(
        model="claude-sonnet-5-5",
        max_tokens=300,
        system=HANDBOOK,
        messages=[{"role": "user", "content": question}],
    )
    print(answer.content[0].text)
