"""Which lines of a session are looked into: every one that carries an answer, whatever stands around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.spending import spend
from scrimp.traces.usage_lines import take_lines
from tests.traces.recount import recount
from tests.traces.sessions import agent, assistant, result, text, tool_use, usage, user, write

LONG = "x" * 5_000


def names_of(*lines: dict[str, Any]) -> set[str]:
    """The ids of the answers that are found in lines."""
    raw = bytearray(b"\n".join(map(msgspec.json.encode, lines)) + b"\n")
    found: dict[str, Any] = {}
    take_lines(raw, len(raw), found)
    return set(found)


def answer(name: str, *content: Any, **fields: Any) -> dict[str, Any]:
    """A line with an answer, longer than any that is decoded unseen."""
    return assistant(name, None, 1, name, usage(7), text(LONG), *content, **fields)


def test_what_a_sub_agent_is_given_is_passed_over_and_what_it_says_is_not() -> None:
    said = answer("msg_1")
    given = user("u", None, 1, [result("t", LONG)])
    assert names_of(agent("p", None, 2, "a1", given), agent("q", None, 3, "a1", said)) == {"msg_1"}


@pytest.mark.parametrize(
    "before",
    [
        {"meta": {"type": "user"}},
        {"meta": [{"type": "user"}]},
        {"meta": ["type", {"type": "user"}]},
        {"meta": {"type": "progress", "data": {"message": {"type": "user"}}}},
        {"meta": {"data": {"message": {"type": "user"}}}},
        {"meta": {"deep": {"message": {"type": "user"}}}},
        {"quoted": '{"type":"user"'},
        {"quoted": '"type":"progress","data":{"message":{"type":"user"'},
    ],
)
def test_an_answer_is_read_whatever_else_the_line_says_before(before: dict[str, Any]) -> None:
    assert names_of({**before, **answer("msg_1")}) == {"msg_1"}
    assert names_of(agent("p", None, 2, "a1", {**before, **answer("msg_2")})) == {"msg_2"}


def test_a_progress_line_with_an_answer_and_a_users_line_elsewhere_is_read() -> None:
    line = agent("p", None, 2, "a1", answer("msg_1"))
    line["data"] = {"earlier": {"type": "user"}, **line["data"]}
    assert names_of(line) == {"msg_1"}


def test_what_a_sub_agent_says_of_an_api_error_is_no_answer() -> None:
    said = assistant("a", None, 1, "msg_1", usage(7))
    assert names_of(agent("p", None, 2, "a1", said)) == {"msg_1"}
    assert names_of({**agent("p", None, 2, "a1", said), "isApiErrorMessage": True}) == set()


def test_a_message_of_another_form_in_a_progress_line_does_no_harm(tmp_path: Path) -> None:
    odd: list[Any] = ["words", 7, ["list"], {"message": "words"}, None]
    lines = [{"type": "progress", "data": {"type": "status", "message": one}} for one in odd]
    write(tmp_path / "a.jsonl", *lines, answer("msg_1"))
    spent = spend([tmp_path])
    assert (spent.spend.whole.calls, spent.faults) == (1, ())


@given(st.data())
def test_no_answer_is_lost_in_any_mixture(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Short and long lines of every kind, their fields in any order, through a buffer of any size."""
    folder = tmp_path_factory.mktemp("sessions")
    lines = [_drawn(data, number) for number in range(data.draw(st.integers(1, 12)))]
    write(folder / "a.jsonl", *lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCRIMP_HOME", str(folder / "home"))
        patch.setattr("scrimp.traces.usage_file._BLOCK", data.draw(st.sampled_from([1, 300, 5_000, 1 << 19])))
        patch.setattr("scrimp.traces.usage_lines._LONG", data.draw(st.sampled_from([1, 200, 4_096])))
        spent = spend([folder / "a.jsonl"])
    expected = recount(folder)
    assert (spent.spend.whole.calls, spent.spend.whole.cost) == (expected.calls, expected.cost)
    assert spent.faults == ()


def _drawn(data: st.DataObject, number: int) -> dict[str, Any]:
    name, fill = (
        f"msg_{data.draw(st.integers(0, 6))}",
        "y" * data.draw(st.sampled_from([0, 150, 3_000, 6_000])),
    )
    said = assistant(f"a{number}", None, number, name, usage(3, output=number), text(fill), tool_use("t"))
    given = user(f"u{number}", None, number, [result("t", fill)])
    carried = data.draw(st.sampled_from([said, given]))
    line = data.draw(st.sampled_from([said, given, agent(f"p{number}", None, number, "a1", carried)]))
    return dict(data.draw(st.permutations(list(line.items()))))
