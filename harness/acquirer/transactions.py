"""What the host does with a request that the switch let through: one function per transaction.

Where public sources leave a point open the choice is in docs/acquirer.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.acquirer.answers import APPROVED, Answer, Stamp, card_number
from harness.acquirer.cards import IssuerCard
from harness.acquirer.ledger import Booking, Kind, Ledger
from harness.acquirer.registry import Registry, SignState, Terminal, new_key, next_batch
from harness.acquirer.store import Store
from harness.acquirer.switch import Request, Transaction
from harness.protocol import keys
from harness.protocol.frames import Frame, FrameError
from harness.protocol.nested import Original, Totals, batch_end_count, batch_records, make_totals, settlement_totals
from harness.protocol.profile import Profile

_BALANCED, _NOT_BALANCED = 1, 2


@dataclass(frozen=True)
class Case:
    """A request that passed the switch: its values, its frame, the terminal's row, and the stamp for its answer."""

    request: Request
    frame: Frame
    terminal: Terminal
    stamp: Stamp
    keeps_keys: bool = False  # told so: a sign-in makes no new working keys where there are some


class Transactions:
    """Decides and books. Every call is inside the caller's database transaction."""

    def __init__(
        self, store: Store, registry: Registry, ledger: Ledger, profile: Profile, cards: Mapping[str, IssuerCard]
    ) -> None:
        self._store, self._registry, self._ledger = store, registry, ledger
        self._profile, self._cards = profile, cards
        self._by_name: Mapping[Transaction, Callable[[Case], Answer]] = {
            Transaction.SIGN_IN: self._sign_in,
            Transaction.SIGN_OFF: self._sign_off,
            Transaction.ECHO: lambda case: Answer(APPROVED, "echo"),
            Transaction.SALE: self._sale,
            Transaction.VOID: self._void,
            Transaction.REVERSAL: self._reversal,
            Transaction.SETTLEMENT: self._settlement,
            Transaction.UPLOAD: self._upload,
            Transaction.BATCH_END: self._batch_end,
            Transaction.OTHER: lambda case: Answer("40", "function not supported"),
        }

    def carry_out(self, case: Case) -> Answer:
        """The answer; what it says is booked."""
        try:
            return self._by_name[case.request.transaction](case)
        except FrameError as error:
            return Answer("30", str(error))

    # -- network management -------------------------------------------------------------------------------------------

    def _sign_in(self, case: Case) -> Answer:
        terminal, code = case.terminal, self._profile.sign_in_network_code
        known = self._registry.keys(terminal.mid, terminal.tid)
        assert known is not None, "a row has a TMK"
        pik, mak = new_key(8 if code == "001" else 16), new_key(8)
        if case.keeps_keys and known.pik is not None and known.mak is not None:
            pik, mak = known.pik, known.mak
        batch = self._registry.sign_in(terminal, pik, mak)
        f62 = keys.make_f62(known.tmk, code, pik, mak)
        why = f"signed in, batch {batch:06d}, new keys under the TMK with KCV {kcv_text(known.tmk)}"
        return Answer(APPROVED, why, {60: f"00{batch:06d}{code}", 62: f62.hex().upper()})

    def _sign_off(self, case: Case) -> Answer:
        self._registry.set_sign_state(case.terminal.mid, case.terminal.tid, SignState.SIGNED_OFF)
        return Answer(APPROVED, "signed off")

    # -- money --------------------------------------------------------------------------------------------------------

    def _sale(self, case: Case) -> Answer:
        amount, pan = _amount(case.frame), card_number(case.frame)
        if amount == 0:
            return Answer("13", "the amount is zero")
        if not (13 <= len(pan) <= 19 and pan.isdigit()):
            return Answer("14", "no card number of 13 to 19 digits in F2 or F35")
        return self._ask_issuer(case, pan) or self._book(case, "sale", amount, pan)

    def _void(self, case: Case) -> Answer:
        amount, pan, original = _amount(case.frame), card_number(case.frame), Original.of(case.frame)
        batch_id = self._ledger.open_batch(case.request.mid, case.request.tid, int(original.batch))
        entry = self._ledger.find(batch_id, original.trace)
        named = f"the original (batch {original.batch}, trace {original.trace})"
        if entry is None or entry.kind != "sale":
            return Answer("25", f"{named} is no sale of an open batch")
        if entry.state != "approved":
            return Answer("12", f"{named} is {entry.state}")
        if entry.amount != amount:
            return Answer("12", f"{named} has amount {entry.amount}, the void {amount}")
        if entry.rrn != case.frame.get(37):
            return Answer("12", f"{named} has F37 {entry.rrn}, the void {case.frame.get(37) or 'none'}")
        if pan and pan != entry.pan:
            return Answer("12", f"{named} was made with another card")
        return self._ask_issuer(case, entry.pan) or self._book(case, "void", amount, entry.pan, entry.id)

    def _book(self, case: Case, kind: Kind, amount: int, pan: str, original: int | None = None) -> Answer:
        auth_code = f"{self._store.next_number('auth_code') % 1_000_000:06d}"
        request = case.request
        self._ledger.book(
            Booking(
                request.mid, request.tid, case.terminal.registration, request.batch, request.trace, kind, amount,
                case.stamp.rrn, case.stamp.date, pan, auth_code, original,
            )
        )
        return Answer(APPROVED, f"{kind} of {amount / 100:.2f} booked, F37 {case.stamp.rrn}", {38: auth_code})

    def _ask_issuer(self, case: Case, pan: str) -> Answer | None:
        """The issuer's refusal: PIN block unreadable 99, wrong PIN 55, or the card's own code; None: approved."""
        card = self._cards.get(pan)
        if 52 in case.frame:
            try:
                pin = self._pin(case, pan)
            except keys.KeyMaterialError as error:
                return Answer("99", f"PIN: {error}")
            if card is not None and card.pin is not None and card.pin != pin:
                return Answer("55", "wrong PIN")
        if card is not None and card.code is not None:
            return Answer(card.code, f"the issuer answers this test card {card.code}")
        return None

    def _pin(self, case: Case, pan: str) -> str:
        known = self._registry.keys(case.request.mid, case.request.tid)
        if known is None or known.pik is None:
            raise keys.KeyMaterialError("no PIK is known for this terminal")
        with_pan = case.frame.get(53, "2")[:1] != "1"  # F53 begins 2: block with PAN, 1: without
        return keys.pin_from_block(keys.decrypt(known.pik, case.frame.binary(52)), pan if with_pan else None)

    def _reversal(self, case: Case) -> Answer:
        request = case.request
        entry = self._ledger.find(self._known_batch(case), request.trace)
        if entry is None:
            code = self._ledger.was_refused(request.mid, request.tid, request.batch, request.trace)
            if code is None:
                return Answer("25", "the original was never seen")
            return Answer(APPROVED, f"the original was answered {code}, there is nothing to reverse")
        if entry.amount != _amount(case.frame):
            return Answer("12", f"the original has amount {entry.amount}, the reversal {_amount(case.frame)}")
        if request.message_type != {"sale": "22", "void": "23"}[entry.kind]:
            return Answer("12", f"the original is a {entry.kind}, the reversal has F60.1 {request.message_type}")
        if entry.state == "reversed":
            return Answer(APPROVED, f"{entry.kind} was reversed before")
        if entry.state == "voided":
            return Answer("12", "the original was voided")
        self._ledger.reverse(entry)
        return Answer(APPROVED, f"{entry.kind} of {entry.amount / 100:.2f} reversed")

    # -- settlement ---------------------------------------------------------------------------------------------------

    def _settlement(self, case: Case) -> Answer:
        home, foreign = settlement_totals(case.frame)
        ours = self._ledger.totals(self._ledger.open_batch(case.request.mid, case.request.tid, case.request.batch))
        result = _result(home, ours)
        answer = make_totals(
            Totals(ours.debit_amount, ours.debit_count, ours.credit_amount, ours.credit_count, result),
            Totals(result=_result(foreign, Totals())),
        )
        why = f"batch {case.request.batch:06d}: the books have {_words(ours)}, the terminal {_words(home)}"
        return Answer(APPROVED, f"{'' if result == _BALANCED else 'not '}balanced, {why}", {48: answer})

    def _upload(self, case: Case) -> Answer:
        records = batch_records(case.frame)
        new = self._ledger.collect(self._batch_of(case), records)
        again = len(records) - new
        repeated = f", {again} of them known before and not taken twice" if again else ""
        return Answer(APPROVED, f"{len(records)} records for batch {case.request.batch:06d}{repeated}")

    def _batch_end(self, case: Case) -> Answer:
        request, terminal = case.request, case.terminal
        count = batch_end_count(case.frame)
        if request.batch != terminal.batch and not self._ledger.open_batch(request.mid, request.tid, request.batch):
            return Answer(APPROVED, f"batch {request.batch:06d} is closed already")
        batch_id = self._batch_of(case)
        why = f"batch {request.batch:06d} closed"
        if request.network_code == self._profile.batch_end_unbalanced:
            why += f", uploaded {count}; {self._ledger.reconcile(batch_id)}"
        self._ledger.close_batch(batch_id)
        if request.batch == terminal.batch:
            following = next_batch(terminal.batch)
            self._registry.set_batch(terminal.mid, terminal.tid, following)
            why += f"; the next is {following:06d}"
        return Answer(APPROVED, why)

    def _known_batch(self, case: Case) -> int | None:
        """The batch that F60.2 means: the open one; else, for a number that is not the host's present one, the newest
        closed one (numbers come again after 999999, and after a registration that begins at 000001)."""
        request = case.request
        found = self._ledger.open_batch(request.mid, request.tid, request.batch)
        if found is None and request.batch != case.terminal.batch:
            found = self._ledger.latest_batch(request.mid, request.tid, request.batch)
        return found

    def _batch_of(self, case: Case) -> int:
        """The batch that F60.2 means, made where there is none."""
        found, request = self._known_batch(case), case.request
        return self._ledger.ensure_batch(request.mid, request.tid, request.batch) if found is None else found


def kcv_text(key: bytes) -> str:
    """A check value as terminals show it: 6 hex characters."""
    return keys.kcv(key).hex().upper()[:6]


def _amount(frame: Frame) -> int:
    if 4 not in frame:
        raise FrameError("absent; the amount was expected", field=4)
    return int(frame.fields[4])


def _result(theirs: Totals, ours: Totals) -> int:
    def parts(t: Totals) -> tuple[int, ...]:
        return t.debit_amount, t.debit_count, t.credit_amount, t.credit_count

    return _BALANCED if parts(theirs) == parts(ours) else _NOT_BALANCED


def _words(totals: Totals) -> str:
    return f"{totals.debit_count}/{totals.debit_amount} debit, {totals.credit_count}/{totals.credit_amount} credit"
