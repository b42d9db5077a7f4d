"""The acquirer's database: one SQLite file in WAL mode, one writer (this process).

``synchronous=NORMAL`` in WAL mode writes a commit into the page cache without waiting for the disk: what was committed
outlives ``kill -9`` of this process (not a power failure of the machine, which no test here is about), at some 50 us.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from harness.errors import BadInput

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE merchants (
    mid TEXT PRIMARY KEY, name TEXT NOT NULL, state TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE terminals (
    mid TEXT NOT NULL, tid TEXT NOT NULL,
    registration INTEGER NOT NULL,  -- counts how often (mid, tid) was registered: a new row is a new registration
    state TEXT NOT NULL, sign_state INTEGER NOT NULL, batch INTEGER NOT NULL, ever_signed_in INTEGER NOT NULL,
    PRIMARY KEY (mid, tid)
) WITHOUT ROWID;
CREATE TABLE keys (
    mid TEXT NOT NULL, tid TEXT NOT NULL, tmk BLOB NOT NULL, pik BLOB, mak BLOB, PRIMARY KEY (mid, tid)
) WITHOUT ROWID;
CREATE TABLE batches (
    id INTEGER PRIMARY KEY, mid TEXT NOT NULL, tid TEXT NOT NULL, number INTEGER NOT NULL, open INTEGER NOT NULL
);
CREATE INDEX batches_of ON batches (mid, tid, number);
CREATE TABLE entries (
    id INTEGER PRIMARY KEY, batch_id INTEGER NOT NULL REFERENCES batches, mid TEXT NOT NULL, tid TEXT NOT NULL,
    registration INTEGER NOT NULL, batch INTEGER NOT NULL, trace TEXT NOT NULL, kind TEXT NOT NULL,
    amount INTEGER NOT NULL, rrn TEXT NOT NULL, date TEXT NOT NULL, pan TEXT NOT NULL, auth_code TEXT NOT NULL,
    state TEXT NOT NULL, reversals INTEGER NOT NULL DEFAULT 0, original INTEGER REFERENCES entries
);
CREATE INDEX entries_of ON entries (mid, tid, batch, trace);
CREATE INDEX entries_in ON entries (batch_id, trace);
CREATE TABLE refused (
    mid TEXT NOT NULL, tid TEXT NOT NULL, batch INTEGER NOT NULL, trace TEXT NOT NULL, code TEXT NOT NULL,
    PRIMARY KEY (mid, tid, batch, trace)
) WITHOUT ROWID;
CREATE TABLE uploads (
    batch_id INTEGER NOT NULL REFERENCES batches, trace TEXT NOT NULL, kind TEXT NOT NULL, pan TEXT NOT NULL,
    amount INTEGER NOT NULL, times INTEGER NOT NULL, PRIMARY KEY (batch_id, trace)
) WITHOUT ROWID;
CREATE TABLE journal (
    jid INTEGER PRIMARY KEY AUTOINCREMENT, t INTEGER NOT NULL, connection INTEGER NOT NULL, direction TEXT NOT NULL,
    frame BLOB NOT NULL, note TEXT NOT NULL, rule_id INTEGER
);
"""


class Store:
    """The open database. ``db`` is in autocommit mode: what belongs together goes inside :meth:`transaction`."""

    def __init__(self, path: Path | str) -> None:
        """Opens or makes the file (``:memory:`` for none). Raises :class:`BadInput` when it is no database of ours."""
        try:
            self.db = sqlite3.connect(str(path), isolation_level=None)
            self.db.row_factory = sqlite3.Row
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.execute("PRAGMA synchronous = NORMAL")
            self._make_schema()
        except sqlite3.Error as error:
            raise BadInput(
                f"not usable as the acquirer's database: {error}", where=str(path),
                remedy="Give --db a new path, or the file of an earlier run of this version.",
            ) from error

    def _make_schema(self) -> None:
        version = self.db.execute("PRAGMA user_version").fetchone()[0]
        if version == SCHEMA_VERSION:
            return
        if version or self.db.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise sqlite3.DatabaseError(f"its schema version is {version}, expected {SCHEMA_VERSION}")
        self.db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; nothing when an exception leaves the block."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def number(self, name: str, default: int = 0) -> int:
        """The stored integer ``name``."""
        row = self.db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return default if row is None else int(row["value"])

    def set_number(self, name: str, value: int | None) -> None:
        """Store the integer ``name``; None forgets it."""
        if value is None:
            self.db.execute("DELETE FROM meta WHERE name = ?", (name,))
        else:
            self.db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, str(value)))

    def next_number(self, name: str) -> int:
        """1, 2, 3... also over restarts."""
        value = self.number(name) + 1
        self.set_number(name, value)
        return value

    def close(self) -> None:
        """Folds the WAL into the file and closes it."""
        self.db.close()
