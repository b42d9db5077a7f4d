"""Keys: the master key (TMK) and the working keys that a sign-in brings under it."""

from __future__ import annotations

from typing import NamedTuple

from . import crypto

TMK_SIZE = 16
_SIZES = {  # of F62 by 60.3: PIK and MAK (in 003 and 004 a second half of zeros: single length), each with its KCV
    "001": 2 * (8 + 4), "003": 2 * (16 + 4), "004": 3 * (16 + 4), "005": 2 * (16 + 4), "006": 2 * (16 + 4),
}
_WITH_TRACK_KEY = "004"


class KeyFault(Exception):
    """Key material that can't be used. Says what; never holds key bytes."""


class WorkingKeys(NamedTuple):
    """PIN key (8 or 16 bytes), MAC key (8 or 16) and track key (16, or none), in clear."""

    pik: bytes
    mak: bytes
    tdk: bytes = b""


def master_key(text: str) -> bytes:
    """32 hex characters as a TMK. Raises :class:`KeyFault`."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != TMK_SIZE or len(text) != 2 * TMK_SIZE:
        raise KeyFault("a master key is 32 hex digits")
    return key


def check_value(key: bytes, *, sm: bool = False) -> str:
    """What an operator compares: 6 hex digits of the KCV."""
    return crypto.kcv(key, sm=sm)[:3].hex().upper()


def from_transport(transport_key: bytes, f62: bytes, *, sm: bool) -> bytes:
    """The master key of an activation: enciphered, with its check value (assumed). Raises :class:`KeyFault`."""
    if len(f62) != TMK_SIZE + crypto.KCV_SIZE:
        raise KeyFault(f"F62 holds {len(f62)} bytes, not {TMK_SIZE + crypto.KCV_SIZE}")
    tmk = crypto.decrypt(transport_key, f62[:TMK_SIZE], sm=sm)
    if crypto.kcv(tmk, sm=sm) != f62[TMK_SIZE:]:
        raise KeyFault("check value of the master key")
    return tmk


def unwrap(tmk: bytes, f62: bytes, network_code: str) -> WorkingKeys:
    """The working keys of a sign-in answer; each must have its check value. Raises :class:`KeyFault`.

    ``network_code`` is 60.3 of the request. 005 and 006 hold SM4 keys under an SM4 master key (assumed).
    """
    if len(f62) != _SIZES[network_code]:
        raise KeyFault(f"F62 holds {len(f62)} bytes, not {_SIZES[network_code]}")
    sm = network_code in ("005", "006")
    size = 8 if network_code == "001" else 16
    wrapped_pik, pik_kcv, wrapped_mak, mak_kcv = _slot(f62, 0, size) + _slot(f62, 1, size)
    if not sm and not any(wrapped_mak[8:]):
        wrapped_mak = wrapped_mak[:8]
    keys = WorkingKeys(crypto.decrypt(tmk, wrapped_pik, sm=sm), crypto.decrypt(tmk, wrapped_mak, sm=sm))
    if crypto.kcv(keys.pik, sm=sm) != pik_kcv:
        raise KeyFault("check value of the PIN key")
    if crypto.kcv(keys.mak, sm=sm) != mak_kcv:
        raise KeyFault("check value of the MAC key")
    if network_code != _WITH_TRACK_KEY:
        return keys
    wrapped_tdk, tdk_kcv = _slot(f62, 2, size)
    tdk = crypto.decrypt(tmk, wrapped_tdk)
    if crypto.kcv(tdk) != tdk_kcv:
        raise KeyFault("check value of the track key")
    return keys._replace(tdk=tdk)


def _slot(f62: bytes, number: int, size: int) -> tuple[bytes, bytes]:
    """An enciphered key and its check value."""
    start = number * (size + crypto.KCV_SIZE)
    return f62[start : start + size], f62[start + size : start + size + crypto.KCV_SIZE]
