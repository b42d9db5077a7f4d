"""The books: accepted money movements per batch, their reversals and voids, settlement totals, batch upload.

A batch belongs to (MID, TID) and a number, and is open until its batch end. It outlives the terminal's row: what was
accepted before a de-registration is settled in the same batch afterwards. Amounts are cents, traces 6 digits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.acquirer.store import Store
from harness.protocol.nested import BatchRecord, Totals

Kind = Literal["sale", "void"]
EntryState = Literal["approved", "reversed", "voided"]


@dataclass(frozen=True)
class Entry:
    """A booked movement. ``original`` is, for a void, the id of the sale it voids."""

    id: int
    batch_id: int
    batch: int
    trace: str
    kind: Kind
    amount: int
    rrn: str
    date: str
    pan: str
    auth_code: str
    state: EntryState
    reversals: int
    original: int | None


@dataclass(frozen=True)
class Booking:
    """What is to be booked. ``registration`` is the row's (duplicates are looked for inside it); ``date`` MMDD."""

    mid: str
    tid: str
    registration: int
    batch: int
    trace: str
    kind: Kind
    amount: int
    rrn: str
    date: str
    pan: str
    auth_code: str
    original: int | None = None


@dataclass(frozen=True)
class Reconciliation:
    """The terminal's upload against the books, by trace: only in the books, only uploaded, other amount or card."""

    records: int
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    different: tuple[str, ...]

    @property
    def clean(self) -> bool:
        return not (self.missing or self.unknown or self.different)


class Ledger:
    """Every change is the caller's transaction."""

    def __init__(self, store: Store) -> None:
        self._db = store.db

    # -- batches ------------------------------------------------------------------------------------------------------

    def open_batch(self, mid: str, tid: str, number: int) -> int | None:
        """The id of the open batch with this number, or None."""
        row = self._db.execute(
            "SELECT id FROM batches WHERE mid = ? AND tid = ? AND number = ? AND open ORDER BY id DESC",
            (mid, tid, number),
        ).fetchone()
        return None if row is None else int(row["id"])

    def ensure_batch(self, mid: str, tid: str, number: int) -> int:
        """The id of the open batch with this number, made where there is none."""
        found = self.open_batch(mid, tid, number)
        if found is not None:
            return found
        row = self._db.execute(
            "INSERT INTO batches (mid, tid, number, open) VALUES (?, ?, ?, 1) RETURNING id", (mid, tid, number)
        ).fetchone()
        return int(row["id"])

    def close_batch(self, batch_id: int) -> None:
        self._db.execute("UPDATE batches SET open = 0 WHERE id = ?", (batch_id,))

    def last_closed(self, mid: str, tid: str) -> int | None:
        """The number of the batch that was closed last, or None."""
        row = self._db.execute(
            "SELECT number FROM batches WHERE mid = ? AND tid = ? AND NOT open ORDER BY id DESC", (mid, tid)
        ).fetchone()
        return None if row is None else int(row["number"])

    def write_off(self, mid: str, tid: str) -> None:
        """Closes all open batches: the unit that held them is gone, nobody will settle them."""
        self._db.execute("UPDATE batches SET open = 0 WHERE mid = ? AND tid = ?", (mid, tid))

    # -- entries ------------------------------------------------------------------------------------------------------

    def book(self, booking: Booking) -> None:
        """Books it, approved; a void also marks its original voided."""
        b = booking
        self._db.execute(
            "INSERT INTO entries (batch_id, mid, tid, registration, batch, trace, kind, amount, rrn, date, pan,"
            " auth_code, state, original) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'approved', ?)",
            (self.ensure_batch(b.mid, b.tid, b.batch), b.mid, b.tid, b.registration, b.batch, b.trace, b.kind, b.amount,
             b.rrn, b.date, b.pan, b.auth_code, b.original),
        )
        if b.original is not None:
            self._db.execute("UPDATE entries SET state = 'voided' WHERE id = ?", (b.original,))

    def is_duplicate(self, mid: str, tid: str, registration: int, batch: int, trace: str) -> bool:
        """Whether this registration booked an original with this trace in this batch, whatever became of it since."""
        return self._db.execute(
            "SELECT 1 FROM entries WHERE mid = ? AND tid = ? AND batch = ? AND trace = ? AND registration = ?",
            (mid, tid, batch, trace, registration),
        ).fetchone() is not None

    def find(self, batch_id: int | None, trace: str) -> Entry | None:
        """The newest entry with this trace in a batch, of any registration. None: no batch, or no such entry."""
        row = self._db.execute(
            "SELECT * FROM entries WHERE batch_id = ? AND trace = ? ORDER BY id DESC", (batch_id, trace)
        ).fetchone()
        return None if row is None else _entry(row)

    def reverse(self, entry: Entry) -> None:
        """A reversal takes effect: the entry is reversed; the sale behind a reversed void is approved again."""
        self._db.execute("UPDATE entries SET state = 'reversed', reversals = reversals + 1 WHERE id = ?", (entry.id,))
        if entry.original is not None:
            self._db.execute("UPDATE entries SET state = 'approved' WHERE id = ?", (entry.original,))

    def entries(self, mid: str, tid: str) -> list[Entry]:
        """All entries since (MID, TID) was first registered, in the order of booking."""
        rows = self._db.execute("SELECT * FROM entries WHERE mid = ? AND tid = ? ORDER BY id", (mid, tid))
        return [_entry(row) for row in rows]

    # -- originals that were refused ----------------------------------------------------------------------------------

    def note_refused(self, mid: str, tid: str, batch: int, trace: str, code: str) -> None:
        """Remember that this original came and was declined: a reversal of it has nothing to undo and gets 00."""
        self._db.execute("INSERT OR REPLACE INTO refused VALUES (?, ?, ?, ?, ?)", (mid, tid, batch, trace, code))

    def was_refused(self, mid: str, tid: str, batch: int, trace: str) -> str | None:
        """The code with which this original was declined, or None."""
        row = self._db.execute(
            "SELECT code FROM refused WHERE mid = ? AND tid = ? AND batch = ? AND trace = ?", (mid, tid, batch, trace)
        ).fetchone()
        return None if row is None else str(row["code"])

    # -- settlement ---------------------------------------------------------------------------------------------------

    def totals(self, batch_id: int | None) -> Totals:
        """The books' totals of a batch, all zero for None. Debits are all sales that are not reversed (voided ones
        too), credits all voids that are not reversed."""
        row = self._db.execute(
            "SELECT coalesce(sum(CASE kind WHEN 'sale' THEN amount END), 0), coalesce(sum(kind = 'sale'), 0),"
            " coalesce(sum(CASE kind WHEN 'void' THEN amount END), 0), coalesce(sum(kind = 'void'), 0)"
            " FROM entries WHERE batch_id = ? AND state <> 'reversed'",
            (batch_id,),
        ).fetchone()
        return Totals(*row)

    def collect(self, batch_id: int, records: Sequence[BatchRecord]) -> int:
        """Keep uploaded records; one that came before (same trace) is not taken twice. Returns how many were new."""
        new = 0
        for record in records:
            row = self._db.execute(
                "INSERT INTO uploads VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET kind = excluded.kind,"
                " pan = excluded.pan, amount = excluded.amount, times = times + 1 RETURNING times",
                (batch_id, record.trace, record.kind, record.pan, record.amount),
            ).fetchone()
            new += row["times"] == 1
        return new

    def reconcile(self, batch_id: int) -> Reconciliation:
        """What was uploaded for a batch against its books (entries that are not reversed)."""
        uploaded = {
            row["trace"]: (row["amount"], row["pan"])
            for row in self._db.execute("SELECT * FROM uploads WHERE batch_id = ?", (batch_id,))
        }
        booked = {
            row["trace"]: (row["amount"], row["pan"])
            for row in self._db.execute(
                "SELECT trace, amount, pan FROM entries WHERE batch_id = ? AND state <> 'reversed'", (batch_id,)
            )
        }
        both = uploaded.keys() & booked.keys()
        return Reconciliation(
            records=len(uploaded),
            missing=tuple(sorted(booked.keys() - uploaded.keys())),
            unknown=tuple(sorted(uploaded.keys() - booked.keys())),
            different=tuple(sorted(trace for trace in both if uploaded[trace] != booked[trace])),
        )

    def latest_batch(self, mid: str, tid: str, number: int) -> int | None:
        """The id of the newest batch with this number, open or closed."""
        row = self._db.execute(
            "SELECT id FROM batches WHERE mid = ? AND tid = ? AND number = ? ORDER BY id DESC", (mid, tid, number)
        ).fetchone()
        return None if row is None else int(row["id"])


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        row["id"], row["batch_id"], row["batch"], row["trace"], row["kind"], row["amount"], row["rrn"], row["date"],
        row["pan"], row["auth_code"], row["state"], row["reversals"], row["original"],
    )
