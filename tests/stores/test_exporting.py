"""What is exported adds up to what the ledger says, in every format."""

from __future__ import annotations

import csv
import io
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.core.record import Record, Tags
from scrimp.errors import InputError
from scrimp.stores.exporting import (
    FORMATS,
    RECORD_COLUMNS,
    Format,
    format_of,
    record_row,
    total_columns,
    total_row,
    write_rows,
)
from scrimp.stores.ledger import Group
from scrimp.stores.memory import MemoryLedger
from tests.stores.records import MOST, NOON, any_records, batches, record

MONEY = {"cost_usd": "cost", "own_cost_usd": "own_cost", "lost_usd": "lost"}


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of an exported file, its money as decimals."""
    match path.suffix:
        case ".csv":
            with path.open(encoding="utf-8", newline="") as file:
                rows: list[dict[str, Any]] = list(csv.DictReader(file))
        case ".jsonl":
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        case _:
            duckdb = pytest.importorskip("duckdb")
            with duckdb.connect() as db:
                found = db.read_parquet(str(path))
                rows = [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
    for row in rows:
        for name in row:
            if name.endswith("usd") and row[name] not in ("", None):
                row[name] = Decimal(row[name])
    return rows


def sent() -> list[Record]:
    return [
        record(
            cost=MOST, own_cost=None, tags=Tags(("a", "b"), ("1", "2"), 'u,"\n'), miss="key order", lost=1
        ),
        record(cost=-3, own_cost=MOST, measured=False, tags=Tags(), prompt=b"\xff\x00", ended_at=None),
        record(cost=23_550_000_000, static_tokens=12, tags=Tags(team="red", key="ci", inferred=True)),
    ]


@pytest.mark.parametrize("format_", FORMATS)
def test_records_come_back_exactly(tmp_path: Path, format_: Format) -> None:
    path = tmp_path / f"out.{format_}"
    kept = sent()
    write_rows(map(record_row, kept), RECORD_COLUMNS, path, format_=format_)
    rows = read(path)
    assert [list(row) for row in rows] == [list(RECORD_COLUMNS)] * 3
    for row, item in zip(rows, kept, strict=True):
        nothing = "" if format_ == "csv" else None
        assert (row["id"], row["user"]) == (item.id, item.tags.user or nothing)
        assert (row["run"], row["run_ids"]) == ("/".join(item.tags.run), "/".join(item.tags.run_ids))
        assert str(row["read"]) == "40000"
        assert json.loads(row["usage"])["cache_read_input_tokens"] == 40_000
        assert str(row["started_at"]).replace(" ", "T").startswith("2026-")
        for column, field in MONEY.items():
            amount = getattr(item, field)
            assert row[column] == (nothing if amount is None else Decimal(amount).scaleb(-12))
    assert rows[1]["prompt"] == "ff00"
    assert [str(row["measured"]).lower() for row in rows] == ["true", "false", "true"]
    assert list(tmp_path.iterdir()) == [path]


@settings(max_examples=10, deadline=None)
@given(batch=batches, groups=st.sampled_from([["day", "model"], ["run", "hour"], ["user", "inferred"], []]))
@pytest.mark.parametrize("format_", FORMATS)
def test_the_sums_of_an_export_are_the_totals(
    tmp_path_factory: pytest.TempPathFactory, format_: Format, batch: list[Record], groups: list[Group]
) -> None:
    ledger, folder = MemoryLedger(), tmp_path_factory.mktemp("export")
    for item in batch:
        ledger.record(item)
    [whole] = ledger.totals()
    one, two = folder / f"records.{format_}", folder / f"totals.{format_}"
    write_rows(map(record_row, ledger.records()), RECORD_COLUMNS, one, format_=format_)
    totals = (total_row(total, groups) for total in ledger.totals(groups))
    write_rows(totals, total_columns(groups), two, format_=format_)
    records, added = read(one), read(two)
    assert len(records) == whole.attempts
    for column, amount in (("cost_usd", whole.cost), ("lost_usd", whole.lost)):
        assert sum(row[column] or 0 for row in records) == Decimal(amount).scaleb(-12)
    for column, amount in (("usd", whole.cost), ("lost_usd", whole.lost), ("own_usd", whole.own_cost)):
        assert sum(row[column] for row in added) == Decimal(amount).scaleb(-12)
    assert sum(int(row["input_tokens"]) for row in records) == whole.input_tokens
    assert sum(int(row["calls"]) for row in added) == whole.attempts


@settings(max_examples=40, deadline=None)
@given(kept=any_records)
def test_any_record_is_a_row_of_json(kept: Record) -> None:
    out = io.StringIO()
    ledger = MemoryLedger()
    ledger.record(kept)
    write_rows(map(record_row, ledger.records()), RECORD_COLUMNS, out, format_="jsonl")
    row = json.loads(out.getvalue())
    assert row["id"] == kept.id
    assert Decimal(row["cost_usd"]).scaleb(12) == kept.cost


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old", encoding="utf-8")

    def rows() -> Any:
        yield record_row(record())
        raise OSError(5, "gone")

    with pytest.raises(OSError, match="gone"):
        write_rows(rows(), RECORD_COLUMNS, path, format_="csv")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_parquet_without_duckdb_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(InputError, match=r"pip install 'scrimp\[analytics\]'"):
        write_rows([], RECORD_COLUMNS, tmp_path / "out.parquet", format_="parquet")
    with pytest.raises(InputError, match="needs a file"):
        write_rows([], RECORD_COLUMNS, io.StringIO(), format_="parquet")


def test_the_name_of_a_file_says_its_format() -> None:
    assert [format_of(Path(f"a.b.{name}")) for name in ("CSV", "jsonl", "parquet")] == list(FORMATS)
    with pytest.raises(InputError, match=r"x\.txt: call the file \.csv"):
        format_of(Path("x.txt"))


def test_hours_and_days_of_totals_are_written_as_times() -> None:
    ledger = MemoryLedger()
    ledger.record(record(started_at=NOON + 1, cost=5))
    groups: list[Group] = ["hour", "day", "run"]
    [row] = [total_row(total, groups) for total in ledger.totals(groups)]
    assert (row["hour"], row["day"], row["run"]) == ("2026-05-28T12:00:00Z", "2026-05-28", "nightly")
    assert row["usd"] == "0.000000000005"
