"""Made-up content: prose, source code, tools and their results, from slices of one text made once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import Any

from benchmarks.conversations import prose, source_code

__all__ = ["Texts"]

Json = dict[str, Any]

_STOCK_BYTES = 600_000


@lru_cache(maxsize=1)
def _stock() -> tuple[str, str]:
    random = Random("stock")
    return prose(random, _STOCK_BYTES), source_code(random, _STOCK_BYTES)


class Texts:
    """Content drawn from one source of randomness; no two texts are alike."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def prose(self, size: float) -> str:
        """About `size` bytes of English-looking text."""
        return self._slice(0, size)

    def code(self, size: float) -> str:
        """About `size` bytes of numbered source code."""
        return self._slice(1, size)

    def block(self, size: float) -> Json:
        """A text block."""
        return {"type": "text", "text": self.prose(size)}

    def tools(self, count: int, description: float = 420.0) -> list[Json]:
        """Tool definitions of about 700 bytes each, more or less."""
        return [self._tool(number, description) for number in range(count)]

    def tool_use(self, tools: Sequence[Json]) -> Json:
        """A call of one of the tools."""
        name = self.random.choice(tools)["name"]
        arguments = {"path": f"src/{self.name()}.py", "query": self.prose(self.random.uniform(20, 160))}
        return {"type": "tool_use", "id": self.identity("toolu"), "name": name, "input": arguments}

    def tool_result(self, use: Json, size: float) -> Json:
        """What the tool answered."""
        return {"type": "tool_result", "tool_use_id": use["id"], "content": self.code(size)}

    def thinking(self, size: float) -> Json:
        """A thinking block as it is handed back."""
        signature = f"{self.random.getrandbits(1200):0300x}"
        return {"type": "thinking", "thinking": self.prose(size), "signature": signature}

    def name(self) -> str:
        """A word nobody else has."""
        return f"part_{self.random.getrandbits(40):010x}"

    def identity(self, prefix: str) -> str:
        """An id of the provider's shape."""
        return f"{prefix}_01{self.random.getrandbits(88):022x}"

    def _slice(self, kind: int, size: float) -> str:
        stock = _stock()[kind]
        length = max(12, round(size))
        begin = self.random.randrange(max(1, len(stock) - length))
        return f"{self.random.getrandbits(32):08x} {stock[begin : begin + length - 9].strip()}."

    def _tool(self, number: int, description: float) -> Json:
        fields = [f"field_{self.random.getrandbits(16):04x}" for _ in range(self.random.randint(1, 5))]
        return {
            "name": f"{self.random.choice(['read', 'search', 'edit', 'list', 'run', 'fetch'])}_{number}",
            "description": self.prose(self.random.uniform(0.4, 1.8) * description),
            "input_schema": {
                "type": "object",
                "properties": {
                    "path": {"type": "string", "description": self.prose(50)},
                    **{name: {"type": "string", "description": self.prose(60)} for name in fields},
                },
                "required": ["path"],
            },
        }
