"""Recordings without times foreseen: earlier runs tell of losses, and unseen markers are shown by bills."""

from __future__ import annotations

from fractions import Fraction
from statistics import NormalDist

import msgspec
import pytest

from scrimp.core.prompt import Marker
from scrimp.core.recorded import RecordedCall
from scrimp.core.summary import measure_source
from scrimp.core.unseen import with_unseen_markers
from scrimp.core.whatif.losses import EarlierRuns, luck
from scrimp.core.whatif.reality import Check, check
from scrimp.wire.response import Usage
from tests.core.recordings import CLOSING, recorded_call
from tests.core.test_reality import PLAIN, READ, WRITE_5M, long_run, usage

ALL_READ, ALL_LOST = 1_000_000, 0


def untimed(calls: list[RecordedCall]) -> list[RecordedCall]:
    """The same calls with nothing recorded of when they were."""
    return [msgspec.structs.replace(call, at=float(place), timed=False) for place, call in enumerate(calls)]


def checked(calls: list[RecordedCall], prior: tuple[int, int] = (0, 0)) -> Check:
    (one,) = check([("a", measure_source(calls))], prior=prior)
    return one


def test_each_run_without_times_is_foreseen_from_the_runs_before_it() -> None:
    calls = [
        *long_run("a", "5m", ALL_READ, ALL_LOST),
        *long_run("b", "5m", ALL_READ, ALL_READ),
        *long_run("c", "5m", ALL_READ),
    ]
    one = checked(untimed(calls))
    # Elsewhere nothing was lost, which counts for one read: nothing is expected of the first run, one of
    # 1 + 2 reads in the second, one of 1 + 4 in the third.
    expected = Fraction(1, 3) * 2 * ALL_READ + Fraction(1, 5) * ALL_READ
    assert one.predicted == one.by_rules + round(expected * (WRITE_5M - READ))
    assert one.expected == pytest.approx(2 / 3 + 1 / 5)
    assert (one.chances, one.losses, one.paid) == (5, 1, ALL_READ * (WRITE_5M - READ))


def test_what_a_run_lost_changes_nothing_for_itself_and_those_before_it() -> None:
    good, bad = (
        checked(untimed([*long_run("a", "5m", ALL_READ), *long_run("b", "5m", ALL_READ, last)]))
        for last in (ALL_READ, ALL_LOST)
    )
    assert bad.predicted == good.predicted
    assert bad.billed > good.billed


def test_runs_without_times_show_nothing_to_other_sources() -> None:
    known = measure_source(long_run("k", "5m", ALL_READ))
    blind = measure_source(untimed(long_run("a", "5m", ALL_LOST)))
    found = {one.source: one for one in check([("known", known), ("blind", blind)], prior=(0, 0))}
    assert found["known"].predicted == found["known"].by_rules == found["known"].billed


@pytest.mark.parametrize(("lost", "share"), [(0, Fraction(0)), (2_000_000, Fraction(2, 5))])
def test_earlier_runs_count_calls(lost: int, share: Fraction) -> None:
    earlier = EarlierRuns(Fraction(0))
    earlier.learn(4, lost)
    assert earlier.share == share
    assert EarlierRuns(Fraction(1, 4)).share == Fraction(1, 4)


def test_without_times_what_no_recorded_run_wrote_is_given() -> None:
    warm = untimed(long_run("a", "5m", ALL_READ)[1:])
    one = checked(warm)
    assert (one.given, one.error) == (1, 0.0)
    assert one.blind_error > 0


def test_without_times_what_another_run_wrote_may_be_its_doing() -> None:
    writer, reader = long_run("a", "5m", ALL_READ)
    one = checked(untimed([msgspec.structs.replace(reader, run="early"), writer]))
    assert one.given == 0
    assert one.predicted == 2 * ALL_READ * WRITE_5M + 2 * CLOSING * PLAIN


SYSTEM = ("system of an agent", 4000)


def in_part(number: int, bill: Usage, *, system: tuple[str, int] = SYSTEM) -> RecordedCall:
    """A call of which only some was recorded: no marker in it."""
    call = recorded_call([system, (f"task {number}", 900)], {}, float(number), bill, run=str(number))
    return msgspec.structs.replace(call, complete=False)


CACHED = usage(0, write_5m=4000, plain=903)
NOTHING_CACHED = usage(0, plain=4903)


def markers(calls: list[RecordedCall]) -> list[tuple[Marker, ...]]:
    return [call.prompt.markers for call in with_unseen_markers(calls)]


def test_a_bill_shows_a_marker_that_was_not_recorded_to_the_calls_after_it() -> None:
    calls = [
        in_part(0, CACHED),
        in_part(1, usage(4000, plain=903)),
        in_part(2, NOTHING_CACHED),
        in_part(3, CACHED),
    ]
    unseen = (Marker(0, "5m"),)
    assert markers(calls) == [(), unseen, unseen, ()]


def test_a_whole_request_has_the_markers_it_has() -> None:
    whole = msgspec.structs.replace(in_part(1, CACHED), complete=True)
    assert markers([in_part(0, CACHED), whole]) == [(), ()]


def test_an_unseen_marker_lives_as_long_as_the_bill_says() -> None:
    bill = usage(0, write_1h=4000, plain=903)
    assert markers([in_part(0, bill), in_part(1, CACHED)]) == [(), (Marker(0, "1h"),)]


def test_the_same_system_prompt_counts_before_any_other() -> None:
    other = ("system of another", 4000)
    calls = [in_part(0, CACHED), in_part(1, NOTHING_CACHED, system=other), in_part(2, CACHED)]
    assert markers([*calls, in_part(3, CACHED, system=other)]) == [
        (),
        (Marker(0, "5m"),),
        (Marker(0, "5m"),),
        (),
    ]


def test_recorded_markers_stay_and_are_never_more_than_the_provider_takes() -> None:
    blocks = [SYSTEM, *((f"turn {place}", 100) for place in range(5))]
    for count, added in ((3, True), (4, False)):
        marked = recorded_call(blocks, dict.fromkeys(range(2, 2 + count), "5m"), 1.0, CACHED)
        call = msgspec.structs.replace(marked, complete=False)
        found = with_unseen_markers([in_part(0, CACHED), call])[1].prompt.markers
        assert found[-count:] == call.prompt.markers
        assert (found[0] == Marker(0, "5m")) is added


def test_luck_is_that_of_a_sum_of_many_losses_where_there_are_many() -> None:
    # 400 losses of one dollar each: the sum's standard deviation is a twentieth of it.
    low, high = luck(400, 400)
    normal = NormalDist(1.0, 1 / 20)
    assert low == pytest.approx(normal.inv_cdf(0.025), abs=0.01)
    assert high == pytest.approx(normal.inv_cdf(0.975), abs=0.01)


def test_luck_has_no_bill_below_none_lost_and_is_lopsided_where_losses_are_few() -> None:
    low, high = luck(1, 2)
    assert 0 <= low < 0.1
    assert high > 3
    assert luck(0, 0) == (1.0, 1.0)
    # Exponential losses: mean one, variance one. Its quantiles are known.
    assert luck(10**6, 10**12) == pytest.approx((0.0253, 3.689), abs=0.03)
