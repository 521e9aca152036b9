"""How long prompts truly are: the same tokens for the same block, whatever the strategy."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import orjson

from scrimp.core.lengths import CLOSING
from scrimp.core.prompt import Digest, Prompt
from scrimp.emulator.measure import PromptLength
from scrimp.facts.model import Model
from scrimp.wire.request import Block

__all__ = ["TrueLengths"]

_BYTES_PER_TOKEN = 3.6
_SPREAD = 0.10


class TrueLengths:
    """About one token for 3.6 bytes, up to a tenth more or less by block, so that no estimate is exact."""

    def __init__(self) -> None:
        self._known: dict[Digest, int] = {}

    def __call__(self, prompt: Prompt, body: dict[str, Any], model: Model, name: str) -> PromptLength:  # noqa: ARG002  # the protocol's
        known, sizes, nested = self._known, [], 0
        for block, digest in zip(prompt.blocks, prompt.digests, strict=True):
            tokens = known.get(digest)
            if tokens is None:
                tokens = known[digest] = _tokens(block, digest)
            if block.depth:
                nested += tokens
            elif nested:
                tokens, nested = max(1, tokens - nested), 0
            sizes.append(tokens)
        ends = list(accumulate(sizes))
        return PromptLength(ends, (ends[-1] if ends else 0) + CLOSING)


def _tokens(block: Block, digest: Digest) -> int:
    value = block.value
    if isinstance(value, dict) and block.kind == "text":
        value = value["text"]
    said = value.encode() if isinstance(value, str) else orjson.dumps(_unmarked(value))
    jitter = 1.0 + _SPREAD * (digest[0] / 127.5 - 1.0)
    return max(1, round(len(said) * jitter / _BYTES_PER_TOKEN))


def _unmarked(value: Any) -> Any:
    """Without markers and the signatures that no model reads."""
    if isinstance(value, dict):
        return {
            key: _unmarked(item) for key, item in value.items() if key not in {"cache_control", "signature"}
        }
    return [_unmarked(item) for item in value] if isinstance(value, list) else value
