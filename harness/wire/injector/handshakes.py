# SPDX-License-Identifier: GPL-2.0-only
"""Which connections the terminal has, learned from their first and last packets alone, which the kernel picks out.

So a connection on which nothing passes can be reset at once: a stray acknowledgement in the acquirer's name makes the
terminal say, in one of its own, which numbers are in force (RFC 9293, 3.10.7.4).
"""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from dataclasses import dataclass

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from harness.wire.faults.base import Match
from harness.wire.packets import ACK, FIN, RST, SYN, Endpoint, Segment, parse

_ETH_P_ALL = 3
_SO_ATTACH_FILTER = 26
_MOST = 1024
# IPv4, TCP, no later fragment, one of FIN, SYN, RST: code, jump if true, jump if false, operand (linux/bpf_common.h)
_FILTER = [
    (0x28, 0, 0, 12), (0x15, 0, 8, 0x0800), (0x30, 0, 0, 23), (0x15, 0, 6, 6), (0x28, 0, 0, 20), (0x45, 4, 0, 0x1FFF),
    (0xB1, 0, 0, 14), (0x50, 0, 0, 27), (0x45, 0, 1, 0x07), (0x06, 0, 0, 0x40000), (0x06, 0, 0, 0),
]


@dataclass(frozen=True, slots=True)
class Connection:
    """``first``: the acquirer's initial sequence number. ``frame``: its SYN+ACK as the terminal got it."""

    terminal: Endpoint
    acquirer: Endpoint
    first: int
    frame: bytes


class Table:
    """What is open, as far as it was seen; the last one made is the present one. Pure."""

    def __init__(self) -> None:
        self._open: dict[frozenset[Endpoint], Connection] = {}
        self._closing: dict[frozenset[Endpoint], Endpoint] = {}

    def take(self, segment: Segment, frame: bytes) -> None:
        """A segment with SYN, FIN or RST. Connections are made by terminals, so a SYN+ACK comes from the acquirer."""
        ends = frozenset((segment.source, segment.destination))
        if segment.has(RST) or (segment.has(FIN) and self._closing.get(ends, segment.source) != segment.source):
            self._open.pop(ends, None)
            self._closing.pop(ends, None)
        elif segment.has(FIN):
            self._closing[ends] = segment.source
        elif segment.has(SYN) and segment.has(ACK):
            self._open.pop(ends, None)
            self._open[ends] = Connection(segment.destination, segment.source, segment.seq, frame)
            while len(self._open) > _MOST:
                self._open.pop(next(iter(self._open)))

    def present(self, match: Match) -> Connection | None:
        """The youngest that the match means."""
        for one in reversed(self._open.values()):
            if match.address in (None, one.acquirer[0]) and match.port in (None, one.acquirer[1]):
                return one
        return None


class Handshakes:
    """Listens at the port towards the terminal, in the calling thread's namespace. Raises :class:`OSError`."""

    def __init__(self, interface: str) -> None:
        self.table = Table()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        program = b"".join(struct.pack("=HBBI", *one) for one in _FILTER)
        held = ctypes.create_string_buffer(program, len(program))
        value = struct.pack("@HP", len(_FILTER), ctypes.addressof(held))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, value)
        self._socket.setblocking(False)
        self._socket.bind((interface, _ETH_P_ALL))

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def take(self) -> None:
        """Whatever has come."""
        while True:
            try:
                frame = self._socket.recv(65536)
            except OSError:  # nothing more; or told once that the interface went down
                return
            segment = parse(frame, t=time.monotonic_ns(), packet=0)
            if segment is not None:
                self.table.take(segment, frame)

    def provocation(self, match: Match) -> bytes | None:
        """What makes the terminal's end of the present connection tell its numbers; None where there is none."""
        self.take()
        present = self.table.present(match)
        return None if present is None else stray(present)


def stray(connection: Connection) -> bytes:
    """An acknowledgement with a number of long ago."""
    frame = connection.frame
    (source, sport), (destination, dport) = connection.acquirer, connection.terminal
    packet = (
        Ether(src=frame[6:12].hex(":"), dst=frame[0:6].hex(":"))
        / IP(src=source, dst=destination, id=0, flags="DF")
        / TCP(sport=sport, dport=dport, seq=connection.first, ack=0, flags="A", window=0)
    )
    return bytes(packet)
