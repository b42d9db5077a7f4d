"""The requests that the terminal makes, field by field. Pure: state and transaction in, fields out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from . import codec, crypto
from .records import Record, Reversal, State

HEADER = "613100311100"  # IC and magnetic POS, software version 31, status normal
OPERATOR = "001"
CURRENCY = "156"
NETWORK_SIGN_IN, NETWORK_ECHO, NETWORK_SETTLEMENT = "003", "301", "201"
BATCH_END = {True: "207", False: "202"}  # balanced, not balanced
RECORDS_A_BLOCK = 8
_NO_TRANSACTION, _SALE, _VOID = "00", "22", "23"  # 60.1
_CAPABILITY = "50"  # 60.4 IC and magnetic stripe, 60.5 no IC condition
_REVERSED_F55_TAGS = frozenset({"95", "9F1E", "9F10", "9F36"})
_ANSWERED_TAG = "9F36"  # not in a reversal whose original had no answer
_NOT_IN_REVERSAL = (26, 35, 36, 37, 52, 53)


class Card(NamedTuple):
    """A presented card. ``entry`` is the first two digits of F22: 02 stripe, 05 chip."""

    entry: str
    pan: str
    track2: str
    track3: str = ""
    sequence: str = ""
    f55: str = ""


class Request(NamedTuple):
    """``financial``: it carries a MAC, and so does an approval of it."""

    mti: str
    fields: dict[int, str]
    financial: bool = False


def sign_in(state: State, serial_number: str) -> Request:
    note = f"Sequence No{len(serial_number) + 4:02d}HT97{serial_number}"
    fields = _network(state, _NO_TRANSACTION, NETWORK_SIGN_IN)
    return Request("0800", fields | {11: f"{state.trace:06d}", 62: note.encode().hex(), 63: OPERATOR})


def echo(state: State) -> Request:
    return Request("0820", _network(state, _NO_TRANSACTION, NETWORK_ECHO))


def sale(state: State, amount: int, card: Card, pin: str) -> Request:
    """``pin`` 4 to 12 digits, or empty."""
    fields = _financial(state, _SALE, "000000", amount) | {
        2: card.pan, 22: card.entry + ("1" if pin else "2"), 35: card.track2,
    }
    optional = {23: card.sequence, 36: card.track3, 55: card.f55}
    fields |= {number: value for number, value in optional.items() if value}
    if pin:
        fields |= {26: "12", 52: crypto.pin_block(bytes.fromhex(state.pik), pin, card.pan), 53: "2600000000000000"}
    return Request("0200", fields, financial=True)


def void(state: State, original: Record) -> Request:
    fields = _financial(state, _VOID, "200000", original.amount) | {
        2: original.pan, 22: "012", 37: original.reference, 61: f"{original.batch:06d}{original.trace:06d}",
    }
    if original.authorisation:
        fields[38] = original.authorisation
    return Request("0200", fields, financial=True)


def reversal_of(request: Request, reason: str) -> Reversal:
    """What would undo ``request``: its own trace number, batch and amount."""
    fields = {number: value for number, value in request.fields.items() if number not in _NOT_IN_REVERSAL}
    if 55 in fields:
        fields[55] = codec.keep_tags(fields[55], _REVERSED_F55_TAGS)
    return Reversal(fields, reason)


def reversal(due: Reversal) -> Request:
    fields = due.fields | {39: due.reason}
    if 55 in fields and due.reason == "98":
        fields[55] = codec.keep_tags(fields[55], _REVERSED_F55_TAGS - {_ANSWERED_TAG})
    return Request("0400", fields, financial=True)


class Totals(NamedTuple):
    """Of the batch: sales are debits, voids credits; a voided sale counts as both. Amounts in cents."""

    sales: int
    sales_amount: int
    voids: int
    voids_amount: int


def totals(log: Sequence[Record]) -> Totals:
    sales = [record.amount for record in log if record.kind == "sale"]
    voids = [record.amount for record in log if record.kind == "void"]
    return Totals(len(sales), sum(sales), len(voids), sum(voids))


def settlement(state: State, log: Sequence[Record]) -> Request:
    sums = totals(log)
    home = f"{sums.sales_amount:012d}{sums.sales:03d}{sums.voids_amount:012d}{sums.voids:03d}0"
    fields = _network(state, _NO_TRANSACTION, NETWORK_SETTLEMENT)
    return Request("0500", fields | {11: f"{state.trace:06d}", 48: home + "0" * 31, 49: CURRENCY, 63: OPERATOR})


def balanced(f48: str) -> bool:
    """Whether the host's answer to a settlement says that the totals agree (digit 31 of 62: 1 yes, 2 no)."""
    return f48[30:31] == "1"


def upload(state: State, block: Sequence[Record]) -> Request:
    """Up to eight records of the batch: type, trace, card, amount."""
    records = "".join(
        f"{_SALE if r.kind == 'sale' else _VOID}{r.trace:06d}{r.pan:0>20}{r.amount:012d}" for r in block
    )
    fields = _network(state, _NO_TRANSACTION, NETWORK_SETTLEMENT)
    return Request("0320", fields | {11: f"{state.trace:06d}", 48: f"{len(block):02d}{records}"})


def batch_end(state: State, is_balanced: bool, count: int) -> Request:
    fields = _network(state, _NO_TRANSACTION, BATCH_END[is_balanced])
    return Request("0320", fields | {11: f"{state.trace:06d}", 48: f"{count:04d}"})


def _network(state: State, message_type: str, network_code: str) -> dict[int, str]:
    return {41: state.tid, 42: state.mid, 60: f"{message_type}{state.batch:06d}{network_code}"}


def _financial(state: State, message_type: str, processing: str, amount: int) -> dict[int, str]:
    return {
        3: processing, 4: f"{amount:012d}", 11: f"{state.trace:06d}", 25: "00", 41: state.tid, 42: state.mid,
        49: CURRENCY, 60: f"{message_type}{state.batch:06d}000{_CAPABILITY}",
    }
