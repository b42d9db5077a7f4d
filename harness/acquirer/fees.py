"""What the acquirer keeps of a settlement: fees per card type, and the report of a batch. Amounts are cents.

A fee is a rate in basis points, rounded half up for each transaction, and at most the cap. What is given back (void,
refund, completion void) takes back the fee of that part of its original: the fee of what was left before less that of
what is left after, so that in the end exactly the original's fee came back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from harness.acquirer.cards import IssuerCard
from harness.acquirer.issuer import wallet
from harness.acquirer.store import Store
from harness.protocol.transactions import KINDS

CardType = Literal["debit", "credit", "scan"]
CARD_TYPES: tuple[CardType, ...] = get_args(CardType)

# The longest prefix that fits decides. ASSUMED: no issuer publishes the whole table. 62 is UnionPay's range; 625 and
# 628 are its credit ranges (standard and official cards), 4, 5, 34, 35, 36 and 37 the dual-currency credit cards.
_PREFIXES: Mapping[str, CardType] = {
    "62": "debit", "625": "credit", "628": "credit", "4": "credit", "5": "credit", "34": "credit", "35": "credit",
    "36": "credit", "37": "credit",
}  # fmt: skip
_NOT_COUNTED = ("reversed", "adjusted")


@dataclass(frozen=True)
class Fee:
    """``cap`` in cents; None: no cap."""

    basis_points: int
    cap: int | None = None

    def of(self, amount: int) -> int:
        """The fee for an amount of 0 or more."""
        fee = (amount * self.basis_points + 5_000) // 10_000
        return fee if self.cap is None else min(fee, self.cap)


@dataclass(frozen=True)
class Line:
    """What a batch has of one card type; ``count`` transactions, gross = fee + net. Negative: more was given back."""

    card_type: CardType
    count: int
    gross: int
    fee: int

    @property
    def net(self) -> int:
        return self.gross - self.fee


@dataclass(frozen=True)
class Report:
    """The settlement report of a batch. ``open``: it goes on growing."""

    mid: str
    tid: str
    batch: int
    open: bool
    lines: tuple[Line, ...]

    @property
    def gross(self) -> int:
        return sum(line.gross for line in self.lines)

    @property
    def fee(self) -> int:
        return sum(line.fee for line in self.lines)

    @property
    def net(self) -> int:
        return self.gross - self.fee


def card_type(number: str, cards: Mapping[str, IssuerCard]) -> CardType:
    """By the list of test cards, else by the range of the number; "" (a scan without its code) counts as a scan."""
    if not number or wallet(number):
        return "scan"
    listed = cards.get(number)
    if listed is not None and listed.type is not None:
        return listed.type
    fitting = [prefix for prefix in _PREFIXES if number.startswith(prefix)]
    return _PREFIXES[max(fitting, key=len)] if fitting else "debit"


class Fees:
    """Rates of merchants, and reports. Changes are the caller's transaction."""

    def __init__(self, store: Store, cards: Mapping[str, IssuerCard]) -> None:
        self._db, self._cards = store.db, cards

    def set_rates(self, mid: str, rates: Mapping[CardType, Fee]) -> None:
        """From now on, also for batches that are open; a card type that is not named costs nothing. The reports of
        batches that are closed stay what they were."""
        before, free = self.rates(mid), Fee(0)
        closed = self._db.execute(
            "SELECT id FROM batches WHERE mid = ? AND NOT open AND id NOT IN (SELECT batch_id FROM batch_fees)", (mid,)
        ).fetchall()
        self._db.executemany(
            "INSERT INTO batch_fees VALUES (?, ?, ?, ?)",
            [
                (row["id"], name, fee.basis_points, fee.cap)
                for row in closed for name in CARD_TYPES for fee in (before.get(name, free),)
            ],
        )  # fmt: skip
        self._db.execute("DELETE FROM fees WHERE mid = ?", (mid,))
        self._db.executemany(
            "INSERT INTO fees VALUES (?, ?, ?, ?)",
            [(mid, name, fee.basis_points, fee.cap) for name, fee in rates.items()],
        )

    def rates(self, mid: str) -> dict[CardType, Fee]:
        return _by_type(self._db.execute("SELECT * FROM fees WHERE mid = ? ORDER BY card_type", (mid,)))

    def _rates_in(self, batch_id: int, mid: str) -> dict[CardType, Fee]:
        """Those of a batch."""
        kept = self._db.execute("SELECT * FROM batch_fees WHERE batch_id = ?", (batch_id,))
        return _by_type(kept) or self.rates(mid)

    def reports(self, mid: str, tid: str, limit: int) -> list[Report]:
        """Of the newest batches of a terminal, at most ``limit``, the newest first."""
        rows = self._db.execute(
            "SELECT * FROM batches WHERE mid = ? AND tid = ? ORDER BY id DESC LIMIT ?", (mid, tid, limit)
        )
        return [self._report(row) for row in rows.fetchall()]

    def newest(self, mid: str, tid: str, batch: int) -> Report | None:
        """Of the newest batch with this number."""
        row = self._db.execute(
            "SELECT * FROM batches WHERE mid = ? AND tid = ? AND number = ? ORDER BY id DESC", (mid, tid, batch)
        ).fetchone()
        return None if row is None else self._report(row)

    def _report(self, batch: sqlite3.Row) -> Report:
        rates = {batch["id"]: self._rates_in(batch["id"], batch["mid"])}
        found: dict[CardType, list[tuple[int, int]]] = {}
        entries = self._db.execute("SELECT * FROM entries WHERE batch_id = ? ORDER BY id", (batch["id"],)).fetchall()
        for entry in entries:
            side = KINDS[entry["kind"]].side
            if side == "none" or entry["state"] in _NOT_COUNTED:
                continue
            original = self._original(entry)
            of_card = card_type((entry if original is None else original)["pan"], self._cards)
            # What goes back is part of the original's fee, by the rates of the original's batch.
            in_batch = batch["id"] if side == "debit" or original is None else original["batch_id"]
            if in_batch not in rates:
                rates[in_batch] = self._rates_in(in_batch, batch["mid"])
            fee = rates[in_batch].get(of_card, Fee(0))
            if side == "debit":
                counted = entry["amount"], fee.of(entry["amount"])
            else:
                counted = -entry["amount"], -self._given_back(entry, original, fee)
            found.setdefault(of_card, []).append(counted)
        lines = tuple(
            Line(name, len(found[name]), sum(gross for gross, _ in found[name]), sum(fee for _, fee in found[name]))
            for name in CARD_TYPES if name in found
        )
        return Report(batch["mid"], batch["tid"], batch["number"], bool(batch["open"]), lines)

    def _original(self, entry: sqlite3.Row) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._db.execute(
            "SELECT * FROM entries WHERE id = ?", (entry["original"],)
        ).fetchone()
        return row

    def _given_back(self, entry: sqlite3.Row, original: sqlite3.Row | None, fee: Fee) -> int:
        """The part of the original's fee that goes back with ``entry``, by what earlier ones left of it."""
        if original is None:
            return fee.of(entry["amount"])
        credits = [name for name, kind in KINDS.items() if kind.side == "credit"]
        marks = ", ".join("?" * len(credits))
        earlier = self._db.execute(
            f"SELECT coalesce(sum(amount), 0) FROM entries WHERE original = ? AND id < ? AND state <> 'reversed'"
            f" AND kind IN ({marks})",
            (original["id"], entry["id"], *credits),
        ).fetchone()[0]
        left = max(0, original["amount"] - earlier)
        return fee.of(left) - fee.of(max(0, left - entry["amount"]))


def _by_type(rows: Iterable[sqlite3.Row]) -> dict[CardType, Fee]:
    return {row["card_type"]: Fee(row["basis_points"], row["cap"]) for row in rows}
