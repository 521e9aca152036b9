"""Effort by a table: from the first step of a conversation on, and never at the price of its cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from scrimp.core.output import Output
from scrimp.core.record import Tags
from scrimp.core.workspace import Workspace
from scrimp.errors import InputError
from scrimp.facts.models import default
from scrimp.wire.response import CacheCreation, Usage
from tests.core.output.steps import NOON, step_of

MODEL = "claude-opus-4-8"
TRIAGE = Tags(agent="triage")
LONG = "One of many long sentences of a system prompt that is worth a place in the cache. " * 600
USER = {"role": "user", "content": "Is this urgent? " + "words " * 2_000}
BODY: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 1_000,
    "system": [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}],
    "messages": [USER],
}


def later(steps: int) -> dict[str, Any]:
    """The conversation so many steps on, marked at its end."""
    messages: list[Any] = [USER]
    for number in range(steps):
        messages.append({"role": "assistant", "content": f"answer {number}"})
        messages.append({"role": "user", "content": f"question {number}"})
    said = {"type": "text", "text": messages[-1]["content"], "cache_control": {"type": "ephemeral"}}
    return {**BODY, "messages": [*messages[:-1], {**messages[-1], "content": [said]}]}


def effort_of(lever: Output, body: Mapping[str, Any], tags: Tags = TRIAGE, **where: Any) -> Any:
    """The effort that goes out with a body."""
    change = lever.change(step_of(body, tags, **where))
    config = (body if change is None else change.body).get("output_config") or {}
    return config.get("effort")


@pytest.mark.parametrize(
    ("table", "tags"),
    [
        ({"triage": "low"}, TRIAGE),
        ({"letters": "low"}, Tags(task_type="letters", agent="somebody")),
        ({"nightly": "low"}, Tags(run=("outer", "nightly"))),
        ({"one-shot": "low"}, Tags()),
        ({"triage": "low", "letters": "max"}, Tags(agent="triage", task_type="letters")),
    ],
)
def test_effort_is_set_by_agent_task_type_or_run(table: dict[str, str], tags: Tags) -> None:
    assert effort_of(Output(effort=table), BODY, tags) == "low"


def test_without_an_entry_nothing_is_set() -> None:
    assert effort_of(Output(), BODY) is None
    assert effort_of(Output(effort={"another": "low"}), BODY) is None


@pytest.mark.parametrize(
    ("fields", "level", "expected"),
    [
        ({"output_config": {"effort": "max"}}, "low", "max"),
        ({"output_config": {"task_budget": None}}, "low", "low"),
        ({"model": "claude-haiku-4-5"}, "low", None),  # it knows no effort
        ({}, "high", None),  # its default: to say it changes nothing
        ({"model": "claude-opus-5-5"}, "high", "high"),  # where medium is the default
        ({"model": "claude-sonnet-5-5", "thinking": {"type": "between_tools"}}, "max", None),
        ({"model": "claude-sonnet-5-5", "thinking": {"type": "between_tools"}}, "low", "low"),
    ],
)
def test_the_callers_own_and_what_the_model_knows_come_first(
    fields: dict[str, Any], level: str, expected: str | None
) -> None:
    assert effort_of(Output(effort={"triage": level}), {**BODY, **fields}) == expected


def test_other_settings_of_the_output_stay() -> None:
    body = {**BODY, "output_config": {"format": {"type": "json_schema", "schema": {}}}}
    change = Output(effort={"triage": "low"}).change(step_of(body, TRIAGE))
    assert change is not None
    assert change.body == {**body, "output_config": {**body["output_config"], "effort": "low"}}
    assert [decision.what for decision in change.decisions] == ["effort low"]


def test_levels_that_there_are_not_are_refused() -> None:
    with pytest.raises(InputError, match="'lowest' is no level; there are low, medium"):
        Output(effort={"triage": "lowest"})


def test_a_conversation_keeps_what_it_began_with() -> None:
    lever = Output(effort={"one-shot": "low"})
    assert [effort_of(lever, body, Tags()) for body in (BODY, later(1), later(2))] == ["low"] * 3


def test_a_marker_that_moves_on_makes_no_other_conversation() -> None:
    lever = Output(effort={"one-shot": "low"})
    marked = [{"type": "text", "text": USER["content"], "cache_control": {"type": "ephemeral"}}]
    assert effort_of(lever, {**BODY, "messages": [{"role": "user", "content": marked}]}, Tags()) == "low"
    assert effort_of(lever, later(1), Tags()) == "low"


def test_a_warm_conversation_of_another_effort_is_left_as_it_is() -> None:
    """Its history is read from the cache: with another effort all of it would be written anew."""
    workspace = warmed(later(3))
    assert effort_of(Output(effort={"triage": "low"}), later(4), workspace=workspace, now=NOON + 20) is None


def test_what_was_left_alone_stays_so_when_it_has_cooled() -> None:
    workspace, lever = warmed(later(3)), Output(effort={"triage": "low"})
    assert effort_of(lever, later(4), workspace=workspace, now=NOON + 20) is None
    assert effort_of(lever, later(5), workspace=workspace, now=NOON + 90_000) is None


def test_a_cold_conversation_gets_the_effort_of_the_table() -> None:
    workspace = warmed(later(3))
    lever = Output(effort={"triage": "low"})
    assert effort_of(lever, later(4), workspace=workspace, now=NOON + 90_000) == "low"
    assert effort_of(lever, later(5), workspace=workspace, now=NOON + 90_010) == "low"


def test_a_process_that_begins_in_the_middle_goes_on_with_it() -> None:
    """What went before is not known here; the process before it had set the effort."""
    assert effort_of(Output(effort={"triage": "low"}), later(4)) == "low"


def test_conversations_of_others_are_others() -> None:
    lever = Output(effort={"triage": "low"})
    workspace = warmed({**later(3), "metadata": {"user_id": "a"}})
    ours = {**later(4), "metadata": {"user_id": "a"}}
    assert effort_of(lever, ours, workspace=workspace, now=NOON + 20) is None
    assert (
        effort_of(lever, {**BODY, "metadata": {"user_id": "b"}}, workspace=workspace, now=NOON + 20) == "low"
    )


def warmed(body: Mapping[str, Any]) -> Workspace:
    """A workspace in which that request was just billed as it stands."""
    workspace = Workspace(default())
    planned = workspace.plan(body, NOON)
    assert planned is not None
    planned = planned.untouched()
    workspace.sent(planned, NOON, NOON + 1)
    total = planned.plan.total.mid
    created = CacheCreation(ephemeral_5m_input_tokens=total)
    workspace.billed(
        planned, Usage(cache_creation_input_tokens=total, cache_creation=created, output_tokens=5)
    )
    return workspace
