"""What a session state has to hold, how it is read back, and what it may not be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.summarize.obligations import KINDS, Obligation, found_in, together
from scrimp.core.summarize.state import is_state, lost, read_state, written


def user(words: str) -> dict[str, Any]:
    return {"role": "user", "content": words}


def model(*blocks: Any) -> dict[str, Any]:
    said = [{"type": "text", "text": one} if isinstance(one, str) else one for one in blocks]
    return {"role": "assistant", "content": said}


def use(name: str, **given_to_it: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": "toolu_1", "name": name, "input": given_to_it}


def texts(kind: str, *messages: dict[str, Any]) -> list[str]:
    return [one.text for one in found_in(messages) if one.kind == kind]


def test_what_people_write_is_kept_whole_where_it_is_short() -> None:
    assert texts("rule", user("Use tabs,\n  please.")) == ["Use tabs, please."]


def test_of_long_words_the_beginning_and_the_rules_are_kept() -> None:
    words = "Here is the story. " * 20 + "You must never touch the lock file. And so on. " + "More. " * 50
    beginning, rule = texts("rule", user(words))
    assert words.startswith(beginning)
    assert rule == "You must never touch the lock file."


def test_what_a_client_adds_by_itself_is_no_wish() -> None:
    assert texts("rule", user("<system-reminder>Always be brief.</system-reminder>")) == []


def test_decisions_are_sentences_of_the_model() -> None:
    said = model(
        "Let me look. The root cause is a stale lock. We decided on retries instead of sleeps! Fine."
    )
    assert texts("decision", said, user("The fix is wrong.")) == [
        "The root cause is a stale lock.",
        "We decided on retries instead of sleeps!",
    ]


def test_the_last_plan_counts_and_only_what_is_open_of_it() -> None:
    before = use("TodoWrite", todos=[{"content": "Old item", "status": "pending"}])
    after = use(
        "TodoWrite",
        todos=[
            {"content": "Write tests", "status": "completed"},
            {"content": "Mend gap.py", "status": "in_progress"},
            {"content": "Tell Ann", "status": "pending"},
        ],
    )
    said = "- [ ] rename the flag\n- [x] done already\nTODO: docs"
    assert texts("task", model(before), model(said), model(after)) == [
        "[ ] rename the flag",
        "TODO: docs",
        "Mend gap.py",
        "Tell Ann",
    ]


def test_paths_names_and_numbers_of_words_and_of_what_tools_were_asked() -> None:
    messages = [
        user("See src/app/main.py and ticket ABC-123, mail ann@example.com about #77."),
        model("`retry_count` is 3; p99 = 250 ms.", use("read", path="/etc/app/conf.toml")),
        user("deadbeef-0000-4000-8000-123456789abc"),
    ]
    assert texts("path", *messages) == ["src/app/main.py", "/etc/app/conf.toml"]
    names = texts("name", *messages)
    for name in (
        "ABC-123",
        "ann@example.com",
        "#77",
        "retry_count",
        "deadbeef-0000-4000-8000-123456789abc",
    ):
        assert name in names
    assert "conf.toml" not in names  # which its path says
    assert "p99 = 250 ms" in texts("number", *messages)


def test_results_oblige_to_nothing() -> None:
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "see /a/b/c.py, must not"}
    assert found_in([{"role": "user", "content": [result]}]) == []


def test_of_too_many_those_said_last_stay() -> None:
    found = found_in([user(f"Look at lib/file_{n}.py") for n in range(400)])
    paths = [one.text for one in found if one.kind == "path"]
    assert (paths[0], paths[-1], len(paths)) == ("lib/file_250.py", "lib/file_399.py", 150)
    again = together(found, found_in([user("Look at lib/file_260.py")]))
    assert [one.text for one in again if one.kind == "path"][-1] == "lib/file_260.py"


def test_no_rule_and_no_open_task_gives_way_however_much_is_said_after_it() -> None:
    rule = "Never push to main, and never touch billing/ledger.py."
    chat = [user(f"Looks good, what about module {n}?") for n in range(200)]
    rules = [user(f"You must not rename table_{n}.") for n in range(90)]
    todo = [model(f"TODO: migrate table_{n}.") for n in range(90)]
    wanted = texts("rule", user(rule), *rules, *chat)
    assert wanted[0] == rule
    assert [one for one in wanted if "must not" in one] == [one["content"] for one in rules]
    chatty = [one for one in wanted if "Looks good" in one]
    assert chatty == [one["content"] for one in chat[-len(chatty) :]]
    assert 30 <= len(chatty) < 100
    assert len(texts("task", *todo)) == 90
    again = together(found_in([user(rule), *todo]), found_in(chat))
    assert Obligation("rule", rule) in again
    assert sum(one.kind == "task" for one in again) == 90


LINE = st.text(st.characters(categories=("L", "N", "P", "S", "Z")), min_size=1, max_size=40).map(
    lambda text: " ".join(text.split()).strip(" -*#>|,;")
)


@given(st.lists(st.tuples(st.sampled_from(KINDS), LINE.filter(bool)), max_size=12), st.text(max_size=60))
def test_a_state_holds_all_it_was_made_of_and_is_read_back(
    made_of: list[tuple[Any, str]], words: str
) -> None:
    obligations = [Obligation(kind, text) for kind, text in made_of if ", " not in text and "; " not in text]
    text = written(obligations, words)
    assert lost(obligations, [text]) == []
    for content in (text, [{"type": "text", "text": text}]):
        message = {"role": "user", "content": content}
        assert is_state(message)
        assert sorted(read_state(message).obligations, key=repr) == sorted(obligations, key=repr)


def test_the_words_of_a_model_are_read_back() -> None:
    text = written([Obligation("path", "a/b.py")], "We mend\nthe lock.\n</session-state>")
    assert read_state(user(text)).words == "We mend\nthe lock."


def test_headings_in_the_words_of_a_model_are_its_words() -> None:
    words = "We mend it.\n## Files\na.py, which is old\n## Open\n- all"
    rule = Obligation("rule", "Use tabs.")
    told = words
    for _ in range(2):
        found = read_state(user(written([rule], told)))
        assert found.obligations == [rule]
        assert [line.strip() for line in found.words.splitlines()] == words.splitlines()
        told = found.words


@pytest.mark.parametrize("words", ["retention = 30 days", "timeout is 5 minutes", "wait: 1 hour"])
def test_numbers_keep_their_unit(words: str) -> None:
    assert texts("number", user(f"Mind that {words}.")) == [words]


@pytest.mark.parametrize(
    "message",
    [
        user("<session-state>\nmine\n</session-state>"),
        {"role": "assistant", "content": written([])},
        {"role": "user", "content": [{"type": "text", "text": written([])}, {"type": "text", "text": "x"}]},
        {"role": "user", "content": []},
    ],
)
def test_what_only_looks_like_a_state_is_none(message: dict[str, Any]) -> None:
    assert not is_state(message)


def test_what_no_text_says_is_lost() -> None:
    wanted = [Obligation("path", "a/b.py"), Obligation("rule", "Use tabs.")]
    assert lost(wanted, ["Always:\nUse\n tabs.", "b.py"]) == [wanted[0]]
