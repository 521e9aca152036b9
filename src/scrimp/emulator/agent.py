"""A small deterministic agent: it calls the tools it is given, one after another, and then answers."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from scrimp.core.prompt import Prompt
from scrimp.emulator.asked import Asked
from scrimp.emulator.replies import Answer, Block, Replies, text, thinking, tool_use

__all__ = ["Agent", "example"]

_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "iris", "juniper")


class Agent(Replies):
    """Answers with a tool call until it has made `steps` of them since the user last spoke, then with a text.

    By default it calls each tool once. The same conversation and seed always get the same answer.
    """

    def __init__(self, *, steps: int | None = None, seed: int = 0) -> None:
        self._steps = steps
        self._seed = seed

    def answer(self, asked: Asked, prompt: Prompt) -> Answer:
        """The next step."""
        tools = _callable_tools(asked)
        choice = asked.part("tool_choice")
        done = _calls_made(asked.messages)
        wanted = len(tools) if self._steps is None else self._steps
        draw = _Draw(self._seed, prompt.prefixes[-1] if prompt.prefixes else b"")
        forced = choice.get("type") in ("any", "tool")
        if tools and choice.get("type") != "none" and (forced or done < wanted):
            return Answer((*self._thoughts(asked, done), _call(tools, choice, done, draw)))
        words = " ".join(draw.word() for _ in range(12))
        return Answer((*self._thoughts(asked, done), text(f"Done after {done} tool calls: {words}.")))

    def _thoughts(self, asked: Asked, done: int) -> tuple[Block, ...]:
        thinks = asked.part("thinking").get("type") in ("enabled", "adaptive")
        return (thinking(f"Step {done + 1}: decide what to do next."),) if thinks else ()


class _Draw:
    """Repeatable choices."""

    def __init__(self, seed: int, state: bytes) -> None:
        self._state = blake2b(state, digest_size=16, salt=seed.to_bytes(8, "big", signed=True)).digest()

    def below(self, limit: int) -> int:
        self._state = blake2b(self._state, digest_size=16).digest()
        return int.from_bytes(self._state[:8]) % limit

    def word(self) -> str:
        return _WORDS[self.below(len(_WORDS))]


def example(schema: Any, draw: Any, depth: int = 0) -> Any:
    """A value of the shape a JSON schema asks for; optional properties are left out."""
    schema = schema if isinstance(schema, Mapping) else {}
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][draw.below(len(schema["enum"]))]
    for name in ("anyOf", "oneOf", "allOf"):
        if schema.get(name):
            return example(schema[name][0], draw, depth)
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    return _example_of(str(kind), schema, draw, depth)


def _example_of(kind: str, schema: Mapping[str, Any], draw: Any, depth: int) -> Any:
    match kind:
        case "object":
            properties = schema.get("properties") or {}
            return {
                name: example(properties.get(name), draw, depth + 1) for name in schema.get("required") or ()
            }
        case "array":
            least = max(1, int(schema.get("minItems") or 0)) if depth < 4 else 0
            return [example(schema.get("items"), draw, depth + 1) for _ in range(least)]
        case "integer" | "number":
            least = int(schema.get("minimum") or 0)
            most = int(schema.get("maximum") or least + 99)
            return least + draw.below(max(1, most - least + 1))
        case "boolean":
            return bool(draw.below(2))
        case "null":
            return None
        case _:
            return f"{draw.word()}-{draw.below(1000)}"


def _callable_tools(asked: Asked) -> list[dict[str, Any]]:
    """The caller's own tools that are in the prompt from the start."""
    return [
        tool
        for tool in asked.body.get("tools") or ()
        if isinstance(tool, dict) and "input_schema" in tool and not tool.get("defer_loading")
    ]


def _calls_made(messages: list[dict[str, Any]]) -> int:
    """Tool calls since the user last said something that is not a result."""
    made = 0
    for message in messages:
        content = message["content"] if isinstance(message["content"], list) else [text(message["content"])]
        kinds = [block["type"] for block in content]
        if message["role"] == "assistant":
            made += kinds.count("tool_use")
        elif message["role"] == "user" and "tool_result" not in kinds:
            made = 0
    return made


def _call(tools: list[dict[str, Any]], choice: Mapping[str, Any], done: int, draw: _Draw) -> Block:
    named = [tool for tool in tools if tool["name"] == choice.get("name")]
    tool = named[0] if choice.get("type") == "tool" and named else tools[done % len(tools)]
    shape = {"type": "object", **tool["input_schema"]}
    return tool_use(tool["name"], example(shape, draw))
