"""What requests share, and where markers are set for it. Lengths: ten tokens a letter of a block's text."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.cache import CacheRules
from scrimp.core.prompt import Prompt, Reading, read_prompt
from scrimp.core.sharing import Shared, Sharer, shared_places
from scrimp.wire.request import with_markers

MINIMUM = 100
LONG = "x" * 10
READING = Reading(key="model")


def text(said: str, ttl: str | None = None) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": said}
    return block if ttl is None else {**block, "cache_control": {"type": "ephemeral", "ttl": ttl}}


def request(*content: str | dict[str, Any], system: Any = LONG, **more: Any) -> dict[str, Any]:
    blocks = [text(block) if isinstance(block, str) else block for block in content]
    return {"system": system, "messages": [{"role": "user", "content": blocks}], **more}


def letters(prompt: Prompt, position: int) -> int:
    values = [block.value for block in prompt.blocks[: position + 1]]
    return 10 * sum(len(value if isinstance(value, str) else value.get("text", "")) for value in values)


def sharer(body: dict[str, Any], *, most: int = 4, caches: bool = True) -> Sharer:
    prompt = read_prompt(body, READING)
    rules = CacheRules(lookback=20, minimum=MINIMUM, max_markers=most, caches=caches)
    return Sharer(prompt=prompt, length=lambda position: letters(prompt, position), rules=rules)


def shared(*bodies: dict[str, Any], **rules: Any) -> list[Shared]:
    return shared_places([sharer(body, **rules) for body in bodies])


def paths(found: Shared) -> list[tuple[Any, ...]]:
    return [edit.path for edit in found.edits]


def test_what_requests_share_is_marked_where_they_part() -> None:
    found = shared(request("a"), request("b"), request("c"))
    assert [paths(one) for one in found] == [[("system", 0)]] * 3
    assert len({one.path for one in found}) == 1
    assert [place.seconds for place in found[0].path] == [300]


def test_a_shared_document_is_marked_behind_the_system_prompt() -> None:
    found = shared(request(LONG, "a"), request(LONG, "b"))
    assert [paths(one) for one in found] == [[("messages", 0, "content", 0)]] * 2


def test_a_request_that_shares_nothing_stays_as_it_is() -> None:
    found = shared(request("a"), request("b"), request("a", system="y" * 10))
    assert found[2] == Shared()
    assert found[0].path == found[1].path != ()


def test_what_is_shorter_than_the_least_that_is_cached_is_not_waited_for() -> None:
    assert shared(request("a", system="x" * 9), request("b", system="x" * 9)) == [Shared(), Shared()]
    assert shared(request("a", system="x" * 10), request("b", system="x" * 10))[0].path


def test_documents_under_one_system_prompt_are_groups_within_a_group() -> None:
    found = shared(*(request(document * 10, question) for document in "pq" for question in "ab"))
    outer = {one.path[0] for one in found}
    inner = [one.path[1] for one in found]
    assert len(outer) == 1
    assert inner[0] == inner[1] != inner[2] == inner[3]
    assert paths(found[0]) == [("system", 0), ("messages", 0, "content", 0)]


def test_a_little_more_in_common_is_not_worth_another_wait() -> None:
    found = shared(request("same", "a"), request("same", "b"), request("other"))
    assert [len(one.path) for one in found] == [1, 1, 1]


def test_equal_requests_share_everything() -> None:
    (one, two) = shared(request("a"), request("a"))
    assert one == two
    assert paths(one) == [("messages", 0, "content", 0)]


def test_a_marker_of_the_caller_serves_where_it_is() -> None:
    found = shared(*(request(question, system=[text(LONG, "1h")]) for question in "ab"))
    assert [one.edits for one in found] == [(), ()]
    assert [place.seconds for place in found[0].path] == [3600]


def test_a_marker_before_one_of_an_hour_lives_for_an_hour() -> None:
    found = shared(*(request(LONG, text(question, "1h")) for question in "ab"))
    (edit,) = found[0].edits
    assert (edit.path, edit.ttl) == (("messages", 0, "content", 0), "1h")


def test_without_room_the_deepest_marker_in_the_shared_part_serves() -> None:
    system = [text(LONG, "5m"), text("y", "5m"), text("z" * 5)]
    bodies = [request(text("q" + name, "5m"), text("r", "5m"), system=system) for name in "ab"]
    found = shared(*bodies)
    prompts = [read_prompt(body, READING) for body in bodies]
    assert [one.edits for one in found] == [(), ()]
    assert [one.path[-1].prefix for one in found] == [prompt.prefixes[1] for prompt in prompts]


def test_in_a_thread_there_is_room_for_three() -> None:
    bodies = [
        request(LONG, text("q" + name, "5m"), text("r", "5m"), text("s", "5m"), system=LONG) for name in "ab"
    ]
    assert shared(*bodies)[0].edits
    assert shared(*bodies, most=3) == [Shared(), Shared()]


def test_where_nothing_is_cached_nothing_is_marked() -> None:
    assert shared(request("a"), request("b"), caches=False) == [Shared(), Shared()]
    assert shared_places([None, sharer(request("a"))]) == [Shared(), Shared()]


BLOCKS = st.lists(
    st.one_of(
        st.builds(
            text, st.sampled_from(["p" * 12, "q" * 12, "r"]), st.sampled_from([None, None, None, "5m"])
        ),
        st.just(text("")),
    ),
    min_size=1,
    max_size=5,
)


@given(st.lists(BLOCKS, min_size=1, max_size=6), st.sampled_from([None, "5m"]))
def test_markers_are_valid_change_no_content_and_every_place_is_shared(
    contents: list[list[dict[str, Any]]], ttl: str | None
) -> None:
    bodies = [request(*content, system=[text(LONG, ttl)]) for content in contents]
    bodies = [body for body in bodies if len(read_prompt(body, READING).markers) <= 4]
    found = shared(*bodies)
    reach: dict[bytes, int] = {}
    for body, one in zip(bodies, found, strict=True):
        before, after = (read_prompt(each, READING) for each in (body, with_markers(body, one.edits)))
        assert after.prefixes == before.prefixes
        assert len(after.markers) <= 4
        assert {marker.position for marker in before.markers} <= {m.position for m in after.markers}
        assert all(after.blocks[marker.position].markable for marker in after.markers)
        marked = {after.prefixes[marker.position] for marker in after.markers}
        assert {place.prefix for place in one.path} <= marked
        for prefix in set(before.prefixes):
            reach[prefix] = reach.get(prefix, 0) + 1
    assert all(reach[place.prefix] >= 2 for one in found for place in one.path)
