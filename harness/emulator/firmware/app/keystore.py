"""Keys: the master key (TMK) and the working keys that a sign-in brings under it."""

from __future__ import annotations

from typing import NamedTuple

from . import crypto

TMK_SIZE = 16
_WORKING_KEYS_SIZE = 40  # 60.3 = 003: PIK 16, KCV 4, MAK 16 (second half 0: single length), KCV 4


class KeyFault(Exception):
    """Key material that can't be used. Says what; never holds key bytes."""


class WorkingKeys(NamedTuple):
    """PIN key (16 bytes) and MAC key (8, or 16 where the host sends a full one), in clear."""

    pik: bytes
    mak: bytes


def master_key(text: str) -> bytes:
    """32 hex characters as a TMK. Raises :class:`KeyFault`."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != TMK_SIZE or len(text) != 2 * TMK_SIZE:
        raise KeyFault("a master key is 32 hex digits")
    return key


def check_value(key: bytes) -> str:
    """What an operator compares: 6 hex digits of the KCV."""
    return crypto.kcv(key)[:3].hex().upper()


def unwrap(tmk: bytes, f62: bytes) -> WorkingKeys:
    """The working keys of a sign-in answer; each must have its check value. Raises :class:`KeyFault`."""
    if len(f62) != _WORKING_KEYS_SIZE:
        raise KeyFault(f"F62 holds {len(f62)} bytes, not {_WORKING_KEYS_SIZE}")
    pik, pik_kcv, wrapped_mak, mak_kcv = f62[:16], f62[16:20], f62[20:36], f62[36:]
    if not any(wrapped_mak[8:]):
        wrapped_mak = wrapped_mak[:8]
    keys = WorkingKeys(crypto.decrypt(tmk, pik), crypto.decrypt(tmk, wrapped_mak))
    if crypto.kcv(keys.pik) != pik_kcv:
        raise KeyFault("check value of the PIN key")
    if crypto.kcv(keys.mak) != mak_kcv:
        raise KeyFault("check value of the MAC key")
    return keys
