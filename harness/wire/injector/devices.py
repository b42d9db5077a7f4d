# SPDX-License-Identifier: GPL-2.0-only
"""The ports of the bridge, and the veth pairs by which packets are diverted: made, read, written, removed.

    t0 --(rule)--> dvt7 === dvt7r -> Python -> a0         a0 --(rule)--> dva8 === dva8r -> Python -> t0

Offloads are off on the divert veths only, so the kernel segments and fills in checksums there, and terminal and
acquirer keep theirs. The readers see what comes in and never what goes out; the writers never receive: no loop.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from harness.errors import BadInput, BenchError
from harness.wire.faults.base import Side
from harness.wire.injector import netlink

SIDES: tuple[Side, Side] = ("terminal", "acquirer")

_SOL_PACKET, _ADD_MEMBERSHIP, _STATISTICS, _IGNORE_OUTGOING, _PROMISCUOUS = 263, 1, 6, 23, 1
_ETH_P_ALL = 3
_SO_RCVBUFFORCE = 33
_BUFFER = 8 << 20
_LARGEST = 65536 + 64
_SIOCGIFMTU, _SIOCETHTOOL = 0x8921, 0x8946
_OFFLOADS_OFF = {"tso": 0x1F, "gso": 0x24, "gro": 0x2C, "tx": 0x17, "rx": 0x15}
_LOCK_S = 3.0
_POLL_S = 0.01
_LOST_ANYWAY = (errno.ENETDOWN, errno.ENOBUFS, errno.ENXIO, errno.ENODEV)


class Devices:
    """Divert veths for the two ports, in the calling thread's namespace. Raises :class:`OSError`, and
    :class:`BenchError` when another injector is at work on these ports.
    """

    def __init__(self, ports: dict[Side, str]) -> None:
        self.ports = ports
        self.index = {side: _index(name) for side, name in ports.items()}
        self.lock = _lock(ports["terminal"], self.index["terminal"])
        self.route = netlink.Route()
        self.names: dict[Side, str] = {side: f"dv{side[0]}{self.index[side]}" for side in SIDES}
        self.removal = [netlink.remove_link(name) for name in self.names.values()]
        self._readers: dict[Side, socket.socket] = {}
        self._writers: dict[Side, socket.socket] = {}
        self._buffer = bytearray(_LARGEST)
        self._view = memoryview(self._buffer)
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def reader(self, side: Side) -> int:
        """The descriptor that is readable when packets were diverted at ``side``."""
        return self._readers[side].fileno()

    def divert_index(self, side: Side) -> int:
        """The interface by which a rule sends what came from ``side``."""
        return socket.if_nametoindex(self.names[side])

    def drain(self, side: Side, most: int) -> Iterator[bytes]:
        """At most so many frames that were diverted at ``side``, oldest first."""
        receive, view = self._readers[side].recv_into, self._view
        for _ in range(most):
            try:
                size = receive(view)
            except BlockingIOError:
                return
            yield bytes(view[:size])

    def send(self, side: Side, frame: bytes) -> None:
        """Out of the port at ``side``. On a cable that is pulled it is lost, as it would be."""
        try:
            self._writers[side].send(frame)
        except OSError as error:
            if error.errno not in _LOST_ANYWAY:
                raise

    def lost(self) -> int:
        """How many diverted packets the kernel dropped since the last call, because they came too fast for us."""
        return sum(
            int(struct.unpack("=II", one.getsockopt(_SOL_PACKET, _STATISTICS, 8))[1])
            for one in self._readers.values()
        )

    def close(self) -> None:
        """Removes the veths. Idempotent."""
        for one in (*self._readers.values(), *self._writers.values()):
            one.close()
        for message in self.removal:
            with contextlib.suppress(OSError):
                self.route.request(message)
        self.route.close()
        self.lock.close()

    def _make(self) -> None:
        for message in self.removal:  # of one that was killed together with its guardian
            with contextlib.suppress(OSError):
                self.route.request(message)
        for side in SIDES:
            near, far = self.names[side], self.names[side] + "r"
            self.route.request(netlink.add_veth(near, far, _mtu(self.ports[side])))
            # The far end first: an end that is switched on before its peer drops everything until the kernel's worker
            # comes round to tell it of its carrier.
            for name in (far, near):
                _prepare(name)
                self.route.request(netlink.switch_on(socket.if_nametoindex(name)))
            self._readers[side] = _reader(far)
            self._writers[side] = _writer(self.ports[side])


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError as error:
        known = ", ".join(other for _, other in socket.if_nameindex())
        raise BadInput(f"there is no interface {name!r}", remedy=f"Interfaces here: {known}.") from error


def _lock(port: str, index: int) -> socket.socket:
    """Names in the abstract space belong to the network namespace, and go with the last process that holds them."""
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    deadline = time.monotonic() + _LOCK_S
    while True:
        try:
            lock.bind(f"\0hil97-injector-{index}")
            return lock
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            if time.monotonic() > deadline:
                lock.close()
                raise BenchError(
                    f"another injector is at work on {port}",
                    remedy="arm the fault there (its control socket), or end it first",
                ) from error
        time.sleep(_POLL_S)


def _mtu(name: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        answer = fcntl.ioctl(asking, _SIOCGIFMTU, struct.pack("16s24x", name.encode()))
    return int(struct.unpack("16xi20x", answer)[0])


def _prepare(name: str) -> None:
    """Offloads off, and no IPv6, which would chatter."""
    import ctypes

    with contextlib.suppress(OSError):
        Path("/proc/sys/net/ipv6/conf", name, "disable_ipv6").write_text("1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for command in _OFFLOADS_OFF.values():
            value = ctypes.create_string_buffer(struct.pack("=II", command, 0))
            fcntl.ioctl(asking, _SIOCETHTOOL, struct.pack("16sP16x", name.encode(), ctypes.addressof(value)))


def _reader(name: str) -> socket.socket:
    # with protocol 0 it receives nothing until it is bound, so nothing slips in before the options are set
    reader = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    try:
        reader.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    except PermissionError:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    reader.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
    membership = struct.pack("=iHH8x", socket.if_nametoindex(name), _PROMISCUOUS, 0)
    reader.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, membership)
    reader.setblocking(False)
    reader.bind((name, _ETH_P_ALL))
    return reader


def _writer(name: str) -> socket.socket:
    writer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    writer.bind((name, 0))
    return writer
