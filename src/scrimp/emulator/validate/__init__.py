"""The API's own checks: a table of pure functions from a request to an error or None, in the order they run.

Texts are those of the API reference and of recorded errors. What the API does with a field is not always
published: unknown fields, block types and values pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from scrimp.emulator.asked import Asked
from scrimp.emulator.context import binding, compaction, edits
from scrimp.emulator.refusals import Refusal
from scrimp.emulator.validate import caching, features, history, shape, tools

__all__ = ["RULES", "Rule", "validate"]

Rule: TypeAlias = Callable[[Asked], Refusal | None]

RULES: tuple[Rule, ...] = (
    shape.required_fields,
    shape.field_types,
    shape.strings,
    shape.message_shapes,
    shape.block_shapes,
    features.known_model,
    features.max_tokens,
    features.nothing_to_generate,
    features.sampling,
    features.thinking,
    features.effort,
    features.speed_and_geo,
    tools.definitions,
    tools.choice,
    tools.references,
    history.amount,
    history.empty_text,
    history.newer_version,
    history.system_messages,
    compaction.misplaced,
    compaction.on_demand,
    history.prefill,
    history.last_answer,
    history.unique_ids,
    history.pairing,
    binding.settings,
    edits.readable,
    caching.control_fields,
    caching.places,
    caching.amount,
    caching.automatic,
    caching.lifetimes,
)
"""Every rule; the first that objects decides. Later rules may rely on what earlier ones have checked."""


def validate(asked: Asked) -> Refusal | None:
    """The first objection to a request, or None."""
    for rule in RULES:
        objection = rule(asked)
        if objection is not None:
            return objection
    return None
