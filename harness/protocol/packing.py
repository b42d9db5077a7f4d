"""The fields of a frame read and written in one pass over its digits.

Only what is right gets through: anything else is None, and :mod:`harness.protocol.frames` says what is wrong with it,
in the words of checks made one by one. (pyiso8583 reads and writes the same, at several times the cost:
harness/tests/test_protocol_frames.py compares them.)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from harness.protocol.spec import FIELDS, OFFSET_FIELDS, bit

_HEX = "0123456789ABCDEF"
_DIGITS, _TRACK, _TEXT, _BINARY = range(4)
_KINDS = {"digits": _DIGITS, "track": _TRACK, "text": _TEXT, "binary": _BINARY}
_LENGTHS = (  # by the size of the prefix: what stands for each length
    (b"",), tuple(bytes.fromhex(f"{length:02d}") for length in range(100)),
    tuple(bytes.fromhex(f"{length:04d}") for length in range(1000)),
)

Row = tuple[int, int, int, int, int, bool]  # field, bit, kind, size of the prefix, greatest or only length, pad left

_ROWS: dict[int, Row] = {
    number: (number, bit(number), _KINDS[spec.kind], spec.prefix, spec.size, spec.pad == "left")
    for number, spec in FIELDS.items()
}
_ROWS_ASCII: dict[int, Row] = {**_ROWS, 48: (48, bit(48), _TEXT, 2, FIELDS[48].size, False)}


@lru_cache(maxsize=1024)
def _announced(bits: int, ascii48: bool) -> tuple[Row, ...]:
    """The rows of the fields whose bits are set, ascending."""
    return tuple(row for row in (_ROWS_ASCII if ascii48 else _ROWS).values() if bits & row[1])


def read(data: bytes, bits: int, *, ascii48: bool = False) -> dict[int, str] | None:
    """The fields of a whole frame with this bitmap, ascending; values as in ``Frame``. None: it is no frame, or its
    F48 is written in the other way."""
    position, digits, fields = OFFSET_FIELDS, [], {}
    packed, text = data.hex().upper(), data.decode("latin-1")
    try:
        for number, _, kind, prefix, length, left in _announced(bits, ascii48):
            if prefix:
                end = position + prefix
                most, length = length, int(packed[2 * position : 2 * end])
                if length > most:
                    return None
                position = end
            if kind == _TEXT:
                end = position + length
                value = text[position:end]
            elif kind == _BINARY:
                end = position + length
                value = packed[2 * position : 2 * end]
            else:
                end = position + (length + 1) // 2
                if length & 1:
                    first = 2 * position + left
                    value = packed[first : first + length]
                    if packed[2 * position if left else 2 * end - 1] != "0":
                        return None
                else:
                    value = packed[2 * position : 2 * end]
                if kind == _DIGITS:
                    digits.append(value)
            fields[number] = value
            position = end
    except (ValueError, IndexError):  # a length that is no number; the end came in the middle
        return None
    if ascii48 and 48 in fields:
        digits.append(fields[48])
    joined = "".join(digits)
    if position != len(data) or (joined and not (joined.isascii() and joined.isdigit())):
        return None
    return fields


def write(fields: Mapping[int, str], *, ascii48: bool = False) -> tuple[int, bytes] | None:
    """The bitmap of these fields, which are ascending, and what stands behind it. None: a value does not fit its
    field."""
    bits, parts, digits = 0, [], []
    rows = _ROWS_ASCII if ascii48 else _ROWS
    try:
        for number, value in fields.items():
            _, mask, kind, prefix, size, left = rows[number]
            length = len(value)
            bits |= mask
            if kind == _TEXT:
                content = value.encode("latin-1")
            elif kind == _DIGITS:
                digits.append(value)
                if length & 1:
                    value = "0" + value if left else value + "0"
                content = bytes.fromhex(value)
            elif value.strip(_HEX):
                return None
            elif kind == _TRACK:
                content = bytes.fromhex(value + "0" if length & 1 else value)
            else:
                content = bytes.fromhex(value)
                length //= 2
            if prefix:
                if length > size:
                    return None
                parts.append(_LENGTHS[prefix][length])
            elif length != size:
                return None
            parts.append(content)
        if ascii48 and 48 in fields:
            digits.append(fields[48])
        joined = "".join(digits)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError):  # no such field, or values that are no text
        return None
    if joined and not (joined.isascii() and joined.isdigit()):
        return None
    return bits, b"".join(parts)


def head(tpdu: str, header: str, mti: str) -> str | None:
    """The digits before the bitmap; None where one of the three does not fit."""
    try:
        digits = tpdu + header + mti
        if (len(tpdu), len(header), len(mti)) != (10, 12, 4) or digits.strip(_HEX) or not mti.isdigit():
            return None
    except (TypeError, AttributeError):
        return None
    return digits
