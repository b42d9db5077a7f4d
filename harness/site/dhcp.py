"""The DHCP server of a line that one terminal hangs on (RFC 2131): every client gets the same address. Pure.

Written apart from the terminal's client, so that a mistake does not agree with itself.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass, field
from typing import Literal

SERVER_PORT, CLIENT_PORT = 67, 68
_FIXED = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")
_COOKIE = bytes((99, 130, 83, 99))
_BROADCAST_FLAG = 0x8000
_KINDS = {"discover": 1, "offer": 2, "request": 3, "decline": 4, "ack": 5, "nak": 6, "release": 7, "inform": 8}
_NAMES = {number: name for name, number in _KINDS.items()}
_MASK, _ROUTER, _DNS, _REQUESTED, _LEASE, _KIND, _SERVER, _MESSAGE, _T1, _T2 = 1, 3, 6, 50, 51, 53, 54, 56, 58, 59
_NOWHERE = ipaddress.IPv4Address(0)


@dataclass(frozen=True)
class Offer:
    """What this line has to give. Times in seconds as the client will count them; ``renew_s`` and ``rebind_s`` None:
    as the client sees fit."""

    server: ipaddress.IPv4Address
    address: ipaddress.IPv4Interface
    router: ipaddress.IPv4Address | None
    dns: tuple[ipaddress.IPv4Address, ...]
    lease_s: int = 3600
    renew_s: int | None = None
    rebind_s: int | None = None


@dataclass(frozen=True)
class Message:
    """A client's message, as far as a server looks at it."""

    kind: str
    transaction: int
    flags: int
    own: ipaddress.IPv4Address
    hardware: bytes
    options: dict[int, bytes] = field(default_factory=dict)

    def address(self, option: int) -> ipaddress.IPv4Address | None:
        value = self.options.get(option, b"")
        return ipaddress.IPv4Address(value) if len(value) == 4 else None


@dataclass(frozen=True)
class Answer:
    """What goes back. ``to``: where to, the client itself or everybody."""

    kind: Literal["offer", "ack", "nak"]
    to: str
    data: bytes


def read(data: bytes) -> Message | None:
    """A client's message; None where these bytes are none."""
    if len(data) < _FIXED.size + len(_COOKIE) or data[_FIXED.size :][:4] != _COOKIE:
        return None
    op, hardware_kind, size, _, number, _, flags, own, _, _, _, hardware, _, _ = _FIXED.unpack_from(data)
    options = _options(data[_FIXED.size + 4 :])
    if op != 1 or hardware_kind != 1 or size != 6 or options is None:
        return None
    kind = _NAMES.get(int.from_bytes(options.get(_KIND, b"")), "")
    return Message(kind, number, flags, ipaddress.IPv4Address(own), hardware[:6], options)


def _options(data: bytes) -> dict[int, bytes] | None:
    found: dict[int, bytes] = {}
    rest = memoryview(data)
    while rest and rest[0] != 255:
        if rest[0] == 0:
            rest = rest[1:]
            continue
        if len(rest) < 2 or len(rest) < 2 + rest[1]:
            return None
        found[rest[0]] = found.get(rest[0], b"") + bytes(rest[2 : 2 + rest[1]])
        rest = rest[2 + rest[1] :]
    return found


def decide(message: Message, offer: Offer) -> Answer | None:
    """Table 4 of RFC 2131, for a server that has one address; None: nothing is answered."""
    ours = offer.address.ip
    if message.kind == "discover":
        return _answer("offer", message, offer)
    if message.kind != "request":
        return None
    server, wanted = message.address(_SERVER), message.address(_REQUESTED)
    if server is not None and server != offer.server:
        return None  # it took another server's offer
    asked = wanted if message.own == _NOWHERE else message.own
    if asked != ours:
        return _answer("nak", message, offer)
    return _answer("ack", message, offer)


def _answer(kind: Literal["offer", "ack", "nak"], message: Message, offer: Offer) -> Answer:
    values: list[tuple[int, bytes]] = [(_KIND, bytes([_KINDS[kind]])), (_SERVER, offer.server.packed)]
    if kind == "nak":
        values.append((_MESSAGE, b"not on this line"))
    else:
        values += _given(offer)
    options = b"".join(bytes((number, len(value))) + value for number, value in values)
    given = _NOWHERE if kind == "nak" else offer.address.ip
    fixed = _FIXED.pack(
        2, 1, 6, 0, message.transaction, 0, message.flags, message.own.packed if kind == "ack" else bytes(4),
        given.packed, bytes(4), bytes(4), message.hardware, b"", b"",
    )
    # who has no address hears everybody's packets only, and a NAK is for whoever has a wrong one
    alone = kind != "nak" and message.own != _NOWHERE and not message.flags & _BROADCAST_FLAG
    data = (fixed + _COOKIE + options + b"\xff").ljust(300, b"\0")
    return Answer(kind, str(message.own) if alone else "255.255.255.255", data)


def _given(offer: Offer) -> list[tuple[int, bytes]]:
    values = [(_LEASE, offer.lease_s.to_bytes(4)), (_MASK, offer.address.netmask.packed)]
    for number, seconds in ((_T1, offer.renew_s), (_T2, offer.rebind_s)):
        if seconds is not None:
            values.append((number, seconds.to_bytes(4)))
    if offer.router is not None:
        values.append((_ROUTER, offer.router.packed))
    if offer.dns:
        values.append((_DNS, b"".join(server.packed for server in offer.dns)))
    return values
