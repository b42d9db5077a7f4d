"""Keys, check values, MAC and PIN blocks of the UnionPay terminal dialect. Every function is pure.

Keys are bytes: 8 (single DES) or 16 (two-key triple DES). A MAC is computed in "UnionPay ECB": XOR of all 8-byte
blocks, written as 16 hex characters, of which the first 8 are enciphered, XORed with the last 8 and enciphered again.
F64 is the hex of the first 4 bytes of that. Vectors: harness/tests/test_protocol_keys.py.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import xor
from typing import Literal

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from harness.errors import BadInput
from harness.protocol.frames import Frame, build
from harness.protocol.spec import OFFSET_BITMAP, OFFSET_MTI

MacResult = Literal["ok", "bad", "absent"]

KEY_BLOCK_LENGTHS = {"001": 24, "003": 40, "004": 60}  # F60.3 -> bytes of F62 in an approved sign-in
_ZERO = bytes(8)
_NO_MAC = "00000000"


class KeyMaterialError(BadInput):
    """A key, key block or PIN block of the wrong shape."""


@dataclass(frozen=True, slots=True)
class WorkingKeys:
    """What an F62 brought: PIN key, MAC key, track key (F60.3 = 004 only), and whether each check value fits."""

    pik: bytes
    mak: bytes
    tdk: bytes | None
    pik_ok: bool
    mak_ok: bool
    tdk_ok: bool = True

    @property
    def ok(self) -> bool:
        """All check values fit: only then is a sign-in one."""
        return self.pik_ok and self.mak_ok and self.tdk_ok


def encrypt(key: bytes, data: bytes) -> bytes:
    """ECB over whole 8-byte blocks, DES or triple DES by the length of ``key``."""
    _check_blocks(data)
    return _ecb(key).encryptor().update(data)


def decrypt(key: bytes, data: bytes) -> bytes:
    """The inverse of :func:`encrypt`."""
    _check_blocks(data)
    return _ecb(key).decryptor().update(data)


def kcv(key: bytes) -> bytes:
    """Check value: the first 4 bytes of eight zero bytes enciphered."""
    return encrypt(key, _ZERO)[:4]


def wrap(kek: bytes, key: bytes) -> bytes:
    """``key`` (8 or 16 bytes) enciphered under ``kek``."""
    if len(key) not in (8, 16):
        raise KeyMaterialError(f"a key has 8 or 16 bytes, this one {len(key)}")
    return encrypt(kek, key)


def unwrap(kek: bytes, wrapped: bytes) -> bytes:
    """The inverse of :func:`wrap`."""
    if len(wrapped) not in (8, 16):
        raise KeyMaterialError(f"an enciphered key has 8 or 16 bytes, this one {len(wrapped)}")
    return decrypt(kek, wrapped)


def working_keys(f62: bytes, network_code: str, tmk: bytes) -> WorkingKeys:
    """The keys of a sign-in response. Raises :class:`KeyMaterialError` where length and F60.3 do not belong together.

    Layouts (each key enciphered under ``tmk``): 001 PIK 8 KCV 4 MAK 8 KCV 4; 003 PIK 16 KCV 4 MAK 16 KCV 4, where a MAK
    slot whose second half is zero on the wire holds a single-length MAK; 004 the same and TDK 16 KCV 4.
    """
    expected = KEY_BLOCK_LENGTHS.get(network_code)
    if expected is None:
        known = ", ".join(KEY_BLOCK_LENGTHS)
        raise KeyMaterialError(f"F60.3 is {network_code or 'absent'}; the key blocks known are those of {known}")
    if len(f62) != expected:
        raise KeyMaterialError(f"F62 has {len(f62)} bytes, with F60.3 = {network_code} it has {expected}")
    if network_code == "001":
        pik, pik_ok = _checked(tmk, f62[0:8], f62[8:12])
        mak, mak_ok = _checked(tmk, f62[12:20], f62[20:24])
        return WorkingKeys(pik, mak, None, pik_ok, mak_ok)
    pik, pik_ok = _checked(tmk, f62[0:16], f62[16:20])
    slot = f62[20:36]
    mak, mak_ok = _checked(tmk, slot[:8] if slot[8:] == _ZERO else slot, f62[36:40])
    if network_code == "003":
        return WorkingKeys(pik, mak, None, pik_ok, mak_ok)
    tdk, tdk_ok = _checked(tmk, f62[40:56], f62[56:60])
    return WorkingKeys(pik, mak, tdk, pik_ok, mak_ok, tdk_ok)


def make_f62(tmk: bytes, network_code: str, pik: bytes, mak: bytes, tdk: bytes | None = None) -> bytes:
    """The host's side of :func:`working_keys`. Lengths: PIK 8 and MAK 8 for 001; PIK 16, MAK 8 or 16 (and TDK 16 for
    004) otherwise."""
    if network_code not in KEY_BLOCK_LENGTHS:
        raise KeyMaterialError(f"F60.3 is {network_code}; key blocks are known for {', '.join(KEY_BLOCK_LENGTHS)}")
    length = 8 if network_code == "001" else 16
    if len(pik) != length or len(mak) not in {8, length}:
        raise KeyMaterialError(f"PIK of {len(pik)} and MAK of {len(mak)} bytes do not fit F60.3 = {network_code}")
    if (tdk is not None and len(tdk) == 16) != (network_code == "004"):
        raise KeyMaterialError("a track key of 16 bytes belongs to F60.3 = 004, and to no other")
    block = wrap(tmk, pik) + kcv(pik) + wrap(tmk, mak).ljust(length, b"\0") + kcv(mak)
    return block if tdk is None else block + wrap(tmk, tdk) + kcv(tdk)


def mac(key: bytes, data: bytes) -> bytes:
    """UnionPay ECB MAC, 8 bytes. ``data`` is filled up with zeros to whole blocks."""
    words = -(-len(data) // 8)
    folded = reduce(xor, struct.unpack(f">{words}Q", data.ljust(words * 8, b"\0")), 0)
    # E(E(first half) xor second half) is the second block of CBC from a zero IV.
    return _cbc(key).encryptor().update(b"%016X" % folded)[8:]


def f64(value: bytes) -> str:
    """F64 of a MAC: 8 hex characters of its first 4 bytes."""
    return value[:4].hex().upper()


def mac_input(data: bytes) -> bytes:
    """What F64 covers in a whole frame (length included): from the MTI up to but without F64."""
    return data[OFFSET_MTI:-8] if data[OFFSET_BITMAP + 7] & 1 else data[OFFSET_MTI:]


def seal(frame: Frame, key: bytes) -> Frame:
    """``frame`` with the F64 that belongs to it (one already there is replaced)."""
    unsealed = build(frame.mti, {**frame.fields, 64: _NO_MAC}, tpdu=frame.tpdu, header=frame.header)
    value = f64(mac(key, mac_input(unsealed.raw)))
    return build(frame.mti, {**frame.fields, 64: value}, tpdu=frame.tpdu, header=frame.header)


def verify(frame: Frame, key: bytes) -> MacResult:
    """Is F64 there and right? (Lower-case hex is not: the dialect writes upper case.)"""
    value = frame.fields.get(64)
    if value is None:
        return "absent"
    return "ok" if value == f64(mac(key, mac_input(frame.raw))) else "bad"


def pin_block(pin: str, pan: str | None) -> bytes:
    """Clear ISO 9564 format 0 block (with ``pan``; F53 begins 2) or one without a PAN (None; F53 begins 1)."""
    if not (4 <= len(pin) <= 12 and pin.isascii() and pin.isdigit()):
        raise KeyMaterialError("a PIN has 4 to 12 digits")
    clear = int(f"0{len(pin):X}{pin}".ljust(16, "F"), 16)
    return (clear ^ _pan_block(pan)).to_bytes(8, "big")


def pin_from_block(block: bytes, pan: str | None) -> str:
    """The PIN in a clear block; :class:`KeyMaterialError` where it is none (mostly: deciphered with another key)."""
    if len(block) != 8:
        raise KeyMaterialError(f"a PIN block has 8 bytes, this one {len(block)}")
    nibbles = f"{int.from_bytes(block, 'big') ^ _pan_block(pan):016X}"
    length = int(nibbles[1], 16)
    pin, fill = nibbles[2 : 2 + length], nibbles[2 + length :]
    if nibbles[0] != "0" or not 4 <= length <= 12 or not pin.isdigit() or fill.strip("F"):
        raise KeyMaterialError("the PIN block is not one of this card under this key")
    return pin


def _pan_block(pan: str | None) -> int:
    if pan is None:
        return 0
    if not (13 <= len(pan) <= 19 and pan.isascii() and pan.isdigit()):
        raise KeyMaterialError("a PIN block needs a PAN of 13 to 19 digits")
    return int(pan[-13:-1], 16)


def _checked(tmk: bytes, wrapped: bytes, check_value: bytes) -> tuple[bytes, bool]:
    key = unwrap(tmk, wrapped)
    return key, kcv(key) == check_value


def _check_blocks(data: bytes) -> None:
    if len(data) % 8:
        raise KeyMaterialError(f"{len(data)} bytes are no whole 8-byte blocks")


def _triple(key: bytes) -> TripleDES:
    if len(key) == 8:
        return TripleDES(key * 3)
    if len(key) == 16:
        return TripleDES(key + key[:8])
    raise KeyMaterialError(f"a key has 8 or 16 bytes, this one {len(key)}")


@lru_cache(maxsize=256)
def _ecb(key: bytes) -> Cipher[modes.ECB]:
    return Cipher(_triple(key), modes.ECB())


@lru_cache(maxsize=256)
def _cbc(key: bytes) -> Cipher[modes.CBC]:
    return Cipher(_triple(key), modes.CBC(_ZERO))
