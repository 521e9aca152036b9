"""Context editing, both compactions, bound thinking: what the model reads, what is billed and refused."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from scrimp.emulator import Answer, Emulator, Fault, Scripted, thinking, tool_use
from scrimp.emulator import text as said
from tests.emulator.asgi import Answered, body, call, user

CLEARS, SUMS, SUMS_AT_ONCE = "context-management-2025-06-27", "compact-2026-01-12", "compact-2026-09-04"
RESULT = "result " * 1_000
"""About 1,400 tokens."""


def loop(steps: int, *, inputs: str = "") -> list[dict[str, Any]]:
    """A conversation that called `read` so many times, each with a long result."""
    found = [user("go")]
    for step in range(steps):
        use = tool_use("read", {"path": f"{step}{inputs}"}, identity=f"toolu_{step}")
        found.append({"role": "assistant", "content": [use]})
        result = {"type": "tool_result", "tool_use_id": f"toolu_{step}", "content": f"{step} {RESULT}"}
        found.append(user(result))
    return found


TOOLS = [{"name": "read", "input_schema": {"type": "object"}}]


def edited(emulator: Emulator, messages: list[dict[str, Any]], *edits: Any, **fields: Any) -> Answered:
    asked = body(*messages, tools=TOOLS, context_management={"edits": list(edits)}, **fields)
    return call(emulator, asked, anthropic_beta=f"{CLEARS},{SUMS}")


def clearing(trigger: int, keep: int, **fields: Any) -> dict[str, Any]:
    return {
        "type": "clear_tool_uses_20250919",
        "trigger": {"type": "tool_uses", "value": trigger},
        "keep": {"type": "tool_uses", "value": keep},
        **fields,
    }


def total(answer: Answered) -> int:
    usage = answer.usage
    return int(
        usage["input_tokens"] + usage["cache_creation_input_tokens"] + usage["cache_read_input_tokens"]
    )


def test_old_results_give_way_to_placeholders_once_the_trigger_is_passed() -> None:
    emulator = Emulator(["ok"])
    whole = total(call(emulator, body(*loop(6), tools=TOOLS)))
    assert 8_000 < whole < 10_000
    below = edited(emulator, loop(6), clearing(6, 2))
    assert (total(below), below.body["context_management"]) == (whole, {"applied_edits": []})
    above = edited(emulator, loop(6), clearing(5, 2))
    [applied] = above.body["context_management"]["applied_edits"]
    assert applied == {
        "type": "clear_tool_uses_20250919",
        "cleared_input_tokens": whole - total(above),
        "cleared_tool_uses": 4,
    }
    assert 0.6 * whole < applied["cleared_input_tokens"] < 0.7 * whole


def test_what_is_gone_stays_gone_and_the_prefix_before_the_next_cut_is_read() -> None:
    emulator = Emulator(["ok"])
    cached = {"cache_control": {"type": "ephemeral"}}
    first = edited(emulator, loop(6), clearing(5, 2), **cached)
    second = edited(emulator, loop(7), clearing(5, 2), **cached)
    # Three results are left of six, one came: four of them do not pass the trigger.
    [applied] = second.body["context_management"]["applied_edits"]
    assert applied["cleared_tool_uses"] == 4
    written = first.usage["cache_creation_input_tokens"]
    assert second.usage["cache_read_input_tokens"] == written > 2_000
    assert second.usage["cache_creation_input_tokens"] < 1_600


def test_clearing_is_worked_out_from_the_request_alone() -> None:
    """Another conversation with the same ids, a shorter one, or other edits: nothing of it is remembered."""
    emulator = Emulator(["ok"])
    assert edited(emulator, loop(6), clearing(5, 2)).body["context_management"]["applied_edits"]
    for messages, edit in (
        (loop(3), clearing(5, 2)),
        (loop(6), clearing(5, 6)),
        (loop(6), clearing(5, 2, exclude_tools=["read"])),
        (loop(6), clearing(6, 2)),
    ):
        assert edited(emulator, messages, edit).body["context_management"]["applied_edits"] == []


@pytest.mark.parametrize(
    ("fields", "cleared"),
    [
        ({"clear_at_least": {"type": "input_tokens", "value": 3_000}}, 4),
        ({"clear_at_least": {"type": "input_tokens", "value": 9_000}}, None),
        ({"exclude_tools": ["read"]}, None),
        ({"exclude_tools": ["write"]}, 4),
    ],
)
def test_clearing_may_not_be_worth_it_or_leave_tools_alone(
    fields: dict[str, Any], cleared: int | None
) -> None:
    answer = edited(Emulator(["ok"]), loop(6), clearing(5, 2, **fields))
    applied = answer.body["context_management"]["applied_edits"]
    assert [one["cleared_tool_uses"] for one in applied] == ([] if cleared is None else [cleared])


def test_what_the_tools_were_asked_goes_too_where_asked() -> None:
    messages = loop(6, inputs=" " + "path " * 500)
    without = edited(Emulator(["ok"]), messages, clearing(5, 2))
    for chosen in (True, ["read"]):
        both = edited(Emulator(["ok"]), messages, clearing(5, 2, clear_tool_inputs=chosen))
        assert 2_500 < total(without) - total(both) < 3_200
    other = edited(Emulator(["ok"]), messages, clearing(5, 2, clear_tool_inputs=["write"]))
    assert total(other) == total(without)


def test_a_count_says_what_it_was_before() -> None:
    asked = body(*loop(6), tools=TOOLS, context_management={"edits": [clearing(5, 2)]})
    counted = call(Emulator(), asked, "/v1/messages/count_tokens", anthropic_beta=CLEARS).body
    before = counted["context_management"]["original_input_tokens"]
    assert before == total(call(Emulator(["ok"]), body(*loop(6), tools=TOOLS)))
    assert counted["input_tokens"] < 0.4 * before


def test_old_thinking_is_cleared_turn_by_turn() -> None:
    turns: list[dict[str, Any]] = []
    for number in range(3):
        turns += [user(f"question {number}")]
        thought = thinking("thought " * 500, signature=f"s{number}")
        turns += [{"role": "assistant", "content": [thought, said("answer")]}]
    turns.append(user("and now?"))
    edit = {"type": "clear_thinking_20251015", "keep": {"type": "thinking_turns", "value": 1}}
    emulator = Emulator(["ok"])
    answer = edited(emulator, turns, edit, thinking={"type": "adaptive"})
    [applied] = answer.body["context_management"]["applied_edits"]
    assert applied["cleared_thinking_turns"] == 2
    assert 1_000 < applied["cleared_input_tokens"] < 2_000
    kept = edited(emulator, turns, {**edit, "keep": "all"}, thinking={"type": "adaptive"})
    assert kept.body["context_management"]["applied_edits"] == []
    assert total(kept) - total(answer) == applied["cleared_input_tokens"]
    assert total(edited(emulator, turns, {**edit, "keep": {"type": "all"}})) == total(kept)
    # Left out, it is what the model does by itself: Claude Opus 5 keeps all, Claude Haiku 4.5 the last turn.
    alone = {"type": "clear_thinking_20251015"}
    assert total(edited(emulator, turns, alone)) == total(kept)
    older = edited(emulator, turns, alone, model="claude-haiku-4-5")
    assert older.body["context_management"]["applied_edits"][0]["cleared_thinking_turns"] == 2


@pytest.mark.parametrize(
    ("edits", "betas", "words"),
    [
        ([clearing(1, 1)], "", "Extra inputs are not permitted"),
        ([{"type": "compact_20260112"}], CLEARS, "Extra inputs are not permitted"),
        ([clearing(1, 1), {"type": "clear_thinking_20251015"}], CLEARS, "must be the first edit"),
        (
            [{"type": "compact_20260112", "trigger": {"type": "input_tokens", "value": 49_999}}],
            SUMS,
            "greater than or equal to 50000",
        ),
        ([{"type": "clear_everything"}], CLEARS, "clear_everything"),
        ([clearing(1, 1, tools=["a"])], CLEARS, "tools"),
        ([clearing(-1, 1)], CLEARS, ">= 0"),
        (
            [{"type": "clear_thinking_20251015", "keep": {"type": "thinking_turns", "value": 0}}],
            CLEARS,
            ">= 1",
        ),
    ],
)
def test_edits_the_api_would_not_take(edits: list[Any], betas: str, words: str) -> None:
    asked = body(context_management={"edits": edits})
    answer = call(Emulator(), asked, anthropic_beta=betas)
    assert (answer.status, answer.error["type"]) == (400, "invalid_request_error")
    assert words in answer.error["message"]


LONG = "word " * 60_000


def summed(emulator: Emulator, *messages: dict[str, Any], **edit: Any) -> Answered:
    compact = {"type": "compact_20260112", "trigger": {"type": "input_tokens", "value": 50_000}, **edit}
    asked = body(*messages, context_management={"edits": [compact]}, system="Be brief.")
    return call(emulator, asked, anthropic_beta=SUMS)


def test_a_prompt_beyond_the_threshold_is_summed_up_and_the_summary_is_billed_apart() -> None:
    """As recorded: 100 plain tokens for the summing up, and about 97 around the summary that is answered."""
    emulator = Emulator(["the answer"])
    marked = {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}
    answer = summed(emulator, user(marked))
    assert [block["type"] for block in answer.body["content"]] == ["compaction", "text"]
    first, second = answer.usage["iterations"]
    assert (first["type"], second["type"]) == ("compaction", "message")
    assert first["cache_creation_input_tokens"] > 50_000
    assert 100 <= first["input_tokens"] <= 110
    assert second["input_tokens"] == answer.usage["input_tokens"] < 97 + first["output_tokens"] + 40
    assert second["output_tokens"] == answer.usage["output_tokens"]
    # Claude Opus 5: $5 / $6.25 / $25 per million tokens.
    [billed] = emulator.bill
    assert billed.cost == (
        (first["input_tokens"] + second["input_tokens"]) * 5_000_000
        + first["cache_creation_input_tokens"] * 6_250_000
        + (first["output_tokens"] + second["output_tokens"]) * 25_000_000
    )
    # What was before the summary is no longer read by the model, though it is sent again.
    history = [user(marked), {"role": "assistant", "content": answer.body["content"]}, user("go on")]
    later = summed(emulator, *history)
    assert [block["type"] for block in later.body["content"]] == ["text"]
    assert total(later) < 400
    lost = summed(emulator, user(marked), {"role": "assistant", "content": "the answer"}, user("go on"))
    assert [block["type"] for block in lost.body["content"]] == ["compaction", "text"]


def test_it_may_pause_with_the_summary() -> None:
    answer = summed(Emulator(["never said"]), user(LONG), pause_after_compaction=True)
    assert answer.body["stop_reason"] == "compaction"
    assert [block["type"] for block in answer.body["content"]] == ["compaction"]
    assert (answer.usage["input_tokens"], answer.usage["output_tokens"]) == (0, 0)
    assert [one["type"] for one in answer.usage["iterations"]] == ["compaction"]


def test_below_the_threshold_nothing_is_summed_up() -> None:
    answer = summed(Emulator(["ok"]), user("hi"))
    assert [block["type"] for block in answer.body["content"]] == ["text"]
    assert [one["type"] for one in answer.usage["iterations"]] == ["message"]


def asking(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return body(*messages, compaction={"type": "summarize"}, **fields)


TALK = [user("question"), {"role": "assistant", "content": "answer"}, user("more")]


def test_a_summary_on_demand_stands_for_what_it_sums_up() -> None:
    emulator = Emulator(["ok"])
    answer = call(emulator, asking(*TALK), anthropic_beta=SUMS_AT_ONCE)
    [block] = answer.body["content"]
    assert answer.body["stop_reason"] == "compaction"
    assert set(block) == {"type", "content", "signature"}
    assert answer.usage["input_tokens"] == answer.usage["output_tokens"] == 0
    assert [one["type"] for one in answer.usage["iterations"]] == ["compaction"]
    assert emulator.bill[0].cost > 0
    go_on = [{"role": "assistant", "content": [block]}, user("go on")]
    assert call(emulator, body(*go_on), anthropic_beta=SUMS_AT_ONCE).status == 200


def refused(*messages: dict[str, Any], beta: str = SUMS_AT_ONCE, **fields: Any) -> str:
    answer = call(Emulator(["ok"]), body(*messages, **fields), anthropic_beta=beta)
    assert answer.status == 400
    return str(answer.error.get("details", {}).get("error_code") or answer.error["message"])


def test_summaries_that_are_not_as_they_were_given_or_not_where_they_belong() -> None:
    emulator = Emulator(["ok"])
    [block] = call(emulator, asking(*TALK), anthropic_beta=SUMS_AT_ONCE).body["content"]
    first = {"role": "assistant", "content": [block]}
    assert refused(user("hi"), first, user("go")) == "compaction_block_misplaced"
    assert refused(first, user("a"), first, user("b")) == "compaction_block_ambiguous"
    other = {"role": "assistant", "content": [{**block, "content": "another"}]}
    assert refused(other, user("go")) == "compaction_content_mismatch"
    other = {"role": "assistant", "content": [{**block, "signature": "mine"}]}
    assert refused(other, user("go")) == "compaction_signature_invalid"
    assert refused({"role": "user", "content": [block]}) == "compaction_block_misplaced"
    unsigned = {"role": "assistant", "content": [{"type": "compaction", "content": "sum"}]}
    assert "'compaction' is not expected" in refused(unsigned, user("go"), beta="")
    assert "compaction" in refused(first, user("go"), beta="")
    summarize = {"compaction": {"type": "summarize"}}
    assert refused(user("hi"), **summarize) == "compaction_nothing_to_summarize"
    pending = {"role": "assistant", "content": [tool_use("read", identity="toolu_1")]}
    assert refused(user("hi"), pending, **summarize, tools=TOOLS) == "compaction_incomplete_turn"
    assert "stop_sequences" in refused(*TALK, **summarize, stop_sequences=["x"])
    assert "Extra inputs" in refused(*TALK, **summarize, beta="")
    assert "Extra inputs" in refused(*TALK, compaction={"type": "summarize", "length": 3})
    counted = call(Emulator(), asking(user("hi")), "/v1/messages/count_tokens", anthropic_beta=SUMS_AT_ONCE)
    assert counted.status == 200


def test_no_summary_may_be_had_and_whoever_asks_for_none_notices_nothing() -> None:
    emulator = Emulator(["ok"])
    emulator.inject(Fault("no_summary"))
    assert call(emulator, body(*TALK)).status == 200
    refusal = call(emulator, asking(*TALK), anthropic_beta=SUMS_AT_ONCE)
    assert (refusal.status, refusal.error["type"]) == (529, "overloaded_error")
    assert refusal.error["details"]["error_code"] == "compaction_unavailable"
    assert call(emulator, asking(*TALK), anthropic_beta=SUMS_AT_ONCE).status == 200
    assert len(emulator.bill) == 2


def test_a_summary_that_failed_leaves_everything_as_it_was() -> None:
    emulator = Emulator(["ok"])
    emulator.inject(Fault("failed_summary", times=2))
    on_demand = call(emulator, asking(*TALK), anthropic_beta=SUMS_AT_ONCE)
    assert (on_demand.status, on_demand.body["content"]) == (200, [])
    assert on_demand.body["stop_reason"] != "compaction"
    answer = summed(emulator, user(LONG))
    failed = answer.body["content"][0]
    assert (failed["type"], failed["content"]) == ("compaction", None)
    assert [one["type"] for one in answer.usage["iterations"]] == ["compaction", "message"]
    assert total(answer) > 50_000
    history = [user(LONG), {"role": "assistant", "content": answer.body["content"]}, user("go on")]
    later = summed(emulator, *history)
    assert later.status == 200
    assert [one["type"] for one in later.usage["iterations"]] == [
        "compaction",
        "message",
    ]  # as long as before


BOUND = "claude-fable-5-2"


def thought_over(emulator: Emulator, **fields: Any) -> list[dict[str, Any]]:
    """Two turns of a model whose thinking is bound, as the client has them."""
    history = [user("first")]
    for question in ("second", "third"):
        answer = call(emulator, body(*history, model=BOUND, **fields))
        assert answer.status == 200
        history += [{"role": "assistant", "content": answer.body["content"]}, user(question)]
    return history


def thinker() -> Emulator:
    return Emulator(Scripted([Answer([thinking("hm"), said("so")])]))


def test_thinking_is_bound_to_what_was_before_it() -> None:
    emulator = thinker()
    history = thought_over(emulator)
    assert call(emulator, body(*history, model=BOUND)).status == 200
    marked = {"type": "text", "text": "first", "cache_control": {"type": "ephemeral"}}
    assert call(emulator, body(user(marked), *history[1:], model=BOUND)).status == 200
    answer = call(emulator, body(user("edited"), *history[1:], model=BOUND))
    assert answer.status == 400
    assert answer.error["message"] == (
        "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different "
        "conversation. Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to "
        '"drop_block".'
    )
    assert call(emulator, body(*history, model=BOUND, system="new")).status == 400
    assert call(emulator, body(*history[2:], model=BOUND)).status == 400


def test_thinking_is_as_it_was_said() -> None:
    emulator = thinker()
    history = thought_over(emulator)

    def edit(at: int) -> str:
        changed = [*history]
        thought = {**history[at]["content"][0], "thinking": "something else"}
        changed[at] = {**history[at], "content": [thought, *history[at]["content"][1:]]}
        answer = call(emulator, body(*changed, model=BOUND))
        assert answer.status == 400
        return str(answer.error["message"])

    assert edit(1) == "messages.1.content.0: Invalid `signature` in `thinking` block"
    assert edit(3).startswith(
        "messages.3.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message "
        "cannot be modified."
    )


def test_thinking_of_a_model_that_binds_none_goes_anywhere() -> None:
    emulator = thinker()
    answer = call(emulator, body(user("first"), model="claude-opus-4-8"))
    history = [user("edited"), {"role": "assistant", "content": answer.body["content"]}, user("second")]
    assert call(emulator, body(*history, model=BOUND)).status == 200


def test_binding_is_set_with_its_beta_and_to_what_there_is() -> None:
    def asked(behavior: str, beta: str) -> str:
        wanted = {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": behavior}}
        answer = call(thinker(), body(user("hi"), model=BOUND, thinking=wanted), anthropic_beta=beta)
        return "" if answer.status == 200 else str(answer.error["message"])

    assert asked("drop_block", "thinking-binding-controls-2026-08-01") == ""
    assert "Extra inputs are not permitted" in asked("drop_block", "")
    assert "'error' or 'drop_block'" in asked("ignore", "thinking-binding-controls-2026-08-01")


def without_thinking(history: list[dict[str, Any]], *turns: int) -> list[dict[str, Any]]:
    return [
        {**message, "content": message["content"][1:]} if at in turns else message
        for at, message in enumerate(history)
    ]


def test_old_thinking_may_go_but_not_from_the_middle() -> None:
    emulator = thinker()
    history = thought_over(emulator)
    for turns in ((1,), (3,), (1, 3)):
        assert call(emulator, body(*without_thinking(history, *turns), model=BOUND)).status == 200
    answer = call(emulator, body(*history, model=BOUND))
    longer = [*history, {"role": "assistant", "content": answer.body["content"]}, user("fourth")]
    assert call(emulator, body(*longer, model=BOUND)).status == 200
    assert call(emulator, body(*without_thinking(longer, 3), model=BOUND)).status == 400


def test_thinking_out_of_place_may_be_dropped_instead() -> None:
    emulator = thinker()
    binding = {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}
    history = thought_over(emulator)
    asked = body(user("edited"), *history[1:], model=BOUND, thinking=binding)
    answer = call(emulator, asked, anthropic_beta="thinking-binding-controls-2026-08-01")
    assert answer.status == 200
    assert answer.body["input_transformations"] == [
        {
            "type": "thinking_dropped",
            "path": f"messages.{at}.content.0",
            "reason": "prefix_binding_mismatch",
        }
        for at in (1, 3)
    ]


def test_other_models_do_not_bind_it() -> None:
    emulator = thinker()
    answer = call(emulator, body(user("first"), model="claude-opus-5"))
    history = [user("edited"), {"role": "assistant", "content": answer.body["content"]}, user("second")]
    assert call(emulator, body(*history, model="claude-opus-5")).status == 200


def test_the_sdk_streams_a_compaction() -> None:
    with (
        Emulator(["the answer"]) as emulator,
        anthropic.Anthropic(base_url=emulator.url, api_key="any") as client,
    ):
        with client.beta.messages.stream(
            model="claude-opus-5",
            max_tokens=100,
            betas=["compact-2026-01-12"],
            messages=[{"role": "user", "content": LONG}],
            context_management={
                "edits": [{"type": "compact_20260112", "trigger": {"type": "input_tokens", "value": 50_000}}]
            },
        ) as stream:
            final = stream.get_final_message()
        assert [block.type for block in final.content] == ["compaction", "text"]
        assert [one.type for one in final.usage.iterations or ()] == ["compaction", "message"]
        assert emulator.bill[0].usage.iterations is not None


def test_a_stream_says_what_was_edited_at_its_end() -> None:
    edits = {"edits": [clearing(5, 2)]}
    answer = call(
        Emulator(["ok"]),
        body(*loop(6), tools=TOOLS, context_management=edits, stream=True),
        anthropic_beta=CLEARS,
    )
    events = {event.name: event.json() for event in answer.events}
    assert "context_management" not in events["message_start"]["message"]
    assert "iterations" not in events["message_start"]["message"]["usage"]
    assert events["message_delta"]["context_management"]["applied_edits"][0]["cleared_tool_uses"] == 4
    assert events["message_delta"]["usage"]["iterations"][0]["output_tokens"] > 0


def test_thinking_stands_where_it_stood_whatever_is_said() -> None:
    """Lone surrogates and deep schemas are no reason to fail."""
    emulator = thinker()
    deep: dict[str, Any] = {"type": "object"}
    for _ in range(300):
        deep = {"type": "array", "items": deep}
    tools = [{"name": "read", "input_schema": {"type": "object", "properties": {"a": deep}}}]
    asked = body(user("\ud800"), model=BOUND, tools=tools)
    answer = call(emulator, asked)
    history = [user("\ud800"), {"role": "assistant", "content": answer.body["content"]}, user("next")]
    assert call(emulator, body(*history, model=BOUND, tools=tools)).status == 200
