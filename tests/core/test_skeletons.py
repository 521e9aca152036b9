"""What system prompts have in common: learned from them alone, in order, and within bounds."""

from __future__ import annotations

from difflib import SequenceMatcher

from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.core.skeletons import Families, Family, aligned, common, seal, segments

few = st.lists(st.integers(0, 5), max_size=14)


def longest_common(one: list[int], other: list[int]) -> int:
    """Length of the longest common subsequence, by the textbook table."""
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for row, left in enumerate(one):
        for column, right in enumerate(other):
            best = max(table[row][column + 1], table[row + 1][column])
            table[row + 1][column + 1] = table[row][column] + 1 if left == right else best
    return table[-1][-1]


def is_in(part: list[int], whole: list[int]) -> bool:
    places = iter(whole)
    return all(item in places for item in part)


@given(text=st.text(st.sampled_from(list("ab.!? \n\r\u2028")) | st.characters(codec="utf-8"), max_size=400))
def test_segments_are_the_text(text: str) -> None:
    found = segments(text)
    assert "".join(found) == text
    assert all(found)


def test_long_lines_are_cut_at_sentences() -> None:
    line = "It is 12.03.2026 now! " + "Keep the rules. " * 20
    assert segments(line)[0] == "It is 12.03.2026 now! "
    assert segments("One. Two.\nThree.") == ["One. Two.\n", "Three."]


@given(one=few, other=few)
@settings(max_examples=300)
def test_what_is_common_is_in_both_and_about_as_long_as_can_be(one: list[int], other: list[int]) -> None:
    found = list(common(one, other))
    assert is_in(found, one)
    assert is_in(found, other)
    longest = longest_common(one, other)
    assert len(found) <= longest
    # Its search looks for the longest runs, which for few repetitions are the longest sequence too.
    if len(set(one)) == len(one) and len(set(other)) == len(other) and sorted(one) == one:
        runs = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
        assert len(found) >= max(run.size for run in runs)


@given(skeleton=few, seals=few)
@settings(max_examples=300)
def test_a_skeleton_is_aligned_exactly_where_it_is_contained(skeleton: list[int], seals: list[int]) -> None:
    found = aligned(skeleton, seals)
    assert (found is not None) == is_in(skeleton, seals)
    if found is not None:
        assert [seals[place] for place in sorted(found)] == skeleton


def prompt(*lines: str) -> list[str]:
    return [f"rule {n}\n" for n in range(10)] + [f"{line}\n" for line in lines]


def fed(*prompts: list[str]) -> Family:
    families = Families()
    for one in prompts:
        found = families.take_in("agent", one)
    return found


def between(family: Family, texts: list[str]) -> list[str]:
    places = aligned(family.skeleton, [seal(text) for text in texts])
    assert places is not None
    return [text for n, text in enumerate(texts) if n not in places]


def test_what_changed_once_is_not_volatile_and_in_time_stays() -> None:
    before, after = prompt("be kind"), prompt("be brief")
    family = fed(*[before] * 3, *[after] * 5)
    assert between(family, after) == ["be brief\n"]
    assert not family.volatile
    assert between(fed(*[before] * 3, *[after] * 64), after) == []


def test_what_stays_beside_what_changes_is_learned_too() -> None:
    prompts = [prompt("be kind" if n < 4 else "be brief", f"time {n}") for n in range(80)]
    family = fed(*prompts)
    assert family.volatile
    assert between(family, prompts[-1]) == ["time 79\n"]
    early = fed(*prompts[:20])
    assert between(early, prompts[19]) == ["be brief\n", "time 19\n"]


def test_one_users_long_conversation_does_not_make_the_user_part_of_the_prompt() -> None:
    users = [prompt(f"user {n}", f"time {n}") for n in range(4)]
    family = fed(*users, *[prompt("user 9", f"time {n}") for n in range(40)])
    assert between(family, prompt("user 5", "time 1")) == ["user 5\n", "time 1\n"]


def test_prompts_of_different_agents_are_kept_apart() -> None:
    families = Families()
    other = [f"other {n}\n" for n in range(10)]
    for number in range(6):
        one = families.take_in("agent", prompt(f"time {number}"))
        two = families.take_in("agent", [*other, "stays\n"])
    assert one is not two
    assert (one.volatile, two.volatile) == (True, False)


def test_only_times_are_only_times() -> None:
    def changes(*lines: str) -> bool:
        return fed(*[prompt(line) for line in lines]).only_time

    assert changes("It is 12:01.", "It is 12:02.", "It is 13:45 pm.")
    assert changes(
        "Today is Saturday, November 21, 2026.", "Today is Sunday, November 22, 2026.", "Today is 1 May."
    )
    assert changes("2026-11-21T10:00:01.123Z", "2026-11-21T10:00:02.5Z", "2027-01-01T00:00:00Z")
    assert not changes("12:01 Ada", "12:02 Bob", "12:03 Bob")
    assert not changes("account 1700000001", "account 1700000002", "account 1700000003")
    assert not changes("user 12", "user 13", "user 14")
    assert not changes("ada 12, 10:01", "bob 13, 10:02", "bob 13, 10:03")


def test_memory_is_bounded() -> None:
    families = Families()
    for label in range(100):
        for kind in range(10):
            families.take_in(str(label), [f"{label} {kind} {n}" for n in range(5)])
    assert len(families._of) == 32
    assert all(len(known) <= 4 for known in families._of.values())
