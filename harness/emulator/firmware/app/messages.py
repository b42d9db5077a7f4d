"""The requests that the terminal makes, field by field: network management, settlement, and what follows a financial
one. Pure: state and transaction in, fields out. Financial requests are in ``financial``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from . import batch, tlv
from .kinds import KINDS
from .records import Record, Reversal, Script, Signature, State

HEADER = "613100311100"  # IC and magnetic POS, software version 31, status normal
CURRENCY = "156"
NETWORK_ECHO, NETWORK_SETTLEMENT, NETWORK_SCRIPT, NETWORK_SIGNATURE = "301", "201", "951", "800"
NO_TRANSACTION, _SIGNATURE = "00", "07"  # 60.1
REVERSED_F55_TAGS = frozenset({"95", "9F1E", "9F10", "9F36", "DF31"})
_ANSWERED_TAG = "9F36"  # not in a reversal whose original had no answer
_NOT_IN_REVERSAL = (26, 35, 36, 37, 52, 53)
_IN_SCRIPT_NOTICE = (2, 3, 4, 22, 23, 25, 41, 42, 49)
_IN_CHIP_UPLOAD = (2, 4, 22, 23, 25, 55)


class Request(NamedTuple):
    """``financial``: it asks for money, carries a MAC, and so does an approval. ``sealed``: a MAC both ways, too, of a
    message that follows one."""

    mti: str
    fields: dict[int, str]
    financial: bool = False
    sealed: bool = False

    @property
    def carries_mac(self) -> bool:
        return self.financial or self.sealed


def network(state: State, message_type: str, network_code: str) -> dict[int, str]:
    return {41: state.tid, 42: state.mid, 60: f"{message_type}{state.batch:06d}{network_code}"}


def sign_in(state: State, serial_number: str) -> Request:
    note = unit_note(serial_number)
    fields = network(state, NO_TRANSACTION, state.dialect.sign_in_network_code)
    return Request(
        "0800", fields | {11: f"{state.trace:06d}", 62: note.encode().hex(), 63: state.dialect.operator}
    )


def unit_note(serial_number: str) -> str:
    """Which unit it is, with the vendor's four characters."""
    return f"Sequence No{len(serial_number) + 4:02d}HT97{serial_number}"


def echo(state: State) -> Request:
    return Request("0820", network(state, NO_TRANSACTION, NETWORK_ECHO))


# -- what undoes or follows a financial message ------------------------------------------------------------------------


def reversal_of(request: Request, reason: str) -> Reversal:
    """What would undo ``request``: its own trace number, batch and amount."""
    fields = {number: value for number, value in request.fields.items() if number not in _NOT_IN_REVERSAL}
    if 55 in fields:
        fields[55] = tlv.keep(fields[55], REVERSED_F55_TAGS)
    return Reversal(fields, reason)


def reversal(due: Reversal) -> Request:
    fields = due.fields | {39: due.reason}
    if 55 in fields and due.reason == "98":
        fields[55] = tlv.keep(fields[55], REVERSED_F55_TAGS - {_ANSWERED_TAG})
    return Request("0400", fields, financial=True)


def script_of(state: State, request: Request, record: Record, results: str) -> Script:
    """The notice of issuer scripts that the chip of an approved transaction performed. ``results``: F55, hex.

    It takes the state's next trace number.
    """
    fields = {number: request.fields[number] for number in _IN_SCRIPT_NOTICE if number in request.fields}
    return Script(fields | {
        11: f"{state.trace:06d}", 37: record.reference, 55: results,
        60: f"{request.fields[60][:2]}{record.batch:06d}{NETWORK_SCRIPT}",
        61: f"{record.batch:06d}{record.trace:06d}{record.date}",
    })


def script_notice(due: Script) -> Request:
    return Request("0620", due.fields, sealed=True)


def signature_of(state: State, record: Record, image: bytes, receipt: str) -> Signature:
    """The upload of a customer's signature; ``receipt`` is F55 in hex."""
    fields = {
        4: f"{record.amount:012d}", 11: f"{record.trace:06d}", 41: state.tid, 42: state.mid, 55: receipt,
        60: f"{_SIGNATURE}{record.batch:06d}{NETWORK_SIGNATURE}", 62: image.hex().upper(),
    }
    optional = {2: record.pan, 37: record.reference}
    return Signature(fields | {number: value for number, value in optional.items() if value})


def signature_upload(due: Signature) -> Request:
    return Request("0820", due.fields, sealed=True)


# -- settlement --------------------------------------------------------------------------------------------------------


def settlement(state: State, log: Sequence[Record]) -> Request:
    sums = batch.totals(state, log)
    home = f"{sums.debit_amount:012d}{sums.debits:03d}{sums.credit_amount:012d}{sums.credits:03d}0"
    fields = network(state, NO_TRANSACTION, NETWORK_SETTLEMENT) | {
        11: f"{state.trace:06d}", 48: home + "0" * 31, 49: CURRENCY, 63: state.dialect.operator,
    }
    return Request("0500", fields)


def balanced(f48: str) -> bool:
    """Whether the host's answer to a settlement says that the totals agree (digit 31 of 62: 1 yes, 2 no)."""
    return f48[30:31] == "1"


def upload(state: State, block: Sequence[Record]) -> Request:
    """Up to eight records of the batch: type, trace, card or payment code, amount."""
    records = "".join(
        f"{KINDS[r.kind].message_type}{r.trace:06d}{(r.pan or r.code)[:20]:0>20}{r.amount:012d}" for r in block
    )
    fields = network(state, NO_TRANSACTION, NETWORK_SETTLEMENT)
    return Request("0320", fields | {11: f"{state.trace:06d}", 48: f"{len(block):02d}{records}"})


def chip_upload(state: State, record: Record, network_code: str) -> Request:
    """One chip transaction of the batch, under its own trace number, with the card's cryptogram."""
    fields = {number: record.sent[number] for number in _IN_CHIP_UPLOAD if number in record.sent}
    if record.reference:
        fields[37] = record.reference
    return Request(
        "0320", network(state, NO_TRANSACTION, network_code) | fields | {11: f"{record.trace:06d}"}
    )


def batch_end(state: State, is_balanced: bool, count: int) -> Request:
    dialect = state.dialect
    code = dialect.batch_end_balanced if is_balanced else dialect.batch_end_unbalanced
    fields = network(state, NO_TRANSACTION, code)
    return Request("0320", fields | {11: f"{state.trace:06d}", 48: f"{count:04d}"})
