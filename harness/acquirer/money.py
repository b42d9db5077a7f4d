"""Everything that moves money or asks for it, by the rows of :mod:`harness.protocol.transactions`.

One way for every kind: a repeated advice is answered again; the fields that the kind needs; who pays; the original that
it names; the issuer; the books.
"""

from __future__ import annotations

from functools import partial

from harness.acquirer.answers import APPROVED, Answer
from harness.acquirer.cases import Case, Desk, Handlers, amount_of, need
from harness.acquirer.issuer import Issuer, payer, payment, wallet
from harness.acquirer.ledger import Booking, Entry, Ledger
from harness.acquirer.store import RESERVED
from harness.acquirer.switch import Request
from harness.protocol.frames import Frame, FrameError
from harness.protocol.nested import Original
from harness.protocol.tlv import read_ber
from harness.protocol.transactions import KINDS, Kind

COMPLETION_LIMIT_PERCENT = 115
_VOIDS = frozenset({"void", "completion_void", "pre_authorisation_void"})
_COMPLETIONS = frozenset({"completion", "completion_advice"})
_FRESH = frozenset({"balance", "sale", "pre_authorisation", "offline_sale", "offline_chip_sale"})
_ALWAYS = (3, 22, 25, 49)
_NEEDS = {"trace": (61,), "receipt": (37, 61), "authorisation": (38, 61), "none": ()}
_BY_ENTRY = {"01": (2, 14), "05": (55,), "07": (55,)}  # F22 -> fields, where a card is presented
_SCAN = "03"
_DATE_DIGITS = 4


def handlers(desk: Desk) -> Handlers:
    """One for every kind."""
    money = _Money(desk)
    return {kind.name: partial(money.carry_out, kind) for kind in KINDS.values()}


def is_advice(kind: Kind) -> bool:
    """Sent until it is answered: a repeated one is booked once and answered as the first was."""
    return kind.stored or kind.mti == "0220"


def repeated(ledger: Ledger, request: Request, frame: Frame, present: int) -> Entry | None:
    """The entry that an advice booked when it came before: same batch, trace, kind, amount and card. ``present``: the
    host's batch number."""
    kind = KINDS.get(request.transaction)
    if kind is None or not is_advice(kind) or 4 not in frame:
        return None
    entry = ledger.find(ledger.known_batch(request.mid, request.tid, request.batch, present), request.trace)
    if entry is None or (entry.kind, entry.amount) != (kind.name, amount_of(frame)):
        return None
    try:
        said = payer(frame)
    except FrameError:
        return None
    return entry if not said or said == entry.pan else None


class _Money:
    def __init__(self, desk: Desk) -> None:
        self._desk, self._issuer = desk, Issuer(desk)

    def carry_out(self, kind: Kind, case: Case) -> Answer:
        frame, ledger = case.frame, self._desk.ledger
        before = repeated(ledger, case.request, frame, case.terminal.batch)
        if before is not None:
            extra = {13: before.date, 37: before.rrn} | ({38: before.auth_code} if before.auth_code else {})
            return Answer(APPROVED, f"{kind.name} came before and is booked once", extra)
        self._check_fields(kind, frame)
        if kind.name == "balance":
            return self._balance(case)
        amount, pan = amount_of(frame), payer(frame)
        if amount == 0:
            return Answer("13", "the amount is zero")
        scanned = frame.get(22)[:2] == _SCAN
        if scanned and kind.names == "none" and not wallet(pan):
            return Answer("14", "no payment code of Alipay or WeChat Pay in F59 (A3)")
        if not scanned and kind.names != "trace" and not _is_card(pan):
            return Answer("14", "no card number of 13 to 19 digits in F2 or F35")
        original = self._original(kind, case, pan)
        if original is not None:
            wrong = self._wrong(kind, frame, amount, pan, original)
            if wrong is not None:
                return wrong
            pan = original.pan
        elif kind.originals:
            return Answer("25", f"there is no such {' or '.join(sorted(kind.originals))}: {_named(kind, frame)}")
        return self._issuer.refuses(case, pan) or self._book(kind, case, amount, pan, original)

    def _check_fields(self, kind: Kind, frame: Frame) -> None:
        need(frame, *_ALWAYS, *_NEEDS[kind.names], *(() if kind.name == "balance" else (4,)))
        entry = frame.get(22)[:2]
        if entry == _SCAN and frame.get(22) != self._desk.profile.entry_scan:
            raise FrameError(f"{frame.get(22)}, of a scanned code it is {self._desk.profile.entry_scan}", field=22)
        if entry == _SCAN and kind.names == "none":
            need(frame, 59)
        by_voice = kind.name == "offline_sale" and entry != "01"  # the issuer was asked by telephone, not by the chip
        if kind.name in _FRESH and entry in _BY_ENTRY and not by_voice:
            need(frame, *_BY_ENTRY[entry])
        if kind.name == "offline_chip_sale":
            need(frame, 55)
        if 55 in frame:
            read_ber(frame.binary(55))

    def _balance(self, case: Case) -> Answer:
        pan = payer(case.frame)
        if not _is_card(pan):
            return Answer("14", "no card number of 13 to 19 digits in F2 or F35")
        extra = {54: self._issuer.balance(pan)} | self._issuer.chip_answer(case, pan)
        return self._issuer.refuses(case, pan) or Answer(APPROVED, f"balance {extra[54]}", extra)

    # -- originals ----------------------------------------------------------------------------------------------------

    def _original(self, kind: Kind, case: Case, pan: str) -> Entry | None:
        """The entry that the request names, of a kind that it may name. None: there is none, or none is to be named."""
        frame, request, ledger = case.frame, case.request, self._desk.ledger
        if kind.names == "none":
            return None
        named = Original.of(frame)
        if kind.names == "trace":
            entry = ledger.find(ledger.open_batch(request.mid, request.tid, int(named.batch)), named.trace)
        else:
            if len(named.date) != _DATE_DIGITS:
                raise FrameError("no date (MMDD) behind batch and trace", field=61)
            if kind.names == "receipt":
                entry = ledger.by_receipt(request.mid, frame.get(37))
                entry = None if entry is None or entry.date != named.date else entry
            else:
                entry = ledger.by_authorisation(request.mid, frame.get(38), named.date, pan)
        return entry if entry is not None and entry.kind in kind.originals else None

    def _wrong(self, kind: Kind, frame: Frame, amount: int, pan: str, original: Entry) -> Answer | None:
        """Why the request does not fit the original that it names; None: it does."""
        named = f"the original ({original.kind}, batch {original.batch:06d}, trace {original.trace})"
        if original.state != "approved":
            return Answer("12", f"{named} is {original.state}")
        if pan and pan != original.pan:
            return Answer("12", f"{named} was made with another card")
        if original.voucher and payment(frame).get("A4", original.voucher) != original.voucher:
            return Answer("12", f"{named} has voucher {original.voucher}")
        if kind.name in _VOIDS and amount != original.amount:
            return Answer("12", f"{named} has amount {original.amount}, the void {amount}")
        if kind.names == "trace" and (kind.name in _VOIDS or 37 in frame) and frame.get(37) != original.rrn:
            return Answer("12", f"{named} has F37 {original.rrn}, this one {frame.get(37) or 'none'}")
        if kind.names == "trace" and 38 in frame and frame.get(38) != original.auth_code:
            return Answer("12", f"{named} has F38 {original.auth_code or 'none'}, this one {frame.get(38)}")
        if kind.name in _COMPLETIONS and amount * 100 > original.amount * COMPLETION_LIMIT_PERCENT:
            return Answer("61", f"{named} has amount {original.amount}, at most {COMPLETION_LIMIT_PERCENT} % of it")
        refunded = self._desk.ledger.refunded(original.id)
        if kind.name == "refund" and refunded + amount > original.amount:
            return Answer("61", f"{named} has amount {original.amount}, refunded before {refunded}")
        if kind.name != "refund" and refunded:
            return Answer("12", f"{named} was refunded")
        if kind.name == "offline_tip" and 54 in frame:
            tip = frame.get(54)[-12:]
            if not (len(tip) == 12 and tip.isascii() and tip.isdigit()):
                raise FrameError("it does not end in 12 digits, the tip", field=54)
            if original.amount + int(tip) != amount:
                return Answer("13", f"{named} has amount {original.amount}, with a tip of {int(tip)} not {amount}")
        return None

    # -- books --------------------------------------------------------------------------------------------------------

    def _book(self, kind: Kind, case: Case, amount: int, pan: str, original: Entry | None) -> Answer:
        request, frame, extra = case.request, case.frame, {}
        # of a stored one the voice centre's; or none, where the card approved by itself
        number = 0 if kind.stored else self._desk.store.next_number("auth_code", RESERVED)
        auth_code = frame.get(38) if kind.stored else f"{number % 1_000_000:06d}"
        if auth_code:
            extra[38] = auth_code
        scanned = frame.get(22)[:2] == _SCAN
        voucher = ""
        if scanned:
            voucher = original.voucher if original else f"{case.stamp.day}{request.tid.strip()}{case.stamp.rrn}"
            extra[59] = f"A4{len(voucher):03d}{voucher}"
        self._desk.ledger.book(
            Booking(
                request.mid, request.tid, case.terminal.registration, request.batch, request.trace, kind.name, amount,
                case.stamp.rrn, case.stamp.date, pan, auth_code, None if original is None else original.id,
                frame.get(22)[:2], voucher,
            )
        )
        paid = f" by {wallet(pan)}" if scanned and original is None else ""
        why = f"{kind.name} of {amount / 100:.2f}{paid} booked, F37 {case.stamp.rrn}"
        return Answer(APPROVED, why, extra if kind.stored else extra | self._issuer.chip_answer(case, pan))


def _is_card(pan: str) -> bool:
    return 13 <= len(pan) <= 19 and pan.isascii() and pan.isdigit()


def _named(kind: Kind, frame: Frame) -> str:
    numbers = {"trace": (61,), "receipt": (37, 61), "authorisation": (38, 61)}[kind.names] if kind.originals else ()
    return ", ".join(f"F{number} {frame.get(number)}" for number in numbers)
