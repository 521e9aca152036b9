"""The texts that were cut: where they are kept, for how long, and who can fetch them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import scrimp
from scrimp.core.offload.scopes import scope_of
from scrimp.core.record import Tags
from scrimp.errors import StoreError
from scrimp.fetch_tools import FetchTool
from scrimp.offloading import Offload
from scrimp.shortening import fetch, offload
from scrimp.stores.offload import Retention
from scrimp.stores.offload_memory import MemoryOffload
from scrimp.stores.offload_sqlite import SqliteOffload
from tests.offloading.requests import (
    LOG,
    NOON,
    asked,
    begun,
    call,
    change,
    handle_of,
    lever,
    result,
    sent,
    text_of,
    user,
)


class Broken:
    """A store on a disk that is full."""

    def put(self, kept: Sequence[Any], now: float) -> None:
        raise StoreError("offload.sqlite: the disk is full")

    def put_soon(self, kept: Sequence[Any], now: float) -> None:
        raise StoreError("offload.sqlite: the disk is full")

    def get(self, keys: Sequence[bytes], now: float) -> Mapping[bytes, bytes]:
        return {}

    def close(self) -> None:
        """Nothing is open."""


class Unreadable(Broken):
    """A store that cannot even be read."""

    def get(self, keys: Sequence[bytes], now: float) -> Mapping[bytes, bytes]:
        raise StoreError("offload.sqlite: disk I/O error")


def test_what_was_sent_whole_stays_whole() -> None:
    """The store fails when the result comes in, and works from the next step on."""
    one = lever()
    sent(one, asked(user("task")))
    works, one._keeper._store = one._keeper._store, Broken()
    assert text_of(sent(one, asked(user("task"), call(), user(result())))) == LOG
    one._keeper._store = works
    later = [call("toolu_2"), user(result("x", "toolu_2"))]
    assert text_of(sent(one, asked(user("task"), call(), user(result()), *later))) == LOG
    assert text_of(sent(one, asked(user("task"), call(), user(result())))) == LOG


def test_a_store_that_fails_is_told_of_and_nothing_is_lost() -> None:
    one = lever(store=Broken())
    first = change(one, asked(user("task")))
    assert first is not None
    assert len(first.warnings) == 1
    assert "disk is full" in first.warnings[0]
    found = change(one, asked(user("task"), call(), user(result())))
    assert found is not None
    assert text_of(dict(found.body)) == LOG


def test_a_store_that_fails_for_a_step_changes_nothing_that_was_sent() -> None:
    """What is known stays cut; only what came in meanwhile is whole, and stays so."""
    one = lever()
    messages = [user("task"), call(), user(result())]
    before = begun(one, *messages[1:])
    works, one._keeper._store = one._keeper._store, Unreadable()
    messages += [call("b"), user(result(f"{LOG}\nb", "b"))]
    now = sent(one, asked(*messages))
    assert now["messages"][:3] == before["messages"]
    assert text_of(now, at=4) == f"{LOG}\nb"
    one._keeper._store = works
    messages += [call("c"), user(result(f"{LOG}\nc", "c"))]
    later = sent(one, asked(*messages))
    assert later["messages"][:5] == now["messages"]
    assert text_of(later, at=6).startswith("[scrimp")


def test_what_was_not_known_for_a_step_is_known_at_the_next() -> None:
    store = MemoryOffload()
    before = begun(lever(store=store), call(), user(result()))
    again = lever(store=store)
    works, again._keeper._store = again._keeper._store, Unreadable()
    later = asked(user("task"), call(), user(result()), call("b"), user(result("x", "b")))
    assert text_of(sent(again, later)) == LOG
    again._keeper._store = works
    assert text_of(sent(again, later)) == text_of(before)


def test_it_is_the_same_after_a_restart(tmp_path: Path) -> None:
    messages = [user("task"), call(), user(result()), call("toolu_2"), user(result(LOG[::-1], "toolu_2"))]
    one = Offload(store=SqliteOffload(tmp_path / "o.sqlite"), always=True)
    bodies = [sent(one, asked(*messages[:end])) for end in (1, 3, 5)]
    one._keeper._store.close()  # type: ignore[union-attr] # it has one
    again = Offload(store=SqliteOffload(tmp_path / "o.sqlite"), share=0.1, over=100_000)
    assert [sent(again, asked(*messages[:end])) for end in (5, 3)] == [bodies[2], bodies[1]]
    assert (
        again.answer({"handle": handle_of(text_of(bodies[1])), "range": "chars 1-30000"}, "").text
        == LOG[:30000]
    )


def test_when_a_text_has_expired_its_place_stays_cut_and_a_fetch_says_so(tmp_path: Path) -> None:
    times = [NOON]
    one = Offload(store=SqliteOffload(tmp_path / "o.sqlite"), days=10, always=True)
    one._keeper._clock = lambda: times[0]
    body = begun(one, call(), user(result()))
    again = Offload(store=SqliteOffload(tmp_path / "o.sqlite"), days=10)
    times[0] += 31 * 86_400
    again._keeper._clock = lambda: times[0]
    assert sent(again, asked(user("task"), call(), user(result())))["messages"] == body["messages"]
    other = Offload(store=SqliteOffload(tmp_path / "o.sqlite"), days=10)  # its agent sent the text no more
    other._keeper._clock = lambda: times[0] + 31 * 86_400
    fetched = other.answer({"handle": handle_of(text_of(body)), "range": "1-2"}, "")
    assert fetched.is_error
    assert "call the tool it came from again" in fetched.text


def test_a_text_that_a_living_conversation_still_sends_can_be_fetched_whatever_the_store_let_go() -> None:
    """A store for three texts, a conversation with six."""
    most = 3 * len(LOG)
    one = lever(store=MemoryOffload(Retention(most_bytes=most)), most_bytes=most)
    messages = [user("task")]
    out = sent(one, asked(*messages))
    texts = [f"{LOG}\nuse {at}" for at in range(6)]
    for at, text in enumerate(texts):
        messages += [call(f"t{at}"), user(result(text, f"t{at}"))]
        out = sent(one, asked(*messages))
    for at, text in enumerate(texts):
        handle = handle_of(text_of(out, at=2 + 2 * at))
        assert one.answer({"handle": handle, "range": "898-"}, "").text == "".join(
            text.splitlines(keepends=True)[897:]
        )
        assert one.answer({"handle": handle}, scope_of(Tags(user="ben"))).is_error


def test_a_text_is_kept_as_long_as_it_is_sent(tmp_path: Path) -> None:
    """Ten days, renewed by each request that has the text whole, without a fetch."""
    times = [NOON]
    messages = [user("task"), call(), user(result())]
    path = tmp_path / "o.sqlite"
    one = Offload(store=SqliteOffload(path, Retention(days=10)), days=10, always=True)
    one._keeper._clock = lambda: times[0]
    handle = handle_of(text_of(begun(one, *messages[1:])))
    for day in range(1, 10):
        times[0] = NOON + 4 * day * 86_400
        messages += [call(f"d{day}"), user(result("short", f"d{day}"))]
        sent(one, asked(*messages), now=times[0])
    one._keeper._store.close()  # type: ignore[union-attr] # it has one
    other = Offload(store=SqliteOffload(path, Retention(days=10)), days=10)
    other._keeper._clock = lambda: times[0]
    assert other.answer({"handle": handle, "range": "chars 1-30000"}, "").text == LOG[:30_000]


def test_nobody_reads_the_texts_of_others() -> None:
    store = MemoryOffload()
    anna, ben = Tags(user="anna"), Tags(user="ben")
    one = lever(store=store)
    sent(one, asked(user("task")), tags=anna)
    handle = handle_of(text_of(sent(one, asked(user("task"), call(), user(result())), tags=anna)))
    assert not one.answer({"handle": handle}, scope_of(anna)).is_error
    for scope in (scope_of(ben), scope_of(Tags()), scope_of(Tags(key="anna"))):
        assert one.answer({"handle": handle, "query": "88213"}, scope).is_error
    other = lever(store=store)
    other.owner = "another account"
    assert other.answer({"handle": handle}, scope_of(anna)).is_error


def test_a_text_shortened_within_a_run_is_of_the_user_of_that_run() -> None:
    store = MemoryOffload()
    with scrimp.run("reading", user="alice"):
        handle = handle_of(offload(LOG, store=store))
        assert fetch(handle, range="1", store=store) == LOG.split("\n")[0] + "\n"
        assert FetchTool(store=store).call({"handle": handle, "range": "1"}) == LOG.split("\n")[0] + "\n"
        assert "Nothing is kept" in fetch(handle, user="ben", store=store)
    assert "Nothing is kept" in fetch(handle, store=store)
    assert fetch(handle, range="1", user="alice", store=store) == LOG.split("\n")[0] + "\n"
    one = lever(store=store)
    assert not one.answer({"handle": handle}, scope_of(Tags(user="alice"))).is_error
    assert one.answer({"handle": handle}, scope_of(Tags())).is_error


def test_the_model_is_not_told_where_files_lie() -> None:
    handle = handle_of(text_of(begun(lever(), call(), user(result()))))
    fetched = lever(store=Unreadable()).answer({"handle": handle}, "")
    assert fetched.is_error
    assert "sqlite" not in fetched.text
    assert "call the tool it came from again" in fetched.text
