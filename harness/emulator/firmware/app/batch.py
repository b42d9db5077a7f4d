"""What the batch log amounts to: which transactions count, the totals, and what is uploaded in which order. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .kinds import DEBIT, KINDS, REPLACING, VOIDS
from .records import Record, State

MAGNETIC_UPLOAD, CHIP_UPLOAD, FAILED_UPLOAD, UNBALANCED_CHIP_UPLOAD = "201", "203", "204", "205"
RECORDS_A_BLOCK = 8


class Totals(NamedTuple):
    """Of the batch, amounts in cents: sales and the like are debits, voids and refunds credits."""

    debits: int
    debit_amount: int
    credits: int
    credit_amount: int


def find(log: Sequence[Record], trace: str) -> Record | None:
    """The transaction with this trace number (six digits)."""
    return next((record for record in log if f"{record.trace:06d}" == trace), None)


def voided(log: Sequence[Record], trace: int) -> bool:
    """Whether a void in the log undoes the transaction with this trace number."""
    return any(record.kind in VOIDS and record.original == trace for record in log)


def replaced(state: State, log: Sequence[Record], trace: int) -> bool:
    """Whether an adjustment or a tip stands for the transaction with this trace number."""
    return any(
        record.kind in REPLACING and record.original == trace and record.trace not in state.refused for record in log
    )


def counting(state: State, log: Sequence[Record]) -> list[Record]:
    """The transactions of the batch: without those that were replaced, or refused by the host."""
    return [
        record for record in log if record.trace not in state.refused and not replaced(state, log, record.trace)
    ]


def totals(state: State, log: Sequence[Record]) -> Totals:
    """``settlement_voids`` of the dialect: a voided pair counts on both sides, or on none."""
    records = counting(state, log)
    if state.dialect.settlement_voids == "net":
        records = [r for r in records if r.kind not in VOIDS and not voided(log, r.trace)]
    debits = [record.amount for record in records if KINDS[record.kind].side == DEBIT]
    credits = [record.amount for record in records if KINDS[record.kind].side != DEBIT]
    return Totals(len(debits), sum(debits), len(credits), sum(credits))


def to_upload(state: State, log: Sequence[Record], balanced: bool) -> list[tuple[str, Record]]:
    """(60.3, record) of everything that is uploaded after a settlement, in this order.

    Chip transactions always; where the totals differ the others too, before them. Last, what a chip refused after the
    host's approval.
    """
    records = counting(state, log)
    plain = [] if balanced else [(MAGNETIC_UPLOAD, record) for record in records if not record.by_chip]
    form = CHIP_UPLOAD if balanced else UNBALANCED_CHIP_UPLOAD
    chip = [(CHIP_UPLOAD if KINDS[r.kind].stored else form, r) for r in records if r.by_chip]
    return plain + chip + [(FAILED_UPLOAD, record) for record in state.failed]


def next_block(uploads: Sequence[tuple[str, Record]], at: int) -> tuple[str, list[Record]]:
    """What the next message carries: up to eight records of form 201, or one of another form."""
    form = uploads[at][0]
    block = [record for other, record in uploads[at : at + RECORDS_A_BLOCK] if other == form]
    return form, block if form == MAGNETIC_UPLOAD else block[:1]
