"""What terminals deliver after the fact: batch uploads, compared with the books and never booked, and the follow-ups of
a transaction (script results, signatures), kept beside its entry. Each is taken once, however often it comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.acquirer.store import Store
from harness.protocol.nested import BatchRecord
from harness.protocol.transactions import KINDS

CHIP_REFUSED = "204"  # F60.3 of a record whose card refused after the approval: it is not in the batch
_SCAN = "03"


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


@dataclass(frozen=True)
class FollowUp:
    """Something that belongs to an entry. ``kind``: script_notice (``data`` is F55) or signature_upload (F62), hex."""

    batch: int
    trace: str
    kind: str
    data: str
    times: int


class Uploads:
    """Every change is the caller's transaction."""

    def __init__(self, store: Store) -> None:
        self._db = store.db

    def collect(self, batch_id: int, records: Sequence[BatchRecord], source: str = "201", f55: str = "") -> int:
        """Keep uploaded records; one that came before (same trace) is not taken twice. Returns how many were new.

        ``source``: F60.3 of the message; ``f55``: chip data (hex) of the one record of a chip upload.
        """
        new = 0
        for record in records:
            row = self._db.execute(
                "INSERT INTO uploads VALUES (?, ?, ?, ?, ?, 1, ?, ?) ON CONFLICT DO UPDATE SET kind = excluded.kind,"
                " pan = excluded.pan, amount = excluded.amount, source = excluded.source, f55 = excluded.f55,"
                " times = times + 1 RETURNING times",
                (batch_id, record.trace, record.kind, record.pan, record.amount, source, f55),
            ).fetchone()
            new += row["times"] == 1
        return new

    def chip_data(self, batch_id: int) -> dict[str, str]:
        """F55 (hex) of the chip records of a batch, by trace."""
        rows = self._db.execute(
            "SELECT trace, f55 FROM uploads WHERE batch_id = ? AND f55 <> '' ORDER BY trace", (batch_id,)
        )
        return {row["trace"]: row["f55"] for row in rows}

    def reconcile(self, batch_id: int, *, net: bool = False) -> Reconciliation:
        """What was uploaded for a batch against its books: entries that stand in a batch and are not reversed.

        What an adjustment or a tip replaced may be there or not, and with ``net`` (voids are netted) so may a voided
        entry and its void. The card of a scanned payment is not compared: a record has no room for every payment code.
        """
        uploaded = {
            row["trace"]: (row["amount"], row["pan"])
            for row in self._db.execute(
                "SELECT * FROM uploads WHERE batch_id = ? AND source <> ?", (batch_id, CHIP_REFUSED)
            )
        }
        booked, optional = {}, set()
        for row in self._db.execute(
            "SELECT * FROM entries WHERE batch_id = ? AND state <> 'reversed' ORDER BY id", (batch_id,)
        ):
            if not KINDS[row["kind"]].in_batch:
                continue
            trace = row["trace"]
            booked[trace] = (row["amount"], None if row["entry_mode"] == _SCAN else row["pan"])
            pair = row["state"] == "voided" or KINDS[row["kind"]].name in ("void", "completion_void")
            if row["state"] == "adjusted" or (net and pair):
                optional.add(trace)
        both = uploaded.keys() & booked.keys()

        def differs(trace: str) -> bool:
            (amount, pan), (our_amount, our_pan) = uploaded[trace], booked[trace]
            return amount != our_amount or (our_pan is not None and pan != our_pan)

        return Reconciliation(
            records=len(uploaded),
            missing=tuple(sorted(booked.keys() - uploaded.keys() - optional)),
            unknown=tuple(sorted(uploaded.keys() - booked.keys())),
            different=tuple(sorted(trace for trace in both if differs(trace))),
        )

    def keep(self, entry_id: int, kind: str, data: str) -> bool:
        """Keep a follow-up; a repeated one replaces the first. True when it is new."""
        row = self._db.execute(
            "INSERT INTO follow_ups VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET data = excluded.data,"
            " times = times + 1 RETURNING times", (entry_id, kind, data),
        ).fetchone()
        return bool(row["times"] == 1)

    def follow_ups(self, mid: str, tid: str) -> list[FollowUp]:
        """All follow-ups of a terminal, in the order of their transactions."""
        rows = self._db.execute(
            "SELECT e.batch, e.trace, f.kind, f.data, f.times FROM follow_ups f JOIN entries e ON e.id = f.entry"
            " WHERE e.mid = ? AND e.tid = ? ORDER BY e.id, f.kind", (mid, tid),
        )
        return [FollowUp(row["batch"], row["trace"], row["kind"], row["data"], row["times"]) for row in rows]
