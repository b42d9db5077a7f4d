"""What may be asked of the terminal: each is a flow that ends in a :class:`Result`."""

from __future__ import annotations

from . import batch, comms, messages, pending, results, signatures, slips, tables, texts
from .cards import Card
from .comms import Show
from .desk import Desk
from .financial import Order
from .hardware import Board
from .kinds import MANUAL, Kind
from .loop import Flow
from .online import Offline, Online
from .pending import Pending
from .records import Record
from .results import Result
from .rules import Outcome
from .settling import Settling
from .signing import Signing
from .store import Store
from .unprinted import Unprinted


class Transactions(Desk):
    """For one merchant: what the operator, the cashier, or the terminal by itself may ask for."""

    def __init__(self, board: Board, store: Store, line: comms.Line) -> None:
        super().__init__(board, store, line)
        self._pending, self._signing = Pending(self), Signing(self)
        self._online, self._offline = Online(self, self._pending, self._signing), Offline(self)
        self._settling = Settling(self, self._pending)
        self.unprinted = Unprinted(store, self.printer)

    def sign_in(self, show: Show) -> Flow[Result]:
        """Working keys, clock and batch number."""
        if not self.state.complete:
            return results.local(results.SIGN_IN_FIRST, texts.NOT_SET_UP)
        yield from self.line.take(show)
        try:
            return (yield from self._signing.sign_in(show))
        finally:
            self.line.release()

    def echo(self, show: Show) -> Flow[Result]:
        """0820 with 60.3 = 301; no trace number."""
        if not self.state.complete:
            return results.local(results.SIGN_IN_FIRST, texts.NOT_SET_UP)
        yield from self.line.take(show)
        try:
            verdict = yield from self.exchange_and_obey(messages.echo(self.state), show)
        finally:
            self.line.release()
        return results.done(texts.ECHO_DONE) if verdict.outcome is Outcome.APPROVED else self.failure(verdict)

    def activate(self, code: str, show: Show) -> Flow[Result]:
        """Identity and master key from the host, against a code."""
        from .activation import activate

        return (yield from activate(self, code, show))

    def perform(self, order: Order, show: Show) -> Flow[Result]:
        """A financial transaction."""
        if order.kind.stored:
            return (yield from self._offline.perform(order, show))
        return (yield from self._online.perform(order, show))

    def settle(self, show: Show) -> Flow[Result]:
        return (yield from self._settling.settle(show))

    def deliver_reversal(self, show: Show) -> Flow[Result | None]:
        """Sends the reversal that is due; None: there is none (any more)."""
        yield from self.line.take(show)
        try:
            if self.state.handed_over:  # meanwhile: another unit delivers it
                return self.gone()
            return (yield from self._pending.deliver_reversal(show))
        finally:
            self.line.release()

    # -- signatures ----------------------------------------------------------------------------------------------------

    def takes_signature(self, order: Order, result: Result) -> bool:
        """Whether the customer of this approved transaction signs on the pad."""
        by_card = order.card is not None and bool(order.card.pan)
        asked = bool(self.board.model.get("signature_pad")) and order.kind.signed and by_card and not order.pin
        return asked and result.ok and len(self.state.signatures) < pending.MOST_SIGNATURES

    def keep_signature(self, record: Record, bitmap: bytes) -> None:
        """To be uploaded when the terminal is at rest."""
        due = messages.signature_of(
            self.state, record, signatures.compressed(bitmap), signatures.receipt(self.state, record)
        )
        self.store.commit(signatures=(*self.state.signatures, due))

    @property
    def signature_due(self) -> bool:
        return self.state.signed_in and not self.state.handed_over and self._pending.signature_due

    def deliver_signatures(self, show: Show) -> Flow[Result | None]:
        """Uploads those that wait; None: none does any more."""
        yield from self.line.take(show)
        try:
            if self.state.handed_over:
                return self.gone()
            return (yield from self._pending.deliver_signatures(show))
        finally:
            self.line.release()

    # -- what needs no host --------------------------------------------------------------------------------------------

    def reprint(self) -> Result:
        """What could not be printed; else the slip of the last approved transaction again, also after its batch was
        settled."""
        waiting = self.unprinted.next
        if waiting:
            return results.done(texts.REPRINT_DONE, slip=waiting)
        last = self.state.last
        if last is None:
            return results.local(results.BAD_COMMAND, texts.NOTHING_TO_PRINT)
        return results.done(texts.REPRINT_DONE, record=last, slip=slips.receipt(self.state, last, again=True))

    def refusal_of(self, kind: Kind) -> Result | None:
        """Why a transaction of this kind may not begin now; None: it may."""
        parameters = self.state.parameters
        switched_off = (kind.stored and not parameters.offline) or (kind.name == "offline_tip" and not parameters.tips)
        if kind.stored and self.clock_lost:  # its date would be the terminal's own
            return results.local(results.NOT_ALLOWED, texts.NOT_ALLOWED, texts.CLOCK_FAULT)
        return results.local(results.NOT_ALLOWED, texts.NOT_ALLOWED) if switched_off else self.refusal()

    def refusal_of_card(self, kind: Kind, card: Card) -> Result | None:
        """Why this card, or this way to present it, is not taken; None: it is."""
        if card.mode not in kind.entries or (card.mode == MANUAL and not self.state.parameters.manual_entry):
            return results.local(results.NOT_ALLOWED, texts.NOT_ALLOWED)
        if tables.blacklisted(self.store, card.pan):
            return results.local(results.CARD_REFUSED, texts.BLACKLISTED)
        return None

    def find_original(self, kind: Kind, trace: str) -> Record | Result:
        """The transaction of the batch that this one may name by its trace number, or why there is none."""
        log = self.store.log
        record = batch.find(log, trace)
        if record is None or record.kind not in kind.originals or record.trace in self.state.refused:
            return results.local(results.BAD_COMMAND, texts.NO_SUCH_TRANSACTION)
        if batch.voided(log, record.trace):
            return results.local(results.BAD_COMMAND, texts.ALREADY_VOIDED)
        if batch.replaced(self.state, log, record.trace):
            return results.local(results.BAD_COMMAND, texts.ALREADY_REPLACED)
        return record

    def tip_refusal(self, original: Record, tip: int) -> Result | None:
        """Why this tip is not taken; None: it is."""
        most = self.state.parameters.tip_percent
        if most and tip * 100 > original.amount * most:
            return results.local(results.NOT_ALLOWED, texts.TIP_TOO_HIGH)
        return None
