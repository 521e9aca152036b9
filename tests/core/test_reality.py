"""What-if against reality: made-up bills foreseen by rules, by what is given and by losses elsewhere."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings

from scrimp.core.recorded import RecordedCall
from scrimp.core.reproduce import Measured, Used
from scrimp.core.summary import measure_source
from scrimp.core.whatif.losses import WEIGHT, observed_losses
from scrimp.core.whatif.reality import Check, by_source, check, policy_in_force
from scrimp.wire.response import CacheCreation, Usage
from tests.core.recordings import CLOSING, Recorder, recorded_call
from tests.core.test_cache import traffic

PLAIN, WRITE_5M, WRITE_1H, READ = 5_000_000, 6_250_000, 10_000_000, 500_000
BLOCKS = [("system", 4000), ("task", 996_000)]


def usage(read: int, write_5m: int = 0, write_1h: int = 0, plain: int = CLOSING) -> Usage:
    written = write_5m + write_1h
    return Usage(
        input_tokens=plain,
        cache_creation_input_tokens=written,
        cache_read_input_tokens=read,
        cache_creation=CacheCreation(write_5m, write_1h),
    )


def long_run(name: str, ttl: str, *reads: int) -> list[RecordedCall]:
    """Calls ten seconds apart with one prompt of a million tokens, written first; what each then read."""
    write = "write_5m" if ttl == "5m" else "write_1h"
    bills = [usage(0, **{write: 1_000_000}), *(usage(read, **{write: 1_000_000 - read}) for read in reads)]
    markers = {0: ttl, 1: ttl}
    blocks = [BLOCKS[0], (f"task {name}", 996_000)]
    start = 100_000.0 * (1 + ord(name[0]))
    return [
        recorded_call(blocks, markers, start + 10.0 * number, bill, run=name)
        for number, bill in enumerate(bills)
    ]


def checked(prior: tuple[int, int] = (0, 0), **sources: list[RecordedCall]) -> dict[tuple[str, str], Check]:
    found = check(((name, measure_source(calls)) for name, calls in sources.items()), prior=prior)
    return {(one.source, one.policy): one for one in found}


@pytest.mark.parametrize(
    ("bills", "policy"),
    [
        ([usage(0, plain=900)], "uncached"),
        ([usage(0, write_5m=5000), usage(5000)], "5m"),
        ([usage(0, write_1h=5000)], "1h"),
        ([usage(0, write_1h=5000), usage(5000, write_5m=70)], "5m+1h"),
        ([usage(5000)], "5m"),
    ],
)
def test_the_policy_in_force_is_told_by_the_bills(bills: list[Usage], policy: str) -> None:
    assert policy_in_force([recorded_call(BLOCKS, {1: "5m"}, 0.0, bill) for bill in bills]) == policy


def test_only_reads_have_the_lifetime_that_was_asked_for() -> None:
    assert policy_in_force([recorded_call(BLOCKS, {1: "1h"}, 0.0, usage(5000))]) == "1h"


@given(traffic(mixed=False))
@settings(max_examples=60, deadline=None)
def test_bills_that_follow_the_rules_are_foreseen_exactly(calls: list) -> None:  # type: ignore[type-arg]
    """Billed by the naive oracle, where lifetimes do not mix."""
    recorder = Recorder()
    for blocks, markers, start, _ in calls:
        recorder.call([(f"{text}{tokens}", tokens) for text, tokens in blocks], markers, start)
    for one in checked(a=recorder.calls).values():
        assert one.predicted == one.by_rules == one.blind == one.billed
        assert (one.given, one.lost, one.error) == (0, 0, 0.0)


def test_losses_are_foreseen_from_the_other_groups_and_never_from_the_own_one() -> None:
    # The five-minute run lost 600,000 of 3,000,000 foreseen; that of an hour none of 2,000,000.
    found = checked(
        a=[*long_run("a", "5m", 1_000_000, 400_000, 1_000_000), *long_run("h", "1h", 1_000_000, 1_000_000)]
    )
    short, hour = found["a", "5m"], found["a", "1h"]
    assert (short.reads, short.lost, hour.reads, hour.lost) == (3_000_000, 600_000, 2_000_000, 0)
    assert hour.billed == hour.by_rules == 1_000_000 * WRITE_1H + 2_000_000 * READ + 3 * CLOSING * PLAIN
    # A fifth of what is foreseen to be read is taken to be written anew, as the other group shows.
    assert hour.predicted == hour.by_rules + 400_000 * (WRITE_1H - READ)
    assert short.predicted == short.by_rules
    assert short.billed - short.by_rules == 600_000 * (WRITE_5M - READ)
    assert short.error < 0 < hour.error


def test_another_source_shows_losses_as_well() -> None:
    found = checked(a=long_run("a", "5m", 500_000, 1_000_000), b=long_run("b", "5m", 1_000_000))
    assert found["b", "5m"].predicted == found["b", "5m"].by_rules + 250_000 * (WRITE_5M - READ)


def test_what_was_observed_before_counts_for_a_bounded_number_of_tokens() -> None:
    alone = checked(prior=(10 * WEIGHT, WEIGHT), a=long_run("a", "5m", 1_000_000))["a", "5m"]
    assert alone.predicted == alone.by_rules + 100_000 * (WRITE_5M - READ)
    # The hour's run lost all of 2,000,000, which count as what they are.
    both = checked(
        prior=(10 * WEIGHT, WEIGHT), a=[*long_run("a", "5m", 1_000_000), *long_run("h", "1h", 0, 0)]
    )["a", "5m"]
    share = Fraction(WEIGHT // 10 + 2_000_000, WEIGHT + 2_000_000)
    assert both.predicted == both.by_rules + round(share * 1_000_000 * (WRITE_5M - READ))


def test_no_project_is_foreseen_from_its_own_losses() -> None:
    everything = observed_losses(())
    without = observed_losses({"entireio__cli"})
    assert 0 < without[0] < everything[0]
    assert 0 < without[1] < everything[1]
    assert observed_losses({"somebody else's"}) == everything


def test_what_no_recorded_call_can_have_left_is_given() -> None:
    warm = long_run("a", "5m", 1_000_000)[1:]
    one = checked(a=warm)["a", "5m"]
    assert (one.given, one.error) == (1, 0.0)
    assert one.blind == 1_000_000 * WRITE_5M + CLOSING * PLAIN
    assert one.blind_error > 0


def test_an_entry_of_messages_that_outlives_its_time_is_an_error_of_the_rules() -> None:
    first, second = long_run("a", "5m", 1_000_000)
    late = msgspec.structs.replace(second, at=first.at + 400.0)
    one = checked(a=[first, late])["a", "5m"]
    assert one.given == 0
    assert one.predicted == 2_000_000 * WRITE_5M + 2 * CLOSING * PLAIN
    assert one.billed == 1_000_000 * (WRITE_5M + READ) + 2 * CLOSING * PLAIN


def test_a_use_that_the_recording_tells_of_keeps_an_entry_alive() -> None:
    first, second = long_run("a", "5m", 1_000_000)
    calls = measure_source([first, msgspec.structs.replace(second, at=first.at + 400.0)])
    for used_at, off in ((250.0, False), (301.0, True)):
        told: list[Measured] = [
            calls[0],
            msgspec.structs.replace(calls[1], used=(Used(1, first.at + used_at),)),
        ]
        (one,) = check([("a", told)], prior=(0, 0))
        assert (one.predicted != one.billed) is off


def test_groups_of_a_source_add_up() -> None:
    found = checked(
        a=[*long_run("a", "5m", 1_000_000), *long_run("h", "1h", 1_000_000)], b=long_run("b", "5m")
    )
    first, second = by_source(list(found.values()))
    assert (first.source, first.calls, second.source, second.calls) == ("a", 4, "b", 1)
    assert first.billed == found["a", "5m"].billed + found["a", "1h"].billed
    assert first.predicted == found["a", "5m"].predicted + found["a", "1h"].predicted
