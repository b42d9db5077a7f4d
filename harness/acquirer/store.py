"""The acquirer's database: one SQLite file in WAL mode, one writer (this process).

Where it is a matter of each message, None and bytes are bound as a 0 or nothing that ``nullif`` takes for NULL, and as
bytearray: for each None and each bytes Python's sqlite3 looks for an adapter, which there is none of.

``synchronous=NORMAL`` in WAL mode writes a commit into the page cache without waiting for the disk: what was committed
outlives ``kill -9`` of this process (not a power failure of the machine, which no test here is about), at some 50 us.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from harness.errors import BadInput

SCHEMA_VERSION = 3
RESERVED = 100  # numbers of messages that are written down at a time

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
CREATE TABLE seen (  -- when a terminal last sent something, or its row was made: seconds since 1970 on the host's clock
    mid TEXT NOT NULL, tid TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (mid, tid)
) WITHOUT ROWID;
CREATE TABLE bindings (  -- which unit belongs to which terminal; ended NULL: in force
    id INTEGER PRIMARY KEY, mid TEXT NOT NULL, tid TEXT NOT NULL, serial_number TEXT NOT NULL,
    device_type TEXT NOT NULL, elements TEXT NOT NULL, began INTEGER NOT NULL, ended INTEGER
);
CREATE UNIQUE INDEX binding_of_unit ON bindings (serial_number) WHERE ended IS NULL;
CREATE UNIQUE INDEX binding_of_terminal ON bindings (mid, tid) WHERE ended IS NULL;
CREATE TABLE activations (  -- the code is kept as its SHA-256; used NULL: not yet
    code BLOB PRIMARY KEY, mid TEXT NOT NULL, tid TEXT NOT NULL, serial_number TEXT NOT NULL,
    expires INTEGER NOT NULL, used INTEGER
) WITHOUT ROWID;
CREATE TABLE applications (  -- document: JSON, harness.acquirer.registration.documents.Application
    mid TEXT PRIMARY KEY, state TEXT NOT NULL, document TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE fees (  -- of a merchant; cap in cents, NULL: none
    mid TEXT NOT NULL, card_type TEXT NOT NULL, basis_points INTEGER NOT NULL, cap INTEGER, PRIMARY KEY (mid, card_type)
) WITHOUT ROWID;
CREATE TABLE steps (  -- what the back office did; tid '': with the merchant; details: JSON
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, mid TEXT NOT NULL, tid TEXT NOT NULL, step TEXT NOT NULL,
    details TEXT NOT NULL
);
CREATE INDEX steps_of ON steps (mid, tid);
CREATE TABLE keys (
    mid TEXT NOT NULL, tid TEXT NOT NULL, tmk BLOB NOT NULL, pik BLOB, mak BLOB, tdk BLOB, PRIMARY KEY (mid, tid)
) WITHOUT ROWID;
CREATE TABLE download_data (  -- data JSON: what replaced the part of the file
    kind TEXT PRIMARY KEY, version INTEGER NOT NULL, data TEXT
) WITHOUT ROWID;
CREATE TABLE downloads (  -- what a terminal has; due: it is to come for it whatever it has
    mid TEXT NOT NULL, tid TEXT NOT NULL, kind TEXT NOT NULL, version INTEGER NOT NULL, due INTEGER NOT NULL,
    PRIMARY KEY (mid, tid, kind)
) WITHOUT ROWID;
CREATE TABLE software (  -- the image on offer, one or none
    id INTEGER PRIMARY KEY, version TEXT NOT NULL, sha256 TEXT NOT NULL, image BLOB NOT NULL
);
CREATE TABLE terminal_status (
    mid TEXT NOT NULL, tid TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (mid, tid)
) WITHOUT ROWID;
CREATE TABLE batches (  -- settled: an 0510 was given after which the host's number moved, or its batch end came
    id INTEGER PRIMARY KEY, mid TEXT NOT NULL, tid TEXT NOT NULL, number INTEGER NOT NULL, open INTEGER NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX batches_of ON batches (mid, tid, number);
CREATE TABLE batch_fees (  -- of a closed batch, where its merchant's fees were changed afterwards; cap as in fees
    batch_id INTEGER NOT NULL REFERENCES batches, card_type TEXT NOT NULL, basis_points INTEGER NOT NULL, cap INTEGER,
    PRIMARY KEY (batch_id, card_type)
) WITHOUT ROWID;
CREATE TABLE entries (  -- pan: of a scanned payment the payment code; entry_mode: F22, first two digits
    id INTEGER PRIMARY KEY, batch_id INTEGER NOT NULL REFERENCES batches, mid TEXT NOT NULL, tid TEXT NOT NULL,
    registration INTEGER NOT NULL, batch INTEGER NOT NULL, trace TEXT NOT NULL, kind TEXT NOT NULL,
    amount INTEGER NOT NULL, rrn TEXT NOT NULL, date TEXT NOT NULL, pan TEXT NOT NULL, auth_code TEXT NOT NULL,
    state TEXT NOT NULL, reversals INTEGER NOT NULL DEFAULT 0, original INTEGER REFERENCES entries,
    entry_mode TEXT NOT NULL DEFAULT '', voucher TEXT NOT NULL DEFAULT ''
);
CREATE INDEX entries_in ON entries (batch_id, trace);
CREATE INDEX entries_by_receipt ON entries (mid, rrn);
CREATE INDEX entries_by_authorisation ON entries (mid, auth_code) WHERE kind = 'pre_authorisation';
CREATE INDEX entries_after ON entries (original) WHERE original IS NOT NULL;
CREATE TABLE refused (
    mid TEXT NOT NULL, tid TEXT NOT NULL, batch INTEGER NOT NULL, trace TEXT NOT NULL, code TEXT NOT NULL,
    PRIMARY KEY (mid, tid, batch, trace)
) WITHOUT ROWID;
CREATE TABLE uploads (  -- source: F60.3 of the message; f55: hex, of a chip record
    batch_id INTEGER NOT NULL REFERENCES batches, trace TEXT NOT NULL, kind TEXT NOT NULL, pan TEXT NOT NULL,
    amount INTEGER NOT NULL, times INTEGER NOT NULL, source TEXT NOT NULL, f55 TEXT NOT NULL,
    PRIMARY KEY (batch_id, trace)
) WITHOUT ROWID;
CREATE TABLE follow_ups (  -- kind: script_notice or signature_upload; data: F55 or F62, hex
    entry INTEGER NOT NULL REFERENCES entries, kind TEXT NOT NULL, data TEXT NOT NULL, times INTEGER NOT NULL,
    PRIMARY KEY (entry, kind)
) WITHOUT ROWID;
CREATE TABLE journal (
    jid INTEGER PRIMARY KEY, t INTEGER NOT NULL, connection INTEGER NOT NULL, direction TEXT NOT NULL,
    frame BLOB NOT NULL, note TEXT NOT NULL, rule_id INTEGER
);
"""


class Appended:
    """The rows of the journal that the open transaction has added. They wait for its commit, which writes them with one
    statement for all messages of a turn."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.rows: list[tuple[int, int, int, str, bytes, str, int | None]] = []  # the table's columns
        self.last = int(db.execute("SELECT coalesce(max(jid), 0) FROM journal").fetchone()[0])  # that is committed

    @property
    def number(self) -> int:
        """Of the row that is added next."""
        return self.last + len(self.rows) + 1

    def write(self) -> None:
        """Before the commit."""
        if self.rows:
            self._db.executemany("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, nullif(?, 0))", [
                (jid, t, connection, direction, bytearray(frame), note, rule_id or 0)
                for jid, t, connection, direction, frame, note, rule_id in self.rows
            ])

    def written(self) -> None:
        """After the commit."""
        self.last += len(self.rows)
        self.rows.clear()


class Store:
    """The open database. ``db`` is in autocommit mode: what belongs together goes inside :meth:`transaction`."""

    def __init__(self, path: Path | str) -> None:
        """Opens or makes the file (``:memory:`` for none). Raises :class:`BadInput` when it is no database of ours."""
        try:
            self.db = sqlite3.connect(str(path), isolation_level=None)
            self.db.row_factory = sqlite3.Row
            self._numbers: dict[str, tuple[int, int]] = {}  # the next of each, and the last that may be given out
            self._kept: list[Callable[[], None]] = []
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.execute("PRAGMA synchronous = NORMAL")
            self.db.execute("PRAGMA wal_autocheckpoint = 4000")  # pages, 16 MB: fewer, for commits of some pages each
            self._make_schema()
            self.journal = Appended(self.db)
        except sqlite3.Error as error:
            raise BadInput(
                f"not usable as the acquirer's database: {error}", where=str(path),
                remedy="Give --db a new path, or the file of an earlier run of this version.",
            ) from error

    def _make_schema(self) -> None:
        version = self.db.execute("PRAGMA user_version").fetchone()[0]
        if version == SCHEMA_VERSION:
            return
        if not version and self.db.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise sqlite3.DatabaseError("another program's tables are in it")
        if version:
            raise sqlite3.DatabaseError(
                f"it was written by {'an older' if version < SCHEMA_VERSION else 'a newer'} version of this program"
                f" (schema {version}, this one has {SCHEMA_VERSION})"
            )
        self.db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")

    def keeps_rows(self, forget: Callable[[], None]) -> None:
        """Whoever keeps rows in memory says how it forgets them: they may have changed, or may never have been."""
        self._kept.append(forget)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; nothing when an exception leaves the block. Whatever was changed inside: afterwards no row is
        known from before."""
        try:
            with self.messages():
                yield
        finally:
            self.forget()

    def messages(self) -> contextlib.AbstractContextManager[None]:
        """A transaction for messages of terminals: those who keep rows in memory make the changes themselves, and go on
        with what they know. Inside another one it is a part of that, which may fail alone."""
        return _Block(self)

    def forget(self) -> None:
        """What is kept in memory may not be what is in the database."""
        self._numbers = {name: (following, 0) for name, (following, _) in self._numbers.items()}
        for forget in self._kept:
            forget()

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

    def next_number(self, name: str, reserve: int = 1) -> int:
        """1, 2, 3... also over restarts. What is rolled back may leave a gap; and with ``reserve`` the end of the
        process one of less than that, where so many at a time are written down as given out."""
        value, last = self._numbers.get(name) or (self.number(name) + 1, 0)
        if value > last:
            last = value + reserve - 1
            self.set_number(name, last)
        self._numbers[name] = value + 1, last
        return value

    def close(self) -> None:
        """Folds the WAL into the file and closes it."""
        self.db.close()


class _Block:
    """A transaction, or inside one a part of it: undone when an exception leaves the block. (No generator: each message
    has one of its own.)"""

    def __init__(self, store: Store) -> None:
        self._store, self._whole, self._rows_before = store, not store.db.in_transaction, len(store.journal.rows)

    def __enter__(self) -> None:
        self._store.db.execute("BEGIN IMMEDIATE" if self._whole else "SAVEPOINT part")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            self._undo()
            return
        try:
            self._end()
        except BaseException:
            self._undo()
            raise

    def _end(self) -> None:
        if not self._whole:
            self._store.db.execute("RELEASE part")
            return
        self._store.journal.write()
        self._store.db.execute("COMMIT")
        self._store.journal.written()

    def _undo(self) -> None:
        store = self._store
        store.forget()
        del store.journal.rows[self._rows_before :]
        if store.db.in_transaction:  # not where SQLite itself has given it up
            store.db.execute("ROLLBACK" if self._whole else "ROLLBACK TO part")
            if not self._whole:
                store.db.execute("RELEASE part")
