"""Two kinds of agents on the real SDK, each run in a process of its own.

    python tests/middleware/agents.py BASE_URL PLACE NOW FLEETING LOOPS

PLACE is where to keep what is learned: a file, `home` (the default ledger, in scrimp's home folder), `memory`
(a ledger in memory) or `nowhere`. Makes FLEETING single calls with a tool, and LOOPS conversations of four
steps without, from NOW on in a time of its own. Prints one line of JSON: tokens written by the first call of
each kind, and whether any call had a fault.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import anthropic

import scrimp
from scrimp.stores.memory import MemoryLedger

MODEL = "claude-haiku-4-5"
TOOL = {"name": "ls", "description": "List files.", "input_schema": {"type": "object", "properties": {}}}
MINUTE = 60.0


class Agents:
    """A client and the time it believes in."""

    def __init__(self, url: str, place: str, now: float) -> None:
        self.now = now
        self.written: dict[str, int] = {}
        options: dict[str, Any] = {"home": {}, "memory": {"ledger": MemoryLedger()}}.get(
            place, {"ledger": MemoryLedger(), "learned": place != "nowhere" and place}
        )
        self._client = anthropic.Anthropic(
            base_url=url,
            api_key="key",
            middleware=[scrimp.Middleware(clock=lambda: self.now, **options)],
        )

    def fleeting(self, number: int) -> None:
        """One call, whose long question nobody asks again."""
        self._ask("sorter", [f"letter {self.now} {number} " * 3000], tools=[TOOL])
        self.now += 10 * MINUTE

    def loop(self, number: int) -> None:
        """A conversation of four quick steps."""
        turns = [f"task {self.now} {number} " * 3000]
        for step in range(4):
            self._ask("talker", turns)
            turns += [f"answer {step}", f"go on {step}"]
            self.now += 8.0
        self.now += 10 * MINUTE

    def _ask(self, agent: str, turns: list[str], **more: Any) -> None:
        roles = ("user", "assistant")
        with scrimp.run(f"{agent} {self.now}", agent=agent):
            answer = self._client.messages.create(
                model=MODEL,
                max_tokens=64,
                messages=[{"role": roles[n % 2], "content": turn} for n, turn in enumerate(turns)],
                extra_headers={"x-scrimp-now": f"{self.now}"},
                **more,
            )
        self.written.setdefault(agent, answer.usage.cache_creation_input_tokens or 0)


def main(url: str, place: str, now: str, fleeting: str, loops: str) -> None:
    """Run the agents and say what their first calls wrote."""
    agents = Agents(url, place, float(now))
    for number in range(int(fleeting)):
        agents.fleeting(number)
    for number in range(int(loops)):
        agents.loop(number)
    print(json.dumps(agents.written))


if __name__ == "__main__":
    main(*sys.argv[1:])
