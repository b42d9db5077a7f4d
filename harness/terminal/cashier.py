"""The cashier link from the till's side: MISPOS framing and its tagged data.

Frame: ``02 LEN(2 bytes BCD) DATA 03 LRC``; LRC is the XOR of LEN..ETX; the terminal acknowledges with ``06`` before its
answer (public terminal and middleware code agree on this). DATA is a list of (2-byte tag DFxx, 1-byte length, value).
Two points differ between dialects (:class:`Framing`): LEN in BCD or binary, LRC with ETX or without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Literal

from harness.errors import BadInput

STX, ETX, ACK, NAK = 0x02, 0x03, 0x06, 0x15
TYPES = {
    "sale": "01", "void": "02", "settle": "03", "sign_in": "04", "echo": "05", "reprint": "06", "refund": "07",
    "pre_authorisation": "08", "pre_authorisation_void": "09", "completion": "10", "completion_void": "11",
    "completion_advice": "12", "offline_sale": "13", "offline_adjust": "14", "offline_tip": "15", "balance": "16",
    "sign_off": "17", "parameter_download": "18", "status_upload": "19", "capk_update": "20",
    "ic_parameter_update": "21", "blacklist_update": "22",
    "offline_chip_sale": "23", "software_update": "24",
}
TEXT_TAGS = frozenset({"DF09"})
MAX_DATA = 2048  # no dialect known sends more; longer is garbage


@dataclass(frozen=True)
class Framing:
    """A dialect of the frame, as a profile names it: ``cashier_length`` and ``cashier_lrc``."""

    length: Literal["bcd", "binary"] = "bcd"
    lrc: Literal["with_etx", "without_etx"] = "with_etx"

    def length_bytes(self, count: int) -> bytes:
        """LEN of ``count`` bytes of DATA."""
        return bytes.fromhex(f"{count:04d}") if self.length == "bcd" else count.to_bytes(2, "big")

    def count(self, raw: bytes) -> int | None:
        """The bytes of DATA that LEN announces; None where it is no number up to :data:`MAX_DATA`."""
        digits = raw.hex()
        if self.length == "bcd" and not digits.isdecimal():
            return None
        count = int(digits) if self.length == "bcd" else int.from_bytes(raw, "big")
        return count if count <= MAX_DATA else None

    def check(self, length: bytes, data: bytes) -> int:
        """The LRC byte."""
        return lrc(length + data + (bytes([ETX]) if self.lrc == "with_etx" else b""))


PLAIN = Framing()


def lrc(data: bytes) -> int:
    """XOR of all bytes."""
    return reduce(lambda a, b: a ^ b, data, 0)


def encode(fields: Mapping[str, str], framing: Framing = PLAIN) -> bytes:
    """Tag -> value as one frame. Values are ASCII, but for text tags GBK."""
    data = b""
    for tag, value in fields.items():
        raw = value.encode("gbk" if tag in TEXT_TAGS else "ascii")
        if len(raw) > 127:
            raise BadInput(f"cashier link: tag {tag} holds {len(raw)} bytes, at most 127 fit")
        data += bytes.fromhex(tag) + bytes([len(raw)]) + raw
    length = framing.length_bytes(len(data))
    return bytes([STX]) + length + data + bytes([ETX, framing.check(length, data)])


def parse_data(data: bytes) -> dict[str, str]:
    """DATA -> tag: text. Raises :class:`BadInput` with the offset (bytes into DATA)."""
    fields: dict[str, str] = {}
    at = 0
    while at < len(data):
        if at + 3 > len(data):
            raise BadInput("a tag is cut short", where=f"offset {at}")
        tag, length = data[at : at + 2].hex().upper(), data[at + 2]
        value = data[at + 3 : at + 3 + length]
        if len(value) < length:
            raise BadInput(f"tag {tag} announces {length} bytes, {len(value)} follow", where=f"offset {at}")
        fields[tag] = value.decode("gbk" if tag in TEXT_TAGS else "ascii", errors="replace")
        at += 3 + length
    return fields


@dataclass(frozen=True)
class Message:
    """One thing that came over the link: a frame (``fields``), an ACK, a NAK, or garbage (``problem``)."""

    raw: bytes
    kind: str  # "frame", "ack", "nak", "garbage"
    fields: dict[str, str] = field(default_factory=dict)
    problem: str = ""


class Receiver:
    """Bytes in any pieces -> messages. Never raises, never holds more than one frame's bytes."""

    def __init__(self, framing: Framing = PLAIN) -> None:
        self._held, self._framing = bytearray(), framing

    def feed(self, data: bytes) -> list[Message]:
        """What is complete after ``data`` came."""
        self._held += data
        messages: list[Message] = []
        while self._held:
            message = self._next()
            if message is None:
                break
            del self._held[: len(message.raw)]
            messages.append(message)
        return messages

    def _next(self) -> Message | None:
        held = bytes(self._held)
        if held[0] == ACK:
            return Message(held[:1], "ack")
        if held[0] == NAK:
            return Message(held[:1], "nak")
        if held[0] != STX:
            end = next((i for i, b in enumerate(held) if b in (STX, ACK, NAK)), len(held))
            return Message(held[:end], "garbage", problem="bytes outside a frame")
        if len(held) < 3:
            return None
        count = self._framing.count(held[1:3])
        if count is None:
            return Message(held[:1], "garbage", problem=f"length {held[1:3].hex()} is not a count up to {MAX_DATA}")
        total = 1 + 2 + count + 1 + 1
        if len(held) < total:
            return None
        frame = held[:total]
        if frame[-2] != ETX:
            return Message(frame[:1], "garbage", problem=f"byte {frame[-2]:02X} where ETX is due")
        computed = self._framing.check(frame[1:3], frame[3:-2])
        if computed != frame[-1]:
            return Message(frame, "garbage", problem=f"LRC {frame[-1]:02X}, computed {computed:02X}")
        try:
            return Message(frame, "frame", parse_data(frame[3:-2]))
        except BadInput as error:
            return Message(frame, "garbage", problem=str(error))
