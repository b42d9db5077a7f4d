"""The far end of a modem's data interface: up while the data session is, so that the terminal's end has a carrier."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from pathlib import Path

from harness.lab.kernel import CLONE_NEWNET, setns

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1


class DataPort:
    """``name`` in the network namespace of ``netns_fd``. The calling process, which has one thread, is back in its own
    afterwards: a socket stays where it was made. Raises OSError."""

    def __init__(self, name: str, netns_fd: int) -> None:
        own = os.open(Path("/proc/thread-self/ns/net"), os.O_RDONLY | os.O_CLOEXEC)
        try:
            setns(netns_fd, CLONE_NEWNET)
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        finally:
            setns(own, CLONE_NEWNET)
            os.close(own)
        self._name = name.encode()

    def set_up(self, up: bool) -> None:
        answer = fcntl.ioctl(self._socket, _SIOCGIFFLAGS, struct.pack("16sH22x", self._name, 0))
        flags = int(struct.unpack("16sH22x", answer)[1])
        wanted = flags | _IFF_UP if up else flags & ~_IFF_UP
        fcntl.ioctl(self._socket, _SIOCSIFFLAGS, struct.pack("16sH22x", self._name, wanted))
