"""The cashier link from the till's side: MISPOS framing and its tagged data.

Frame: ``02 LEN(2 bytes BCD) DATA 03 LRC``; LRC is the XOR of LEN..ETX; the terminal acknowledges with ``06`` before its
answer (public terminal and middleware code agree on this). DATA is a list of (2-byte tag DFxx, 1-byte length, value).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce

from harness.errors import BadInput

STX, ETX, ACK, NAK = 0x02, 0x03, 0x06, 0x15
TYPES = {"sale": "01", "void": "02", "settle": "03", "sign_in": "04", "echo": "05", "reprint": "06"}
TEXT_TAGS = frozenset({"DF09"})
MAX_DATA = 2048  # no dialect known sends more; longer is garbage


def lrc(data: bytes) -> int:
    """XOR of all bytes."""
    return reduce(lambda a, b: a ^ b, data, 0)


def encode(fields: Mapping[str, str]) -> bytes:
    """Tag -> value as one frame. Values are ASCII, but for text tags GBK."""
    data = b""
    for tag, value in fields.items():
        raw = value.encode("gbk" if tag in TEXT_TAGS else "ascii")
        if len(raw) > 127:
            raise BadInput(f"cashier link: tag {tag} holds {len(raw)} bytes, at most 127 fit")
        data += bytes.fromhex(tag) + bytes([len(raw)]) + raw
    body = bytes.fromhex(f"{len(data):04d}") + data + bytes([ETX])
    return bytes([STX]) + body + bytes([lrc(body)])


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

    def __init__(self) -> None:
        self._held = bytearray()

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
        digits = held[1:3].hex()
        if not digits.isdecimal() or int(digits) > MAX_DATA:
            return Message(held[:1], "garbage", problem=f"length {digits} is not a count up to {MAX_DATA}")
        total = 1 + 2 + int(digits) + 1 + 1
        if len(held) < total:
            return None
        frame = held[:total]
        if frame[-2] != ETX:
            return Message(frame[:1], "garbage", problem=f"byte {frame[-2]:02X} where ETX is due")
        if lrc(frame[1:-1]) != frame[-1]:
            return Message(frame, "garbage", problem=f"LRC {frame[-1]:02X}, computed {lrc(frame[1:-1]):02X}")
        try:
            return Message(frame, "frame", parse_data(frame[3:-2]))
        except BadInput as error:
            return Message(frame, "garbage", problem=str(error))
