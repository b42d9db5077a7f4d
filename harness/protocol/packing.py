"""The fields of a frame read and written in one pass over its digits.

Only what is right gets through: anything else is None, and :mod:`harness.protocol.frames` says what is wrong with it,
in the words of checks made one by one. (pyiso8583 reads and writes the same, at several times the cost:
harness/tests/test_protocol_frames.py compares them.)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from harness.protocol.spec import FIELDS, OFFSET_FIELDS, bit

_HEX = "0123456789ABCDEF"
_DIGITS, _TRACK, _TEXT, _BINARY = range(4)
_KINDS = {"digits": _DIGITS, "track": _TRACK, "text": _TEXT, "binary": _BINARY}
_PACKED = tuple(  # by the size of the prefix: what stands for each length, in hexadecimal
    tuple(f"{length:0{2 * size}d}" for length in range(10 ** (size + 1) if size else 0)) for size in range(3)
)
_ONE_A_BYTE = tuple(tuple(bytes.fromhex(said).decode("latin-1") for said in lengths) for lengths in _PACKED)

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


# Of a value that gets its length before it, or a zero to fill a byte: its place, kind, what stands for each length (of
# fixed ones: nothing), greatest length, pad left
Shape = tuple[int, int, tuple[str, ...], int, bool]


class _Plan(NamedTuple):
    """How frames with just these fields are written. Places count the fields, ascending."""

    numbers: tuple[int, ...]
    bits: int
    lengths: list[int]  # how many characters each value has, 0 where that is said before it
    shaped: tuple[Shape, ...]
    runs: tuple[tuple[int, int, int], ...]  # neighbours written as one: first place, place behind the last, kind


@lru_cache(maxsize=1024)
def _plan(numbers: tuple[int, ...], ascii48: bool) -> _Plan:
    """Raises KeyError or TypeError where there is no such field."""
    rows = [(_ROWS_ASCII if ascii48 else _ROWS)[number] for number in sorted(numbers)]
    lengths, shaped, runs, at = [], [], [], 0
    for place, (_, _, kind, prefix, size, left) in enumerate(rows):
        lengths.append(0 if prefix else 2 * size if kind == _BINARY else size)
        if prefix or (kind == _DIGITS and size & 1):
            shaped.append((place, kind, (_ONE_A_BYTE if kind == _TEXT else _PACKED)[prefix], size, left))
    for kind, run in groupby(row[2] for row in rows):
        runs.append((at, at + len(list(run)), kind))
        at = runs[-1][1]
    return _Plan(
        tuple(row[0] for row in rows), sum(row[1] for row in rows), lengths, tuple(shaped), tuple(runs)
    )


def write(fields: Mapping[int, str], *, ascii48: bool = False) -> tuple[int, bytes, dict[int, str]] | None:
    """The bitmap of these fields, what stands behind it, and the fields in that order. None: a value does not fit its
    field."""
    try:
        plan = _plan(tuple(fields), ascii48)
        values = list(map(fields.__getitem__, plan.numbers))
        ascending = dict(zip(plan.numbers, values, strict=True))
        lengths = list(map(len, values))
        for place, kind, said, most, left in plan.shaped:
            value, length = values[place], lengths[place]
            if kind == _BINARY:
                if length & 1:
                    return None
                length >>= 1
            elif length & 1 and kind != _TEXT:
                value = "0" + value if left else value + "0"
            if said:
                if length > most:
                    return None
                value = said[length] + value
                lengths[place] = 0
            values[place] = value
        if lengths != plan.lengths:
            return None
        parts = []
        for start, end, kind in plan.runs:
            run = "".join(values[start:end])
            if kind == _TEXT:
                parts.append(run.encode("latin-1"))
                continue
            if not run.isdigit() if kind == _DIGITS else run.strip(_HEX):
                return None
            parts.append(bytes.fromhex(run))
        if ascii48 and 48 in ascending and ascending[48] and not (ascending[48].isascii() and ascending[48].isdigit()):
            return None
    except (KeyError, ValueError, TypeError, AttributeError):  # no such field, or values that are no text
        return None
    return plan.bits, b"".join(parts), ascending


def head(tpdu: str, header: str, mti: str) -> str | None:
    """The digits before the bitmap; None where one of the three does not fit."""
    try:
        digits = tpdu + header + mti
        if (len(tpdu), len(header), len(mti)) != (10, 12, 4) or digits.strip(_HEX) or not mti.isdigit():
            return None
    except (TypeError, AttributeError):
        return None
    return digits
