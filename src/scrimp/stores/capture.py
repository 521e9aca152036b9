"""Capture: whole exchanges on disk, prompts included, where the user has switched it on.

A conversation sends its past again with every step. Here each piece is stored once, and so is each sequence
of pieces: a link is a piece and the link before it, named by the digest of both, so that an exchange needs
only the name of its last link.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from scrimp.errors import StoreError
from scrimp.stores.appending import Appender, Warn
from scrimp.stores.capture_pieces import Kind, Piece, Taken, put_together, take_apart
from scrimp.stores.capture_secrets import without_secrets
from scrimp.stores.database import BUSY_SECONDS
from scrimp.stores.migrations import Schema
from scrimp.stores.promise import Promise, kept

__all__ = ["Capture", "is_capture"]

_DIGEST_BYTES = 16
_NO_LINK = 0
_PAGE = 100
_SQLITE = b"SQLite format 3\0"

_TABLES = (
    "CREATE TABLE pieces (key INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, json BLOB NOT NULL)",
    """CREATE TABLE links (
        key INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        before INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        piece INTEGER NOT NULL REFERENCES pieces (key)
    )""",
    """CREATE TABLE exchanges (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        run TEXT NOT NULL,
        request INTEGER NOT NULL,
        response INTEGER NOT NULL,
        rest BLOB NOT NULL
    )""",
    "CREATE INDEX exchanges_by_run ON exchanges (run)",
)

_CHAIN = """WITH RECURSIVE chain (key, before, kind, piece, depth) AS (
    SELECT key, before, kind, piece, 0 FROM links WHERE key = ?
    UNION ALL
    SELECT links.key, links.before, links.kind, links.piece, depth + 1
    FROM chain JOIN links ON links.key = chain.before
) SELECT kind, json FROM chain JOIN pieces ON pieces.key = piece ORDER BY depth DESC"""


class _Link(NamedTuple):
    digest: bytes
    piece_digest: bytes
    piece: Piece


class _Entry(NamedTuple):
    id: str
    run: str
    rest: bytes
    request: list[_Link]
    response: list[_Link]


class Capture:
    """Exchanges in the file at `path`, shared and mended as a `SqliteLedger` is.

    An exchange is the mapping that `traces.exchanges.read_exchange` takes. It comes back as it was given, any
    field of JSON, but for what may be a secret: headers and URL parameters that are not known to be harmless,
    and the tokens of MCP servers, are never stored. Numbers that JSON does not have (NaN) become null.
    """

    def __init__(
        self, path: str | Path, *, busy_seconds: float = BUSY_SECONDS, warn: Warn | None = None
    ) -> None:
        self._store: Appender[_Entry] = Appender(
            Path(path), _CAPTURE, _insert, busy_seconds=busy_seconds, warn=warn
        )

    def record(self, exchange: Mapping[str, Any], *, record_id: str) -> None:
        """Keep one exchange; returns when it is durable. Raises StoreError."""
        self._store.append(_entry(exchange, record_id))

    def submit(self, exchange: Mapping[str, Any], *, record_id: str) -> Promise[None]:
        """Keep one exchange, as it is now, soon; a second one of the same `record_id` changes nothing.

        The promise is kept when it is durable, or carries the StoreError.
        """
        try:
            entry = _entry(exchange, record_id)
        except StoreError as error:
            return kept(error)
        return self._store.submit(entry)

    def exchanges(self, run: str | None = None) -> Iterator[dict[str, Any]]:
        """What was captured, of one run or of all, in the order it was written. Raises StoreError."""
        after = 0
        while True:
            found = self._store.read(partial(_page, run=run, after=after))
            for seq, *stored in found:
                yield put_together(self._store.read(partial(_taken, stored=stored)))
                after = seq
            if len(found) < _PAGE:
                return

    def flush(self) -> None:
        """Return when everything submitted so far is durable or has failed. Raises StoreError on a stall."""
        self._store.flush()

    def close(self) -> None:
        """Flush and close the file; what is submitted later fails."""
        self._store.close()


def is_capture(path: Path) -> bool:
    """Whether the file at `path` says it is a capture; it is only read."""
    try:
        with path.open("rb") as file:
            if file.read(len(_SQLITE)) != _SQLITE:
                return False
        # Not from the file's header: what a living process wrote last may be in the log beside it.
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            [mark] = db.execute("PRAGMA application_id").fetchone()
            return bool(mark == _CAPTURE.mark)
    except (OSError, sqlite3.Error):
        return False


def _entry(exchange: Mapping[str, Any], record_id: str) -> _Entry:
    try:
        taken = take_apart(without_secrets(exchange))
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"exchange {record_id!r} cannot be captured: {error}") from None
    run = _in_unicode(str(exchange.get("run") or ""))
    request, response = _links(taken.request), _links(taken.response)
    return _Entry(_in_unicode(record_id), run, taken.rest, request, response)


def _in_unicode(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _links(pieces: Sequence[Piece]) -> list[_Link]:
    links = []
    before = b""
    for piece in pieces:
        own = _digest(piece.json)
        before = _digest(b"%d %b%b" % (piece.kind, before, own))
        links.append(_Link(before, own, piece))
    return links


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST_BYTES).digest()


def _insert(db: sqlite3.Connection, entries: Sequence[_Entry]) -> None:
    for entry in entries:
        row = (entry.id, entry.run, _last(db, entry.request), _last(db, entry.response), entry.rest)
        db.execute("INSERT INTO exchanges VALUES (NULL, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING", row)


def _last(db: sqlite3.Connection, links: Sequence[_Link]) -> int:
    """The key of the last link, after adding those that are new: the ones after the last known."""
    key, new = _NO_LINK, len(links)
    while new and key == _NO_LINK:
        key = _known(db, "SELECT key FROM links WHERE digest = ?", links[new - 1].digest)
        new -= key == _NO_LINK
    for link in links[new:]:
        row = (link.digest, key, link.piece.kind, _piece(db, link))
        key = db.execute("INSERT INTO links VALUES (NULL, ?, ?, ?, ?)", row).lastrowid or _NO_LINK
    return key


def _piece(db: sqlite3.Connection, link: _Link) -> int:
    known = _known(db, "SELECT key FROM pieces WHERE digest = ?", link.piece_digest)
    if known != _NO_LINK:
        return known
    row = (link.piece_digest, link.piece.json)
    return db.execute("INSERT INTO pieces VALUES (NULL, ?, ?)", row).lastrowid or _NO_LINK


def _known(db: sqlite3.Connection, question: str, digest: bytes) -> int:
    found = db.execute(question, (digest,)).fetchone()
    return int(found[0]) if found else _NO_LINK


def _page(db: sqlite3.Connection, run: str | None, after: int) -> list[Any]:
    return db.execute(
        "SELECT seq, request, response, rest FROM exchanges WHERE seq > ? AND run = ifnull(?, run)"
        " ORDER BY seq LIMIT ?",
        (after, run, _PAGE),
    ).fetchall()


def _taken(db: sqlite3.Connection, stored: Sequence[Any]) -> Taken:
    request, response, rest = stored
    return Taken(rest, _chain(db, request), _chain(db, response))


def _chain(db: sqlite3.Connection, last: int) -> list[Piece]:
    return [Piece(Kind(kind), json) for kind, json in db.execute(_CHAIN, (last,))]


def m0001_exchanges(db: sqlite3.Connection) -> None:
    """Exchanges, the links of their pieces, and the pieces."""
    for statement in _TABLES:
        db.execute(statement)


_CAPTURE = Schema("capture", 0x73637263, (m0001_exchanges,))
