"""The terminal's own cryptography: DES and SM4 in ECB, check values, the UnionPay ECB MAC, PIN blocks, tracks. Pure.

``sm`` says that a key of 16 bytes is an SM4 key; without, it is two-key triple DES. How a terminal uses SM4 (check
values, MAC) is assumed: no public source has it.
"""

from __future__ import annotations

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, algorithms, modes

BLOCK = 8
SM_BLOCK = 16
KCV_SIZE = 4


def _cipher(key: bytes, sm: bool) -> Cipher[modes.ECB]:
    """8 bytes: single DES (three equal keys); 16: two-key triple DES, or SM4."""
    if len(key) not in ((16,) if sm else (8, 16)):
        raise ValueError(f"a DES key has 8 or 16 bytes, an SM4 key 16, not {len(key)}")
    algorithm: BlockCipherAlgorithm = algorithms.SM4(key) if sm else TripleDES((key + key + key)[:24])
    return Cipher(algorithm, modes.ECB())


def encrypt(key: bytes, data: bytes, *, sm: bool = False) -> bytes:
    return _cipher(key, sm).encryptor().update(data)


def decrypt(key: bytes, data: bytes, *, sm: bool = False) -> bytes:
    return _cipher(key, sm).decryptor().update(data)


def kcv(key: bytes, *, sm: bool = False) -> bytes:
    """The first 4 bytes of a block of zero bytes under the key."""
    return encrypt(key, bytes(SM_BLOCK if sm else BLOCK), sm=sm)[:KCV_SIZE]


def xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def mac(key: bytes, data: bytes, *, sm: bool = False) -> str:
    """F64: XOR all blocks, write as hex characters (two blocks), encipher the first, XOR the second, encipher; 4 bytes
    as hex. A key of 16 bytes is used whole in both steps."""
    size = SM_BLOCK if sm else BLOCK
    data += bytes(-len(data) % size)
    folded = 0
    for at in range(0, len(data), size):
        folded ^= int.from_bytes(data[at : at + size], "big")
    text = f"{folded:0{2 * size}X}".encode()
    first = encrypt(key, text[:size], sm=sm)
    return encrypt(key, xor(first, text[size:]), sm=sm)[:4].hex().upper()


def enciphered_track(tdk: bytes, track: str) -> str:
    """F35 or F36 under the track key: the 8 bytes that end one byte before the end of the packed track, in place."""
    packed = bytes.fromhex(track + "0" * (len(track) % 2))
    if len(packed) < BLOCK + 1:
        return track  # too short to be one
    block = encrypt(tdk, packed[-BLOCK - 1 : -1])
    return (packed[: -BLOCK - 1] + block + packed[-1:]).hex().upper()[: len(track)]


def pin_block(pik: bytes, pin: str, pan: str) -> str:
    """F52: X9.8 with PAN (its last 12 digits before the check digit), under the PIN key; hex."""
    pin_part = bytes.fromhex(f"{len(pin):02X}{pin}".ljust(2 * BLOCK, "F"))
    pan_part = bytes.fromhex(pan[-13:-1].rjust(2 * BLOCK, "0"))
    return encrypt(pik, xor(pin_part, pan_part)).hex().upper()
