"""Records and totals as files for other programs: CSV, lines of JSON, Parquet.

Money is exact everywhere: decimal text of US dollars in CSV and JSON, `DECIMAL(38, 12)` in Parquet. Times are
UTC in ISO 8601. Rows are written as they are read, so that a file may be larger than memory.
"""

from __future__ import annotations

import csv
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Literal, TypeAlias, get_args

import msgspec
import orjson

from scrimp.core.money import usd
from scrimp.core.record import Record
from scrimp.core.totals import Group, Key, Total
from scrimp.errors import InputError

__all__ = [
    "FORMATS",
    "RECORD_COLUMNS",
    "Format",
    "format_of",
    "record_row",
    "total_columns",
    "total_row",
    "write_rows",
]

Format = Literal["csv", "jsonl", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)

Row: TypeAlias = Mapping[str, Any]
Columns: TypeAlias = Mapping[str, str]
"""Column → its type in Parquet."""

_TEXT, _WHOLE, _TRUTH, _MONEY, _TIME = "VARCHAR", "BIGINT", "BOOLEAN", "DECIMAL(38, 12)", "TIMESTAMP"
_PERCENT = "DECIMAL(38, 2)"
_COUNTS = ("input_tokens", "write_5m", "write_1h", "read", "output_tokens")

RECORD_COLUMNS: Columns = {
    **dict.fromkeys(("id", "call_id"), _TEXT),
    "attempt": _WHOLE,
    **dict.fromkeys(("started_at", "first_event_at", "ended_at"), _TIME),
    **dict.fromkeys(("provider", "model", "run", "run_ids", "user", "team", "key", "task_type"), _TEXT),
    "inferred": _TRUTH,
    **dict.fromkeys(("agent", "mode", "outcome"), _TEXT),
    "status": _WHOLE,
    "stream": _TRUTH,
    **dict.fromkeys(_COUNTS, _WHOLE),
    "cost_usd": _MONEY,
    "measured": _TRUTH,
    "own_cost_usd": _MONEY,
    **dict.fromkeys(("predicted_read", "predicted_write"), _WHOLE),
    **dict.fromkeys(("prompt", "message_id", "request_id", "fault", "miss"), _TEXT),
    "lost_usd": _MONEY,
    **dict.fromkeys(("static_tokens", "window"), _WHOLE),
    "window_percent": _PERCENT,
    **dict.fromkeys(("notes", "usage"), _TEXT),
}
"""Of records. `run` and `run_ids` are paths with `/`, `prompt` is hexadecimal, `notes`, `usage` are JSON."""

_TOTAL_COLUMNS: Columns = {
    "calls": _WHOLE,
    **dict.fromkeys(_COUNTS, _WHOLE),
    **dict.fromkeys(("usd", "estimated_usd", "own_usd", "compared_usd", "lost_usd"), _MONEY),
}
_SEPARATOR = "/"
_OF_GROUPS = {"hour": _TIME, "day": "DATE", "inferred": _TRUTH}


def format_of(path: Path) -> Format:
    """The format that a file's name asks for; raises InputError for another one."""
    for format_ in FORMATS:
        if path.suffix.lower() == f".{format_}":
            return format_
    raise InputError(f"{path}: call the file .csv, .jsonl or .parquet, or give --format")


def record_row(record: Record) -> Row:
    """One record by `RECORD_COLUMNS`."""
    tags, usage = record.tags, record.usage
    plain = {
        **{name: getattr(record, name, None) for name in RECORD_COLUMNS},
        **{name: getattr(tags, name) for name in ("user", "team", "key", "task_type", "inferred", "agent")},
    }
    return {
        **plain,
        **{name: _time(getattr(record, name)) for name in ("started_at", "first_event_at", "ended_at")},
        "run": _SEPARATOR.join(tags.run),
        "run_ids": _SEPARATOR.join(tags.run_ids),
        "input_tokens": usage.input_tokens,
        "write_5m": usage.write_5m,
        "write_1h": usage.write_1h,
        "read": usage.cache_read_input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": usd(record.cost),
        "own_cost_usd": _usd(record.own_cost),
        "prompt": record.prompt.hex() if record.prompt is not None else None,
        "lost_usd": _usd(record.lost),
        "window_percent": None if record.window_used is None else f"{100 * record.window_used:.2f}",
        "notes": _json(record.notes),
        "usage": _json(
            {name: value for name, value in msgspec.structs.asdict(usage).items() if value is not None}
        ),
    }


def total_columns(group_by: Sequence[Group]) -> Columns:
    """The columns of totals by these groups."""
    return {**{group: _OF_GROUPS.get(group, _TEXT) for group in group_by}, **_TOTAL_COLUMNS}


def total_row(total: Total, group_by: Sequence[Group]) -> Row:
    """One total by `total_columns`."""
    said: dict[str, Any] = {
        group: _key(group, value) for group, value in zip(group_by, total.key, strict=True)
    }
    amounts = {
        "usd": total.cost,
        "estimated_usd": total.estimated_cost,
        "own_usd": total.own_cost,
        "compared_usd": total.compared_cost,
        "lost_usd": total.lost,
    }
    counts = {name: getattr(total, name) for name in _COUNTS}
    return {
        **said,
        "calls": total.attempts,
        **counts,
        **{name: usd(value) for name, value in amounts.items()},
    }


def write_rows(rows: Iterable[Row], columns: Columns, target: Path | IO[str], *, format_: Format) -> None:
    """Write rows to a file, or as text to an open stream.

    A file appears when it is whole: until then it is written beside its place. Raises InputError where
    Parquet is asked for and DuckDB is not installed, or for a stream of it; OSError as the system says.
    """
    if not isinstance(target, Path):
        if format_ == "parquet":
            raise InputError("Parquet needs a file to write to")
        _WRITERS[format_](rows, columns, target)
        return
    duckdb = _duckdb() if format_ == "parquet" else None
    with TemporaryDirectory(prefix=".scrimp-", dir=target.absolute().parent) as folder:
        whole = Path(folder) / "whole"
        if duckdb is None:
            with whole.open("w", encoding="utf-8", newline="") as file:
                _WRITERS[format_](rows, columns, file)
        else:
            _write_parquet(duckdb, rows, columns, whole)
        whole.replace(target)


def _write_csv(rows: Iterable[Row], columns: Columns, file: IO[str]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_plain(row[name]) for name in columns] for row in rows)


def _write_jsonl(rows: Iterable[Row], columns: Columns, file: IO[str]) -> None:
    for row in rows:
        line = orjson.dumps({name: row[name] for name in columns}, option=orjson.OPT_APPEND_NEWLINE)
        file.write(line.decode())


def _write_parquet(duckdb: Any, rows: Iterable[Row], columns: Columns, path: Path) -> None:
    """By way of lines of JSON, which DuckDB reads many times faster than it takes rows one by one."""
    lines = path.with_name("rows.jsonl")
    with lines.open("w", encoding="utf-8") as file:
        _write_jsonl(rows, columns, file)
    types = ", ".join(f"{_quoted(name)}: {_quoted(kind)}" for name, kind in columns.items())
    with duckdb.connect() as db:
        db.execute(
            f"""COPY (SELECT * FROM read_json({_quoted(str(lines))}, format = 'newline_delimited',
            columns = {{{types}}})) TO {_quoted(str(path))} (FORMAT parquet, COMPRESSION zstd)"""  # noqa: S608 - names of ours, paths quoted
        )


_WRITERS: Mapping[str, Callable[[Iterable[Row], Columns, IO[str]], None]] = {
    "csv": _write_csv,
    "jsonl": _write_jsonl,
}


def _duckdb() -> Any:
    try:
        return importlib.import_module("duckdb")
    except ImportError:
        raise InputError(
            "Parquet needs DuckDB: pip install 'scrimp[analytics]', or export CSV or JSONL"
        ) from None


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _key(group: Group, value: Key) -> Any:
    match value:
        case tuple():
            return _SEPARATOR.join(value)
        case date():
            return value.isoformat()
        case int() if group == "hour":
            return _time(value)
        case _:
            return value


def _time(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).replace(tzinfo=None).isoformat() + "Z"


def _usd(amount: int | None) -> str | None:
    return None if amount is None else usd(amount)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _plain(value: Any) -> Any:
    """As CSV has it: truth values as JSON writes them, nothing as nothing."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value
