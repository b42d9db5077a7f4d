"""What stands inside fields 48, 60, 61, 62 and 63: values, and the strings made of them.

Readers raise FrameError where a field has another shape. Layouts: Innoverex/pos, CaoEnXin/LiaoYang_POS,
ConardLKL/posp_server, and the comments on Q/CUP 009.1-2015 in public terminal code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from harness.protocol.frames import Frame, FrameError

MAX_RECORDS = 8  # of one batch-upload message
_SIDE = 31
_RECORD = 40


@dataclass(frozen=True, slots=True)
class F60:
    """Field 60. Lengths seen on the wire: 8, 11, 13, 14; at most 17. What is not sent is ""."""

    message_type: str
    batch: str
    network_code: str = ""
    entry_capability: str = ""  # 5 chip, 6 chip and contactless
    chip_condition: str = ""
    partial_approval: str = ""
    account_type: str = ""  # 3 more digits of Q/CUP 009.1-2015

    @classmethod
    def of(cls, frame: Frame) -> F60:
        """Reads field 60 of ``frame``."""
        value = frame.get(60)
        if len(value) not in (8, 11, 12, 13, 14, 17):
            raise FrameError(f"{len(value)} digits; 8, 11, 13, 14 or 17 are known", field=60)
        return cls(value[:2], value[2:8], value[8:11], value[11:12], value[12:13], value[13:14], value[14:17])

    def __str__(self) -> str:
        return "".join(getattr(self, part.name) for part in fields(self))


@dataclass(frozen=True, slots=True)
class Totals:
    """One side of F48 in a settlement. Amounts in cents. ``result``: 0 request, 1 balanced, 2 not balanced."""

    debit_amount: int = 0
    debit_count: int = 0
    credit_amount: int = 0
    credit_count: int = 0
    result: int = 0

    def __str__(self) -> str:
        return (
            f"{self.debit_amount:012d}{self.debit_count:03d}{self.credit_amount:012d}{self.credit_count:03d}"
            f"{self.result:d}"
        )


def settlement_totals(frame: Frame) -> tuple[Totals, Totals]:
    """F48 of a settlement: cards of our own currency, foreign cards."""
    value = frame.get(48)
    if len(value) != 2 * _SIDE:
        raise FrameError(f"{len(value)} digits; settlement totals have {2 * _SIDE}", field=48)
    home, foreign = (_side(value[at : at + _SIDE]) for at in (0, _SIDE))
    return home, foreign


def make_totals(home: Totals, foreign: Totals | None = None) -> str:
    """F48 of a settlement. FrameError where a number has too many digits."""
    value = f"{home}{foreign or Totals()}"
    if len(value) != 2 * _SIDE:
        raise FrameError("an amount has at most 12 digits, a count 3, the result 1", field=48)
    return value


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """One transaction in a batch upload. ``kind``: 2 digits; ``pan`` without the zeros on its left; amount in cents."""

    kind: str
    trace: str
    pan: str
    amount: int

    def __str__(self) -> str:
        return f"{self.kind}{self.trace}{self.pan:0>20}{self.amount:012d}"


def batch_records(frame: Frame) -> list[BatchRecord]:
    """F48 of a batch upload: its records, in their order."""
    value = frame.get(48)
    if len(value) < 2 or len(value) != 2 + _RECORD * int(value[:2]):
        raise FrameError(f"{len(value)} digits; a count (2) and as many records of {_RECORD} were expected", field=48)
    if int(value[:2]) > MAX_RECORDS:
        raise FrameError(f"{int(value[:2])} records; at most {MAX_RECORDS} fit a message", field=48)
    parts = [value[at : at + _RECORD] for at in range(2, len(value), _RECORD)]
    return [BatchRecord(part[:2], part[2:8], part[8:28].lstrip("0"), int(part[28:])) for part in parts]


def make_batch_records(records: Iterable[BatchRecord]) -> str:
    """F48 of a batch upload of at most 8 records."""
    texts = [str(record) for record in records]
    if len(texts) > MAX_RECORDS or any(len(text) != _RECORD for text in texts):
        raise FrameError(f"at most {MAX_RECORDS} records, each of {_RECORD} digits", field=48)
    return f"{len(texts):02d}{''.join(texts)}"


def batch_end_count(frame: Frame) -> int:
    """F48 of a batch end: how many transactions were uploaded. Sources do not agree on its width."""
    value = frame.get(48)
    if not value:
        raise FrameError("absent or empty; a batch end holds the number of transactions", field=48)
    return int(value)


@dataclass(frozen=True, slots=True)
class Original:
    """F61: the transaction that is voided, refunded or reversed. ``date`` MMDD, "" where not given."""

    batch: str
    trace: str
    date: str = ""

    @classmethod
    def of(cls, frame: Frame) -> Original:
        """Reads field 61 of ``frame``."""
        value = frame.get(61)
        if len(value) < 12:
            raise FrameError(f"{len(value)} digits; original batch (6) and trace (6) were expected", field=61)
        return cls(value[:6], value[6:12], value[12:16])

    def __str__(self) -> str:
        return self.batch + self.trace + self.date


@dataclass(frozen=True, slots=True)
class KeyBlock:
    """F62 of an approved sign-in as it stands on the wire (keys enciphered). Absent parts are b"".

    :func:`harness.protocol.keys.working_keys` deciphers it.
    """

    pik: bytes
    pik_kcv: bytes
    mak: bytes
    mak_kcv: bytes
    tdk: bytes = b""
    tdk_kcv: bytes = b""


def key_block(frame: Frame) -> KeyBlock:
    """F62 of a sign-in response: 24, 40 or 60 bytes for F60.3 = 001, 003, 004; 40 for 005 and 006."""
    data, network_code = frame.binary(62), frame.network_code
    expected = {"001": 24, "003": 40, "004": 60, "005": 40, "006": 40}.get(network_code)
    if len(data) != expected:
        raise FrameError(f"{len(data)} bytes do not fit F60.3 = {network_code or 'absent'}", field=62)
    key = 8 if network_code == "001" else 16
    cuts = [data[at : at + key + 4] for at in range(0, len(data), key + 4)]
    return KeyBlock(*(part for cut in cuts for part in (cut[:key], cut[key:])))


SEQUENCE_NO = b"Sequence No"


def serial_number(frame: Frame) -> str:
    """F62 of a sign-in request, behind ``Sequence No`` and a length: certificate (4) and serial number of the unit."""
    data = frame.binary(62)
    digits = data[len(SEQUENCE_NO) : len(SEQUENCE_NO) + 2]
    if not data.startswith(SEQUENCE_NO) or not digits.isdigit():
        raise FrameError("it does not begin with 'Sequence No' and a 2-digit length", field=62)
    value = data[len(SEQUENCE_NO) + 2 :]
    if len(value) != int(digits):
        raise FrameError(f"the serial number has {len(value)} bytes, its length says {int(digits)}", field=62)
    return value.decode("latin-1")


def make_serial_number(value: str) -> str:
    """F62 (hex) of a sign-in request for a certificate and serial number of at most 99 characters."""
    return (SEQUENCE_NO + f"{len(value):02d}{value}".encode("latin-1")).hex().upper()


@dataclass(frozen=True, slots=True)
class HostTexts:
    """F63 of a response, read as GBK and stripped: organisation (3 bytes), then texts of 20, 20, 20 and 60 bytes."""

    organisation: str
    issuer: str = ""
    network: str = ""
    acquirer: str = ""
    terminal: str = ""

    @classmethod
    def of(cls, frame: Frame) -> HostTexts:
        """Reads field 63 of ``frame``; it may end anywhere."""
        data = frame.get(63).encode("latin-1")
        cuts = (data[0:3], data[3:23], data[23:43], data[43:63], data[63:])
        return cls(*(cut.decode("gbk", "backslashreplace").strip(" \0") for cut in cuts))


def _side(value: str) -> Totals:
    return Totals(int(value[0:12]), int(value[12:15]), int(value[15:27]), int(value[27:30]), int(value[30]))
