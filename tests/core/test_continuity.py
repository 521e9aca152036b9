"""Prefix continuity: what the next call reads, told from the bills before it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.continuity import Bill, Cause, Continuity, Forecast, Scope, Step
from scrimp.core.continuity_verdict import agrees, count, disagreement
from scrimp.core.tally import Tally

SCOPE = Scope(session="s", folder="/w", workspace="w", model="m", version="1.0", main=True)
HOUR = 3600.0


class Client:
    """Makes calls one after the other and shows what the model foretold for each."""

    def __init__(self) -> None:
        self.model = Continuity()
        self.last: str | None = None
        self.count = 0

    def call(self, at: float, billed: tuple[int, int], **step: Any) -> Forecast:
        """A call `at` seconds that is billed (read, written for an hour) and 3 plain tokens."""
        read, write = billed
        self.count += 1
        step = {"parent": self.last, "scope": SCOPE, "total": read + write + 3, **step}
        bill = Bill(read, step.pop("write_5m", 0), write, step.pop("plain", 3), step.pop("ended", at + 2))
        known = Step(id=f"c{self.count}", at=at, **step)
        forecast = self.model.predict(known)
        self.model.settle(known, forecast, bill)
        self.last = known.id
        return forecast


def started(read: int = 0, write: int = 20_000) -> Client:
    client = Client()
    client.call(0, (read, write))
    return client


def test_a_call_reads_what_the_one_before_it_read_and_wrote() -> None:
    client = started(read=5_000, write=15_000)
    forecast = client.call(60, (20_000, 700))
    assert (forecast.read, forecast.write, forecast.cause) == (20_000, 700, Cause.CONTINUES)
    assert client.call(120, (20_700, 300)).read == 20_700


@given(growth=st.lists(st.tuples(st.integers(1, 5_000), st.floats(1, HOUR)), max_size=30))
def test_the_steady_state_law_holds_while_gaps_are_within_the_ttl(growth: list[tuple[int, float]]) -> None:
    client, prefix, now = started(), 20_000, 0.0
    for grown, gap in growth:
        now += gap
        forecast = client.call(now, (prefix, grown))
        assert (forecast.read, forecast.write) == (prefix, grown)
        prefix += grown


@given(
    calls=st.lists(
        st.tuples(
            st.floats(0, 9_000),
            st.integers(0, 90_000),
            st.integers(0, 90_000),
            st.fixed_dictionaries(
                {
                    "prompted": st.booleans(),
                    "compacted": st.booleans(),
                    "resumed": st.booleans(),
                    "loads_tools": st.booleans(),
                    "drops_thinking": st.booleans(),
                    "thinking": st.none() | st.booleans(),
                    "typed_bytes": st.integers(0, 10**6),
                    "unmarked": st.integers(0, 10**6),
                    "answer": st.none() | st.integers(0, 10**6),
                }
            ),
        ),
        max_size=12,
    )
)
def test_no_forecast_exceeds_the_prompt(calls: list[tuple[float, int, int, dict[str, Any]]]) -> None:
    client, now = Client(), 0.0
    for gap, read, write, step in calls:
        now += gap
        forecast = client.call(now, (read, write), **step)
        assert forecast.read >= 0
        assert forecast.write >= 0
        assert forecast.read + forecast.write <= read + write + 3


@pytest.mark.parametrize(
    ("ttl_5m", "gap", "expired"),
    [(True, 305, False), (True, 320, True), (False, 3_605, False), (False, 3_620, True), (False, 320, False)],
)
def test_an_entry_lives_its_ttl_from_the_request_that_used_it(
    *, ttl_5m: bool, gap: float, expired: bool
) -> None:
    client = Client()
    client.call(0, (0, 0 if ttl_5m else 20_000), write_5m=20_000 if ttl_5m else 0, total=20_003, ended=90)
    forecast = client.call(gap, (20_000, 500))
    assert forecast.cause is (Cause.EXPIRED if expired else Cause.CONTINUES)
    assert forecast.read == (0 if expired else 20_000)


def test_a_read_renews_the_entry() -> None:
    client = started()
    client.call(3_000, (20_000, 0))
    assert client.call(6_000, (20_000, 400)).read == 20_000


def test_what_an_expiry_leaves_is_learned_from_the_last_one() -> None:
    client = started()
    assert client.call(9_000, (11_000, 9_500)).read == 0
    assert client.call(18_000, (11_000, 10_000)).read == 11_000


@pytest.mark.parametrize(
    ("broken", "cause"),
    [
        ({"compacted": True}, Cause.COMPACTION),
        ({"resumed": True}, Cause.RESUMED),
        ({"loads_tools": True, "total": 72_900}, Cause.NEW_TOOLS),
        ({"switches_effort": True, "total": 72_900}, Cause.EFFORT_SWITCH),
        ({"one_marker": True, "blocks": 21, "total": 72_900}, Cause.LOOKBACK),
        ({"total": 60_000}, Cause.EDITED),
    ],
)
def test_a_break_leaves_what_an_earlier_one_left(broken: dict[str, Any], cause: Cause) -> None:
    client = Client()
    client.call(0, (12_000, 30_000))
    client.call(10, (42_000, 30_000))
    forecast = client.call(20, (12_000, 30_000), **broken)
    assert forecast.cause is cause
    assert forecast.read == 12_000  # what the session's first call found of the shared static prefix


@pytest.mark.parametrize(("one_marker", "blocks"), [(True, 20), (False, 40)])
def test_the_lookback_reaches_twenty_blocks_unless_the_old_end_is_marked_too(
    *, one_marker: bool, blocks: int
) -> None:
    forecast = started().call(20, (20_000, 900), one_marker=one_marker, blocks=blocks)
    assert (forecast.cause, forecast.read) == (Cause.CONTINUES, 20_000)


def test_another_model_shares_no_entry() -> None:
    client = started(read=12_000, write=30_000)
    other = Scope(session="s", folder="/w", workspace="w", model="other", version="1.0", main=True)
    forecast = client.call(20, (0, 42_100), scope=other)
    assert (forecast.cause, forecast.read) == (Cause.MODEL_SWITCH, 0)


def test_a_thinking_switch_falls_back_to_the_last_entry_with_that_setting() -> None:
    client = Client()
    client.call(0, (9_000, 11_000), thinking=True)
    client.call(10, (20_000, 500), thinking=True)
    off = client.call(20, (9_000, 12_000), thinking=False)
    assert (off.cause, off.read) == (Cause.THINKING_SWITCH, 9_000)
    back = client.call(30, (20_500, 900), thinking=True)
    assert (back.cause, back.read) == (Cause.THINKING_SWITCH, 20_500)


def test_a_thinking_switch_finds_nothing_beyond_the_lookback() -> None:
    client = Client()
    client.call(0, (9_000, 11_000), thinking=True)
    prefix = 20_000
    client.call(10, (9_000, 11_100), thinking=False, blocks=3)
    for turn in range(5):
        client.call(20 + turn, (prefix, 100), thinking=False, blocks=4)
    back = client.call(60, (9_000, 13_000), thinking=True, blocks=3)
    assert (back.cause, back.read) == (Cause.THINKING_SWITCH, 9_000)


def prompted(client: Client, at: float, billed: tuple[int, int], **step: Any) -> Forecast:
    return client.call(at, billed, prompted=True, **step)


def test_a_client_that_asks_ahead_leaves_only_the_prompt_to_write() -> None:
    client = started()
    client.call(10, (20_000, 500))
    forecast = prompted(client, 100, (20_900, 20), answer=397)
    assert (forecast.cause, forecast.read) == (Cause.READ_AHEAD, 20_900)  # 20,500 + 3 plain + 397


def test_a_client_that_did_not_ask_ahead_is_not_expected_to() -> None:
    client = started()
    client.call(10, (20_000, 500))
    prompted(client, 100, (20_500, 420))
    forecast = prompted(client, 200, (20_920, 500), answer=400)
    assert (forecast.cause, forecast.read) == (Cause.CONTINUES, 20_920)


@pytest.mark.parametrize(
    "step",
    [
        {"planning": True},
        {"at": 13.0},  # typed within seconds of the answer's end
    ],
)
def test_nothing_is_read_ahead_where_the_client_does_not_ask(step: dict[str, Any]) -> None:
    client = started()
    client.call(10, (20_000, 500))
    at = step.pop("at", 100.0)
    assert prompted(client, at, (20_500, 420), **step).cause is Cause.CONTINUES


def test_nothing_is_read_ahead_after_a_mostly_uncached_call() -> None:
    client = started(write=20_000)
    assert prompted(client, 100, (20_000, 420)).cause is Cause.CONTINUES


def test_asking_ahead_renews_the_entry_at_the_end_of_the_answer() -> None:
    client = Client()
    client.call(0, (0, 0), write_5m=9_000, total=9_003)
    client.call(10, (9_000, 0), write_5m=200, total=9_203, ended=60)
    forecast = prompted(client, 350, (9_200, 0), total=9_300, typed_bytes=30)
    assert forecast.cause is Cause.READ_AHEAD


def test_the_client_can_be_seen_to_renew_an_entry() -> None:
    client = started()
    client.call(10, (20_000, 500), prompted=False)
    assert client.call(5_000, (20_500, 9), touched_at=2_500.0).cause is Cause.CONTINUES
    client.call(5_010, (20_509, 9))
    assert client.call(12_000, (20_518, 9), touched_at=9_500.0).cause is Cause.EXPIRED  # it was gone by then


def test_input_beyond_the_last_marker_is_not_written() -> None:
    client = started()
    forecast = client.call(10, (20_000, 500), total=21_503, unmarked=1_000)
    assert (forecast.read, forecast.write) == (20_000, 500)


def test_first_calls_are_told_from_the_scope_that_shares_most() -> None:
    client = Client()
    client.call(0, (7_000, 9_000))
    client.last = None
    other = Scope(session="t", folder="/w", workspace="w", model="m", version="1.0", main=True)
    forecast = client.call(50, (7_000, 9_100), scope=other)
    assert (forecast.cause, forecast.read, forecast.expected) == (Cause.FIRST, 7_000, 0)


FORECAST = Forecast(read=20_000, write=1_000, cause=Cause.CONTINUES, expected=20_000)


@pytest.mark.parametrize(
    ("read", "write", "within"),
    [(20_000, 1_000, True), (20_226, 774, True), (20_227, 773, False), (20_000, 773, False)],
)
def test_a_forecast_holds_within_one_percent_and_sixteen_tokens(
    read: int, write: int, *, within: bool
) -> None:
    assert agrees(FORECAST, Bill(read, 0, write, 3, 0.0), 21_000) is within


def test_full_misses_are_counted_by_whether_they_were_foreseen() -> None:
    tally = Tally()
    foreseen = Forecast(read=1_000, write=20_000, cause=Cause.EXPIRED, expected=20_000)
    missed, hit = Bill(900, 0, 20_100, 3, 0.0), Bill(20_000, 0, 1_000, 3, 0.0)
    for forecast, bill, times in [
        (foreseen, missed, 6),
        (foreseen, hit, 2),
        (FORECAST, missed, 4),
        (FORECAST, hit, 88),
    ]:
        for _ in range(times):
            count(tally, forecast, bill, 21_003)
    assert (tally.calls, tally.within_1pct, tally.read_share) == (100, 0.94, 0.94)
    assert (tally.precision, tally.recall) == (0.75, 0.6)
    assert tally.f1 == pytest.approx(2 * 0.75 * 0.6 / 1.35)


def test_tallies_add_up() -> None:
    one, other = Tally(), Tally()
    counted = {"within": True, "read_exact": True, "predicted_read": 9, "billed_read": 9, "promised": 9}
    one.count(**counted)
    other.count(**{**counted, "within": False, "billed_read": 4})
    one.include(other)
    assert (one.calls, one.within, one.read_exact, one.unforeseen) == (2, 1, 2, 1)


def test_an_empty_tally_divides_by_nothing() -> None:
    empty = Tally()
    assert (empty.within_1pct, empty.precision, empty.recall, empty.f1) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("cause", "read", "write", "kind"),
    [
        (Cause.CONTINUES, 1_000, 20_000, "evicted early, or changed unseen"),
        (Cause.CONTINUES, 20_900, 100, "extended by a call that was not recorded"),
        (Cause.CONTINUES, 20_000, 100, "input left after the last marker"),
        (Cause.CONTINUES, 19_000, 2_000, "written too recently to be read"),
        (Cause.CONTINUES, 15_000, 6_000, "part of the prefix lost"),
        (Cause.EXPIRED, 20_000, 1_000, "lived longer"),
        (Cause.EXPIRED, 9_000, 12_000, "expired: another length survived"),
        (Cause.COMPACTION, 20_000, 1_000, "compaction: prefix survived"),
    ],
)
def test_disagreements_are_put_into_classes(cause: Cause, read: int, write: int, kind: str) -> None:
    client = Client()
    client.call(0, (0, 19_000))
    client.call(10, (19_000, 1_000))
    predicted = 20_000 if cause is Cause.CONTINUES else 2_000
    forecast = Forecast(read=predicted, write=21_000 - predicted, cause=cause, expected=20_000)
    step = Step(id="x", parent=client.last, scope=SCOPE, at=20, total=21_003)
    bill = Bill(read, 0, write, 3, 22.0)
    assert disagreement(step, forecast, bill, client.model.known(client.last)) == kind
