"""The terminal's own network interface, by rtnetlink: its state, its address, the way out. The kernel answers at once.

Raises OSError where the kernel refuses.
"""

from __future__ import annotations

import contextlib
import socket
import struct

_MESSAGE = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBi")
_ROUTE = struct.Struct("=8BI")
_ATTRIBUTE = struct.Struct("=HH")
_NEW_LINK, _GET_LINK, _NEW_ADDRESS, _DELETE_ADDRESS, _GET_ADDRESS, _NEW_ROUTE, _DELETE_ROUTE = (
    16, 18, 20, 21, 22, 24, 25
)
_ERROR, _DONE = 2, 3
_ASK, _ACKNOWLEDGE, _ALL, _REPLACE, _CREATE = 0x001, 0x004, 0x300, 0x100, 0x400
_UP = 0x1
_HARDWARE, _CARRIER = 1, 33  # of a link
_LOCAL, _BROADCAST = 2, 4  # of an address; 1: that of the peer
_GATEWAY, _OUT = 5, 4  # of a route
_MAIN_TABLE, _BY_BOOT, _UNIVERSE, _UNICAST = 254, 3, 0, 1


class Interface:
    """One interface of the namespace in which this object is made."""

    def __init__(self, name: str) -> None:
        self.name, self._index, self._number = name, socket.if_nametoindex(name), 0
        self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)

    def close(self) -> None:
        self._netlink.close()

    @property
    def hardware(self) -> bytes:
        """Its Ethernet address."""
        return self._link().get(_HARDWARE, bytes(6))

    @property
    def carrier(self) -> bool:
        """Whether it is up and there is something at the other end."""
        return self._link().get(_CARRIER, b"\0") == b"\1"

    def up(self) -> None:
        self._ask(_NEW_LINK, 0, _LINK.pack(0, 0, self._index, _UP, _UP))

    def set(self, address: str, prefix: int, router: str = "") -> None:
        """This address and no other; ``router``: where everything goes that is not at this link. A router that is not
        at this link itself is none."""
        whole = _four(address)
        if self.addresses() != [(whole, prefix)]:
            self.clear()
            everybody = int.from_bytes(whole, "big") | (0xFFFFFFFF >> prefix)
            self._ask(
                _NEW_ADDRESS, _CREATE | _REPLACE,
                _ADDRESS.pack(socket.AF_INET, prefix, 0, _UNIVERSE, self._index) + _attribute(_LOCAL, whole)
                + _attribute(1, whole) + _attribute(_BROADCAST, everybody.to_bytes(4, "big")),
            )
        head = _ROUTE.pack(socket.AF_INET, 0, 0, 0, _MAIN_TABLE, _BY_BOOT, _UNIVERSE, _UNICAST, 0)
        out = _attribute(_OUT, struct.pack("=i", self._index))
        try:
            if router:
                self._ask(_NEW_ROUTE, _CREATE | _REPLACE, head + _attribute(_GATEWAY, _four(router)) + out)
                return
        except OSError:
            pass
        with contextlib.suppress(OSError):  # there may be none
            self._ask(_DELETE_ROUTE, 0, head + out)

    def clear(self) -> None:
        """No address, and with it no way anywhere."""
        for address, prefix in self.addresses():
            head = _ADDRESS.pack(socket.AF_INET, prefix, 0, 0, self._index)
            self._ask(_DELETE_ADDRESS, 0, head + _attribute(_LOCAL, address) + _attribute(1, address))

    def addresses(self) -> list[tuple[bytes, int]]:
        """Its IPv4 addresses with the lengths of their prefixes."""
        found = []
        for body in self._ask(_GET_ADDRESS, _ALL, _ADDRESS.pack(socket.AF_INET, 0, 0, 0, 0)):
            family, prefix, _, _, index = _ADDRESS.unpack_from(body)
            local = _attributes(body[_ADDRESS.size :]).get(_LOCAL)
            if family == socket.AF_INET and index == self._index and local:
                found.append((local, prefix))
        return found

    def _link(self) -> dict[int, bytes]:
        body = self._ask(_GET_LINK, 0, _LINK.pack(0, 0, self._index, 0, 0))[0]
        return _attributes(body[_LINK.size :])

    def _ask(self, kind: int, flags: int, body: bytes) -> list[bytes]:
        """The bodies of what the kernel answers; none where it only says that it is done."""
        self._number += 1
        flags |= _ASK | (0 if flags == _ALL else _ACKNOWLEDGE)
        self._netlink.send(_MESSAGE.pack(_MESSAGE.size + len(body), kind, flags, self._number, 0) + body)
        found: list[bytes] = []
        while True:
            data = self._netlink.recv(1 << 16)
            while data:
                size, what, _, number, _ = _MESSAGE.unpack_from(data)
                body, data = data[_MESSAGE.size : size], data[(size + 3) & ~3 :]
                if number != self._number:
                    continue
                if what == _ERROR:
                    error = -int(struct.unpack_from("=i", body)[0])
                    if error:
                        raise OSError(error, f"{self.name}: the kernel refused message {kind}")
                    return found
                if what == _DONE:
                    return found
                found.append(body)


def _four(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET, address)


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value.ljust((len(value) + 3) & ~3, b"\0")


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= _ATTRIBUTE.size:
        size, kind = _ATTRIBUTE.unpack_from(data)
        if size < _ATTRIBUTE.size:
            break
        found[kind] = data[_ATTRIBUTE.size : size]
        data = data[(size + 3) & ~3 :]
    return found
