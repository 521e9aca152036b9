"""When the requests of a fan-out go, whatever they come back with and in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.fanout import Schedule, Start
from scrimp.core.sharing import Place

A, B, C = (Place(name, 300) for name in (b"a", b"b", b"c"))


def started(starts: list[Start]) -> list[tuple[int, bool]]:
    return [(start.index, start.leads) for start in starts]


def test_the_first_goes_alone_until_its_response_begins() -> None:
    schedule = Schedule([[A]] * 5, limit=3)
    assert started(schedule.take(0)) == [(0, True)]
    assert schedule.take(1) == []
    schedule.began(0)
    assert started(schedule.take(2)) == [(1, False), (2, False)]
    schedule.ended(1, answered=True)
    assert started(schedule.take(3)) == [(3, False)]


def test_what_shares_nothing_waits_for_nobody() -> None:
    schedule = Schedule([[], [A], [], [A]], limit=9)
    assert sorted(started(schedule.take(0))) == [(0, False), (1, True), (2, False)]


def test_a_leader_that_fails_is_replaced_by_the_next() -> None:
    schedule = Schedule([[A]] * 3, limit=9)
    schedule.take(0)
    schedule.ended(0, answered=False)
    assert started(schedule.take(1)) == [(1, True)]
    schedule.ended(1, answered=True)
    assert started(schedule.take(2)) == [(2, False)]
    schedule.ended(2, answered=False)
    assert schedule.done


def test_what_is_sent_again_reads_what_it_had_written() -> None:
    schedule = Schedule([[A], [A]], limit=1)
    schedule.take(0)
    schedule.began(0)
    schedule.again(0)
    assert started(schedule.take(1)) == [(0, False)]


def test_a_group_within_a_group_has_a_leader_of_its_own() -> None:
    schedule = Schedule([[A, B], [A, B], [A, C], [A, C]], limit=9)
    assert started(schedule.take(0)) == [(0, True)]
    schedule.began(0)
    assert sorted(started(schedule.take(1))) == [(1, False), (2, True)]
    schedule.began(2)
    assert started(schedule.take(2)) == [(3, False)]


def test_a_prefix_that_has_expired_is_led_again() -> None:
    schedule = Schedule([[A]] * 4, limit=1)
    for index, now in enumerate((0, 299, 590)):
        assert started(schedule.take(now)) == [(index, index == 0)]
        schedule.ended(index, answered=True)
    assert started(schedule.take(890)) == [(3, True)]


def test_groups_run_one_after_another() -> None:
    schedule = Schedule([[A], [B], [A], [B], [A], [B]], limit=1)
    order = []
    now = 0.0
    while not schedule.done:
        running = schedule.take(now)
        order += [start.index for start in running]
        for start in running:
            schedule.ended(start.index, answered=True)
        now += 1
    assert order == [0, 2, 4, 1, 3, 5]


def test_the_next_group_begins_when_the_one_before_no_longer_fills_the_room() -> None:
    schedule = Schedule([[A]] * 4 + [[B]] * 4 + [[C]] * 4, limit=2)
    assert started(schedule.take(0)) == [(0, True)]
    schedule.began(0)
    assert started(schedule.take(1)) == [(1, False)]
    schedule.ended(0, answered=True)
    assert started(schedule.take(2)) == [(2, False)]
    schedule.ended(1, answered=True)
    assert started(schedule.take(3)) == [(4, True)]
    schedule.ended(2, answered=True)
    assert started(schedule.take(4)) == [(3, False)]


def test_small_groups_are_led_side_by_side() -> None:
    schedule = Schedule([[A], [A], [B], [B], [C], [C]], limit=3)
    assert started(schedule.take(0)) == [(0, True), (2, True), (4, True)]


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_and_one(count: int) -> None:
    schedule = Schedule([[]] * count, limit=1)
    assert started(schedule.take(0)) == [(0, False)][:count]
    assert schedule.done is (count == 0)


PLACES = [Place(bytes([n]), 300) for n in range(7)]
TREE = [(), (0,), (0, 1), (0, 1, 2), (0, 3), (4,), (4, 5), (6,)]
WHAT = st.sampled_from(["began", "answered", "failed", "again"])
STEPS = st.tuples(st.integers(0, 9), WHAT, st.floats(0, 400))


class Watch:
    """A second account of a fan-out: what is under way, what it writes, and until when it can be read."""

    def __init__(self, paths: list[tuple[Place, ...]], limit: int) -> None:
        self.paths = paths
        self.limit = limit
        self.started_at: dict[int, float] = {}
        self.writes: dict[int, set[bytes]] = {}
        self.readable_until: dict[bytes, float] = {}
        self.ended: list[int] = []

    def start(self, start: Start, now: float) -> None:
        assert start.index not in self.started_at
        assert start.index not in self.ended
        path = [place.prefix for place in self.paths[start.index]]
        live = [n for n, prefix in enumerate(path) if now < self.readable_until.get(prefix, 0)]
        cold = path[live[-1] + 1 :] if live else path
        assert start.leads == bool(cold)
        assert all(set(cold).isdisjoint(others) for others in self.writes.values()), "two write one prefix"
        if live:
            self.readable_until[path[live[-1]]] = now + 300
        self.started_at[start.index] = now
        self.writes[start.index] = set(cold)
        assert len(self.started_at) <= self.limit

    def began(self, index: int) -> None:
        for prefix in self.writes[index]:
            self.readable_until[prefix] = self.started_at[index] + 300
        self.writes[index] = set()

    def over(self, index: int) -> None:
        del self.started_at[index], self.writes[index]


@given(st.lists(st.sampled_from(TREE), max_size=14), st.integers(1, 5), st.lists(STEPS, max_size=200))
def test_whatever_happens_each_request_ends_once_behind_one_leader(
    tree: list[tuple[int, ...]], limit: int, steps: list[tuple[int, str, float]]
) -> None:
    paths = [tuple(PLACES[place] for place in path) for path in tree]
    schedule, watch = Schedule(paths, limit=limit), Watch(paths, limit)
    now = 0.0
    queue = iter(steps)
    while not schedule.done:
        for start in schedule.take(now):
            watch.start(start, now)
        assert watch.started_at, "something is left, and nothing is under way"
        number, what, passed = next(queue, (0, "answered", 1.0))
        index = sorted(watch.started_at)[number % len(watch.started_at)]
        now += passed
        if what in ("began", "answered"):
            watch.began(index)
        if what == "began":
            schedule.began(index)
            continue
        watch.over(index)
        if what == "again":
            schedule.again(index)
            continue
        schedule.ended(index, answered=what == "answered")
        watch.ended.append(index)
    assert sorted(watch.ended) == list(range(len(paths)))
