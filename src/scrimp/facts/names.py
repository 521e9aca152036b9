"""The many spellings of a model id: aliases, dates, `[1m]`, Bedrock, Vertex, routers and gateways."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Name", "dashed", "parse_name"]

_SCOPE = re.compile(r"(?:^|/)([a-z-]+)\.anthropic\.")
_VERTEX_PART = re.compile(r"@(?:default|latest)$")
_BEDROCK_VERSION = re.compile(r"-v\d+(?::\w+)*$")
_ROUTER_VARIANT = re.compile(r":\w+$")
_DATE = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2}|latest)$")
_THINKING = re.compile(r"-think(?:ing)?$")
_FAST = re.compile(r"-fast$")
_FAMILIES = "opus|sonnet|haiku|fable|mythos"
_VERSION_FIRST = re.compile(rf"^claude-(\d+(?:-\d+)?)-({_FAMILIES})$")
_FAMILY_FIRST = re.compile(rf"^claude-({_FAMILIES})-(\d+(?:-\d+)?)$")


class Name(NamedTuple):
    """A model id taken apart.

    `spellings` are what to look up, most literal first. `scope` is the region prefix of a Bedrock id (`us`,
    `global`, …). `long_context` says the id asked for the million-token window, `fast` for fast mode.
    """

    spellings: tuple[str, ...]
    provider: str
    scope: str | None
    long_context: bool
    fast: bool


def dashed(spelling: str) -> str:
    """A spelling with the dots of its version numbers written as dashes."""
    return spelling.replace(".", "-")


def parse_name(model_id: str) -> Name:
    """Take a model id apart, however a provider, router or gateway spells it."""
    text = (unquote(model_id) if "%" in model_id else model_id).strip().lower()
    long_context = text.endswith("[1m]")
    text = text.removesuffix("[1m]")
    scope = _SCOPE.search(text)
    found = text.rfind("claude")
    base = text[found:] if found >= 0 else text.rpartition("/")[2]
    fast = _FAST.search(base) is not None
    spellings = dict.fromkeys((text, base, *_simpler(_FAST.sub("", base))))
    return Name(tuple(spellings), _provider(text), scope.group(1) if scope else None, long_context, fast)


def _provider(text: str) -> str:
    if text.startswith(("arn:aws", "bedrock")) or "anthropic.claude" in text:
        return "bedrock"
    if "@" in text or text.startswith("vertex") or "publishers/anthropic" in text:
        return "vertex"
    return "anthropic"


def _simpler(base: str) -> Iterator[str]:
    """The spelling with one more thing taken off at a time: provider marks, dates, word order."""
    plain = _VERTEX_PART.sub("", base).replace("@", "-")
    plain = _BEDROCK_VERSION.sub("", plain)
    plain = dashed(_ROUTER_VARIANT.sub("", plain))
    yield plain
    undated = _BEDROCK_VERSION.sub("", _DATE.sub("", _THINKING.sub("", plain)))
    yield undated
    swapped = _VERSION_FIRST.sub(r"claude-\2-\1", undated)
    yield swapped
    yield _FAMILY_FIRST.sub(r"claude-\2-\1", undated)
