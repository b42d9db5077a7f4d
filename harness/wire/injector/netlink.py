# SPDX-License-Identifier: GPL-2.0-only
"""The few rtnetlink messages that diverting needs, as bytes: veth pairs, ingress qdiscs, u32 filters with mirred.

Written out rather than left to pyroute2, because arming must take less than a millisecond, and because the guardian is
given its messages ready made. Numbers are from linux/rtnetlink.h, if_link.h, pkt_cls.h and tc_act/tc_mirred.h.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence

_NEWLINK, _DELLINK, _NEWQDISC, _DELQDISC, _NEWTFILTER, _DELTFILTER = 16, 17, 36, 37, 44, 45
_REQUEST, _ACK, _CREATE, _EXCL = 0x1, 0x4, 0x400, 0x200
_ERROR = 2
_IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _INFO_KIND, _INFO_DATA, _VETH_PEER = 3, 4, 18, 1, 2, 1
_TCA_KIND, _TCA_OPTIONS = 1, 2
_U32_SEL, _U32_ACT, _ACT_KIND, _ACT_OPTIONS, _MIRRED_PARMS = 5, 7, 1, 2, 2
_INGRESS_HANDLE, _INGRESS_PARENT, _FILTER_PARENT = 0xFFFF0000, 0xFFFFFFF1, 0xFFFF0000
_TERMINAL, _STOLEN, _EGRESS_REDIRECT = 1, 4, 1
_IFF_UP, _IFF_NOARP = 0x1, 0x80

Key = tuple[int, int, int]
"""Of u32: offset from the network header (a multiple of 4), mask, value."""


class Route:
    """A NETLINK_ROUTE socket of the calling thread's namespace."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))

    def close(self) -> None:
        self._socket.close()

    def request(self, message: bytes) -> None:
        """Sends it and waits for the kernel's word. Raises :class:`OSError` with the kernel's errno."""
        self._socket.send(message)
        reply = self._socket.recv(65536)
        kind, error = struct.unpack_from("=4xH10xi", reply)
        if kind == _ERROR and error:
            raise OSError(-error, os.strerror(-error))


def add_veth(name: str, peer: str, mtu: int) -> bytes:
    """A pair, both ends in the namespace of the request."""
    size = _attribute(_IFLA_MTU, struct.pack("=I", mtu))
    other = _attribute(_VETH_PEER, _link() + _named(peer) + size)
    info = _attribute(_INFO_KIND, b"veth") + _attribute(_INFO_DATA, other)
    return _message(_NEWLINK, _CREATE | _EXCL, _link() + _named(name) + size + _attribute(_IFLA_LINKINFO, info))


def remove_link(name: str) -> bytes:
    """With a veth its peer goes too."""
    return _message(_DELLINK, 0, _link() + _named(name))


def switch_on(index: int) -> bytes:
    """Up, and without ARP: nobody is to be found there."""
    return _message(_NEWLINK, 0, _link(index, flags=_IFF_UP | _IFF_NOARP, change=_IFF_UP | _IFF_NOARP))


def add_ingress(index: int) -> bytes:
    """The hook for filters on what an interface receives. EEXIST where there is one."""
    kind = _attribute(_TCA_KIND, b"ingress\0")
    return _message(_NEWQDISC, _CREATE | _EXCL, _tc(index, _INGRESS_HANDLE, _INGRESS_PARENT, 0) + kind)


def remove_ingress(index: int) -> bytes:
    """With all its filters."""
    return _message(_DELQDISC, 0, _tc(index, _INGRESS_HANDLE, _INGRESS_PARENT, 0))


def add_redirect(index: int, to: int, *, priority: int, protocol: int, keys: Sequence[Key]) -> bytes:
    """What interface ``index`` receives and fits all ``keys`` leaves by interface ``to`` instead of going on.

    ``protocol`` is an EtherType (3: every frame); filters of one priority must have the same.
    """
    compared = keys or [(0, 0, 0)]
    packed = b"".join(
        struct.pack("!II", mask, value & mask) + struct.pack("=ii", at, 0) for at, mask, value in compared
    )
    selector = struct.pack("=BBBxHHhhI", _TERMINAL, 0, len(compared), 0, 0, 0, 0, 0) + packed
    mirred = struct.pack("=IIiiiiI", 0, 0, _STOLEN, 0, 0, _EGRESS_REDIRECT, to)
    action = _attribute(_ACT_KIND, b"mirred\0") + _attribute(_ACT_OPTIONS, _attribute(_MIRRED_PARMS, mirred))
    options = _attribute(_U32_SEL, selector) + _attribute(_U32_ACT, _attribute(1, action))
    head = _tc(index, 0, _FILTER_PARENT, priority << 16 | socket.htons(protocol))
    body = head + _attribute(_TCA_KIND, b"u32\0") + _attribute(_TCA_OPTIONS, options)
    return _message(_NEWTFILTER, _CREATE | _EXCL, body)


def remove_filters(index: int, priority: int) -> bytes:
    """All of one priority."""
    return _message(_DELTFILTER, 0, _tc(index, 0, _FILTER_PARENT, priority << 16))


def keys_of(offset: int, value: bytes, mask: bytes = b"") -> list[Key]:
    """What u32 has to compare for ``value`` at ``offset``, wherever it lies."""
    mask = mask or b"\xff" * len(value)
    before = offset % 4
    after = -(before + len(value)) % 4
    value, mask = bytes(before) + value + bytes(after), bytes(before) + mask + bytes(after)
    start = offset - before
    return [
        (start + at, int.from_bytes(mask[at : at + 4], "big"), int.from_bytes(value[at : at + 4], "big"))
        for at in range(0, len(value), 4)
    ]


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, _REQUEST | _ACK | flags, 1, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _named(name: str) -> bytes:
    return _attribute(_IFLA_IFNAME, name.encode() + b"\0")


def _link(index: int = 0, *, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BxHiII", 0, 0, index, flags, change)


def _tc(index: int, handle: int, parent: int, info: int) -> bytes:
    return struct.pack("=BxHiIII", 0, 0, index, handle, parent, info)
