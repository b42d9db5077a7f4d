"""UnionPay 8583: frames, headers, messages. Pure; raises :class:`CodecError` and nothing else on any bytes.

Frame: length (2, binary) TPDU (5) header (6, twelve nibbles) MTI (2 BCD) bitmap (8) fields. All values are text:
digits, characters (one a byte), and upper-case hex for binary fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

LENGTH_SIZE, TPDU_SIZE, HEADER_SIZE = 2, 5, 6
SMALLEST = TPDU_SIZE + HEADER_SIZE + 2 + 8
LARGEST = 4096
_DECIMAL = frozenset("0123456789")
_TRACK = _DECIMAL | frozenset("ABCDEF")  # an enciphered track holds any nibbles
REQUEST_NIBBLE = 5  # of the header: what the host asks the terminal to do


class CodecError(Exception):
    """These bytes, or these values, are no message. Says the field."""


class Field(NamedTuple):
    """``kind``: n digits, z digits and D (enciphered: any hex digits), a characters, b binary. ``size`` in digits (n,
    z) or bytes.

    ``prefix`` is the size of the BCD length in bytes (``size`` is then the most), 0 for a fixed field. ``right``: an
    odd number of digits is filled on the right.
    """

    kind: str
    size: int
    prefix: int = 0
    right: bool = False


FIELDS = {
    2: Field("n", 19, 1, True), 3: Field("n", 6), 4: Field("n", 12), 11: Field("n", 6), 12: Field("n", 6),
    13: Field("n", 4), 14: Field("n", 4), 15: Field("n", 4), 22: Field("n", 3, 0, True), 23: Field("n", 3),
    25: Field("n", 2), 26: Field("n", 2), 32: Field("n", 11, 1, True), 35: Field("z", 37, 1, True),
    36: Field("z", 104, 2, True), 37: Field("a", 12), 38: Field("a", 6), 39: Field("a", 2), 41: Field("a", 8),
    42: Field("a", 15), 44: Field("a", 99, 1), 48: Field("n", 999, 2, True), 49: Field("a", 3), 52: Field("b", 8),
    53: Field("n", 16), 54: Field("a", 999, 2), 55: Field("b", 999, 2), 59: Field("a", 999, 2),
    60: Field("n", 17, 2, True), 61: Field("n", 999, 2, True), 62: Field("b", 999, 2), 63: Field("a", 999, 2),
    64: Field("a", 8),
}
_ASCII_F48 = Field("a", 999, 2)


class Message(NamedTuple):
    """``request`` is the header's processing request, "0" in what the terminal sends."""

    mti: str
    fields: dict[int, str]
    request: str = "0"


def encode(mti: str, fields: Mapping[int, str], *, f48: str = "bcd") -> bytes:
    """MTI, bitmap and fields: what the MAC is made over (without its last 8 bytes where F64 is present).

    ``f48``: how field 48 is written, "bcd" (two digits a byte) or "ascii" (a character each).
    """
    bitmap = sum(1 << (64 - number) for number in fields)
    parts = [_digits(mti, 4, "MTI"), bitmap.to_bytes(8, "big")]
    for number in sorted(fields):
        if number not in FIELDS:
            raise CodecError(f"F{number}: unknown")
        parts.append(_encode_field(number, fields[number], _layout(number, f48)))
    return b"".join(parts)


def decode(body: bytes, *, f48: str = "bcd") -> Message:
    """The inverse of :func:`encode`; every byte must belong to a field."""
    if len(body) < 10:
        raise CodecError(f"{len(body)} bytes are less than MTI and bitmap")
    mti = body[:2].hex()
    if not mti.isdecimal():
        raise CodecError(f"MTI {mti}: no digits")
    bitmap = int.from_bytes(body[2:10], "big")
    fields: dict[int, str] = {}
    at = 10
    for number in range(1, 65):
        if bitmap >> (64 - number) & 1:
            fields[number], at = _decode_field(number, body, at, f48)
    if at != len(body):
        raise CodecError(f"{len(body) - at} bytes after the last field")
    return Message(mti, fields)


def frame(tpdu: str, header: str, body: bytes) -> bytes:
    """A whole frame. ``tpdu`` 10 and ``header`` 12 hex digits."""
    content = bytes.fromhex(tpdu + header) + body
    return len(content).to_bytes(LENGTH_SIZE, "big") + content


def body_of(content: bytes) -> bytes:
    """What stands after TPDU and header in a frame's content (the frame without its length)."""
    if not SMALLEST <= len(content) <= LARGEST:
        raise CodecError(f"{len(content)} bytes are no frame")
    return content[TPDU_SIZE + HEADER_SIZE :]


def parse(content: bytes, *, f48: str = "bcd") -> Message:
    """A frame's content as a message, with the header's processing request."""
    message = decode(body_of(content), f48=f48)
    header = content[TPDU_SIZE : TPDU_SIZE + HEADER_SIZE].hex()
    return message._replace(request=header[REQUEST_NIBBLE])


def _layout(number: int, f48: str) -> Field:
    return _ASCII_F48 if number == 48 and f48 == "ascii" else FIELDS[number]


def _encode_field(number: int, value: str, layout: Field) -> bytes:
    kind, size, prefix, right = layout
    name = f"F{number}"
    if not prefix and kind == "n" and len(value) != size:
        raise CodecError(f"{name}: {len(value)} digits, not {size}")
    if kind in "nz":
        count, data = len(value), _digits(value, size, name, right=right, track=kind == "z")
    else:
        try:
            data = bytes.fromhex(value) if kind == "b" else value.encode("latin-1")
        except ValueError as error:
            raise CodecError(f"{name}: {error}") from error
        count = len(data)
    if count > size or (not prefix and count != size):
        raise CodecError(f"{name}: {count} long, {size} fit")
    return bytes.fromhex(f"{count:0{2 * prefix}d}") + data if prefix else data


def _digits(value: str, size: int, name: str, *, right: bool = False, track: bool = False) -> bytes:
    if len(value) > size or not set(value) <= (_TRACK if track else _DECIMAL):
        raise CodecError(f"{name}: {len(value)} characters are not up to {size} digits")
    if len(value) % 2:
        value = value + "0" if right else "0" + value
    return bytes.fromhex(value)


def _decode_field(number: int, body: bytes, at: int, f48: str) -> tuple[str, int]:
    if number not in FIELDS:
        raise CodecError(f"F{number}: unknown")
    kind, size, prefix, right = _layout(number, f48)
    count = size
    if prefix:
        length = body[at : at + prefix].hex()
        if len(length) < 2 * prefix or not length.isdecimal() or int(length) > size:
            raise CodecError(f"F{number}: length {length!r} is not up to {size}")
        count, at = int(length), at + prefix
    width = (count + 1) // 2 if kind in "nz" else count
    data = body[at : at + width]
    if len(data) < width:
        raise CodecError(f"F{number}: {len(data)} bytes are left of {width}")
    if kind == "a":
        return data.decode("latin-1"), at + width
    text = data.hex().upper()
    if kind == "b":
        return text, at + width
    pad = (text[-1:] if right else text[:1]) if count % 2 else "0"
    value = text[: count] if right else text[len(text) - count :]
    if pad != "0" or not set(value) <= (_TRACK if kind == "z" else _DECIMAL):
        raise CodecError(f"F{number}: {text} is not {count} digits")
    return value, at + width
