"""The dialect's cryptography once more, from its description, on other libraries: pycryptodome for DES, gmssl for SM4.

Nothing of ``harness`` or ``cryptography`` takes part.
"""

from __future__ import annotations

from Crypto.Cipher import DES
from gmssl.sm4 import SM4_DECRYPT, SM4_ENCRYPT, CryptSM4


def des(key: bytes, block: bytes) -> bytes:
    """One block under 8 bytes (DES) or 16 (encrypt, decrypt, encrypt)."""
    left = DES.new(key[:8], DES.MODE_ECB)
    if len(key) == 8:
        return left.encrypt(block)
    return left.encrypt(DES.new(key[8:], DES.MODE_ECB).decrypt(left.encrypt(block)))


def un_des(key: bytes, block: bytes) -> bytes:
    """The inverse of :func:`des`."""
    left = DES.new(key[:8], DES.MODE_ECB)
    if len(key) == 8:
        return left.decrypt(block)
    return left.decrypt(DES.new(key[8:], DES.MODE_ECB).encrypt(left.decrypt(block)))


def sm4(key: bytes, block: bytes, *, decrypt: bool = False) -> bytes:
    """One block of 16 bytes."""
    machine = CryptSM4()
    machine.set_key(key, SM4_DECRYPT if decrypt else SM4_ENCRYPT)
    return bytes(machine.one_round(machine.sk, list(block)))


def un_sm4(key: bytes, block: bytes) -> bytes:
    """The inverse of :func:`sm4`."""
    return sm4(key, block, decrypt=True)


def mac(key: bytes, data: bytes, *, is_sm4: bool = False) -> str:
    """F64: fold, write as hex, encipher the first half, XOR the second, encipher; 4 bytes as hex."""
    size, cipher = (16, sm4) if is_sm4 else (8, des)
    while len(data) % size:
        data += b"\0"
    folded = bytes(size)
    for at in range(0, len(data), size):
        folded = exclusive_or(folded, data[at : at + size])
    text = folded.hex().upper().encode()
    return cipher(key, exclusive_or(cipher(key, text[:size]), text[size:]))[:4].hex().upper()


def kcv(key: bytes, *, is_sm4: bool = False) -> bytes:
    """4 bytes of a zero block enciphered."""
    return (sm4(key, bytes(16)) if is_sm4 else des(key, bytes(8)))[:4]


def open_f62(tmk: bytes, f62: bytes, code: str) -> dict[str, tuple[bytes, bool]]:
    """Name -> key and whether its check value fits, by the layouts of 001, 003, 004, and 005 and 006 (SM4)."""
    is_sm4, found = code in ("005", "006"), {}
    size = 8 if code == "001" else 16
    names = ("PIK", "MAK", "TDK") if code == "004" else ("PIK", "MAK")
    assert len(f62) == len(names) * (size + 4)
    for number, name in enumerate(names):
        slot = f62[number * (size + 4) : (number + 1) * (size + 4)]
        wrapped, sent = slot[:size], slot[size:]
        if is_sm4:
            key = un_sm4(tmk, wrapped)
        else:
            if name == "MAK" and size == 16 and not any(wrapped[8:]):
                wrapped = wrapped[:8]
            key = b"".join(un_des(tmk, wrapped[at : at + 8]) for at in range(0, len(wrapped), 8))
        found[name] = (key, kcv(key, is_sm4=is_sm4) == sent)
    return found


def pin_block(pin: str, pan: str | None) -> bytes:
    """ISO 9564 format 0; without a PAN its other half is zero."""
    block = f"0{len(pin):x}{pin}"
    block += "f" * (16 - len(block))
    right = "0" * 4 + (pan[:-1][-12:] if pan else "0" * 12)
    return exclusive_or(bytes.fromhex(block), bytes.fromhex(right))


def encipher_track(tdk: bytes, track: str) -> str:
    """The 8 bytes that end one byte before the end of the packed track."""
    digits = track + "0" if len(track) % 2 else track
    end = len(digits) - 2
    middle = des(tdk, bytes.fromhex(digits[end - 16 : end])).hex().upper()
    return (digits[: end - 16] + middle + digits[end:])[: len(track)]


def exclusive_or(one: bytes, other: bytes) -> bytes:
    """Byte by byte."""
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
