"""What is asked before a financial transaction: its questions, in the order of its row in the table of kinds.

What the till has given is not asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from . import results, texts
from .cards import Card
from .dialogs import Dialogs
from .financial import Order
from .kinds import SCAN
from .loop import Flow
from .results import Result
from .slips import yuan
from .transactions import Transactions


class Given(NamedTuple):
    """What the till has said already; ``None``: nothing of it. ``by_till``: it asked, so nothing is to be confirmed."""

    by_till: bool = False
    amount: int | None = None
    trace: str | None = None
    reference: str | None = None
    date: str | None = None
    authorisation: str | None = None
    tip: int | None = None


NOTHING_GIVEN = Given()
Answer = Order | Result | None  # the order with one more answer; why it can't be; given up
Question = Callable[["Asking", Order, Given], Flow[Answer]]


class Asking:
    """One merchant's: ``transactions`` knows the batch."""

    def __init__(self, dialogs: Dialogs, transactions: Transactions) -> None:
        self._ask, self._transactions = dialogs, transactions

    def order(self, order: Order, given: Given) -> Flow[Answer]:
        """The order with all that it needs."""
        for name in order.kind.questions:
            answer = yield from _QUESTIONS[name](self, order, given)
            if not isinstance(answer, Order):
                return answer
            order = answer
        if self._takes_pin(order):
            pin = yield from self._ask.pin()
            if pin is None:
                return None
            order = replace(order, pin=pin)
        return order

    def _takes_pin(self, order: Order) -> bool:
        """Never for a payment code, nor where the keys are SM4 keys: how a PIN goes under those is not known."""
        dialect = self._transactions.state.dialect
        carries_card = order.kind.voids and dialect.void_carries_card
        by_card = order.card is not None and order.card.mode != SCAN
        return (order.kind.takes_pin or carries_card) and by_card and not dialect.sm

    # -- questions -----------------------------------------------------------------------------------------------------

    def _amount(self, order: Order, given: Given) -> Flow[Answer]:
        amount = given.amount
        if amount is None:
            amount = yield from self._ask.amount()
        return None if amount is None else replace(order, amount=amount)

    def _card(self, order: Order, given: Given) -> Flow[Answer]:
        card = yield from self._ask.card()
        if not isinstance(card, Card):
            return card
        return self._transactions.refusal_of_card(order.kind, card) or replace(order, card=card)

    def _trace(self, order: Order, given: Given) -> Flow[Answer]:
        trace = given.trace
        if trace is None:
            trace = yield from self._ask.digits(texts.ASK_TRACE, 6)
        if trace is None:
            return None
        original = self._transactions.find_original(order.kind, trace)
        if isinstance(original, Result):
            return original
        return replace(order, original=original, amount=original.amount)

    def _confirmation(self, order: Order, given: Given) -> Flow[Answer]:
        """Of a void; where the dialect says so, the card is presented once more."""
        if not given.by_till and not (yield from self._ask.confirmed(texts.CONFIRM_VOID, yuan(order.amount))):
            return None
        original = order.original
        if not self._transactions.state.dialect.void_carries_card or original is None or original.code:
            return order
        answer = yield from self._card(order, given)
        if isinstance(answer, Order) and answer.card is not None and answer.card.pan != original.pan:
            return results.local(results.CARD_REFUSED, texts.WRONG_CARD)
        return answer

    def _reference(self, order: Order, given: Given) -> Flow[Answer]:
        reference = given.reference
        if reference is None:
            reference = yield from self._ask.digits(texts.ASK_REFERENCE, 12)
        return None if reference is None else replace(order, reference=reference)

    def _date(self, order: Order, given: Given) -> Flow[Answer]:
        date = given.date
        if date is None:
            date = yield from self._ask.digits(texts.ASK_DATE, 4)
        return None if date is None else replace(order, date=date)

    def _authorisation(self, order: Order, given: Given) -> Flow[Answer]:
        authorisation = given.authorisation
        if authorisation is None:
            authorisation = yield from self._ask.digits(texts.ASK_AUTHORISATION, 6)
        return None if authorisation is None else replace(order, authorisation=authorisation)

    def _voice_authorisation(self, order: Order, given: Given) -> Flow[Answer]:
        """What the issuer said on the telephone; there may be none."""
        authorisation = given.authorisation
        if authorisation is None:
            authorisation = "" if given.by_till else (
                yield from self._ask.digits(texts.ASK_AUTHORISATION, 6, may_be_empty=True)
            )
        return None if authorisation is None else replace(order, authorisation=authorisation)

    def _tip(self, order: Order, given: Given) -> Flow[Answer]:
        tip = given.tip
        if tip is None:
            tip = yield from self._ask.amount(texts.ASK_TIP)
        if tip is None:
            return None
        assert order.original is not None
        refusal = self._transactions.tip_refusal(order.original, tip)
        return refusal or replace(order, tip=tip, amount=order.original.amount + tip)


_QUESTIONS: Mapping[str, Question] = {
    "amount": Asking._amount, "card": Asking._card, "trace": Asking._trace, "confirmation": Asking._confirmation,
    "reference": Asking._reference, "date": Asking._date, "authorisation": Asking._authorisation,
    "voice_authorisation": Asking._voice_authorisation, "tip": Asking._tip,
}
