"""Financial transactions: those that go online at once, and those that are stored to be sent.

The order of commits is their safety: reversal and next trace number are committed before a message leaves; what the
answer means is committed, as one, before anything is shown or printed.
"""

from __future__ import annotations

from . import financial, messages, results, rules, slips, tables, texts
from .comms import Show, Verdict
from .desk import Desk
from .emv import APPROVED, DECLINED, ONLINE, Chip
from .financial import Order
from .kinds import SCAN
from .loop import Flow
from .messages import Request
from .pending import Pending
from .records import Record
from .results import Result
from .rules import Outcome
from .signing import Signing

_KEPT = (2, 3, 4, 22, 23, 25, 55)  # of a request: what uploads about a chip transaction repeat


class Online:
    """Every transaction that asks the host before it is done."""

    def __init__(self, desk: Desk, pending: Pending, signing: Signing) -> None:
        self._desk, self._store, self._pending, self._signing = desk, desk.store, pending, signing

    def perform(self, order: Order, show: Show) -> Flow[Result]:
        yield from self._desk.line.take(show)
        try:
            refusal = self._desk.refusal()
            if refusal is not None:
                return refusal
            stuck = yield from self._pending.deliver_all(show)
            if stuck is not None:
                return stuck
            return (yield from self._send(order, show))
        finally:
            self._desk.line.release()

    def _send(self, order: Order, show: Show) -> Flow[Result]:
        if not self._store.state.mak:  # erased while something else was delivered
            return results.local(results.SIGN_IN_FIRST, texts.SIGN_IN_FIRST)
        chip = None
        if order.card is not None and order.card.by_chip:
            chip = chip_for(self._desk, order)
            if chip.generate(ONLINE) != ONLINE:
                return results.local(results.CARD_REFUSED, texts.CARD_REFUSED)
        request = financial.request(self._store.state, order, chip.f55 if chip else "")
        reversal = messages.reversal_of(request, "98") if order.kind.reversible else None
        self._desk.original_under_way = True
        try:
            self._store.commit(reversal=reversal, trace=rules.next_trace(self._store.state.trace))
            verdict = yield from self._desk.exchange(request, show)
            record = record_of(self._desk, order, request, verdict.fields)
            if verdict.outcome is Outcome.APPROVED:
                return self._approved(order, request, record, verdict, chip)
            self._tell_no(chip, verdict)
            reason = rules.reversal_reason(self._store.state.dialect, verdict.outcome)
            signed_in = rules.stays_signed_in(self._store.state, verdict.outcome, verdict.code)
            due = messages.reversal_of(request, reason) if reason and order.kind.reversible else None
            if due != self._store.state.reversal or signed_in != self._store.state.signed_in:
                self._store.commit(reversal=due, signed_in=signed_in)
        finally:
            self._desk.original_under_way = False
        if rules.signs_in_by_itself(self._store.state.dialect, verdict.outcome, verdict.code):
            return (yield from self._sign_in_again(verdict, record, show))
        return self._desk.failure(verdict)._replace(record=record)

    def _approved(
        self, order: Order, request: Request, record: Record, verdict: Verdict, chip: Chip | None
    ) -> Result:
        """The host said yes. What the chip says then is the last word, where its no can still be undone."""
        agreed = chip is None or chip.answered(verdict.fields.get(55, ""), True)
        if not agreed and order.kind.reversible:
            due = messages.reversal_of(request, self._store.state.dialect.reversal_reason_fault)
            self._store.commit(reversal=due, failed=(*self._store.state.failed, record))
            return results.local(results.CARD_REFUSED, texts.CARD_REFUSED)
        script, trace = None, self._store.state.trace
        if chip is not None and chip.script_result:
            script = messages.script_of(self._store.state, request, record, chip.script_result)
            trace = rules.next_trace(trace)
        if order.kind.name == "balance":
            self._store.commit(reversal=None, script=script, trace=trace)
            return results.of_balance(verdict.fields.get(54, ""), verdict.code, record)
        booked = record if order.kind.in_batch else None
        self._store.commit(book=booked, reversal=None, last=record, script=script, trace=trace)
        return results.approved(record, slips.receipt(self._store.state, record), verdict.code)

    @staticmethod
    def _tell_no(chip: Chip | None, verdict: Verdict) -> None:
        """To the card: a definite decline, or nothing that counts."""
        if chip is None:
            return
        if verdict.outcome is Outcome.DECLINED:
            chip.answered(verdict.fields.get(55, ""), False)
        else:
            chip.not_answered()

    def _sign_in_again(self, verdict: Verdict, record: Record, show: Show) -> Flow[Result]:
        """The host wants a sign-in first: it is done at once, the operator has only to repeat the transaction."""
        signed_in = yield from self._signing.sign_in(show)
        if not signed_in.ok:
            return signed_in._replace(record=record)
        declined = self._desk.failure(verdict)
        return declined._replace(record=record, lines=(*declined.lines, texts.REPEAT))


class Offline:
    """Transactions that are done without the host, and sent later."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._store = desk, desk.store

    def perform(self, order: Order, show: Show) -> Flow[Result]:
        yield from self._desk.line.take(show)
        try:
            return self._desk.refusal() or self._keep(order)
        finally:
            self._desk.line.release()

    def _keep(self, order: Order) -> Result:
        state = self._store.state
        parameters = state.parameters
        full = 0 < parameters.offline_most <= len(state.undelivered)
        if not parameters.offline or full or self._above_limit(order):
            return results.local(results.NOT_ALLOWED, texts.NOT_ALLOWED)
        chip = None
        if order.card is not None and order.card.by_chip:
            chip = chip_for(self._desk, order)
            wanted = APPROVED if order.kind.name == "offline_chip_sale" else DECLINED
            gave = chip.generate(wanted)
            if wanted == APPROVED and gave != APPROVED:
                if gave == ONLINE:
                    chip.generate(DECLINED)
                return results.local(results.CARD_REFUSED, texts.CARD_REFUSED)
        request = financial.request(state, order, chip.f55 if chip and order.kind.name == "offline_chip_sale" else "")
        record = record_of(self._desk, order, request, {})
        self._store.commit(
            book=record, last=record, undelivered=(*state.undelivered, record.trace),
            trace=rules.next_trace(state.trace),
        )
        return results.approved(record, slips.receipt(state, record), results.OK)

    def _above_limit(self, order: Order) -> bool:
        """More than the chip application's parameters let the card approve alone."""
        if order.kind.name != "offline_chip_sale" or order.card is None:
            return False
        aid = order.card.objects.get("84") or order.card.objects.get("4F", "")
        return tables.above_offline_limit(self._store, aid, order.amount)


def chip_for(desk: Desk, order: Order) -> Chip:
    assert order.card is not None
    return Chip(
        desk.board, order.card, trace=desk.state.trace, amount=order.amount, processing=order.kind.processing
    )


def record_of(desk: Desk, order: Order, request: Request, answer: dict[int, str]) -> Record:
    """The transaction as it is remembered if it is approved; ``answer``: the host's fields, none where it is stored."""
    date, clock, year = desk.clock()
    fields, card, original = request.fields, order.card, order.original
    stored = order.kind.stored
    kept = {number: fields[number] for number in _KEPT if number in fields} if card and card.by_chip else {}
    code = card.code if card and card.mode == SCAN else original.code if original else ""
    return Record(
        kind=order.kind.name, amount=order.amount, pan=fields.get(2, ""), batch=int(fields[60][2:8]),
        trace=int(fields[11]), reference=answer.get(37, ""),
        authorisation=answer.get(38, "").strip() or (order.authorisation if stored else ""),
        date=answer.get(13) or date, time=answer.get(12) or clock, year=year,
        original=original.trace if original else 0, entry=fields[22], code=code, tip=order.tip,
        voucher=_voucher(answer.get(59, "")), sent=fields if stored else kept,
    )


def _voucher(f59: str) -> str:
    """The host's voucher for a payment code: A4, three digits length, value."""
    at = 0
    while at + 5 <= len(f59):
        tag, digits = f59[at : at + 2], f59[at + 2 : at + 5]
        if not (digits.isascii() and digits.isdigit()):
            return ""
        value = f59[at + 5 : at + 5 + int(digits)]
        if tag == "A4":
            return value
        at += 5 + int(digits)
    return ""
