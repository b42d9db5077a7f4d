"""The terminal's own cryptography: DES in ECB, check values, the UnionPay ECB MAC, PIN blocks. Pure."""

from __future__ import annotations

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

BLOCK = 8
KCV_SIZE = 4


def _cipher(key: bytes) -> Cipher[modes.ECB]:
    """8 bytes: single DES (three equal keys); 16: two-key triple DES."""
    if len(key) not in (8, 16):
        raise ValueError(f"a DES key has 8 or 16 bytes, not {len(key)}")
    return Cipher(TripleDES((key + key + key)[:24]), modes.ECB())


def encrypt(key: bytes, data: bytes) -> bytes:
    return _cipher(key).encryptor().update(data)


def decrypt(key: bytes, data: bytes) -> bytes:
    return _cipher(key).decryptor().update(data)


def kcv(key: bytes) -> bytes:
    """The first 4 bytes of eight zero bytes under the key."""
    return encrypt(key, bytes(BLOCK))[:KCV_SIZE]


def xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def mac(key: bytes, data: bytes) -> str:
    """F64: XOR all blocks, write as 16 hex characters, DES the first 8, XOR the last 8, DES; 4 bytes as hex."""
    data += bytes(-len(data) % BLOCK)
    folded = 0
    for at in range(0, len(data), BLOCK):
        folded ^= int.from_bytes(data[at : at + BLOCK], "big")
    text = f"{folded:016X}".encode()
    first = encrypt(key, text[:BLOCK])
    return encrypt(key, xor(first, text[BLOCK:]))[:4].hex().upper()


def pin_block(pik: bytes, pin: str, pan: str) -> str:
    """F52: X9.8 with PAN (its last 12 digits before the check digit), under the PIN key; hex."""
    pin_part = bytes.fromhex(f"{len(pin):02X}{pin}".ljust(2 * BLOCK, "F"))
    pan_part = bytes.fromhex(pan[-13:-1].rjust(2 * BLOCK, "0"))
    return encrypt(pik, xor(pin_part, pan_part)).hex().upper()
