"""Records for tests of stores: plain ones, and every shape a record can have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from hypothesis import strategies as st

from scrimp.core.record import Record, Tags
from scrimp.stores.ledger import Ledger
from scrimp.stores.memory import MemoryLedger
from scrimp.stores.sqlite_ledger import SqliteLedger
from scrimp.wire.response import CacheCreation, Iteration, OutputTokensDetails, ServerToolUse, Usage

KINDS = ("memory", "sqlite")
NOON = 1_780_000_000.0 - 1_780_000_000 % 86400 + 12 * 3600
MOST = 2**63 - 1

_numbers = count()


@contextmanager
def fresh(kind: str) -> Iterator[Ledger]:
    """An empty ledger; for tests that need one for each of many examples."""
    if kind == "memory":
        yield MemoryLedger()
        return
    with TemporaryDirectory() as folder:
        ledger = SqliteLedger(Path(folder) / "ledger.sqlite")
        yield ledger
        ledger.close()


def record(**fields: Any) -> Record:
    """A plain record; its id is its own unless given."""
    number = next(_numbers)
    plain = Record(
        id=f"rec_{number}",
        call_id=f"call_{number}",
        attempt=0,
        started_at=NOON + number,
        first_event_at=NOON + number + 0.5,
        ended_at=NOON + number + 2.25,
        provider="anthropic",
        model="claude-sonnet-4-5",
        tags=Tags(run=("nightly",), run_ids=("r1",), user="u_42", task_type="report", agent="main"),
        mode="safe",
        outcome="complete",
        status=200,
        stream=True,
        usage=Usage(100, 20, 3_000, 40_000, CacheCreation(3_000, 0)),
        cost=23_550_000_000,
        measured=True,
    )
    return msgspec.structs.replace(plain, **fields)


_text = st.text(max_size=12)
_maybe_text = st.none() | _text
_tokens = st.integers(0, 2**40)
_seconds = st.floats(-1e9, 1e11, allow_nan=False)
_money = st.integers(-MOST, MOST)
_path = st.lists(_text, max_size=3).map(tuple)
_splits = st.none() | st.builds(CacheCreation, _tokens, _tokens)

_iterations = st.builds(
    Iteration,
    type=_text,
    model=_maybe_text,
    input_tokens=st.integers(0, 2**63),
    output_tokens=_tokens,
    cache_creation_input_tokens=_tokens,
    cache_read_input_tokens=_tokens,
    cache_creation=_splits,
)

usages = st.builds(
    Usage,
    input_tokens=_tokens,
    output_tokens=_tokens,
    cache_creation_input_tokens=_tokens,
    cache_read_input_tokens=_tokens,
    cache_creation=_splits,
    server_tool_use=st.none() | st.builds(ServerToolUse, _tokens, _tokens, _tokens),
    output_tokens_details=st.none() | st.builds(OutputTokensDetails, _tokens),
    iterations=st.none() | st.lists(_iterations, max_size=3).map(tuple),
    service_tier=_maybe_text,
    speed=_maybe_text,
    inference_geo=_maybe_text,
    fallback_credit=_maybe_text,
    reports_cache=st.booleans(),
)

any_records = st.builds(
    Record,
    id=_text,
    call_id=_text,
    attempt=st.integers(0, 10),
    started_at=_seconds,
    first_event_at=st.none() | _seconds,
    ended_at=st.none() | _seconds,
    provider=_text,
    model=_text,
    tags=st.builds(
        Tags, _path, _path, _maybe_text, _maybe_text, _maybe_text, _maybe_text, _maybe_text, st.booleans()
    ),
    mode=st.sampled_from(["observe", "safe", "save"]),
    outcome=st.sampled_from(["complete", "cut off", "refused", "unknown"]),
    status=st.none() | st.integers(100, 599),
    stream=st.booleans(),
    usage=usages,
    cost=_money,
    measured=st.booleans(),
    notes=_path,
    own_cost=st.none() | _money,
    predicted_read=st.none() | _tokens,
    predicted_write=st.none() | _tokens,
    prompt=st.none() | st.binary(max_size=16),
    message_id=_maybe_text,
    request_id=_maybe_text,
    fault=_maybe_text,
    miss=_maybe_text,
    lost=st.none() | _money,
    static_tokens=st.none() | _tokens,
    window=st.none() | _tokens,
)
"""Any record a ledger keeps, whatever it says."""


_few = st.integers(0, 9)
_number = st.integers(1, 2)


def _any_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def _like_others(
    numbers: tuple[int, int], tags: tuple[Any, ...], tokens: tuple[int, ...], more: dict[str, Any]
) -> Record:
    path, *others = tags
    plain, output, w5, w1 = tokens
    return record(
        tags=Tags(
            path, tuple(f"{name}{number}" for name, number in zip(path, numbers, strict=False)), *others
        ),
        usage=Usage(plain, output, w5 + w1, 7, CacheCreation(w5, w1)),
        **more,
    )


_records = st.builds(
    _like_others,
    st.tuples(_number, _number),
    st.tuples(
        _any_of((), ("a",), ("a", "b"), ("ab",)),
        _any_of(None, "", "u", "v"),
        _any_of(None, "t"),
        _any_of(None, "g", "h"),
        _any_of(None, "red"),
        _any_of(None, "", "k"),
        st.booleans(),
    ),
    st.tuples(_few, _few, _few, _few),
    st.fixed_dictionaries(
        {
            "id": _any_of(*"abcdefghijklmnop"),
            "started_at": st.builds(
                lambda steps, seconds: NOON + steps * 1800 + seconds,
                st.integers(-8, 8) | st.integers(-200, 200),
                _any_of(0, 0.5, -0.001),
            ),
            "model": _any_of("x", "y"),
            "outcome": _any_of("complete", "cut off"),
            "cost": st.integers(0, 5) | st.integers(MOST - 3, MOST),
            "measured": st.booleans(),
            "own_cost": st.none() | _few | st.just(MOST),
            "miss": _any_of(None, None, "TTL expired"),
            "lost": st.none() | _few | st.just(MOST),
            "static_tokens": _any_of(None, 7, 12_345),
        }
    ),
)
"""A record that shares its tags, hour and even its id with others."""

batches = st.lists(_records, max_size=12)
"""Records as they come, some of them again, some with another's id."""
