"""Synthetic agent conversations: request bodies of a coding agent, the same ones for the same seed."""

from __future__ import annotations

import json
from random import Random
from typing import Any

__all__ = ["BLOCKS_PER_STEP", "MODEL", "Conversation", "encoded", "prose", "source_code"]

MODEL = "claude-opus-5-5"

BLOCKS_PER_STEP = 3
"""A step adds an answer of a text and a tool use, and the tool's result."""

_WORDS = [
    "the",
    "a",
    "of",
    "to",
    "and",
    "in",
    "is",
    "it",
    "that",
    "for",
    "on",
    "with",
    "as",
    "this",
    "be",
    "are",
    "from",
    "at",
    "by",
    "not",
    "which",
    "when",
    "one",
    "all",
    "if",
    "can",
    "use",
    "value",
    "return",
    "request",
    "response",
    "function",
    "module",
    "error",
    "test",
    "file",
    "line",
    "path",
    "state",
    "cache",
    "prompt",
    "token",
    "block",
    "message",
    "result",
    "because",
    "should",
    "only",
    "before",
    "after",
    "every",
    "between",
    "change",
    "check",
    "keep",
    "read",
    "write",
    "call",
    "step",
    "agent",
    "tool",
    "configuration",
    "implementation",
    "serialization",
    "asynchronous",
    "concurrency",
    "deterministic",
    "initialization",
]
_CODE = (
    "def {a}_{b}({c}: int) -> str:",
    '    """Return the {a} of {b}."""',
    "    {a} = self.{b}[{n}]",
    "    if {a}.{b} is None or {c} > {n}:",
    '        raise ValueError(f"{a}: expected {b}, found {{{c}}}")',
    "    return {a}.{b}({c}, {n})",
    "    for {a}, {b} in enumerate({c}):",
    "",
)
_RESULT_BYTES = (400, 6_000)


def prose(random: Random, size: int) -> str:
    """About `size` bytes of English-looking text."""
    words: list[str] = []
    length = 0
    while length < size:
        word = random.choice(_WORDS)
        words.append(word.capitalize() + "." if random.random() < 0.08 else word)
        length += len(word) + 1
    return " ".join(words)


def source_code(random: Random, size: int) -> str:
    """About `size` bytes of Python-looking text with line numbers, as tools return it."""
    lines: list[str] = []
    length = 0
    while length < size:
        a, b, c = random.choices(_WORDS, k=3)
        text = random.choice(_CODE).format(a=a, b=b, c=c, n=random.randrange(1000))
        lines.append(f"{len(lines) + 1:6}\t{text}")
        length += len(lines[-1]) + 1
    return "\n".join(lines)


def encoded(body: dict[str, Any]) -> bytes:
    """`body` as the official SDK sends it: compact UTF-8."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


class Conversation:
    """An agent loop that grows by `step`: an answer with a tool use, then the tool's result."""

    def __init__(self, seed: int, *, tools: int = 12, result_bytes: tuple[int, int] = _RESULT_BYTES) -> None:
        self._random = Random(seed)
        self._result_bytes = result_bytes
        self._messages: list[dict[str, Any]] = [{"role": "user", "content": prose(self._random, 1_500)}]
        self._fixed: dict[str, Any] = {
            "model": MODEL,
            "max_tokens": 8192,
            "tools": [self._tool(number) for number in range(tools)],
            "system": [{"type": "text", "text": prose(self._random, 12_000)}],
        }

    @property
    def body(self) -> dict[str, Any]:
        """The next request: no markers yet, so that a plan has something to add."""
        return {**self._fixed, "messages": list(self._messages)}

    @property
    def blocks(self) -> int:
        """Blocks of the next request."""
        fixed = len(self._fixed["tools"]) + len(self._fixed["system"])
        return fixed + sum(1 if isinstance(m["content"], str) else len(m["content"]) for m in self._messages)

    def step(self) -> None:
        """One more answer and tool result: three blocks."""
        random = self._random
        use = f"toolu_{random.getrandbits(96):024x}"
        call = {"path": f"src/{random.choice(_WORDS)}.py", "pattern": prose(random, 40), "limit": 200}
        self._messages += [
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": prose(random, 200)},
                    {"type": "tool_use", "id": use, "name": "tool_3", "input": call},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": use,
                        "content": source_code(random, random.randint(*self._result_bytes)),
                    }
                ],
            },
        ]

    def grow(self, *, size: int) -> Conversation:
        """Step until the request has at least `size` bytes."""
        while len(encoded(self.body)) < size:
            self.step()
        return self

    def _tool(self, number: int) -> dict[str, Any]:
        words = self._random.sample(_WORDS, 6)
        return {
            "name": f"tool_{number}",
            "description": prose(self._random, 600),
            "input_schema": {
                "type": "object",
                "properties": {
                    word: {"type": "string", "description": prose(self._random, 60)} for word in words
                },
                "required": words[:2],
            },
        }
