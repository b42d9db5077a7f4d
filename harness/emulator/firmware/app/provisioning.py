"""Loading keys, identity, host and parameters: the same rules for the service port and for the keypad."""

from __future__ import annotations

import socket
from typing import Any

from . import dialect, keystore, rules
from .store import Store

_NO_KEYS: dict[str, Any] = {"pik": "", "mak": "", "tdk": "", "signed_in": False}  # working keys are useless, or others

_NEW_IDENTITY: dict[str, Any] = {"host_batch": 0, "handed_over": False}  # nothing is stored then


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
    store.commit(tmk=key.hex(), **_NO_KEYS)
    return keystore.check_value(key, sm=store.state.dialect.sm)


def erase_keys(store: Store) -> None:
    """None is left; what is stored stays."""
    if store.state.tmk or store.state.mak or store.state.signed_in:
        store.commit(tmk="", **_NO_KEYS)


def activated(store: Store, tid: str, mid: str, tmk: bytes) -> None:
    """Identity and master key as the host gave them, in one commit. What is stored keeps its identity."""
    _check_identity(tid, mid)
    same = (tid, mid) == (store.state.tid, store.state.mid)
    if not same:
        refuse_identity_change(store)
    kept = {} if same else _NEW_IDENTITY
    store.commit(tid=tid, mid=mid, tmk=tmk.hex(), **kept, **_NO_KEYS)


def _check_identity(tid: str, mid: str) -> None:
    if not (len(tid) == 8 and len(mid) == 15 and (tid + mid).isascii() and (tid + mid).isalnum()):
        raise Refused("03", "TID has 8 and MID 15 letters or digits")


def set_identity(store: Store, tid: str, mid: str) -> None:
    """Terminal number (8) and merchant number (15). Not while anything is stored under the old ones."""
    refuse_identity_change(store)
    _check_identity(tid, mid)
    if (tid, mid) != (store.state.tid, store.state.mid):
        store.commit(tid=tid, mid=mid, **_NEW_IDENTITY, **_NO_KEYS)


def refuse_identity_change(store: Store) -> None:
    """Raises :class:`Refused` where the identity can't be changed now."""
    number = rules.identity_refusal(store.state, store.log)
    if number is not None:
        raise Refused(number, "transactions stored" if number == "85" else "reversal pending")


def set_host(store: Store, address: str, port: str, tpdu: str) -> None:
    """IPv4 address in dots or a name, port, TPDU of 10 digits that begins with 60."""
    number = endpoint(address, port)
    if not (len(tpdu) == 10 and _is_number(tpdu, 10) and tpdu.startswith("60")):
        raise Refused("03", "the TPDU is not 10 digits that begin with 60")
    store.commit(host=address, port=number, tpdu=tpdu)


def endpoint(address: str, port: str) -> int:
    """The port of an IPv4 address in dots, or a host's name, and a port; raises :class:`Refused` where they are none.
    """
    try:
        socket.inet_pton(socket.AF_INET, address)
    except OSError as error:
        from . import dns_message

        if not dns_message.is_name(address):
            raise Refused("03", "the address is no IPv4 address and no name of a host") from error
    if not (_is_number(port, 5) and 0 < int(port) < 65536):
        raise Refused("03", "the port is no number from 1 to 65535")
    return int(port)


def set_parameter(store: Store, name: str, value: str) -> None:
    """``timeout`` 1..999 seconds, ``auto_sign_in`` 0 or 1, or a point of the dialect; one commit."""
    state = store.state
    if name == "timeout":
        if not (_is_number(value, 3) and int(value) > 0):
            raise Refused("03", "timeout is 1 to 999 seconds")
        store.commit(timeout_s=int(value))
    elif name == "auto_sign_in":
        if value not in ("0", "1"):
            raise Refused("03", "auto_sign_in is 0 or 1")
        store.commit(auto_sign_in=value == "1")
    else:
        try:
            new = dialect.with_parameter(state.dialect, name, value)
        except ValueError as error:
            raise Refused("03", str(error)) from error
        other_keys = new.sign_in_network_code != state.dialect.sign_in_network_code
        store.commit(dialect=new, **(_NO_KEYS if other_keys else {}))


def parameter(store: Store, name: str) -> str:
    """What :func:`set_parameter` set."""
    if name == "timeout":
        return str(store.state.timeout_s)
    if name == "auto_sign_in":
        return "1" if store.state.auto_sign_in else "0"
    if name not in dialect.NAMES:
        raise Refused("03", f"there is no parameter {name}")
    return dialect.parameter(store.state.dialect, name)


def _is_number(text: str, longest: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= longest
