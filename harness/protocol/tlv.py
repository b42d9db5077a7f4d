"""BER-TLV (chip data, F55) and the text TLV of F59. Readers of untrusted bytes: FrameError or the whole content."""

from __future__ import annotations

from dataclasses import dataclass

from harness.protocol.frames import FrameError

NAMES = {
    "57": "track 2 equivalent", "5A": "PAN", "5F24": "expiry date", "5F2A": "currency", "5F34": "PAN sequence number",
    "71": "issuer script 1", "72": "issuer script 2", "82": "AIP", "84": "DF name", "8A": "authorisation response code",
    "91": "issuer authentication data", "95": "TVR", "9A": "date", "9B": "TSI", "9C": "transaction type",
    "9F02": "amount authorised", "9F03": "amount other", "9F06": "AID", "9F09": "application version",
    "9F10": "issuer application data", "9F1A": "terminal country", "9F1E": "interface device serial number",
    "9F22": "CA key index", "9F26": "application cryptogram", "9F27": "cryptogram information",
    "9F33": "terminal capabilities", "9F34": "CVM results", "9F35": "terminal type", "9F36": "ATC",
    "9F37": "unpredictable number", "9F41": "transaction counter", "9F63": "card product identification",
    "9F74": "electronic cash code", "DF31": "script results",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tlv:
    """One element: ``tag`` upper-case hex, value. ``constructed``: the value is itself a list of elements."""

    tag: str
    value: bytes

    @property
    def constructed(self) -> bool:
        """Bit 6 of the first tag byte."""
        return bool(int(self.tag[:2], 16) & 0x20)


def read_ber(data: bytes, field: int = 55) -> list[Tlv]:
    """The elements of ``data`` in their order; zero bytes between them are skipped (EMV book 3, annex B).

    ``offset`` of a FrameError counts from the beginning of ``data``.
    """
    elements, position, size = [], 0, len(data)
    while position < size:
        if data[position] == 0:
            position += 1
            continue
        start = position
        position += 1
        if data[start] & 0x1F == 0x1F:
            while position < size and data[position] & 0x80:
                position += 1
            position += 1
        if position > size:
            raise FrameError("the data ends inside a tag", offset=start, field=field)
        tag = data[start:position].hex().upper()
        length, position = _read_length(data, position, tag, field)
        if position + length > size:
            raise FrameError(f"tag {tag} has {length} bytes, {size - position} are left", offset=start, field=field)
        elements.append(Tlv(tag, data[position : position + length]))
        position += length
    return elements


def write_ber(elements: list[Tlv]) -> bytes:
    """The inverse of :func:`read_ber`, with lengths in their shortest form."""
    out = bytearray()
    for element in elements:
        length = len(element.value)
        out += bytes.fromhex(element.tag)
        if length > 0x7F:
            size = (length.bit_length() + 7) // 8
            out.append(0x80 | size)
            out += length.to_bytes(size, "big")
        else:
            out.append(length)
        out += element.value
    return bytes(out)


def read_text_tlv(value: str, field: int = 59) -> list[tuple[str, str]]:
    """F59: tag (2 characters), length (3 decimal digits), value; one after the other."""
    items, position = [], 0
    while position < len(value):
        tag, digits = value[position : position + 2], value[position + 2 : position + 5]
        if len(digits) < 3 or not (digits.isascii() and digits.isdigit()):
            raise FrameError(f"tag {tag!r} has the length {digits!r}, expected 3 digits", offset=position, field=field)
        begin, end = position + 5, position + 5 + int(digits)
        if end > len(value):
            left = len(value) - begin
            raise FrameError(f"tag {tag!r} has {int(digits)} bytes, {left} are left", offset=position, field=field)
        items.append((tag, value[begin:end]))
        position = end
    return items


def _read_length(data: bytes, position: int, tag: str, field: int) -> tuple[int, int]:
    if position >= len(data):
        raise FrameError(f"the data ends before the length of tag {tag}", offset=position, field=field)
    first = data[position]
    position += 1
    if first < 0x80:
        return first, position
    size = first & 0x7F
    if not 1 <= size <= 2 or position + size > len(data):
        raise FrameError(f"tag {tag} has the length byte {first:02X}", offset=position - 1, field=field)
    return int.from_bytes(data[position : position + size], "big"), position + size
