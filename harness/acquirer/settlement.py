"""Settlement, batch upload and batch end."""

from __future__ import annotations

from harness.acquirer.answers import APPROVED, Answer, card_number
from harness.acquirer.cases import Case, Desk, Handlers, amount_of, need
from harness.acquirer.registry import next_batch
from harness.protocol.frames import FrameError
from harness.protocol.nested import (
    BatchRecord,
    Totals,
    batch_end_count,
    batch_records,
    make_totals,
    settlement_totals,
)
from harness.protocol.tlv import read_ber

_BALANCED, _NOT_BALANCED = 1, 2
_CHIP_KIND = "00"  # of the record that a chip upload makes; its message has none of its own


def handlers(desk: Desk) -> Handlers:
    """0500, and 0320 of every kind."""
    work = _Settlement(desk)
    return {
        "settlement": work.settle, "batch_upload": work.upload, "batch_upload_chip": work.upload_chip,
        "batch_end": work.end,
    }


class _Settlement:
    def __init__(self, desk: Desk) -> None:
        self._desk, self._net = desk, desk.profile.settlement_voids == "net"

    def settle(self, case: Case) -> Answer:
        self._check_encoding(case)
        desk, request, terminal = self._desk, case.request, case.terminal
        home, foreign = settlement_totals(case.frame)
        batch_id = desk.known_batch(case)
        ours = desk.ledger.totals(batch_id, net=self._net)
        result = _result(home, ours)
        answer = make_totals(
            Totals(ours.debit_amount, ours.debit_count, ours.credit_amount, ours.credit_count, result),
            Totals(result=_result(foreign, Totals())),
        )
        why = f"batch {request.batch:06d}: the books have {_words(ours)}, the terminal {_words(home)}"
        why = f"{'' if result == _BALANCED else 'not '}balanced, {why}"
        code = APPROVED
        if desk.ledger.is_settled(batch_id):
            code = self._already_reset()
            why += "; its books were closed before" if code == APPROVED else "; its totals were reset before"
        elif desk.profile.batch_moves == "settlement" and request.batch == terminal.batch:
            desk.ledger.settle_batch(desk.batch_of(case))
            why += f"; the next is {self._move(case):06d}"
        return Answer(code, why, {48: answer})

    def upload(self, case: Case) -> Answer:
        self._check_encoding(case)
        records = batch_records(case.frame)
        new = self._desk.uploads.collect(self._desk.batch_of(case), records, case.request.network_code)
        again = len(records) - new
        repeated = f", {again} of them known before and not taken twice" if again else ""
        return Answer(APPROVED, f"{len(records)} records for batch {case.request.batch:06d}{repeated}")

    def upload_chip(self, case: Case) -> Answer:
        """One chip record: F11 is the original's trace, F55 its chip data."""
        need(case.frame, 4, 11, 55)
        pan, f55 = card_number(case.frame), case.frame.binary(55)
        if not pan:
            need(case.frame, 2)
        read_ber(f55)
        record = BatchRecord(_CHIP_KIND, case.frame.get(11), pan, amount_of(case.frame))
        source = case.request.network_code
        new = self._desk.uploads.collect(self._desk.batch_of(case), [record], source, f55.hex().upper())
        repeated = "" if new else ", known before and not taken twice"
        return Answer(APPROVED, f"chip record {record.trace} ({source}) for batch {case.request.batch:06d}{repeated}")

    def end(self, case: Case) -> Answer:
        self._check_encoding(case)
        desk, request, terminal = self._desk, case.request, case.terminal
        count = batch_end_count(case.frame)
        present = request.batch == terminal.batch
        if not present and desk.ledger.open_batch(request.mid, request.tid, request.batch) is None:
            return Answer(APPROVED, f"batch {request.batch:06d} is closed already")
        batch_id = desk.batch_of(case)
        why = f"batch {request.batch:06d} closed"
        if request.network_code == desk.profile.batch_end_unbalanced:
            why += f", uploaded {count}; {desk.uploads.reconcile(batch_id, net=self._net)}"
        desk.ledger.close_batch(batch_id)
        if present:
            why += f"; the next is {self._move(case):06d}"
        return Answer(APPROVED, why)

    def _move(self, case: Case) -> int:
        following = next_batch(case.terminal.batch)
        self._desk.registry.set_batch(case.terminal.mid, case.terminal.tid, following)
        return following

    def _already_reset(self) -> str:
        """The code that says "totals reset" where the network has one among the successes of an 0510."""
        return next((code for code in self._desk.profile.settlement_success if code != APPROVED), APPROVED)

    def _check_encoding(self, case: Case) -> None:
        need(case.frame, 48)
        wanted = self._desk.profile.f48_encoding
        if case.frame.f48 != wanted:
            raise FrameError(f"it is written in {case.frame.f48.upper()}, this host has {wanted.upper()}", field=48)


def _result(theirs: Totals, ours: Totals) -> int:
    def parts(t: Totals) -> tuple[int, ...]:
        return t.debit_amount, t.debit_count, t.credit_amount, t.credit_count

    return _BALANCED if parts(theirs) == parts(ours) else _NOT_BALANCED


def _words(totals: Totals) -> str:
    return f"{totals.debit_count}/{totals.debit_amount} debit, {totals.credit_count}/{totals.credit_amount} credit"
