"""The books: accepted money movements per batch, and what became of them: reversals, voids, completions, adjustments.

A batch belongs to (MID, TID) and a number, and is open until its batch end. It outlives the terminal's row: what was
accepted before a de-registration is settled in the same batch afterwards. Amounts are cents, traces 6 digits. What
kinds there are, and which of them count in a settlement: :mod:`harness.protocol.transactions`. What terminals upload
of a batch is in :mod:`harness.acquirer.uploads`.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Literal, NamedTuple

from harness.acquirer.store import Store
from harness.protocol.nested import Totals
from harness.protocol.transactions import KINDS

EntryState = Literal["approved", "reversed", "voided", "adjusted", "completed"]

# What a booking makes of its original. A refund leaves it as it is: there may be several.
_MAKES: dict[str, EntryState] = {
    "void": "voided", "completion_void": "voided", "pre_authorisation_void": "voided", "completion": "completed",
    "completion_advice": "completed", "offline_adjust": "adjusted", "offline_tip": "adjusted",
}
_SIDE = {name: kind.side for name, kind in KINDS.items()}
_BOOKED = (
    "FROM batches JOIN entries ON batch_id = batches.id"
    " WHERE batches.mid = ? AND batches.tid = ? AND registration = ? AND number = ?"
)
_VOIDS = frozenset(name for name, state in _MAKES.items() if state == "voided")


@dataclass(frozen=True)
class Entry:
    """A booked movement. ``original``: the id of the entry that it voids, completes, adjusts or refunds."""

    id: int
    batch_id: int
    batch: int
    trace: str
    kind: str
    amount: int
    rrn: str
    date: str
    pan: str
    auth_code: str
    state: EntryState
    reversals: int
    original: int | None
    entry_mode: str
    voucher: str
    registration: int


class Booking(NamedTuple):
    """What is to be booked. ``registration`` is the row's (duplicates are looked for inside it); ``date`` MMDD;
    ``pan``: of a scanned payment the payment code."""

    mid: str
    tid: str
    registration: int
    batch: int
    trace: str
    kind: str
    amount: int
    rrn: str
    date: str
    pan: str
    auth_code: str
    original: int | None = None
    entry_mode: str = ""
    voucher: str = ""


class Ledger:
    """Every change is the caller's transaction."""

    def __init__(self, store: Store) -> None:
        self._db = store.db
        self._open: dict[tuple[str, str, int], int] = {}  # what is open for certain
        self._highest: dict[tuple[str, str, int, int], str] = {}  # (MID, TID, registration, batch) -> trace, "": none
        store.keeps_rows(self._open.clear)
        store.keeps_rows(self._highest.clear)

    # -- batches ------------------------------------------------------------------------------------------------------

    def open_batch(self, mid: str, tid: str, number: int) -> int | None:
        """The id of the open batch with this number, or None."""
        known = self._open.get((mid, tid, number))
        if known is None:
            known = self._batch(mid, tid, number, "AND open")
            if known is not None:
                self._open[mid, tid, number] = known
        return known

    def latest_batch(self, mid: str, tid: str, number: int) -> int | None:
        """The id of the newest batch with this number, open or closed."""
        return self._batch(mid, tid, number, "")

    def known_batch(self, mid: str, tid: str, number: int, present: int) -> int | None:
        """The batch that a request means: the open one; else, for a number that is not the host's ``present`` one, the
        newest closed one (numbers come again after 999999, and after a registration that begins at 000001)."""
        found = self.open_batch(mid, tid, number)
        return self.latest_batch(mid, tid, number) if found is None and number != present else found

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
        """Its batch end came."""
        self._open.clear()
        self._db.execute("UPDATE batches SET open = 0, settled = 1 WHERE id = ?", (batch_id,))

    def settle_batch(self, batch_id: int) -> None:
        """Its totals were compared and reset; it stays open for its upload and batch end."""
        self._db.execute("UPDATE batches SET settled = 1 WHERE id = ?", (batch_id,))

    def is_settled(self, batch_id: int | None) -> bool:
        """Whether its books were closed or reset."""
        row = self._db.execute("SELECT settled FROM batches WHERE id = ?", (batch_id,)).fetchone()
        return row is not None and bool(row["settled"])

    def last_closed(self, mid: str, tid: str) -> int | None:
        """The number of the batch that was closed last, or None."""
        row = self._db.execute(
            "SELECT number FROM batches WHERE mid = ? AND tid = ? AND NOT open ORDER BY id DESC", (mid, tid)
        ).fetchone()
        return None if row is None else int(row["number"])

    def write_off(self, mid: str, tid: str) -> None:
        """Closes all open batches: the unit that held them is gone, nobody will settle them."""
        self._open.clear()
        self._db.execute("UPDATE batches SET open = 0, settled = 1 WHERE mid = ? AND tid = ?", (mid, tid))

    def _batch(self, mid: str, tid: str, number: int, condition: str) -> int | None:
        row = self._db.execute(
            f"SELECT id FROM batches WHERE mid = ? AND tid = ? AND number = ? {condition} ORDER BY id DESC LIMIT 1",
            (mid, tid, number),
        ).fetchone()
        return None if row is None else int(row["id"])

    # -- entries ------------------------------------------------------------------------------------------------------

    def book(self, booking: Booking) -> None:
        """Books it, approved, and marks its original."""
        b = booking
        self._db.execute(
            "INSERT INTO entries (batch_id, mid, tid, registration, batch, trace, kind, amount, rrn, date, pan,"
            " auth_code, state, original, entry_mode, voucher)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'approved', nullif(?, 0), ?, ?)",
            (self.ensure_batch(b.mid, b.tid, b.batch), b.mid, b.tid, b.registration, b.batch, b.trace, b.kind, b.amount,
             b.rrn, b.date, b.pan, b.auth_code, b.original or 0, b.entry_mode, b.voucher),
        )
        booked = (b.mid, b.tid, b.registration, b.batch)
        if b.trace > self._highest.get(booked, b.trace):
            self._highest[booked] = b.trace
        if b.original is not None and b.kind in _MAKES:
            self._mark(b.original, _MAKES[b.kind])
            if b.kind == "completion_void":  # the pre-authorisation holds the money again
                self._mark(self._original_of(b.original), "approved")

    def reverse(self, entry: Entry) -> None:
        """A reversal takes effect: the entry is reversed; what it had made of its original is undone."""
        self._db.execute("UPDATE entries SET state = 'reversed', reversals = reversals + 1 WHERE id = ?", (entry.id,))
        if entry.original is not None:
            self._mark(entry.original, "approved")
            if entry.kind == "completion_void":
                self._mark(self._original_of(entry.original), "completed")

    def is_duplicate(self, mid: str, tid: str, registration: int, batch: int, trace: str) -> bool:
        """Whether this registration booked an original with this trace in this batch, whatever became of it since.

        An honest terminal counts up: above its highest trace nothing has to be looked for.
        """
        where = (mid, tid, registration, batch)
        highest = self._highest.get(where)
        if highest is None:
            row = self._db.execute(f"SELECT coalesce(max(trace), '') {_BOOKED}", where).fetchone()
            highest = self._highest[where] = str(row[0])
        if trace > highest:
            return False
        return self._db.execute(f"SELECT 1 {_BOOKED} AND trace = ?", (*where, trace)).fetchone() is not None

    def find(self, batch_id: int | None, trace: str) -> Entry | None:
        """The newest entry with this trace in a batch, of any registration. None: no batch, or no such entry."""
        return self._entry("batch_id = ? AND trace = ?", batch_id, trace)

    def by_receipt(self, mid: str, rrn: str) -> Entry | None:
        """The newest entry of this merchant with this F37."""
        return self._entry("mid = ? AND rrn = ?", mid, rrn)

    def by_authorisation(self, mid: str, auth_code: str, date: str, pan: str) -> Entry | None:
        """The newest pre-authorisation of this merchant with this F38, date (MMDD) and card."""
        return self._entry(
            "mid = ? AND auth_code = ? AND kind = 'pre_authorisation' AND date = ? AND pan = ?",
            mid, auth_code, date, pan,
        )

    def refunded(self, entry_id: int) -> int:
        """The sum of the refunds of an entry, in cents."""
        row = self._db.execute(
            "SELECT coalesce(sum(amount), 0) FROM entries"
            " WHERE original = ? AND kind = 'refund' AND state <> 'reversed'", (entry_id,),
        ).fetchone()
        return int(row[0])

    def entries(self, mid: str, tid: str, *, after: int = 0, limit: int = -1) -> list[Entry]:
        """All entries since (MID, TID) was first registered, in the order of booking; behind entry ``after``, and at
        most ``limit`` (-1: all)."""
        rows = self._db.execute(
            "SELECT entries.* FROM batches JOIN entries ON batch_id = batches.id"
            " WHERE batches.mid = ? AND batches.tid = ? AND entries.id > ? ORDER BY entries.id LIMIT ?",
            (mid, tid, after, limit),
        )
        return [_entry(row) for row in rows]

    def _entry(self, condition: str, *values: object) -> Entry | None:
        row = self._db.execute(f"SELECT * FROM entries WHERE {condition} ORDER BY id DESC LIMIT 1", values).fetchone()
        return None if row is None else _entry(row)

    def _mark(self, entry_id: int | None, state: EntryState) -> None:
        self._db.execute("UPDATE entries SET state = ? WHERE id = ?", (state, entry_id))

    def _original_of(self, entry_id: int) -> int | None:
        row = self._db.execute("SELECT original FROM entries WHERE id = ?", (entry_id,)).fetchone()
        return None if row is None else row["original"]

    # -- originals that were refused ----------------------------------------------------------------------------------

    def note_refused(self, mid: str, tid: str, batch: int, trace: str, code: str) -> None:
        """Remember that this original came and was declined: a reversal of it has nothing to undo."""
        self._db.execute("INSERT OR REPLACE INTO refused VALUES (?, ?, ?, ?, ?)", (mid, tid, batch, trace, code))

    def was_refused(self, mid: str, tid: str, batch: int, trace: str) -> str | None:
        """The code with which this original was declined, or None."""
        row = self._db.execute(
            "SELECT code FROM refused WHERE mid = ? AND tid = ? AND batch = ? AND trace = ?", (mid, tid, batch, trace)
        ).fetchone()
        return None if row is None else str(row["code"])

    # -- settlement ---------------------------------------------------------------------------------------------------

    def totals(self, batch_id: int | None, *, net: bool = False) -> Totals:
        """The books' totals of a batch, all zero for None: debits and credits by the side of each kind, without what is
        reversed and without what an adjustment or a tip replaced. ``net``: a voided entry and its void count nowhere,
        else on both sides."""
        debit_amount = debit_count = credit_amount = credit_count = 0
        for row in self._db.execute(
            "SELECT kind, state, sum(amount) AS amount, count(*) AS count FROM entries WHERE batch_id = ?"
            " AND state NOT IN ('reversed', 'adjusted') GROUP BY kind, state", (batch_id,),
        ):
            if net and (row["state"] == "voided" or row["kind"] in _VOIDS):
                continue
            if _SIDE[row["kind"]] == "debit":
                debit_amount, debit_count = debit_amount + row["amount"], debit_count + row["count"]
            elif _SIDE[row["kind"]] == "credit":
                credit_amount, credit_count = credit_amount + row["amount"], credit_count + row["count"]
        return Totals(debit_amount, debit_count, credit_amount, credit_count)


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        row["id"], row["batch_id"], row["batch"], row["trace"], row["kind"], row["amount"], row["rrn"], row["date"],
        row["pan"], row["auth_code"], row["state"], row["reversals"], row["original"], row["entry_mode"],
        row["voucher"], row["registration"],
    )
