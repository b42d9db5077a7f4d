"""Keys and messages of the golden world: byte-true frames with real MACs under real (test) keys."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from harness.protocol import frames, keys

TID = "10000001"
MID = "898110000000001"
TPDU = "6000030000"
HEADER = "602200000000"
INSTITUTION = "48170000"
OPERATOR = "001"
F55 = (  # what a chip gives for an online request
    "9F2608AABBCCDDEEFF00119F2701809F101307010103A0A802010A010000000000112233449F3704DEADBEEF9F360200019505008004E000"
    "9A032611239C01009F02060000000001005F2A02015682027C009F1A0201569F03060000000000009F3303E0F1C89F34034203009F3501229F1E08"
    "48494C39375445538408A0000003330101019F0902008C9F410400000001"
)

Fields = dict[int, str]
Flaw = Literal["bad_mac", "no_mac", "foreign_trace"]
MACED = frozenset(
    {"0100", "0110", "0200", "0210", "0220", "0230", "0400", "0410", "0620", "0630"}
)
MID_2, TID_2 = "898110000000002", "10000002"  # the second merchant of a terminal that two share


def _key(name: str, size: int) -> bytes:
    """A test key that depends on its name only."""
    return hashlib.sha256(name.encode()).digest()[:size]


@dataclass(frozen=True)
class Keys:
    """A terminal master key, and which one it is (1, 2, 3...)."""

    number: int
    tmk: bytes

    @classmethod
    def of(cls, number: int) -> Keys:
        return cls(number, _key(f"tmk{number}", 16))

    def next(self) -> Keys:
        return Keys.of(self.number + 1)

    @property
    def tmk_kcv(self) -> str:
        """Six digits, as terminals show it."""
        return keys.kcv(self.tmk)[:3].hex().upper()


@dataclass(frozen=True)
class WorkingKeys:
    """PIK and MAK of one sign-in (the ``number``-th)."""

    number: int
    pik: bytes
    mak: bytes

    @classmethod
    def of(cls, number: int) -> WorkingKeys:
        return cls(number, _key(f"pik{number}", 16), _key(f"mak{number}", 8))

    def next(self) -> WorkingKeys:
        return WorkingKeys.of(self.number + 1)

    def wrapped(self, tmk: bytes, *, bad_kcv: bool = False) -> str:
        """F62 of a sign-in's answer; ``bad_kcv``: the check value of the MAC key is wrong."""
        block = keys.make_f62(tmk, "003", self.pik, self.mak)
        if bad_kcv:
            block = block[:-1] + bytes([block[-1] ^ 0xFF])
        return block.hex().upper()

    @classmethod
    def unwrapped(cls, f62: str, tmk: bytes) -> WorkingKeys | None:
        """None where a check value does not match."""
        found = keys.working_keys(bytes.fromhex(f62), "003", tmk)
        return cls(0, found.pik, found.mak) if found.ok else None


@dataclass(frozen=True)
class Message:
    """One message before it is bytes. ``mac``: it carries F64."""

    mti: str
    fields: Fields
    mac: bool = False
    tpdu: str = TPDU
    header: str = HEADER

    @property
    def batch(self) -> str:
        return self.fields.get(60, "")[2:8]

    @property
    def network_code(self) -> str:
        return self.fields.get(60, "")[8:11]

    def encode(self, mak: bytes | None, flaw: Flaw | None = None) -> bytes:
        """The frame, length included."""
        frame = frames.build(self.mti, self.fields, tpdu=self.tpdu, header=self.header)
        if not self.mac or flaw == "no_mac":
            return frame.raw
        if mak is None:
            raise ValueError(f"{self.mti} needs a MAC, and the terminal has no working keys: sign in first")
        sealed = keys.seal(frame, mak)
        if flaw == "bad_mac":
            wrong = "".join("0123456789ABCDEF"[15 - int(c, 16)] for c in sealed.fields[64])
            sealed = sealed.but({64: wrong})
        return sealed.raw


def request_of(mti: str, fields: Mapping[int, str], *, tid: str = TID, mid: str = MID) -> Message:
    """A terminal's request; numbers of terminal and merchant are added."""
    return Message(mti, dict(sorted({**fields, 41: tid, 42: mid}.items())), mti in MACED)


def answer_to(request: Message, code: str, now: datetime, extra: Fields, processing: str = "0") -> Message:
    """The host's answer: what it copies from the request, F12, F13, F32, F39, and ``extra``."""
    copied = {n: v for n, v in request.fields.items() if n in (3, 4, 11, 25, 41, 42, 49, 60)}
    copied[60] = copied.get(60, "00000000000")[:11]
    fields: Fields = {
        **copied, 12: now.strftime("%H%M%S"), 13: now.strftime("%m%d"), 32: INSTITUTION, 39: code, **extra,
    }  # fmt: skip
    mti = f"{int(request.mti) + 10:04d}"
    header = f"{request.header[:5]}{processing}{request.header[6:]}"
    return Message(mti, dict(sorted(fields.items())), mti in MACED, frames.swap_tpdu(request.tpdu), header)


def spoiled(answer: Message, flaw: Flaw | None) -> Message:
    """The answer to somebody else's request, where that is the flaw."""
    if flaw != "foreign_trace":
        return answer
    trace = f"{(int(answer.fields[11]) + 500) % 1_000_000:06d}"
    return replace(answer, fields={**answer.fields, 11: trace})
