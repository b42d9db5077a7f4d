"""The financial requests, field by field, by the table of kinds. Pure: state and order in, fields out."""

from __future__ import annotations

from dataclasses import dataclass

from . import crypto
from .cards import ENTRY_DIGITS, Card
from .kinds import BY_AUTHORISATION, BY_RECEIPT, BY_TRACE, CONTACTLESS, SCAN, Kind
from .messages import CURRENCY, Request
from .records import Record, State

_CHIP_READER, _CONTACTLESS_READER = "5", "6"  # 60.4
_NO_ORIGINAL = "0" * 12  # batch and trace number in F61 where only the date is named
_PIN_FORMAT = "2"  # F53 digit 1: block with card number
_SINGLE, _DOUBLE = "0", "6"  # F53 digit 2: length of the PIN key
_TIP = "0002156D"  # F54: account and amount type, currency, debit


@dataclass(frozen=True)
class Order:
    """What is to be done. ``amount`` in cents, of an adjustment or tip the new total. ``original``: that of this batch
    which it names; ``reference``, ``date`` (MMDD), ``authorisation``: what was typed of it otherwise. ``tip`` in cents.
    """

    kind: Kind
    amount: int = 0
    card: Card | None = None
    pin: str = ""
    original: Record | None = None
    reference: str = ""
    date: str = ""
    authorisation: str = ""
    tip: int = 0


def request(state: State, order: Order, f55: str = "") -> Request:
    """The request; ``f55`` is what the chip gave to it (hex)."""
    kind, card, original = order.kind, order.card, order.original
    fields = {
        3: kind.processing, 11: f"{state.trace:06d}", 25: kind.condition, 41: state.tid, 42: state.mid, 49: CURRENCY,
        60: _f60(state, kind.message_type_of(bool(card and card.by_chip)), card),
    }
    if order.amount:
        fields[4] = f"{order.amount:012d}"
    if card is not None:
        fields |= _of_card(state, card, order.pin, f55, stored=kind.stored)
    elif original is not None:
        fields |= _of_original_card(original)
    fields |= _of_original(order)
    if kind.name == "refund":
        fields[63] = "000"
    if order.tip:
        fields[54] = f"{_TIP}{order.tip:012d}"
    mti = state.dialect.offline_chip_mti if kind.name == "offline_chip_sale" else kind.mti
    return Request(mti, {number: value for number, value in fields.items() if value}, financial=True)


def _f60(state: State, message_type: str, card: Card | None) -> str:
    """60.1, batch, 60.3, reader, chip condition, partial approval; as much of it as the dialect has."""
    reader = _CONTACTLESS_READER if card and card.mode == CONTACTLESS else _CHIP_READER
    return f"{message_type}{state.batch:06d}000{reader}00"[: state.dialect.f60_digits]


def _of_card(state: State, card: Card, pin: str, f55: str, *, stored: bool) -> dict[int, str]:
    """Of a transaction that is ``stored`` no track is kept: and the key that would encipher it changes at sign-in."""
    if card.mode == SCAN:
        return {22: state.dialect.entry_scan, 59: f"A3{len(card.code):03d}{card.code}"}
    fields = {
        2: card.pan, 22: ENTRY_DIGITS[card.mode] + ("1" if pin else "2"), 23: card.sequence if card.by_chip else "",
        55: f55,
    }
    fields |= {35: card.track2, 36: card.track3} if card.track2 and not stored else {14: card.expiry}
    tdk = b"" if stored else bytes.fromhex(state.tdk)
    if tdk:
        tracks = {number: fields[number] for number in (35, 36) if fields.get(number)}
        fields |= {number: crypto.enciphered_track(tdk, track) for number, track in tracks.items()}
    if pin:
        fields |= {26: "12", 52: crypto.pin_block(bytes.fromhex(state.pik), pin, card.pan)}
    if pin or tdk or state.dialect.sm:
        fields[53] = _f53(state, bool(pin), bool(tdk))
    return fields


def _f53(state: State, pin: bool, track: bool) -> str:
    des = _DOUBLE if len(state.pik) == 32 else _SINGLE
    length = state.dialect.sm_key_digit if state.dialect.sm else des
    return f"{_PIN_FORMAT if pin else '0'}{length}{int(track)}".ljust(16, "0")


def _of_original_card(original: Record) -> dict[int, str]:
    """Without a card the original's number stands for it; a payment code's voucher for the code."""
    if original.code:
        return {22: original.entry, 59: f"A4{len(original.voucher):03d}{original.voucher}"}
    return {2: original.pan, 22: "012"}


def _of_original(order: Order) -> dict[int, str]:
    names, original = order.kind.names, order.original
    if names == BY_TRACE and original is not None:
        return {
            37: original.reference, 38: original.authorisation, 61: f"{original.batch:06d}{original.trace:06d}",
        }
    if names == BY_RECEIPT:
        return {37: order.reference, 61: _NO_ORIGINAL + order.date}
    if names == BY_AUTHORISATION:
        return {38: order.authorisation, 61: _NO_ORIGINAL + order.date}
    return {38: order.authorisation}
