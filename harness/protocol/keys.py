"""Keys, check values, MACs, PIN blocks and enciphered tracks of the UnionPay terminal dialect. Every function is pure.

Keys are bytes: 8 (single DES) or 16 (two-key triple DES, or SM4: a key does not say which, so that what takes a key
takes an ``algorithm`` too; :func:`algorithm_of` tells it from F60.3 of the sign-in). A MAC is computed in "UnionPay
ECB": XOR of all blocks (8 bytes, with SM4 16), written as hex characters, of which the first half is enciphered, XORed
with the second half and enciphered again. F64 is the hex of the first 4 bytes of that. With a MAK of 16 bytes both
steps are triple DES. The SM4 forms (F60.3 005 and 006) are assumed: no public source has them in full. Vectors:
harness/tests/test_protocol_keys.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import xor
from typing import Literal

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, CipherContext, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from harness.errors import BadInput
from harness.protocol.frames import Frame, with_mac
from harness.protocol.spec import OFFSET_BITMAP, OFFSET_MTI

MacResult = Literal["ok", "bad", "absent"]
Algorithm = Literal["des", "sm4"]  # "des": single or triple by the length of the key

# F60.3 -> bytes of F62 in an approved sign-in
KEY_BLOCK_LENGTHS = {"001": 24, "003": 40, "004": 60, "005": 40, "006": 40}
_MAK_LENGTHS = {"001": (8,), "003": (8, 16), "004": (8, 16), "005": (16,), "006": (16,)}
_SM_CODES = frozenset({"005", "006"})
_BLOCK: dict[Algorithm, int] = {"des": 8, "sm4": 16}
_ZERO = bytes(8)
_ECB = modes.ECB()


class KeyMaterialError(BadInput):
    """A key, key block or PIN block of the wrong shape."""


@dataclass(frozen=True, slots=True)
class WorkingKeys:
    """What an F62 brought: PIN key, MAC key, track key (F60.3 = 004 only), and whether each check value fits.

    ``algorithm``: what the keys are for, and what belongs into every call that uses one of them.
    """

    pik: bytes
    mak: bytes
    tdk: bytes | None
    pik_ok: bool
    mak_ok: bool
    tdk_ok: bool = True
    algorithm: Algorithm = "des"

    @property
    def ok(self) -> bool:
        """All check values fit: only then is a sign-in one."""
        return self.pik_ok and self.mak_ok and self.tdk_ok


def algorithm_of(network_code: str) -> Algorithm:
    """What the keys of a sign-in with this F60.3 are for."""
    return "sm4" if network_code in _SM_CODES else "des"


def key_lengths(network_code: str, mak_length: int = 8) -> tuple[int, int, int]:
    """Bytes of PIK, MAK and TDK (0: there is none) that belong to a sign-in with this F60.3.

    ``mak_length`` 8 or 16 is the profile's choice for 003 and 004; 001 has 8, SM4 always 16.
    """
    _check_code(network_code)
    if network_code == "001":
        return 8, 8, 0
    if network_code in _SM_CODES:
        return 16, 16, 0
    return 16, mak_length, 16 if network_code == "004" else 0


def encrypt(key: bytes, data: bytes, algorithm: Algorithm = "des") -> bytes:
    """ECB over whole blocks: DES or triple DES (8 bytes) by the length of ``key``, or SM4 (16 bytes)."""
    _check_blocks(data, algorithm)
    return _enciphering(key, algorithm).update(data)


def decrypt(key: bytes, data: bytes, algorithm: Algorithm = "des") -> bytes:
    """The inverse of :func:`encrypt`."""
    _check_blocks(data, algorithm)
    return _deciphering(key, algorithm).update(data)


def kcv(key: bytes, algorithm: Algorithm = "des") -> bytes:
    """Check value: the first 4 bytes of one block of zero bytes enciphered."""
    return _enciphering(key, algorithm).update(_ZERO if algorithm == "des" else _ZERO * 2)[:4]


def wrap(kek: bytes, key: bytes, algorithm: Algorithm = "des") -> bytes:
    """``key`` (8 or 16 bytes; for SM4 16) enciphered under ``kek``."""
    if len(key) not in (8, 16):
        raise KeyMaterialError(f"a key has 8 or 16 bytes, this one {len(key)}")
    return encrypt(kek, key, algorithm)


def unwrap(kek: bytes, wrapped: bytes, algorithm: Algorithm = "des") -> bytes:
    """The inverse of :func:`wrap`."""
    if len(wrapped) not in (8, 16):
        raise KeyMaterialError(f"an enciphered key has 8 or 16 bytes, this one {len(wrapped)}")
    return decrypt(kek, wrapped, algorithm)


def working_keys(f62: bytes, network_code: str, tmk: bytes) -> WorkingKeys:
    """The keys of a sign-in response. Raises :class:`KeyMaterialError` where length and F60.3 do not belong together.

    Layouts (each key enciphered under ``tmk``): 001 PIK 8 KCV 4 MAK 8 KCV 4; 003 PIK 16 KCV 4 MAK 16 KCV 4, where a MAK
    slot whose second half is zero on the wire holds a single-length MAK; 004 the same and TDK 16 KCV 4; 005 and 006
    (assumed) as 003 with SM4 throughout, where the MAK has 16 bytes always.
    """
    _check_code(network_code)
    expected = KEY_BLOCK_LENGTHS[network_code]
    if len(f62) != expected:
        raise KeyMaterialError(f"F62 has {len(f62)} bytes, with F60.3 = {network_code} it has {expected}")
    algorithm = algorithm_of(network_code)
    if network_code == "001":
        pik, pik_ok = _checked(tmk, f62[0:8], f62[8:12], algorithm)
        mak, mak_ok = _checked(tmk, f62[12:20], f62[20:24], algorithm)
        return WorkingKeys(pik, mak, None, pik_ok, mak_ok)
    pik, pik_ok = _checked(tmk, f62[0:16], f62[16:20], algorithm)
    slot = f62[20:36]
    single = algorithm == "des" and slot[8:] == _ZERO
    mak, mak_ok = _checked(tmk, slot[:8] if single else slot, f62[36:40], algorithm)
    if network_code != "004":
        return WorkingKeys(pik, mak, None, pik_ok, mak_ok, algorithm=algorithm)
    tdk, tdk_ok = _checked(tmk, f62[40:56], f62[56:60], algorithm)
    return WorkingKeys(pik, mak, tdk, pik_ok, mak_ok, tdk_ok)


def make_f62(tmk: bytes, network_code: str, pik: bytes, mak: bytes, tdk: bytes | None = None) -> bytes:
    """The host's side of :func:`working_keys`. Lengths: :func:`key_lengths`, the MAK of 003 and 004 with 8 or 16."""
    algorithm = algorithm_of(network_code)
    pik_length, _mak_length, tdk_length = key_lengths(network_code)
    if len(pik) != pik_length or len(mak) not in _MAK_LENGTHS[network_code]:
        raise KeyMaterialError(f"PIK of {len(pik)} and MAK of {len(mak)} bytes do not fit F60.3 = {network_code}")
    if len(tdk or b"") != tdk_length:
        raise KeyMaterialError("a track key of 16 bytes belongs to F60.3 = 004, and to no other")
    wrapped = encrypt(tmk, pik + mak + (tdk or b""), algorithm)  # in ECB the same as one by one
    at = pik_length + len(mak)
    block = wrapped[:pik_length] + kcv(pik, algorithm)
    block += wrapped[pik_length:at].ljust(pik_length, b"\0") + kcv(mak, algorithm)
    return block + wrapped[at:] + kcv(tdk) if tdk else block


def mac(key: bytes, data: bytes, algorithm: Algorithm = "des") -> bytes:
    """UnionPay ECB MAC, one block: 8 bytes, with SM4 16. ``data`` is filled up with zeros to whole blocks."""
    size = _BLOCK[algorithm]
    blocks, step = -(-len(data) // size), size // 8
    words = struct.unpack(f">{blocks * step}Q", data.ljust(blocks * size, b"\0"))
    if step == 1:
        folded = b"%016X" % reduce(xor, words, 0)
    else:
        folded = b"%016X%016X" % (reduce(xor, words[::2], 0), reduce(xor, words[1::2], 0))
    update = _enciphering(key, algorithm).update
    mixed = int.from_bytes(update(folded[:size]), "big") ^ int.from_bytes(folded[size:], "big")
    return update(mixed.to_bytes(size, "big"))


def cbc_mac(key: bytes, data: bytes) -> bytes:
    """ANSI X9.9, 8 bytes: DES in CBC from a zero IV, last block; a 16-byte key is triple DES on every block."""
    padded = data.ljust(max(8, -(-len(data) // 8) * 8), b"\0")
    return Cipher(_cipher(key, "des"), modes.CBC(_ZERO)).encryptor().update(padded)[-8:]


def retail_mac(key: bytes, data: bytes) -> bytes:
    """ANSI X9.19 (ISO 9797-1 algorithm 3, padding 1), 8 bytes: single DES in CBC with the first half of a 16-byte key,
    the last block deciphered with the second half and enciphered with the first."""
    if len(key) != 16:
        raise KeyMaterialError(f"the key of X9.19 has 16 bytes, this one {len(key)}")
    left, right = key[:8], key[8:]
    return encrypt(left, decrypt(right, cbc_mac(left, data)))


def f64(value: bytes) -> str:
    """F64 of a MAC: 8 hex characters of its first 4 bytes."""
    return value[:4].hex().upper()


def mac_input(data: bytes) -> bytes:
    """What F64 covers in a whole frame (length included): from the MTI up to but without F64."""
    return data[OFFSET_MTI:-8] if data[OFFSET_BITMAP + 7] & 1 else data[OFFSET_MTI:]


def seal(frame: Frame, key: bytes, algorithm: Algorithm = "des") -> Frame:
    """``frame`` with the F64 that belongs to it (one already there is replaced)."""
    covered = bytearray(mac_input(frame.raw))
    covered[OFFSET_BITMAP + 7 - OFFSET_MTI] |= 1  # the bit of F64 itself is covered too
    return with_mac(frame, f64(mac(key, bytes(covered), algorithm)))


def verify(frame: Frame, key: bytes, algorithm: Algorithm = "des") -> MacResult:
    """Is F64 there and right? (Lower-case hex is not: the dialect writes upper case.)"""
    value = frame.fields.get(64)
    if value is None:
        return "absent"
    return "ok" if value == f64(mac(key, mac_input(frame.raw), algorithm)) else "bad"


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


def encrypt_track(tdk: bytes, track: str) -> str:
    """F35 or F36 with its middle enciphered under the track key (F60.3 = 004; F53 says so in its third digit).

    ``track``: digits and ``D``, as in :class:`Frame`. Of the packed track, filled up with a zero nibble to whole bytes,
    the 8 bytes that end one byte before its end are replaced by what they give in ECB. The length stays.
    """
    return _track(track, lambda block: encrypt(tdk, block))


def decrypt_track(tdk: bytes, track: str) -> str:
    """The inverse of :func:`encrypt_track`; under another key anything may come out."""
    return _track(track, lambda block: decrypt(tdk, block))


def _track(track: str, change: Callable[[bytes], bytes]) -> str:
    try:
        packed = bytes.fromhex(track if len(track) % 2 == 0 else track + "0")
    except ValueError:
        raise KeyMaterialError("a track has digits, and D as separator") from None
    if len(packed) < 9:
        raise KeyMaterialError(f"a track of {len(track)} digits has no 8 bytes before its last one")
    return (packed[:-9] + change(packed[-9:-1]) + packed[-1:]).hex().upper()[: len(track)]


def parity_ok(key: bytes) -> bool:
    """Every byte of a DES key has an odd number of bits set. Their last bits are no part of the key: 44 and 45 repeated
    are the same one."""
    return all(byte.bit_count() % 2 for byte in key)


def _pan_block(pan: str | None) -> int:
    if pan is None:
        return 0
    if not (13 <= len(pan) <= 19 and pan.isascii() and pan.isdigit()):
        raise KeyMaterialError("a PIN block needs a PAN of 13 to 19 digits")
    return int(pan[-13:-1], 16)


def _check_code(network_code: str) -> None:
    if network_code not in KEY_BLOCK_LENGTHS:
        known = ", ".join(KEY_BLOCK_LENGTHS)
        raise KeyMaterialError(f"F60.3 is {network_code or 'absent'}; the key blocks known are those of {known}")


def _checked(tmk: bytes, wrapped: bytes, check_value: bytes, algorithm: Algorithm) -> tuple[bytes, bool]:
    key = unwrap(tmk, wrapped, algorithm)
    return key, kcv(key, algorithm) == check_value


def _check_blocks(data: bytes, algorithm: Algorithm) -> None:
    if len(data) % _BLOCK[algorithm]:
        raise KeyMaterialError(f"{len(data)} bytes are no whole {_BLOCK[algorithm]}-byte blocks")


def _cipher(key: bytes, algorithm: Algorithm) -> BlockCipherAlgorithm:
    if algorithm == "sm4":
        if len(key) != 16:
            raise KeyMaterialError(f"an SM4 key has 16 bytes, this one {len(key)}")
        return SM4(key)
    if len(key) == 8:
        return TripleDES(key * 3)
    if len(key) == 16:
        return TripleDES(key + key[:8])
    raise KeyMaterialError(f"a key has 8 or 16 bytes, this one {len(key)}")


# A context in ECB that is only given whole blocks holds nothing but the key's schedule: one may be used for ever.


@lru_cache(maxsize=4096)
def _enciphering(key: bytes, algorithm: Algorithm) -> CipherContext:
    return Cipher(_cipher(key, algorithm), _ECB).encryptor()


@lru_cache(maxsize=1024)
def _deciphering(key: bytes, algorithm: Algorithm) -> CipherContext:
    return Cipher(_cipher(key, algorithm), _ECB).decryptor()
