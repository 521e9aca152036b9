"""The parts of several workers, each by itself: claims, sums, and shares."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from decimal import Decimal

import pytest

from scrimp.gateway.cache_settings import FanoutSettings
from scrimp.gateway.gating import Gating
from scrimp.gateway.settings import Limits, Settings
from scrimp.gateway.workers.board import Board, Handle, open_memory
from scrimp.gateway.workers.child import own_settings
from scrimp.telemetry.summing import summed
from tests.gateway import claiming
from tests.gateway.instant import now, run_at_once, take_its_time
from tests.gateway.test_gating import House, body

KEYS = [bytes([n]) * 16 for n in range(1, 9)]


@pytest.fixture
def board() -> Board:
    return Board(open_memory(), 3)


def test_what_one_claims_the_others_are_told_of(board: Board) -> None:
    before, mine, other = time.monotonic(), board.claims(0), board.claims(1)
    assert mine.take(KEYS[:2]) == {}
    assert mine.take(KEYS[:2]) == {}  # once more is no harm
    found = other.take(KEYS[1:3])
    assert set(found) == {KEYS[1]}
    assert not found[KEYS[1]].written
    assert before <= found[KEYS[1]].since <= time.monotonic()
    assert mine.look(KEYS[2]) is None  # for some of them were taken: nothing was claimed
    mine.written(KEYS[:2])
    claim = other.look(KEYS[0])
    assert claim is not None
    assert claim.written


def test_what_came_to_nothing_is_free(board: Board) -> None:
    mine, other = board.claims(0), board.claims(1)
    mine.take(KEYS[:4])
    mine.dropped(KEYS[:2])
    assert other.take(KEYS[:2]) == {}
    other.dropped(KEYS[2:4])  # not its own
    assert set(other.take(KEYS[2:4])) == set(KEYS[2:4])
    mine.forget()  # as for a worker that died
    assert other.take(KEYS[2:4]) == {}


def test_where_every_place_is_taken_nothing_is_claimed_and_nothing_is_lost(board: Board) -> None:
    mine, other = board.claims(0), board.claims(1)
    same_place = [KEYS[0][:4] + bytes([n]) * 12 for n in range(9)]
    assert mine.take(same_place) == {}
    told = other.take(same_place)
    assert 0 < len(told) < len(same_place)
    assert set(told) <= set(same_place)


def test_how_workers_stand(board: Board) -> None:
    assert not board.ready
    for worker in range(3):
        board.set_ready(worker, ready=True)
    assert board.ready
    board.stands(1, 7)
    assert (board.closed(0), board.closed(1)) == (0, 7)
    assert board.ready
    board.begin(1)
    assert not board.ready
    assert board.closed(1) == 0


def test_two_processes_never_have_the_same_claim(board: Board) -> None:
    context = multiprocessing.get_context("spawn")
    ends = []
    for worker in range(2):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=claiming.take_all, args=(Handle(board.memory), worker, theirs))
        process.start()
        theirs.close()
        ends.append((ours, process))
    taken = [list(iter(ours.recv, -1)) for ours, _ in ends]
    for ours, process in ends:
        process.join()
        ours.close()
        assert process.exitcode == 0
    assert sorted(taken[0] + taken[1]) == list(range(claiming.KEYS))


def test_metrics_of_several_processes_add_up_exactly() -> None:
    head = "# HELP scrimp_cost_dollars_total Cost.\n# TYPE scrimp_cost_dollars_total counter\n"
    cost = "scrimp_cost_dollars_total{model="
    one = f'{head}{cost}"a b"}} 0.1\n{cost}"c"}} 1E-12\n'
    two = f'{head}{cost}"a b"}} 0.2\n{cost}"d"}} 7\n'
    found = summed([one.encode(), two.encode()]).decode()
    assert found.startswith(head)
    values = {line.split("} ")[0]: Decimal(line.split("} ")[1]) for line in found.splitlines()[2:]}
    assert values == {
        f'{cost}"a b"': Decimal("0.3"),
        f'{cost}"c"': Decimal("1E-12"),
        f'{cost}"d"': Decimal(7),
    }
    assert "E" not in found.partition("counter\n")[2]
    assert summed([one.encode()]) == summed([one.encode(), f"{head}".encode()])


def test_workers_share_what_may_be_taken_in() -> None:
    whole = Settings(limits=Limits(concurrent=100, waiting=7, buffered=2**30))
    share = own_settings(whole, 3, number=1).limits
    assert (share.concurrent, share.waiting) == (34, 3)
    assert share.buffered == 2**30 // 3 + 1
    assert own_settings(Settings(limits=Limits(buffered=2**20)), 8, number=0).limits.buffered == 2**20


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Two:
    take_its_time(monkeypatch, "scrimp.gateway.gating", "scrimp.gateway.workers.board")
    return Two()


class Two:
    """Two workers of one gateway in one process, each with its own memory of what is cached."""

    def __init__(self) -> None:
        self.board = Board(open_memory(), 2)
        self.houses = [House(), House()]
        for number, house in enumerate(self.houses):
            house.gating = Gating(
                FanoutSettings(),
                lambda how, waited, ends=house.ends: ends.append((how, waited)),  # type: ignore[misc]
                self.board.claims(number),
            )

    @property
    def writes(self) -> int:
        return sum(written > 1_000 for house in self.houses for written in house.writes)

    @property
    def reads(self) -> int:
        return sum(read > 1_000 for house in self.houses for read in house.reads)


def test_over_two_workers_one_writes_and_the_others_read(two: Two) -> None:

    async def all_at_once() -> None:
        calls = (two.houses[n % 2].call(body(f"question {n}"), begins=0.2) for n in range(8))
        await asyncio.gather(*calls)

    run_at_once(all_at_once())
    assert (two.writes, two.reads) == (1, 7)
    assert [house.settled() for house in two.houses] == [True, True]


def test_what_another_worker_wrote_just_now_is_read_without_waiting(two: Two) -> None:

    async def one_after_another() -> float:
        await two.houses[0].call(body("first"))
        began = now()
        await two.houses[1].call(body("second"), begins=0.0)
        return now() - began

    assert run_at_once(one_after_another()) == pytest.approx(0.0)
    assert (two.writes, two.reads) == (1, 1)
    assert two.houses[1].ends == []  # nobody waited


def test_when_another_worker_fails_one_takes_its_place(two: Two) -> None:

    async def fails() -> None:
        leader = asyncio.create_task(two.houses[0].call(body("leader"), begins=0.3, fails=True))
        await asyncio.sleep(0.05)
        others = [asyncio.create_task(two.houses[1].call(body(f"{n}"), begins=0.1)) for n in range(3)]
        await asyncio.gather(leader, *others)

    run_at_once(fails())
    assert sorted(how for how, _ in two.houses[1].ends) == ["lead", "read", "read"]


def test_a_worker_that_died_is_waited_for_no_longer(two: Two) -> None:

    async def dies() -> float:
        leader = asyncio.create_task(two.houses[0].call(body("leader"), begins=8.0))
        await asyncio.sleep(0.05)
        other = asyncio.create_task(two.houses[1].call(body("other"), begins=0.0))
        await asyncio.sleep(0.1)
        began = now()
        two.board.begin(0)  # as the supervisor does
        await other
        leader.cancel()
        return now() - began

    assert run_at_once(dies()) < 0.1


def test_accounts_of_two_workers_do_not_wait_for_each_other(two: Two) -> None:
    two.houses[1].office.account = b"another"

    async def both() -> None:
        await asyncio.gather(*(house.call(body(), begins=0.2) for house in two.houses))

    run_at_once(both())
    assert two.writes == 2
