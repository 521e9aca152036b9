"""Which replies are alike in length: by who asks for what, and by what a reply may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from scrimp.core.levers import Step
from scrimp.core.output.shipped import row_of
from scrimp.core.task_type import inferred_task_type
from scrimp.facts.model import Model
from scrimp.wire.request import BILLING_HEADER, Body

__all__ = ["Kind", "budget_of", "is_shaped", "kind_of", "row_name", "thinks"]

_WRITTEN = frozenset(
    {"body", "code", "content", "diff", "file_text", "new_source", "new_str", "new_string", "newText"}
    | {"patch", "script", "text"}
)
"""Parameters of tools that take whole texts or programs."""

_WRITERS = ("text_editor_", "bash_", "code_execution_")
_MORE_THAN_RECORDED = ("xhigh", "max")
_BEGINNING = 64


class Kind(NamedTuple):
    """What a reply is like. `label` is what can be kept for the next process, None where nobody says whose
    call it is; `form` stands for the prompt and tools in this one; `shipped` are tokens to begin with."""

    label: str | None
    form: int
    shipped: int | None


def kind_of(step: Step, begin: Mapping[str, int]) -> Kind:
    """The kind of the reply to a step; `begin` has figures of the user by agent, task type or run."""
    body, tags = step.body, step.tags
    thinking, effort = thinks(body, step.model), _effort(body)
    label = None
    if tags.label is not None:
        label = "\x1f".join((tags.label, tags.task_type or "", "thinks" if thinking else "", effort))
    form = hash((tags.label, tags.task_type, thinking, effort, _system(body), *_asked_for(body)))
    own = next((begin[name] for name in (tags.label, tags.task_type) if name and name in begin), None)
    return Kind(label, form, own or _shipped(step, thinking=thinking))


def row_name(body: Body) -> str:
    """The row of the shipped table that a request looks like."""
    inferred = inferred_task_type(body)
    return "agent that writes" if inferred == "agent" and _writes(body) else inferred


def thinks(body: Body, model: Model) -> bool:
    """Whether a reply may begin with thinking; where nothing is said of it, newer models may."""
    asked = body.get("thinking")
    kind = asked.get("type") if isinstance(asked, Mapping) else None
    if isinstance(kind, str):
        return kind != "disabled"
    takes = model.features.thinking
    return "adaptive" in takes and "enabled" not in takes


def is_shaped(body: Body) -> bool:
    """Whether a request says what its reply looks like: a format, one certain tool, or where it ends."""
    config, choice = body.get("output_config"), body.get("tool_choice")
    return bool(
        (isinstance(config, Mapping) and config.get("format"))
        or body.get("output_format")
        or body.get("stop_sequences")
        or (isinstance(choice, Mapping) and choice.get("type") == "tool")
    )


def budget_of(body: Body) -> int:
    """Tokens that thinking may take ("Extended thinking", `budget_tokens`); 0 where none are named."""
    asked = body.get("thinking")
    budget = asked.get("budget_tokens") if isinstance(asked, Mapping) else None
    return budget if type(budget) is int and budget > 0 else 0


def _shipped(step: Step, *, thinking: bool) -> int | None:
    if thinking and _effort(step.body) in _MORE_THAN_RECORDED:
        return None
    row = row_of(None if step.tags.inferred else step.tags.task_type, row_name(step.body))
    if row is None:
        return None
    return row.thinking if thinking else row.plain


def _effort(body: Body) -> str:
    config = body.get("output_config")
    effort = config.get("effort") if isinstance(config, Mapping) else None
    return effort if isinstance(effort, str) else ""


def _writes(body: Body) -> bool:
    """Whether a tool takes whole texts or programs, so that a call of it may be long."""
    for tool in _tools(body):
        if str(tool.get("type", "")).startswith(_WRITERS):
            return True
        schema = tool.get("input_schema")
        properties = schema.get("properties") if isinstance(schema, Mapping) else None
        if isinstance(properties, Mapping) and not _WRITTEN.isdisjoint(properties):
            return True
    return False


def _tools(body: Body) -> Iterator[Mapping[str, Any]]:
    tools = body.get("tools")
    return (tool for tool in tools if isinstance(tool, Mapping)) if isinstance(tools, list) else iter(())


def _system(body: Body) -> str:
    """How the system prompt begins, which tells prompts apart; what changes in one stands further on."""
    system = body.get("system")
    if isinstance(system, str):
        return system[:_BEGINNING]
    for block in system if isinstance(system, list) else ():
        text = block.get("text") if isinstance(block, Mapping) else None
        if isinstance(text, str) and not text.startswith(BILLING_HEADER):
            return text[:_BEGINNING]
    return ""


def _asked_for(body: Body) -> Iterator[str]:
    """What a reply may be: its format, the tools it may call, the one it has to."""
    config = body.get("output_config")
    yield repr(config.get("format") if isinstance(config, Mapping) else None)
    yield repr(body.get("output_format"))
    yield repr(body.get("tool_choice"))
    yield repr(body.get("stop_sequences"))
    for tool in _tools(body):
        yield str(tool.get("name"))
