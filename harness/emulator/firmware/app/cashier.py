"""The cashier link: ``02 LEN(2) DATA 03 LRC``; DATA is tags DFxx, a 1-byte length, a value. Pure.

By the dialect LEN is BCD or binary, and LRC includes the 03 or not. ACK 06 comes before the answer; a frame with a
wrong LRC gets NAK 15.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import NamedTuple

from . import results, texts
from .asking import Given
from .cards import masked
from .dialect import Dialect
from .results import Result

STX, ETX, ACK, NAK = 0x02, 0x03, 0x06, 0x15
LONGEST_DATA = 512  # no command is longer
PIECE_GAP_S = 1.0  # bytes of one frame follow each other faster; what is older is thrown away
_COMMAND, _RESULT = "00", "02"
_TYPES = {
    "01": "sale", "02": "void", "03": "settle", "04": "sign_in", "05": "echo", "06": "reprint", "07": "refund",
    "08": "pre_authorisation", "09": "pre_authorisation_void", "10": "completion", "11": "completion_void",
    "12": "completion_advice", "13": "offline_sale", "14": "offline_adjust", "15": "offline_tip", "16": "balance",
    "17": "sign_off", "18": "parameter_download", "19": "status_upload", "20": "capk_update",
    "21": "ic_parameter_update", "22": "blacklist_update", "23": "offline_chip_sale", "24": "software_update",
}
_AMOUNT, _TRACE, _REFERENCE, _DATE, _AUTHORISATION, _TIP = "DF03", "DF08", "DF15", "DF16", "DF17", "DF18"
_NEEDED = {  # what a command can't do without
    **dict.fromkeys(("sale", "pre_authorisation", "offline_sale", "offline_chip_sale"), (_AMOUNT,)),
    **dict.fromkeys(("void", "completion_void"), (_TRACE,)),
    **dict.fromkeys(
        ("pre_authorisation_void", "completion", "completion_advice"), (_AUTHORISATION, _DATE, _AMOUNT)
    ),
    "refund": (_REFERENCE, _DATE, _AMOUNT), "offline_adjust": (_TRACE, _AMOUNT), "offline_tip": (_TRACE, _TIP),
}


class Command(NamedTuple):
    """What the till asks for. ``kind`` "" is none that we know; ``given``: what it said of the transaction."""

    kind: str
    type: str
    random: str
    given: Given = Given(by_till=True)


class Receiver:
    """Bytes in any pieces -> what to answer at once, and the commands. Never raises. ``dialect``: how it is framed."""

    def __init__(self, dialect: Callable[[], Dialect]) -> None:
        self._held, self._dialect = bytearray(), dialect

    def forget(self) -> None:
        """A pause: what was begun is no frame any more."""
        self._held.clear()

    def feed(self, data: bytes) -> tuple[bytes, list[Command], int]:
        """(bytes to send now, commands, number of NAKs that came)."""
        self._held += data
        reply, commands, naks = b"", [], 0
        while found := self._first_good_frame():
            start, end = found
            naks += self._held.count(NAK, 0, start)  # all before it is noise, whatever it looked like
            commands.append(command(parse(bytes(self._held[start + 3 : end - 2]))))
            reply += bytes([ACK])
            del self._held[:end]
        at = 0
        size: int | None = 0
        while at < len(self._held) and size is not None:
            size = self._frame_size(at) if self._held[at] == STX else 0
            naks += self._held[at] == NAK
            reply += bytes([NAK]) if size else b""  # a frame, with a wrong LRC
            at += 0 if size is None else size or 1
        del self._held[:at]
        return reply, commands, naks

    def _first_good_frame(self) -> tuple[int, int] | None:
        """Where the first whole frame with the right LRC begins and ends."""
        start = self._held.find(STX)
        while start >= 0:
            size = self._frame_size(start)
            if size and _lrc(self._held[start + 1 : start + size - 1], self._dialect()) == self._held[start + size - 1]:
                return start, start + size
            start = self._held.find(STX, start + 1)
        return None

    def _frame_size(self, start: int) -> int | None:
        """Of the frame that begins at ``start``; None: more bytes are needed; 0: no frame begins here."""
        if len(self._held) < start + 3:
            return None
        count = _count(self._held[start + 1 : start + 3], self._dialect())
        if count is None or count > LONGEST_DATA:
            return 0
        size = 3 + count + 2
        if len(self._held) < start + size:
            return None
        return size if self._held[start + size - 2] == ETX else 0


def _lrc(body: bytes | bytearray, dialect: Dialect) -> int:
    """XOR of all bytes from LEN to ETX, or to the byte before it."""
    return reduce(lambda a, b: a ^ b, body if dialect.cashier_lrc == "with_etx" else body[:-1], 0)


def _count(length: bytes | bytearray, dialect: Dialect) -> int | None:
    """LEN as a number; None: it is none."""
    if dialect.cashier_length == "binary":
        return int.from_bytes(length, "big")
    digits = length.hex()
    return int(digits) if digits.isdecimal() else None


def parse(data: bytes) -> dict[str, str]:
    """Tag -> value; ends where the data is damaged."""
    fields: dict[str, str] = {}
    at = 0
    while at + 3 <= len(data):
        tag, length = data[at : at + 2].hex().upper(), data[at + 2]
        value = data[at + 3 : at + 3 + length]
        if len(value) < length:
            break
        fields[tag] = value.decode("latin-1")
        at += 3 + length
    return fields


def command(fields: Mapping[str, str]) -> Command:
    """The command in the tags; one that lacks what it needs, or has what is none, has ``kind`` ""."""
    type_, random = fields.get("DF02", ""), fields.get("DF04", "")
    kind = _TYPES.get(type_, "") if fields.get("DF01") == _COMMAND else ""
    sizes = {_AMOUNT: 12, _TRACE: 6, _REFERENCE: 12, _DATE: 4, _TIP: 12}
    given = {tag: value for tag in (*sizes, _AUTHORISATION) if (value := fields.get(tag))}
    sound = all(_digits(given[tag], size) for tag, size in sizes.items() if tag in given)
    sound = sound and len(given.get(_AUTHORISATION, "")) in (0, 6) and given.get(_AUTHORISATION, "").isascii()
    sound = sound and all(int(given[tag]) > 0 for tag in (_AMOUNT, _TIP) if tag in given)
    if not sound or any(tag not in given for tag in _NEEDED.get(kind, ())):
        return Command("", type_, random)
    return Command(kind, type_, random, Given(
        by_till=True, trace=given.get(_TRACE), reference=given.get(_REFERENCE), date=given.get(_DATE),
        authorisation=given.get(_AUTHORISATION), amount=int(given[_AMOUNT]) if _AMOUNT in given else None,
        tip=int(given[_TIP]) if _TIP in given else None,
    ))


def answer(to: Command, result: Result, dialect: Dialect) -> bytes:
    """The frame that tells the till how its command ended."""
    fields = {"DF01": _RESULT, "DF02": to.type, "DF04": to.random, "DF07": result.code, "DF09": result.text}
    record = result.record
    if record is not None:
        fields |= {
            "DF10": f"{record.trace:06d}", "DF11": f"{record.batch:06d}", "DF12": f"{record.amount:012d}",
            "DF13": masked(record.pan or record.code), "DF14": record.reference,
        }
        if record.authorisation:
            fields["DF17"] = record.authorisation
    if result.balance is not None:
        fields["DF19"] = f"{result.balance:012d}"
    return encode(fields, dialect)


def encode(fields: Mapping[str, str], dialect: Dialect) -> bytes:
    data = b""
    for tag, value in fields.items():
        raw = value.encode("gbk", "replace")[:127]
        data += bytes.fromhex(tag) + bytes([len(raw)]) + raw
    length = len(data).to_bytes(2, "big") if dialect.cashier_length == "binary" else bytes.fromhex(f"{len(data):04d}")
    body = length + data + bytes([ETX])
    return bytes([STX]) + body + bytes([_lrc(body, dialect)])


def busy(to: Command, dialect: Dialect) -> bytes:
    return answer(to, results.local(results.BUSY, texts.BUSY), dialect)


def _digits(text: str, size: int) -> bool:
    return len(text) == size and text.isascii() and text.isdigit()
