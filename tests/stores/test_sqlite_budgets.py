"""Budgets on disk: whose files they are, other processes, damage, and failing closed."""

from __future__ import annotations

import itertools
import json
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from benchmarks.storm import storm

from scrimp.core.budget import EACH, Ask, Held, Limit, Refusal, Scope, Settlement, Standing
from scrimp.errors import BudgetUnavailable, StoreError
from scrimp.stores import limits_file
from scrimp.stores.ledger_items import Kept
from scrimp.stores.ledger_state import Remembered, State, look
from scrimp.stores.sqlite_ledger import SqliteLedger
from tests.patience import PATIENCE
from tests.stores.records import NOON, record

ORGANISATION = Scope("organisation")
EVERYBODY = (ORGANISATION,)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqliteLedger]:
    found = SqliteLedger(path)
    yield found
    found.close()


def limit(amount: int = 100, scope: Scope = ORGANISATION) -> Limit:
    return Limit(scope=scope, amount=amount)


def ask(name: str, amount: int = 10) -> Ask:
    return Ask(name, amount, NOON, NOON + 3600, EVERYBODY)


def reserve(ledger: SqliteLedger, asked: Ask) -> Held | Refusal:
    return ledger.budgets.reserve(asked).result(PATIENCE)


def only(ledger: SqliteLedger) -> Standing:
    [found] = ledger.budgets.standings(NOON)
    return found


def test_nothing_is_there_before_the_first_limit(tmp_path: Path, path: Path, ledger: SqliteLedger) -> None:
    assert isinstance(reserve(ledger, ask("a")), Held)
    assert ledger.budgets.limits() == []
    assert list(tmp_path.iterdir()) == []


def test_limits_are_in_a_file_of_their_own_for_their_owner_alone(path: Path, ledger: SqliteLedger) -> None:
    ledger.budgets.put(limit())
    beside = path.with_name("ledger.limits.json")
    assert stat.S_IMODE(beside.stat().st_mode) == 0o600
    said = json.loads(beside.read_text())
    assert said["limits"][0]["limit"]["amount"] == 100
    assert "scrimp budget" in said["about"]
    assert [found.name for found in path.parent.glob("*.new")] == []


def test_a_reservation_that_nothing_limits_writes_nothing(path: Path, ledger: SqliteLedger) -> None:
    ledger.budgets.put(limit(scope=Scope("team", "x")))
    ledger.flush()
    log = path.with_name("ledger.sqlite-wal")
    before = log.read_bytes()
    for number in range(50):
        assert reserve(ledger, ask(f"{number}")) == Held(f"{number}", 10)
    ledger.flush()
    assert log.read_bytes() == before


def test_holds_and_counts_outlive_the_process(path: Path, ledger: SqliteLedger) -> None:
    ledger.budgets.put(limit())
    reserve(ledger, ask("a", 40))
    reserve(ledger, ask("b", 40))
    ledger.record(record(id="a", cost=30, started_at=NOON), Settlement("a", 35))
    ledger.close()
    again = SqliteLedger(path)
    assert (only(again).spent, only(again).held) == (35, 40)
    again.record(record(id="b", cost=39, started_at=NOON), Settlement("b", 39))
    assert (only(again).spent, only(again).held) == (74, 0)
    assert isinstance(reserve(again, ask("c", 27)), Refusal)
    again.close()


def test_two_ledgers_of_one_file_spend_the_same_money(path: Path, ledger: SqliteLedger) -> None:
    other = SqliteLedger(path)
    ledger.budgets.put(limit(100))
    time.sleep(limits_file.CHECK_SECONDS)
    one, two = [], []
    for number in range(20):
        one.append(reserve(ledger, ask(f"one-{number}", 6)))
        two.append(reserve(other, ask(f"two-{number}", 6)))
    held = [found.id for found in (*one, *two) if isinstance(found, Held)]
    assert len(held) == 16
    for name in held:
        # Each settles what the other held, too.
        other.record(record(id=name, cost=6, started_at=NOON), Settlement(name, 6))
    assert (only(ledger).spent, only(ledger).held) == (96, 0)
    other.close()


def test_others_see_a_changed_limit_within_a_second(path: Path, ledger: SqliteLedger) -> None:
    other = SqliteLedger(path)
    assert isinstance(reserve(other, ask("before", 1000)), Held)
    ledger.budgets.put(limit(100))
    time.sleep(limits_file.CHECK_SECONDS)
    assert isinstance(reserve(other, ask("after", 1000)), Refusal)
    ledger.budgets.put(limit(5000))
    assert isinstance(reserve(other, ask("raised", 1000)), Held)
    ledger.budgets.remove("organisation/total")
    time.sleep(limits_file.CHECK_SECONDS)
    assert reserve(other, ask("gone", 10_000)) == Held("gone", 10_000)
    other.close()


def test_a_record_of_one_process_counts_under_the_limit_another_sets_meanwhile(path: Path) -> None:
    writer, setter = SqliteLedger(path), SqliteLedger(path)
    for number in range(40):
        done = [writer.submit(record(id=f"{number}-{n}", cost=1, started_at=NOON)) for n in range(25)]
        if number == 20:
            setter.budgets.put(limit(10_000))
        for future in done:
            future.result(PATIENCE)
    assert only(setter).spent == only(writer).spent == 1000
    writer.close()
    setter.close()


def test_limits_that_are_moved_away_and_back_know_what_was_spent_meanwhile(
    path: Path, ledger: SqliteLedger
) -> None:
    beside = path.with_name("ledger.limits.json")
    ledger.budgets.put(limit())
    ledger.record(record(cost=10, started_at=NOON))
    away = beside.rename(beside.with_name("elsewhere"))
    ledger.record(record(cost=20, started_at=NOON))
    away.rename(beside)
    ledger.record(record(cost=30, started_at=NOON))
    assert only(ledger).spent == 60


def at_start(data: bytearray) -> None:
    data[:100] = b"not what it was " * 6 + b"...."


def in_every_page(data: bytearray) -> None:
    for page in range(4096, len(data), 4096):
        data[page : page + 64] = bytes(64)


@pytest.mark.parametrize("damage", [at_start, in_every_page])
def test_limits_outlive_a_damaged_ledger_and_nothing_goes_out_until_someone_says_so(
    path: Path, damage: Callable[[bytearray], None]
) -> None:
    first = SqliteLedger(path)
    first.budgets.put(limit(100))
    for _ in range(200):
        first.submit(record(cost=1, started_at=NOON, notes=("x" * 300,)))
    first.close()
    data = bytearray(path.read_bytes())
    damage(data)
    path.write_bytes(data)
    warnings: list[str] = []
    ledger = SqliteLedger(path, warn=warnings.append)
    for _ in range(2):
        with pytest.raises(BudgetUnavailable, match="scrimp budget resume") as caught:
            reserve(ledger, ask("a"))
        assert "\n" not in str(caught.value)
        assert "ledger.limits.json" in str(caught.value)
    assert len(warnings) == 1
    for use in (
        lambda: ledger.budgets.standings(NOON),
        lambda: ledger.budgets.why("organisation/total", NOON),
        lambda: ledger.budgets.put(limit(5)),
    ):
        with pytest.raises(BudgetUnavailable, match="scrimp budget resume"):
            use()
    ledger.record(record(id="meanwhile", cost=7, started_at=NOON))
    assert [found.id for found in ledger.records()] == ["meanwhile"]
    assert [found.amount for found in ledger.budgets.limits()] == [100]
    assert ledger.budgets.resume()
    assert not ledger.budgets.resume()
    assert isinstance(reserve(ledger, ask("a", 93)), Held)
    assert (only(ledger).spent, only(ledger).held) == (7, 93)
    ledger.close()


def test_damage_while_in_use_fails_closed_too(path: Path, ledger: SqliteLedger) -> None:
    ledger.budgets.put(limit(100))
    reserve(ledger, ask("a", 90))
    ledger._store._database.close()
    data = bytearray(path.read_bytes())
    in_every_page(data)
    path.write_bytes(data)
    with pytest.raises(BudgetUnavailable, match="scrimp budget resume"):
        reserve(ledger, ask("b", 90))
    ledger.record(record(id="a", cost=5, started_at=NOON), Settlement("a", 5))
    ledger.budgets.resume()
    assert (only(ledger).spent, only(ledger).held) == (5, 0)


def test_a_ledger_that_is_deleted_does_not_free_what_was_spent(path: Path, ledger: SqliteLedger) -> None:
    ledger.budgets.put(limit(100))
    ledger.record(record(cost=100, started_at=NOON))
    for found in path.parent.glob("ledger.sqlite*"):
        found.unlink()
    with pytest.raises(BudgetUnavailable, match="another ledger"):
        reserve(ledger, ask("a"))


@pytest.mark.parametrize(
    "text", ["", "{", '{"limits": []}', '{"about": "", "ledger": "", "limits": [{}]}', "\xff"]
)
def test_limits_that_cannot_be_read_fail_closed(path: Path, ledger: SqliteLedger, text: str) -> None:
    ledger.budgets.put(limit(100))
    ledger.record(record(cost=10, started_at=NOON))
    beside = path.with_name("ledger.limits.json")
    good = beside.read_bytes()
    beside.write_bytes(text.encode("latin-1"))
    with pytest.raises(BudgetUnavailable, match="cannot be read") as caught:
        reserve(ledger, ask("a"))
    assert "\n" not in str(caught.value)
    assert str(beside) in str(caught.value)
    with pytest.raises(BudgetUnavailable, match="cannot be read"):
        ledger.budgets.limits()
    ledger.record(record(cost=20, started_at=NOON))
    beside.write_bytes(good)
    assert isinstance(reserve(ledger, ask("b", 71)), Refusal)
    assert only(ledger).spent == 30


def test_limits_that_can_be_read_again_know_what_was_spent_and_told(path: Path, ledger: SqliteLedger) -> None:
    ledger.budgets.put(limit(100))
    reserve(ledger, ask("a", 50))
    [told] = ledger.record(record(id="a", cost=85, started_at=NOON), Settlement("a", 85))
    assert told.percent == 80
    reserve(ledger, ask("b", 5))
    file = path.with_name("ledger.limits.json")
    text = file.read_text()
    file.write_text(text[:-9])
    ledger.record(record(id="b", cost=3, started_at=NOON))
    with pytest.raises(BudgetUnavailable):
        reserve(ledger, ask("c", 1))
    file.write_text(text)
    assert (only(ledger).spent, only(ledger).held, only(ledger).overrun) == (88, 2, 35)
    assert ledger.record(record(id="c", cost=1, started_at=NOON)) == ()
    assert only(ledger).spent == 89


def test_a_limit_edited_into_nonsense_fails_closed(path: Path, ledger: SqliteLedger) -> None:
    ledger.budgets.put(limit(100))
    beside = path.with_name("ledger.limits.json")
    said = json.loads(beside.read_text())
    said["limits"][0]["limit"]["zone"] = "Mars"
    beside.write_text(json.dumps(said))
    with pytest.raises(BudgetUnavailable, match="unknown time zone 'Mars'"):
        reserve(ledger, ask("a"))


def test_a_locked_ledger_fails_closed_and_says_so(path: Path) -> None:
    ledger = SqliteLedger(path, busy_seconds=0.1)
    ledger.budgets.put(limit())
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    with pytest.raises(BudgetUnavailable, match=r"locked for 0\.1 seconds"):
        reserve(ledger, ask("a"))
    with pytest.raises(StoreError, match="locked"):
        ledger.budgets.put(limit(5))
    db.execute("ROLLBACK")
    db.close()
    assert isinstance(reserve(ledger, ask("a", 100)), Held)
    ledger.close()


def test_a_closed_ledger_holds_no_money(ledger: SqliteLedger) -> None:
    ledger.budgets.put(limit())
    ledger.close()
    with pytest.raises(BudgetUnavailable, match="closed"):
        reserve(ledger, ask("a"))


def test_a_batch_that_fails_is_forgotten_whole(path: Path) -> None:
    """What was decided and not written must not be remembered as held."""
    ledger = SqliteLedger(path, busy_seconds=0.1)
    ledger.budgets.put(limit(100))
    reserve(ledger, ask("a", 60))
    # A trigger refuses what would be written: the transaction fails after the decision.
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("CREATE TRIGGER refuse BEFORE INSERT ON budget_holds BEGIN SELECT raise(ABORT, 'no'); END")
    with pytest.raises(BudgetUnavailable):
        reserve(ledger, ask("b", 40))
    db.execute("DROP TRIGGER refuse")
    db.close()
    assert isinstance(reserve(ledger, ask("c", 40)), Held)
    assert only(ledger).held == 100
    ledger.close()


def test_what_may_have_been_billed_above_an_estimate_outlives_the_process(
    path: Path, ledger: SqliteLedger
) -> None:
    ledger.budgets.put(limit(100))
    reserve(ledger, ask("cut", 40))
    ledger.record(record(id="cut", cost=12, started_at=NOON), Settlement("cut", 25))
    ledger.close()
    again = SqliteLedger(path)
    assert (only(again).spent, only(again).held, only(again).unsettled) == (25, 0, 13)
    again.close()


def test_counts_are_what_they_are_worked_out_to_be(path: Path, ledger: SqliteLedger) -> None:
    """The counts kept all along equal those of a limit that is set at the end."""
    ledger.budgets.put(limit(10**6))
    for number in range(60):
        name = f"{number}"
        if number % 4:
            reserve(ledger, Ask(name, 50, NOON + number, NOON + 5 * number, EVERYBODY))
        if number % 3:
            settlement = Settlement(name, 45 + number % 10) if number % 2 else None
            ledger.record(record(id=name, cost=number % 52, started_at=NOON + number), settlement)
        elif number % 5 == 0:
            ledger.budgets.release(name).result(PATIENCE)
    kept = only(ledger)
    ledger.budgets.remove("organisation/total")
    ledger.budgets.put(limit(10**6))
    anew = only(ledger)
    assert kept.unsettled
    assert kept.overrun
    assert (anew.spent, anew.held, anew.unsettled) == (kept.spent, kept.held, kept.unsettled)


def run(what: str, path: Path, *arguments: str, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.stores.budget_children", what, str(path), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_parent_and_child_of_a_fork_spend_the_same_money(path: Path) -> None:
    child = run("fork", path)
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    held = [line for line in out.splitlines() if line.startswith("held ")]
    assert len(held) == len(set(held)) == 100
    ledger = SqliteLedger(path)
    assert only(ledger).held == 1000
    ledger.close()


def test_killed_processes_free_nothing_that_was_spent(path: Path) -> None:
    """Four processes, each killed at random and begun anew; some streams break off; bills within holds."""
    result = storm(path, cycles=1200, processes=4, callers=16, kills=6, seed=1)
    assert result.kills == 6
    assert result.overshoot == 0
    assert result.overrun == 0
    assert result.worst_standing <= result.limit
    assert result.counted >= result.billed
    assert result.counted <= result.billed + result.unknown
    assert result.cycles >= 1200


def test_what_is_billed_beyond_its_hold_is_the_only_overshoot(path: Path) -> None:
    result = storm(path, cycles=400, processes=2, callers=16, kills=0, seed=2, excess=5)
    assert result.overrun == result.excess > 0
    assert result.overshoot <= result.excess
    assert result.counted == result.billed


def test_statements_do_not_grow_with_the_batch(path: Path, ledger: SqliteLedger) -> None:
    ledger.budgets.put(limit(10**9))
    counts = []
    for count in (2, 1, 16):  # the first one also makes labels
        old, new = [[f"{name}-{count}-{number}" for number in range(count)] for name in ("old", "new")]
        for id_ in old:
            assert isinstance(reserve(ledger, ask(id_)), Held)
        said: list[str] = []
        connection = ledger._store._database._writer.connection
        assert connection is not None
        connection.set_trace_callback(said.append)
        found = ledger._store._write(
            [Kept(record(id=id_, cost=5), Settlement(id_, 5)) for id_ in old] + [ask(id_) for id_ in new]
        )
        connection.set_trace_callback(None)
        assert found is not None
        assert all(isinstance(answer, Held) for answer in found[count:])
        counts.append(len(said))
    assert counts[1] == counts[2]
    assert (only(ledger).spent, only(ledger).held) == (19 * 5, 19 * 10)
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT name FROM sqlite_master WHERE name LIKE 'written%'").fetchall() == []


def test_a_batch_larger_than_a_statement_takes(ledger: SqliteLedger) -> None:
    ledger.budgets.put(limit(10**9))
    ledger.budgets.put(Limit(scope=Scope("user", EACH), amount=10**9))
    asked = [
        Ask(f"a{number}", 10, NOON, NOON + 3600, (ORGANISATION, Scope("user", f"u\0{number}")))
        for number in range(100)
    ]
    ledger._store._write(asked)
    ledger._store._write([Kept(record(id=a.id, cost=3), Settlement(a.id, 3)) for a in asked[:70]])
    standings = ledger.budgets.standings(NOON)
    assert (standings[0].spent, standings[0].held) == (70 * 3, 30 * 10)
    members = {found.scope.name: (found.spent, found.held) for found in standings[1:]}
    assert members == {f"u\0{number}": (3, 0) if number < 70 else (0, 10) for number in range(100)}
    assert ledger.totals()[0].attempts == 70


def test_what_is_remembered_of_the_file_is_what_it_says(
    path: Path, ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered, told, looks = Remembered.look, [], itertools.count()

    def compared(self: Remembered, db: sqlite3.Connection) -> State:
        found, now = remembered(self, db), look(db)
        assert found._replace(next_lease=0) == now._replace(next_lease=0)
        assert found.next_lease <= now.next_lease
        told.append(found)
        return found

    monkeypatch.setattr(Remembered, "look", compared)
    monkeypatch.setattr("scrimp.stores.ledger_state.look", lambda db: (next(looks), look(db))[1])
    ledger.budgets.put(limit(1_000_000))
    other = SqliteLedger(path)
    for number in range(12):
        for name in ("settled", "released", "extended"):
            reserve(ledger, ask(f"{name}-{number}"))
        kept = record(id=f"settled-{number}", cost=5)
        ledger.record(kept, Settlement(kept.id, 5))
        ledger.record(kept)  # once more: it is there
        ledger.budgets.release(f"released-{number}").result(PATIENCE)
        ledger.budgets.extend(f"extended-{number}", NOON + 7200).result(PATIENCE)
        if number % 4 == 1:
            other.record(record())
        if number % 4 == 2:
            ledger.prune(NOON - 86400)
        if number == 6:
            ledger.budgets.put(limit(2_000_000, Scope("user", "u_42")))
    assert next(looks) < len(told) / 2
    assert told[-1].last == 12 + 3
    other.close()


def test_a_lease_runs_out_in_time_though_earlier_ones_were_settled(path: Path, ledger: SqliteLedger) -> None:
    ledger.budgets.put(limit(1_000))
    for name, seconds in (("first", 100.0), ("second", 200.0), ("third", 300.0)):
        reserve(ledger, Ask(name, 10, NOON, NOON + seconds, EVERYBODY))
    ledger.budgets.release("first").result(PATIENCE)

    def unsettled(at: float) -> int:
        reserve(ledger, Ask(f"at-{at}", 1, NOON + at, NOON + 9_000, EVERYBODY))
        query = "SELECT count(*) FROM budget_holds WHERE lapsed"
        return int(sqlite3.connect(path).execute(query).fetchone()[0])

    assert [unsettled(at) for at in (150.0, 199.0, 200.0, 250.0, 299.0, 301.0)] == [0, 0, 1, 1, 1, 2]
