"""Frames: bytes <-> :class:`Frame`, byte for byte in both directions.

A frame on the wire is a 2-byte big-endian length of all that follows, the TPDU (5 bytes), the header (6), the MTI (2),
one bitmap (8) and the fields. Only the canonical encoding is accepted (pad nibbles zero, nothing behind the last
field), so ``encode(decode(data)) == data`` for whatever ``decode`` accepts; F48 has two canonical encodings, and a
frame knows which it has. Everything else is a :class:`FrameError`,
never another exception.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import iso8583

from harness.errors import BadInput
from harness.protocol import packing
from harness.protocol.spec import (
    FIELDS,
    MAX_LENGTH,
    MIN_LENGTH,
    OFFSET_BITMAP,
    OFFSET_FIELDS,
    OFFSET_MTI,
    OFFSET_TPDU,
    SPEC,
    SPEC_ASCII,
    UNKNOWN_BITS,
    FieldSpec,
    bit,
)

DEFAULT_TPDU = "6000000000"
DEFAULT_HEADER = "602100000000"

F48 = Literal["bcd", "ascii"]
MakesMac = Callable[[bytes], str]  # what F64 covers, from the MTI up to but without it -> F64

_NO_MAC = "00000000"
_DIGITS = frozenset("0123456789")
_HEX = frozenset("0123456789ABCDEF")
_NUMBER = {str(number): number for number in FIELDS}
_DIGIT_FIELDS = frozenset(str(number) for number, spec in FIELDS.items() if spec.kind == "digits")


class FrameError(BadInput):
    """Bytes that are no frame, or values that can't become one.

    ``offset``: first offending byte, counted from the length prefix (None when encoding). ``field``: field number, or
    "length", "TPDU", "header", "MTI", "bitmap", or None. ``problem``: the message without both.
    """

    def __init__(
        self, problem: str, *, offset: int | None = None, field: int | str | None = None, remedy: str = ""
    ) -> None:
        self.problem, self.offset, self.field = problem, offset, field
        name = f"F{field}" if isinstance(field, int) else field
        where = "" if offset is None else f"offset {offset}"
        super().__init__(f"{name}: {problem}" if name else problem, where=where, remedy=remedy)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_error, (self.problem, self.offset, self.field, self.remedy)


def _rebuild_error(problem: str, offset: int | None, field: int | str | None, remedy: str) -> FrameError:
    return FrameError(problem, offset=offset, field=field, remedy=remedy)


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. Make it with :func:`decode` or :func:`build`, which keep ``raw`` true.

    ``tpdu`` 10 and ``header`` 12 hexadecimal digits, ``mti`` 4 digits. ``fields``: number -> value, ascending:
    packed fields as their digits (tracks: upper-case hex with ``D``), binary fields as upper-case hex, text fields as
    one character a byte (Latin-1, which loses nothing; :meth:`text` reads it as GBK). ``raw`` includes the length.
    ``f48``: how the digits of F48 are written (sources disagree): packed, or as ASCII.
    """

    tpdu: str
    header: str
    mti: str
    fields: Mapping[int, str]
    raw: bytes = field(compare=False, repr=False)
    f48: F48 = "bcd"

    def __hash__(self) -> int:
        return hash(self.raw)

    def __contains__(self, number: object) -> bool:
        return number in self.fields

    def get(self, number: int, default: str = "") -> str:
        """The value of a field, or ``default`` where the frame has none."""
        return self.fields.get(number, default)

    def text(self, number: int) -> str:
        """A text field for people: GBK, undecodable bytes as ``\\xNN``; "" where the frame has none."""
        return self.fields.get(number, "").encode("latin-1").decode("gbk", "backslashreplace")

    def binary(self, number: int) -> bytes:
        """A binary field as bytes; b"" where the frame has none."""
        return bytes.fromhex(self.fields.get(number, ""))

    @property
    def is_response(self) -> bool:
        """The third digit of the MTI is odd: 0210, 0410, 0810..."""
        return self.mti[2] in "13579"

    @property
    def processing_request(self) -> str:
        """Header nibble 5, host to terminal: 0 nothing, 1 download parameters, 3 sign in again... (``PROCESSING``)."""
        return self.header[5]

    @property
    def message_type(self) -> str:
        """F60.1 (2 digits), "" where absent."""
        return self.fields.get(60, "")[0:2]

    @property
    def batch(self) -> str:
        """F60.2 (6 digits), "" where absent."""
        return self.fields.get(60, "")[2:8]

    @property
    def network_code(self) -> str:
        """F60.3 (3 digits), "" where absent."""
        return self.fields.get(60, "")[8:11]

    def but(
        self,
        fields: Mapping[int, str | None] | None = None,
        *,
        mti: str | None = None,
        tpdu: str | None = None,
        header: str | None = None,
    ) -> Frame:
        """A copy with some parts changed; a field given as None is left out. ``raw`` is made anew."""
        merged = dict(self.fields)
        for number, value in (fields or {}).items():
            if value is None:
                merged.pop(number, None)
            else:
                merged[number] = value
        return build(mti or self.mti, merged, tpdu=tpdu or self.tpdu, header=header or self.header, f48=self.f48)


def decode(data: bytes) -> Frame:
    """The frame in ``data``, which holds exactly one, length included. Raises :class:`FrameError`, nothing else."""
    data = bytes(data)
    size = len(data)
    if size < OFFSET_FIELDS:
        raise FrameError(_too_short(data), offset=size if size < 2 else 0, field="length")
    announced = data[0] << 8 | data[1]
    if announced != size - 2:
        problem = f"the prefix says {announced} bytes follow, {size - 2} do"
        raise FrameError(problem, offset=0, field="length", remedy=_prefix_remedy(data))
    bits = int.from_bytes(data[OFFSET_BITMAP:OFFSET_FIELDS], "big")
    if bits & UNKNOWN_BITS:
        raise _unknown_field(bits)
    f48: F48 = "bcd"
    fields = packing.read(data, bits)
    if fields is None and bits & bit(48):
        f48, fields = "ascii", packing.read(data, bits, ascii48=True)
    head = data[OFFSET_TPDU:OFFSET_BITMAP].hex().upper()
    if fields is not None and head[22:].isdigit():
        return Frame(head[:10], head[10:22], head[22:], MappingProxyType(fields), data, f48)
    try:  # something is wrong, and pyiso8583 stops at it
        return _decode(data, SPEC, "bcd")
    except FrameError as error:
        if bits & bit(48):
            with contextlib.suppress(FrameError):
                return _decode(data, SPEC_ASCII, "ascii")
        raise error from None


def _decode(data: bytes, spec: dict[str, dict[str, Any]], f48: F48) -> Frame:
    try:
        values, _encoded = iso8583.decode(data[2:], spec)
    except iso8583.DecodeError as error:
        raise _explain(error, data) from None
    head, mti = values.pop("h"), values.pop("t")
    del values["p"]
    digits = "".join([mti, *[value for key, value in values.items() if key in _DIGIT_FIELDS]])
    if not (digits.isascii() and digits.isdigit()):
        raise _not_digits(mti, values, _encoded)
    fields = MappingProxyType({_NUMBER[key]: value for key, value in values.items()})
    return Frame(head[:10], head[10:], mti, fields, data, f48)


def encode(frame: Frame) -> bytes:
    """The bytes of the frame's parts, length included; ``frame.raw`` is not looked at. Raises :class:`FrameError`."""
    return _assemble(frame.mti, frame.fields, frame.tpdu, frame.header, frame.f48)[0]


def build(
    mti: str, fields: Mapping[int, str], tpdu: str = DEFAULT_TPDU, header: str = DEFAULT_HEADER, f48: F48 = "bcd",
    mac: MakesMac | None = None,
) -> Frame:
    """A frame from its parts (values as in :class:`Frame`). Nothing is filled up: F4 needs its 12 digits. With ``mac``
    F64 is what that makes of the bytes before it."""
    if not fields.get(48):
        f48 = "bcd"
    if mac is not None:
        fields = {**fields, 64: _NO_MAC}  # its place, and its bit in the bitmap, which is covered too
    raw, ascending = _assemble(mti, fields, tpdu, header, f48)
    if mac is not None:
        ascending[64] = made = mac(raw[OFFSET_MTI:-8])
        raw = raw[:-8] + made.encode("ascii")
    return Frame(tpdu, header, mti, MappingProxyType(ascending), raw, f48)


def with_mac(frame: Frame, value: str) -> Frame:
    """``frame`` with this F64 (8 hexadecimal characters), the last field always: nothing else is encoded again."""
    if len(value) != 8 or not value.isascii():
        _check_value(FIELDS[64], value)
    raw, size = frame.raw, len(frame.raw)
    content = raw[OFFSET_TPDU : size - 8] if 64 in frame.fields else raw[OFFSET_TPDU:]
    last = OFFSET_FIELDS - OFFSET_TPDU - 1  # the bitmap's last byte, whose last bit is F64's
    if len(content) + 8 > MAX_LENGTH:
        raise FrameError(f"{len(content) + 8} bytes do not fit a 2-byte length", field="length")
    body = content[:last] + bytes((content[last] | 1,)) + content[last + 1 :] + value.encode("latin-1")
    fields = MappingProxyType({**frame.fields, 64: value})
    return Frame(frame.tpdu, frame.header, frame.mti, fields, len(body).to_bytes(2, "big") + body, frame.f48)


def offset_of_bit(number: int) -> int:
    """Where in a frame the byte of the bitmap stands that has the bit of a field."""
    return OFFSET_BITMAP + (number - 1) // 8


def offset_of(frame: Frame, number: int) -> int:
    """Where a field of a frame begins, its length included; of an absent one, where its bit stands."""
    if number not in frame:
        return offset_of_bit(number)
    return OFFSET_FIELDS + sum(
        FIELDS[before].prefix + _content_size(frame, before) for before in frame.fields if before < number
    )


def placed(error: FrameError, frame: Frame) -> FrameError:
    """``error``, which is about the content of a field of ``frame``, with its offset in the whole frame. (An offset
    that it has already counts from the beginning of the field's content, unless the field is absent.)"""
    number = error.field
    if not isinstance(number, int) or (number not in frame and error.offset is not None):
        return error
    offset = offset_of(frame, number) + (0 if error.offset is None else FIELDS[number].prefix + error.offset)
    return FrameError(error.problem, offset=offset, field=number, remedy=error.remedy)


def _content_size(frame: Frame, number: int) -> int:
    kind, length = FIELDS[number].kind, len(frame.fields[number])
    if kind == "text" or (number == 48 and frame.f48 == "ascii"):
        return length
    return length // 2 if kind == "binary" else (length + 1) // 2


def swap_tpdu(tpdu: str) -> str:
    """The TPDU of an answer: destination and source exchanged."""
    return tpdu[:2] + tpdu[6:] + tpdu[2:6]


def _assemble(
    mti: str, fields: Mapping[int, str], tpdu: str, header: str, f48: F48
) -> tuple[bytes, dict[int, str]]:
    """The frame's bytes, and the fields in the order in which they stand in it."""
    head = packing.head(tpdu, header, mti)
    written = None if head is None else packing.write(fields, ascii48=f48 == "ascii")
    if head is None or written is None:
        raise _misfit(mti, fields, tpdu, header)
    bits, content, ascending = written
    size = MIN_LENGTH + len(content)
    if size > MAX_LENGTH:
        raise FrameError(f"{size} bytes do not fit a 2-byte length", field="length")
    return bytes.fromhex(f"{size:04X}{head}{bits:016X}") + content, ascending


def _misfit(mti: str, fields: Mapping[int, str], tpdu: str, header: str) -> FrameError:
    """Which of a frame's parts does not fit, and why."""
    try:
        _check_head("TPDU", tpdu, 10, _HEX)
        _check_head("header", header, 12, _HEX)
        _check_head("MTI", mti, 4, _DIGITS)
        for number, value in fields.items():
            spec = FIELDS.get(number) if isinstance(number, int) else None
            if spec is None:
                raise FrameError(f"there is no such field; known are {_known()}", field=number)
            _check_value(spec, value)
    except FrameError as error:
        return error
    raise AssertionError("called for parts that fit")


def _check_head(name: str, value: object, size: int, alphabet: frozenset[str]) -> None:
    what = "decimal digits" if alphabet is _DIGITS else "hexadecimal digits (upper case)"
    if not isinstance(value, str):
        raise FrameError(f"expected a string of {size} {what}, got {type(value).__name__}", field=name)
    if len(value) != size or not alphabet.issuperset(value):
        raise FrameError(f"expected {size} {what}, got {value!r}", field=name)


def _check_value(spec: FieldSpec, value: object) -> None:
    number = spec.number
    if not isinstance(value, str):
        raise FrameError(f"expected a string, got {type(value).__name__}", field=number)
    length = len(value)
    if spec.kind == "digits":
        if value and not (value.isascii() and value.isdigit()):
            raise FrameError(f"expected decimal digits, got {_cut(value)}", field=number)
    elif spec.kind == "track":
        if not _HEX.issuperset(value):
            raise FrameError(f"expected digits with D as separator (upper case), got {_cut(value)}", field=number)
    elif spec.kind == "binary":
        if length % 2 or not _HEX.issuperset(value):
            raise FrameError(f"expected pairs of hexadecimal digits (upper case), got {_cut(value)}", field=number)
        length //= 2
    else:
        try:
            value.encode("latin-1")
        except UnicodeEncodeError as error:
            character = value[error.start]
            raise FrameError(
                f"character {error.start + 1} is {character!r}; text fields hold one character a byte: write the GBK "
                f"bytes of it as {character.encode('gbk', 'replace').decode('latin-1')!r}",
                field=number,
            ) from None
    unit = "digits" if spec.packed else "bytes"
    if spec.prefix == 0 and length != spec.size:
        raise FrameError(f"expected exactly {spec.size} {unit}, got {length}", field=number)
    if length > spec.size:
        raise FrameError(f"expected at most {spec.size} {unit}, got {length}", field=number)


def _cut(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:37] + "...")


def _known() -> str:
    return ", ".join(str(number) for number in FIELDS)


def _too_short(data: bytes) -> str:
    if len(data) < 2:
        return f"{len(data)} bytes are no length prefix"
    return (
        f"{len(data)} bytes; the shortest frame has {OFFSET_FIELDS} (length prefix 2, TPDU 5, header 6, MTI 2, "
        f"bitmap 8), its prefix says at least {MIN_LENGTH}, this one {data[0] << 8 | data[1]}"
    )


def _prefix_remedy(data: bytes) -> str:
    announced, have = data[0] << 8 | data[1], len(data) - 2
    if data[0] == 0x60:
        return f"it seems to begin with the TPDU: put the length {len(data):04X} before it"
    if announced < have:
        return f"is there more than one frame? the first would end at offset {2 + announced}"
    return "was the frame cut short when it was copied?"


def _unknown_field(bits: int) -> FrameError:
    number = next(number for number in range(1, 65) if bits & UNKNOWN_BITS & bit(number))
    offset = OFFSET_BITMAP + (number - 1) // 8
    if number == 1:
        return FrameError("bit 1 announces a second bitmap; this dialect has none", offset=offset, field="bitmap")
    return FrameError("its bit is set, but this dialect has no such field", offset=offset, field=number)


def _not_digits(mti: str, values: Mapping[str, str], encoded: Mapping[str, Mapping[str, bytes]]) -> FrameError:
    if not mti.isdigit():
        return FrameError(f"expected 4 decimal digits, got {mti}", offset=OFFSET_MTI, field="MTI")
    offset = OFFSET_FIELDS
    for key, value in values.items():
        offset += len(encoded[key]["len"])
        if key in _DIGIT_FIELDS and value and not (value.isascii() and value.isdigit()):
            spec = FIELDS[_NUMBER[key]]
            position = next(index for index, character in enumerate(value) if character not in _DIGITS)
            shift = 1 if spec.pad == "left" and len(value) % 2 else 0
            return FrameError(
                f"digit {position + 1} is {value[position]}, expected decimal digits",
                offset=offset + (position + shift) // 2,
                field=spec.number,
            )
        offset += len(encoded[key]["data"])
    raise AssertionError("called for values which are all digits")


def _explain(error: iso8583.DecodeError, data: bytes) -> FrameError:
    """pyiso8583's complaint in our words, with the offset in the whole frame."""
    offset = OFFSET_TPDU + error.pos
    if error.field not in _NUMBER:
        return FrameError(f"{len(data) - offset} bytes behind the bitmap, which announces no field", offset=offset)
    spec = FIELDS[_NUMBER[error.field]]
    if error.msg.startswith("Extra data"):
        return FrameError(
            f"{len(data) - offset} bytes stand behind F{spec.number}, the last field of the bitmap", offset=offset
        )
    prefix, have = error.doc_enc[error.field]["len"], error.doc_enc[error.field]["data"]
    unit = "digits" if spec.packed else "bytes"
    if len(prefix) < spec.prefix:
        problem = f"the frame ends before its {spec.prefix}-byte length"
    elif not have and spec.prefix and not prefix.hex().isdigit():
        problem = f"its length is {prefix.hex().upper()}, expected decimal digits"
    elif not have and spec.prefix and int(prefix.hex()) > spec.size:
        problem = f"its length is {int(prefix.hex())} {unit}, at most {spec.size} are allowed"
    else:
        wanted = int(prefix.hex()) if spec.prefix else spec.size
        needed = (wanted + 1) // 2 if spec.packed else wanted
        if len(have) < needed:
            problem = f"the frame ends after {len(have)} of its {needed} bytes"
        else:
            pad = have.hex().upper()[0 if spec.pad == "left" else -1]
            problem = f"the pad nibble on the {spec.pad} is {pad}, expected 0"
            offset += 0 if spec.pad == "left" else needed - 1
    return FrameError(problem, offset=offset, field=spec.number)
