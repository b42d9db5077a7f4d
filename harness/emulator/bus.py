"""The wires between the CPU process and the board, over one SEQPACKET socket pair.

CPU to board: a header and, for pictures, zlib-compressed rows (a long slip comes in parts). Board to CPU: one JSON
object a message, what the application gets from ``read_event()``.
"""

from __future__ import annotations

import socket
import struct
import time
import zlib
from typing import NamedTuple

SCREEN, PAPER_PART, PAPER, BEEP, HALT = b"S", b"p", b"P", b"B", b"H"
REBOOT_STATUS = 97  # exit status of a CPU process that asked for a reboot
LARGEST = 65536  # bytes of a message; well below the smallest usual socket buffer
_HEADER = struct.Struct("<cqHI")


class Message(NamedTuple):
    """``t``: CLOCK_MONOTONIC, ns. ``body``: compressed rows, or UTF-8 text of a halt."""

    kind: bytes
    t: int
    width: int
    height: int
    body: bytes


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """(the board's end, the CPU's end), both blocking."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def compress(rows: bytes) -> bytes:
    """As pictures travel in messages and in panel events."""
    return zlib.compress(rows, 1)


def send(sock: socket.socket, kind: bytes, width: int = 0, height: int = 0, body: bytes = b"") -> None:
    """Sends now, in parts if need be. Blocks while the board is busy."""
    t = time.monotonic_ns()
    while len(body) > LARGEST:
        sock.send(_HEADER.pack(PAPER_PART, t, width, height) + body[:LARGEST])
        body = body[LARGEST:]
    sock.send(_HEADER.pack(kind, t, width, height) + body)


def receive(sock: socket.socket) -> Message | None:
    """The next message; None when there is none at the moment. Raises EOFError when the other end is closed."""
    try:
        data = sock.recv(LARGEST + _HEADER.size, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    except ConnectionResetError as error:
        raise EOFError from error
    if len(data) < _HEADER.size:
        raise EOFError
    kind, t, width, height = _HEADER.unpack_from(data)
    return Message(kind, t, width, height, data[_HEADER.size :])
