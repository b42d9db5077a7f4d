"""The UnionPay terminal dialect of ISO 8583 as data for pyiso8583: TPDU, header, MTI, one bitmap, fields 2 to 64.

Lengths of BCD fields count digits, those of text and binary fields bytes. ``len_enc`` must stay ``"bcd"``: in
pyiso8583 ``"b"`` meant BCD before 3.0 and means an unsigned integer since. Sources: 22 public frames that decode with
no remainder (yangyongzhen/Easy8583Ans, Ajsgn/Java8583, CaoEnXin/LiaoYang_POS and others).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["digits", "track", "text", "binary"]

OFFSET_TPDU = 2
OFFSET_HEADER = 7
OFFSET_MTI = 13
OFFSET_BITMAP = 15
OFFSET_FIELDS = 23
MIN_LENGTH = OFFSET_FIELDS - 2  # smallest value of the length prefix: TPDU, header, MTI, bitmap
MAX_LENGTH = 0xFFFF


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field. ``size``: the exact (``prefix`` 0) or greatest number of digits or bytes.

    kind: ``digits`` packed decimal; ``track`` packed hexadecimal (``D`` separates, and an encrypted track holds any
    nibble); ``text`` one byte a character; ``binary`` bytes. ``prefix``: bytes of the BCD length before the value.
    ``pad``: on which side the zero nibble stands when the number of digits is odd.
    """

    number: int
    name: str
    kind: Kind
    size: int
    prefix: Literal[0, 1, 2] = 0
    pad: Literal["left", "right"] = "right"

    @property
    def packed(self) -> bool:
        """Two characters of the value are one byte on the wire, and lengths count characters."""
        return self.kind in ("digits", "track")

    def for_pyiso8583(self) -> dict[str, Any]:
        """This field in pyiso8583's own terms."""
        entry: dict[str, Any] = {
            "data_enc": "latin-1" if self.kind == "text" else "b",
            "len_enc": "bcd",
            "len_type": self.prefix,
            "len_count": "nibbles" if self.packed else "bytes",
            "max_len": self.size,
            "desc": self.name,
        }
        if self.packed:
            entry[f"{self.pad}_pad"] = "0"
        return entry


_FIELDS = (
    FieldSpec(2, "primary account number", "digits", 19, 1),
    FieldSpec(3, "processing code", "digits", 6),
    FieldSpec(4, "amount", "digits", 12),
    FieldSpec(11, "trace number (STAN)", "digits", 6),
    FieldSpec(12, "local time", "digits", 6),
    FieldSpec(13, "local date", "digits", 4),
    FieldSpec(14, "expiry date", "digits", 4),
    FieldSpec(15, "settlement date", "digits", 4),
    FieldSpec(22, "entry mode", "digits", 3),
    FieldSpec(23, "card sequence number", "digits", 3, pad="left"),
    FieldSpec(25, "condition code", "digits", 2),
    FieldSpec(26, "PIN capture code", "digits", 2),
    FieldSpec(32, "acquiring institution", "digits", 11, 1),
    FieldSpec(35, "track 2", "track", 37, 1),
    FieldSpec(36, "track 3", "track", 104, 2),
    FieldSpec(37, "retrieval reference number", "text", 12),
    FieldSpec(38, "authorisation code", "text", 6),
    FieldSpec(39, "response code", "text", 2),
    FieldSpec(41, "terminal number (TID)", "text", 8),
    FieldSpec(42, "merchant number (MID)", "text", 15),
    FieldSpec(44, "additional response data", "text", 99, 1),
    FieldSpec(48, "additional data", "digits", 999, 2),
    FieldSpec(49, "currency", "text", 3),
    FieldSpec(52, "PIN block", "binary", 8),
    FieldSpec(53, "security control information", "digits", 16),
    FieldSpec(54, "balance", "text", 20, 2),
    FieldSpec(55, "chip data", "binary", 999, 2),
    FieldSpec(59, "detail information", "text", 999, 2),
    FieldSpec(60, "message type, batch, network code", "digits", 17, 2),
    FieldSpec(61, "original transaction", "digits", 999, 2),
    FieldSpec(62, "keys, parameters", "binary", 999, 2),
    FieldSpec(63, "operator, texts", "text", 999, 2),
    FieldSpec(64, "MAC", "text", 8),
)
FIELDS: dict[int, FieldSpec] = {field.number: field for field in _FIELDS}

_FIXED_BYTES = {"data_enc": "b", "len_enc": "bcd", "len_type": 0, "len_count": "bytes"}
SPEC: dict[str, dict[str, Any]] = {
    "h": {**_FIXED_BYTES, "max_len": 11, "desc": "TPDU and header"},
    "t": {**_FIXED_BYTES, "max_len": 2, "desc": "message type"},
    "p": {**_FIXED_BYTES, "max_len": 8, "desc": "bitmap"},
    "1": {**_FIXED_BYTES, "max_len": 0, "desc": "no second bitmap"},
    **{str(field.number): field.for_pyiso8583() for field in _FIELDS},
}
SPEC_ASCII: dict[str, dict[str, Any]] = {  # the same with F48 as ASCII digits, its length counting bytes
    **SPEC, "48": {**SPEC["48"], "data_enc": "latin-1", "len_count": "bytes"}
}
for _entry in ("left_pad", "right_pad"):
    SPEC_ASCII["48"].pop(_entry, None)


def bit(number: int) -> int:
    """The bit of field ``number`` in the bitmap read as a 64-bit big-endian integer."""
    return 1 << (64 - number)


KNOWN_BITS = sum(bit(number) for number in FIELDS)
UNKNOWN_BITS = (1 << 64) - 1 - KNOWN_BITS
