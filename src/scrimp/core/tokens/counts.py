"""What is counted in a block: a few numbers that say how long it will be, whatever the model.

Texts are measured with the published vocabulary and with the handful of things the later tokenizers were seen
to split more finely than it does (recorded bills; see `texts`). The rest is structure the API renders around
the content: tool definitions, calls and their parameters, results, images.
"""

from __future__ import annotations

import json
import re
from binascii import a2b_base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from scrimp.core.tokens.images import Pixels, image_pixels
from scrimp.core.tokens.sampling import Sampler
from scrimp.core.tokens.texts import TEXT_COUNTED, count_text, without_runs
from scrimp.facts.vocabulary import vocabulary_count
from scrimp.wire.request import Block

__all__ = ["COUNTED", "NOTHING", "Counts", "Documents", "count_block", "count_schema"]

COUNTED = (
    *TEXT_COUNTED,
    "schema",
    "tools",
    "eager_tools",
    "tool_uses",
    "parameters",
    "results",
    "thinking",
    "sealed",
    "images",
)
"""Names of the numbers in `Counts.numbers`, in order; those of running text come first."""

_PLACE = {name: place for place, name in enumerate(COUNTED)}
_TEXT = len(TEXT_COUNTED)
_PAGE = re.compile(rb"/Type\s*/Page\b")
_BASE64, _SEAL_OVERHEAD = 0.75, 190
"""A signature is base64 of the hidden thinking and some 190 bytes (recorded blocks that show both)."""
_NOT_RENDERED = frozenset({"type", "cache_control", "id", "tool_use_id", "signature"})


class Documents(msgspec.Struct, frozen=True):
    """Attached files: pages of PDFs (counted, or guessed from their size), and those not seen at all."""

    pages: int = 0
    unseen: int = 0


class Counts(msgspec.Struct, frozen=True, gc=False):
    """What one block holds. `builtin` is the type of a tool whose definition the provider writes."""

    numbers: tuple[int, ...]
    images: tuple[Pixels | None, ...] = ()
    documents: Documents | None = None
    builtin: str = ""


NOTHING = Counts((0,) * len(COUNTED))
_NO_TEXT, _NO_STRUCTURE = NOTHING.numbers[:_TEXT], NOTHING.numbers[_TEXT:]
_RESULT = tuple(int(name == "results") for name in COUNTED[_TEXT:])


def count_block(block: Block, sampler: Sampler | None = None) -> Counts:
    """The counts of one block, which of a long text are about right; see `Sampler`.

    A `tool_result` leaves its nested blocks to themselves.
    """
    value = block.value
    if sampler is None:
        sampler = Sampler()
    if isinstance(value, str):
        return _counts(value, sampler)
    if value.__class__ is not dict and not isinstance(value, Mapping):
        return _counts(_dumped(value), sampler)
    if block.section == "tools":
        return _tool(value, sampler)
    return _BY_KIND.get(block.kind, _not_understood)(value, sampler)


def count_schema(schema: Any) -> Counts:
    """The counts of a JSON schema that shapes the answer (`output_config.format`)."""
    return _json_counts(schema, Sampler())


def _json_counts(value: Any, sampler: Sampler, **structure: int) -> Counts:
    schema, runs = sampler.count(_dumped(value), _count_json)
    return _counts("", sampler, schema=schema, letter_runs=runs, **structure)


def _count_json(text: str) -> tuple[int, int]:
    kept, runs = without_runs(text)
    return vocabulary_count(kept), runs


def _counts(text: str, sampler: Sampler, **structure: int) -> Counts:
    counted = sampler.count(text, count_text) if text else _NO_TEXT
    if not structure:
        return Counts(counted + _NO_STRUCTURE)
    numbers = [*counted, *_NO_STRUCTURE]
    for name, number in structure.items():
        numbers[_PLACE[name]] = number
    return Counts(tuple(numbers))


def _tool(tool: Mapping[str, Any], sampler: Sampler) -> Counts:
    """A tool definition: rendered as JSON with these three keys, and not at all while it is deferred."""
    if tool.get("defer_loading"):
        return NOTHING
    kind = tool.get("type")
    if kind not in (None, "custom"):
        return Counts(NOTHING.numbers, builtin=_string(kind))
    definition = {
        "description": tool.get("description") or "",
        "name": tool.get("name"),
        "parameters": tool.get("input_schema"),
    }
    if tool.get("input_examples"):
        definition["input_examples"] = tool["input_examples"]
    return _json_counts(
        definition, sampler, tools=1, eager_tools=1 if tool.get("eager_input_streaming") else 0
    )


def _text(value: Mapping[str, Any], sampler: Sampler) -> Counts:
    return _counts(_string(value.get("text")), sampler)


def _tool_result(value: Mapping[str, Any], sampler: Sampler) -> Counts:
    content = value.get("content")
    text = "" if isinstance(content, list) else _string(content)
    return Counts((sampler.count(text, count_text) if text else _NO_TEXT) + _RESULT)


def _thinking(value: Mapping[str, Any], sampler: Sampler) -> Counts:
    """Shown thinking by its text; where it is left out, by the length of what seals it."""
    text = _string(value.get("thinking"))
    seal = _string(value.get("signature")) or _string(value.get("data"))
    hidden = 0 if text else max(0, int(len(seal) * _BASE64) - _SEAL_OVERHEAD)
    return _counts(text, sampler, thinking=1, sealed=hidden)


def _image(value: Mapping[str, Any], sampler: Sampler) -> Counts:
    return Counts(_counts("", sampler, images=1).numbers, images=(image_pixels(value.get("source")),))


def _not_understood(value: Mapping[str, Any], sampler: Sampler) -> Counts:
    return _counts(_leaves(value), sampler)


def _tool_call(call: Mapping[str, Any], sampler: Sampler) -> Counts:
    """A call is rendered parameter by parameter, strings as they are and everything else as JSON."""
    given = call.get("input")
    if given.__class__ is dict or isinstance(given, Mapping):
        pairs = given
    else:
        pairs = {} if given is None else {"input": given}
    lines = [_string(call.get("name"))]
    for key, value in pairs.items():
        lines += [str(key), value if isinstance(value, str) else _dumped(value)]
    return _counts("\n".join(lines), sampler, tool_uses=1, parameters=len(pairs))


def _document(value: Mapping[str, Any], sampler: Sampler) -> Counts:
    source = value.get("source")
    source = source if isinstance(source, Mapping) else {}
    around = f"{_string(value.get('title'))}\n{_string(value.get('context'))}".strip()
    kind, data = source.get("type"), source.get("data")
    if kind == "text":
        return _counts(f"{around}\n{_string(data)}", sampler)
    if kind == "content":
        return _counts(f"{around}\n{_leaves(source.get('content'))}", sampler)
    seen = kind == "base64" and isinstance(data, str)
    documents = Documents(pages=_pages(str(data))) if seen else Documents(unseen=1)
    return Counts(_counts(around, sampler).numbers, documents=documents)


def _pages(data: str) -> int:
    """Pages of a base64 PDF: its page objects, or one per 50 KB where they are packed out of sight."""
    try:
        raw = a2b_base64(data)
    except ValueError:
        return 1
    return len(_PAGE.findall(raw)) or max(1, len(raw) // 50_000)


def _leaves(value: Any) -> str:
    """Every string of a block that is not understood, one per line, what is never rendered left out."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "\n".join(_leaves(item) for key, item in value.items() if key not in _NOT_RENDERED)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return "\n".join(map(_leaves, value))
    return "" if value is None else str(value)


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _string(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


_BY_KIND: dict[str, Callable[[Mapping[str, Any], Sampler], Counts]] = {
    "document": _document,
    "image": _image,
    "mcp_tool_use": _tool_call,
    "redacted_thinking": _thinking,
    "server_tool_use": _tool_call,
    "text": _text,
    "thinking": _thinking,
    "tool_result": _tool_result,
    "tool_use": _tool_call,
}
