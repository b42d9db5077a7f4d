"""Everything that passes one interface, with the kernel's own time of each packet on CLOCK_MONOTONIC."""

from __future__ import annotations

import errno
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

_ETH_P_ALL = 0x0003
_SOL_PACKET = 263
_PACKET_STATISTICS = 6
_PACKET_AUXDATA = 8
_CHECKSUM_NOT_READY = 1 << 3  # tp_status: the sender's kernel has left it to hardware
_CHECKSUM_VALID = 1 << 7  # ... : a card has looked at it
_PACKET_OUTGOING = 4
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS_NEW = 64
_BUFFER = 32 << 20
_LARGEST = 262144


@dataclass(frozen=True, slots=True)
class Packet:
    """A frame as it passed. ``t``: ns of CLOCK_MONOTONIC, ``wall_ns``: since 1970, ``outgoing``: left the interface.
    ``checksummed``: its checksums are filled in, and nobody has looked at them yet."""

    frame: bytes
    length: int
    t: int
    wall_ns: int
    outgoing: bool
    checksummed: bool = False


class Capture:
    """A packet socket on ``interface`` of the calling thread's namespace, in both directions. Raises OSError."""

    def __init__(self, interface: str) -> None:
        # protocol 0 receives nothing: no packet of another interface slips in before the bind
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS_NEW, 1)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self._socket.setblocking(False)
        self._socket.bind((interface, _ETH_P_ALL))
        self._buffer = bytearray(_LARGEST)
        self._last = 0

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def drain(self, *, until: int | None = None) -> Iterator[Packet]:
        """What the kernel holds, oldest first; with ``until`` (ns) no more once a packet is younger than that."""
        while True:
            packet = self._receive()
            if packet is None:
                return
            yield packet
            if until is not None and packet.t > until:
                return

    def lost(self) -> int:
        """How many packets the kernel had to drop since the last call, because nobody fetched them in time."""
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        return int(struct.unpack("=II", statistics)[1])

    def _receive(self) -> Packet | None:
        while True:
            try:
                size, ancillary, _, address = self._socket.recvmsg_into([self._buffer], 128, socket.MSG_TRUNC)
            except BlockingIOError:
                return None
            except OSError as error:
                if error.errno != errno.ENETDOWN:
                    raise
                continue  # told once when the interface goes down; the socket works on when it is up again
            monotonic, now = time.monotonic_ns(), time.time_ns()
            wall, status = now, _CHECKSUM_NOT_READY
            for level, kind, data in ancillary:
                if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS_NEW:
                    seconds, nanoseconds = struct.unpack("=qq", data)
                    wall = seconds * 1_000_000_000 + nanoseconds
                elif level == _SOL_PACKET and kind == _PACKET_AUXDATA:
                    status = struct.unpack_from("=I", data)[0]
            # a wall clock that is set in between must not put a packet into the future or before its predecessor
            self._last = max(self._last, min(monotonic, wall - now + monotonic))
            frame = bytes(memoryview(self._buffer)[: min(size, _LARGEST)])
            unseen = not status & (_CHECKSUM_NOT_READY | _CHECKSUM_VALID)
            return Packet(frame, size, self._last, wall, address[2] == _PACKET_OUTGOING, unseen)
