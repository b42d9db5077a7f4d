"""The cashier link: ``02 LEN(2 BCD) DATA 03 LRC``; DATA is tags DFxx, a 1-byte length, a value. Pure.

ACK 06 comes before the answer; a frame with a wrong LRC gets NAK 15.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import NamedTuple

from . import results, texts
from .results import Result
from .slips import masked

STX, ETX, ACK, NAK = 0x02, 0x03, 0x06, 0x15
LONGEST_DATA = 512  # no command is longer
PIECE_GAP_S = 1.0  # bytes of one frame follow each other faster; what is older is thrown away
_COMMAND, _RESULT = "00", "02"
_TYPES = {"01": "sale", "02": "void", "03": "settle", "04": "sign_in", "05": "echo", "06": "reprint"}


class Command(NamedTuple):
    """What the till asks for. ``kind`` "" is none that we know; ``amount`` in cents; ``original`` trace, 6 digits."""

    kind: str
    type: str
    random: str
    amount: int = 0
    original: str = ""


class Receiver:
    """Bytes in any pieces -> what to answer at once, and the commands. Never raises. Pure."""

    def __init__(self) -> None:
        self._held = bytearray()

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
            if size and lrc(self._held[start + 1 : start + size - 1]) == self._held[start + size - 1]:
                return start, start + size
            start = self._held.find(STX, start + 1)
        return None

    def _frame_size(self, start: int) -> int | None:
        """Of the frame that begins at ``start``; None: more bytes are needed; 0: no frame begins here."""
        if len(self._held) < start + 3:
            return None
        digits = self._held[start + 1 : start + 3].hex()
        if not digits.isdecimal() or int(digits) > LONGEST_DATA:
            return 0
        size = 3 + int(digits) + 2
        if len(self._held) < start + size:
            return None
        return size if self._held[start + size - 2] == ETX else 0


def lrc(data: bytes | bytearray) -> int:
    """XOR of all bytes."""
    return reduce(lambda a, b: a ^ b, data, 0)


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
    """The command in the tags; one that lacks what it needs has ``kind`` ""."""
    type_, amount, original = fields.get("DF02", ""), fields.get("DF03", ""), fields.get("DF08", "")
    kind = _TYPES.get(type_, "") if fields.get("DF01") == _COMMAND else ""
    if kind == "sale" and not (_digits(amount, 12) and int(amount) > 0):
        kind = ""
    if kind == "void" and not _digits(original, 6):
        kind = ""
    return Command(kind, type_, fields.get("DF04", ""), int(amount) if kind == "sale" else 0, original)


def answer(to: Command, result: Result) -> bytes:
    """The frame that tells the till how its command ended."""
    fields = {"DF01": _RESULT, "DF02": to.type, "DF04": to.random, "DF07": result.code, "DF09": result.text}
    record = result.record
    if record is not None:
        fields |= {
            "DF10": f"{record.trace:06d}", "DF11": f"{record.batch:06d}", "DF12": f"{record.amount:012d}",
            "DF13": masked(record.pan), "DF14": record.reference,
        }
    return encode(fields)


def encode(fields: Mapping[str, str]) -> bytes:
    data = b""
    for tag, value in fields.items():
        raw = value.encode("gbk", "replace")[:127]
        data += bytes.fromhex(tag) + bytes([len(raw)]) + raw
    body = bytes.fromhex(f"{len(data):04d}") + data + bytes([ETX])
    return bytes([STX]) + body + bytes([lrc(body)])


def busy(to: Command) -> bytes:
    return answer(to, results.local(results.BUSY, texts.BUSY))


def _digits(text: str, size: int) -> bool:
    return len(text) == size and text.isascii() and text.isdigit()
