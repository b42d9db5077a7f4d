"""A network interface seen through a socket that was born in its namespace: flags and carrier, in microseconds.

Such a socket keeps working from any thread and any namespace, which is what pulling a cable in mid-transaction needs.
"""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_SIOCETHTOOL = 0x8946
_ETHTOOL_GLINK = 0x0000000A
_IFF_UP = 0x1


class Interface:
    """One interface of the namespace in which this object is made. All methods raise :class:`OSError`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def close(self) -> None:
        self._socket.close()

    def is_up(self) -> bool:
        """The administrative state."""
        return bool(self._flags() & _IFF_UP)

    def set_up(self, up: bool) -> None:
        """Switches it on or off, as ``ip link set NAME up|down`` does."""
        flags = self._flags()
        wanted = flags | _IFF_UP if up else flags & ~_IFF_UP
        fcntl.ioctl(self._socket, _SIOCSIFFLAGS, struct.pack("16sH22x", self.name.encode(), wanted))

    def has_carrier(self) -> bool:
        """Whether it is up and senses a link: what the plug sees. (IFF_RUNNING lags behind by up to a second.)"""
        value = ctypes.create_string_buffer(struct.pack("=II", _ETHTOOL_GLINK, 0))
        request = struct.pack("16sP16x", self.name.encode(), ctypes.addressof(value))
        fcntl.ioctl(self._socket, _SIOCETHTOOL, request)
        return bool(struct.unpack("=II", value.raw[:8])[1])

    def _flags(self) -> int:
        request = struct.pack("16sH22x", self.name.encode(), 0)
        answer = fcntl.ioctl(self._socket, _SIOCGIFFLAGS, request)
        return int(struct.unpack("16sH22x", answer)[1])
