"""The prefix of a prompt as block digests, kept beside a test: paths, digests and token estimates, no text.

Markers do not count: moving one changes no prompt. Every block is kept with the chained digest of the prefix
that ends with it, so that what breaks the cache without changing a block (model, speed, tool choice,
thinking, effort) shows as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from scrimp.core.prompt import Prompt, read_prompt
from scrimp.core.workspace import reading
from scrimp.emulator.measure import Estimated
from scrimp.errors import InputError, RequestError
from scrimp.facts.models import Facts, default
from scrimp.wire.request import Block

__all__ = ["RENEW", "TIERS", "Kept", "Snapshot", "decode", "encode", "opening", "take"]

TIERS = ("tools", "system", "messages")
"""The tiers of the cache in render order: what breaks one breaks those after it."""

RENEW = "pytest --scrimp-update-snapshots"
"""How a snapshot is made and renewed."""

_FORMAT = 1
_ABOUT = f"The prefix of a prompt, without its text. Renew it with {RENEW}"
_ANY_MESSAGE = {"role": "user", "content": "."}
"""Stands for what follows the prefix: its chained digest tells what the messages tier depends on."""


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """One block: where it is, what it says and all up to it (digests), estimated tokens, a tool's name."""

    path: str
    digest: str
    prefix: str
    tokens: int
    name: str | None = None

    @property
    def tier(self) -> str:
        """The tier of the cache it is in."""
        return self.path.partition(".")[0]

    @property
    def label(self) -> str:
        """As people call it."""
        return f"{self.path} ({self.name})" if self.name else self.path


class Snapshot(msgspec.Struct, frozen=True):
    """A prefix as it was.

    `after` is the chained digest of a fixed message behind it; `settings` are parameters as they were sent.
    """

    about: str
    format: int
    model: str
    settings: dict[str, Any]
    after: str
    blocks: tuple[Kept, ...]


def take(body: Mapping[str, Any], *, messages: bool = False, facts: Facts | None = None) -> Snapshot:
    """The snapshot of a request: its tools and system, and its messages where they are asked for.

    Raises `RequestError` when `body` is not a Messages request.
    """
    known = facts or default()
    name = str(body.get("model", ""))
    model = known.resolve(name)
    whole, prompt = _read(body, known, messages=messages)
    ends = Estimated()(prompt, whole, model, name).ends
    sizes = [end - before for before, end in pairwise((0, *ends))]
    rows = zip(prompt.blocks, prompt.digests, prompt.prefixes, sizes, strict=True)
    kept = [
        Kept(_dotted(block), digest.hex(), prefix.hex(), size, _tool_name(block))
        for block, digest, prefix, size in rows
    ]
    return Snapshot(_ABOUT, _FORMAT, model.id, _settings(body), kept[-1].prefix, tuple(kept[:-1]))


def encode(snapshot: Snapshot) -> str:
    """The text of its file."""
    return msgspec.json.format(msgspec.json.encode(snapshot), indent=1).decode() + "\n"


def decode(text: bytes, path: Path) -> Snapshot:
    """The snapshot a file holds. Raises `InputError` naming the file when it is none of ours."""
    try:
        found = msgspec.json.decode(text, type=Snapshot)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a snapshot of a prompt ({error}): renew it with {RENEW}") from None
    if found.format != _FORMAT:
        raise InputError(
            f"{path}: format {found.format}, written by another version of scrimp, which reads "
            f"format {_FORMAT}: renew it with {RENEW}"
        )
    return found


def opening(body: Mapping[str, Any], path: str, *, length: int = 48) -> str:
    """How the block at `path` begins today, for people to find it; it is shown, never kept."""
    _, prompt = _read(body, default(), messages=True)
    for block in prompt.blocks:
        if _dotted(block) == path:
            said = " ".join(_said(block).split())
            return said if len(said) <= length else f"{said[: length - 1]}…"
    return ""


def _read(body: Mapping[str, Any], facts: Facts, *, messages: bool) -> tuple[dict[str, Any], Prompt]:
    """The prefix with one fixed message behind it."""
    given = body.get("messages")
    if messages and not isinstance(given, list | tuple):
        raise RequestError("messages: expected a list; pass the whole Messages request body")
    whole = {**body, "messages": [*(given if messages and given else ()), _ANY_MESSAGE]}
    model = facts.resolve(str(body.get("model", "")))
    return whole, read_prompt(whole, reading(facts, model, None))


def _dotted(block: Block) -> str:
    return ".".join(map(str, block.path))


def _tool_name(block: Block) -> str | None:
    return str(block.value.get("name", "")) or None if block.section == "tools" else None


def _said(block: Block) -> str:
    value = block.value
    said = value if isinstance(value, str) else value.get("text") or value.get("description")
    return said if isinstance(said, str) else ""


def _settings(body: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a tier may depend on; the schema of an output format is left out."""
    config = body.get("output_config")
    config = config if isinstance(config, Mapping) else {}
    found = {name: body.get(name) for name in ("speed", "thinking", "tool_choice")}
    found |= {name: config.get(name) for name in ("effort", "task_budget")}
    return {name: value for name, value in found.items() if value is not None}
