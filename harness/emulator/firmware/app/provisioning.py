"""Loading keys, identity, host and parameters: the same rules for the service port and for the keypad."""

from __future__ import annotations

import socket

from . import keystore, rules
from .store import Store


class Refused(Exception):
    """Not done. ``number`` is the service port's error number; the text names the reason."""

    def __init__(self, number: str, reason: str) -> None:
        self.number = number
        super().__init__(reason)


def load_tmk(store: Store, text: str) -> str:
    """A new master key ends the sign-in and makes the working keys useless. Returns its check value (6 hex digits)."""
    try:
        key = keystore.master_key(text)
    except keystore.KeyFault as error:
        raise Refused("03", str(error)) from error
    store.commit(tmk=key.hex(), pik="", mak="", signed_in=False)
    return keystore.check_value(key)


def set_identity(store: Store, tid: str, mid: str) -> None:
    """Terminal number (8) and merchant number (15). Not while anything is stored under the old ones."""
    refuse_identity_change(store)
    if not (len(tid) == 8 and len(mid) == 15 and (tid + mid).isascii() and (tid + mid).isalnum()):
        raise Refused("03", "TID has 8 and MID 15 letters or digits")
    if (tid, mid) != (store.state.tid, store.state.mid):
        store.commit(tid=tid, mid=mid, pik="", mak="", signed_in=False, host_batch=0)


def refuse_identity_change(store: Store) -> None:
    """Raises :class:`Refused` where the identity can't be changed now."""
    number = rules.identity_refusal(store.state, store.log)
    if number is not None:
        raise Refused(number, "transactions stored" if number == "85" else "reversal pending")


def set_host(store: Store, address: str, port: str, tpdu: str) -> None:
    """IPv4 address in dots, port, TPDU of 10 digits that begins with 60."""
    try:
        socket.inet_pton(socket.AF_INET, address)
    except OSError as error:
        raise Refused("03", "the address is no IPv4 address") from error
    if not (_is_number(port, 5) and 0 < int(port) < 65536):
        raise Refused("03", "the port is no number from 1 to 65535")
    if not (len(tpdu) == 10 and _is_number(tpdu, 10) and tpdu.startswith("60")):
        raise Refused("03", "the TPDU is not 10 digits that begin with 60")
    store.commit(host=address, port=int(port), tpdu=tpdu)


def set_parameter(store: Store, name: str, value: str) -> None:
    """``timeout`` 1..999 seconds, ``auto_sign_in`` 0 or 1."""
    if name == "timeout" and _is_number(value, 3) and int(value) > 0:
        store.commit(timeout_s=int(value))
    elif name == "auto_sign_in" and value in ("0", "1"):
        store.commit(auto_sign_in=value == "1")
    else:
        raise Refused("03", "unknown parameter or value: timeout=1..999, auto_sign_in=0|1")


def _is_number(text: str, longest: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= longest
