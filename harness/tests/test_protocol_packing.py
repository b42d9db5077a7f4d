"""The one-pass reader takes what pyiso8583 takes, with the same values, and nothing else."""

from __future__ import annotations

import iso8583
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.protocol import packing
from harness.protocol.frames import Frame
from harness.protocol.spec import (
    FIELDS,
    OFFSET_BITMAP,
    OFFSET_FIELDS,
    OFFSET_MTI,
    SPEC,
    SPEC_ASCII,
    UNKNOWN_BITS,
)
from harness.tests.protocol_samples import damaged, frames

_DIGITS = frozenset(str(number) for number, spec in FIELDS.items() if spec.kind == "digits")


def theirs(data: bytes, *, ascii48: bool) -> dict[int, str] | None:
    """What pyiso8583 reads; None where it refuses, or where a field of digits has others."""
    try:
        values, _ = iso8583.decode(data[2:], SPEC_ASCII if ascii48 else SPEC)
    except iso8583.DecodeError:
        return None
    if any(key in _DIGITS and value and not (value.isascii() and value.isdigit()) for key, value in values.items()):
        return None
    return {int(key): value for key, value in values.items() if key not in ("h", "t", "p")}


ANY = frames().map(lambda frame: frame.raw) | damaged() | st.binary(min_size=OFFSET_FIELDS, max_size=200)


@given(ANY, st.booleans())
def test_it_reads_what_pyiso8583_reads(data: bytes, ascii48: bool) -> None:
    bits = int.from_bytes(data[OFFSET_BITMAP:OFFSET_FIELDS], "big")
    if len(data) < OFFSET_FIELDS or bits & UNKNOWN_BITS or not data[OFFSET_MTI:OFFSET_BITMAP].hex().isdigit():
        return  # said before the fields are looked at
    assert packing.read(data, bits, ascii48=ascii48) == theirs(data, ascii48=ascii48)


@given(frames(), st.data())
def test_every_cut_and_every_flipped_byte_too(frame: Frame, data: st.DataObject) -> None:
    raw = frame.raw
    at = data.draw(st.integers(OFFSET_FIELDS, len(raw)))
    bits = int.from_bytes(raw[OFFSET_BITMAP:OFFSET_FIELDS], "big")
    assert packing.read(raw[:at], bits) == theirs(raw[:at], ascii48=False)
    if at < len(raw):
        flipped = bytearray(raw)
        flipped[at] ^= data.draw(st.integers(1, 255))
        assert packing.read(bytes(flipped), bits) == theirs(bytes(flipped), ascii48=False)


@pytest.mark.parametrize("fields", [
    {5: "1"}, {4: "1"}, {4: "00000000012 "}, {4: "\u0661" * 12}, {39: "\u4e2d9"}, {52: "ACF46E73838A82F"},
    {52: "acf46e73838a82f9"}, {35: "6225 80"}, {2: "1" * 20}, {62: "0" * 2000}, {39: b"00"}, {39: 0}, {63: None},
])  # fmt: skip
def test_what_does_not_fit_is_not_written(fields: dict[int, str]) -> None:
    assert packing.write(fields) is None
