"""A pcapng file (draft-ietf-opsawg-pcapng) of one or more Ethernet interfaces, whole in itself after every packet.

Each block goes to the kernel in one write, so a reader, or what is left after SIGKILL, sees whole blocks only.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

SNAP_LENGTH = 262144
INBOUND, OUTBOUND = 1, 2

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_ETHERNET = 1
_COMMENT, _IF_NAME, _IF_TSRESOL, _USER_APPLICATION, _EPB_FLAGS = 1, 2, 9, 4, 2


class PcapngWriter:
    """Creates ``path`` anew. The interfaces are numbered from 0. Raises :class:`OSError`."""

    def __init__(self, path: Path, *interfaces: str, application: str, comment: str = "") -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        self.packets = 0
        options = _option(_USER_APPLICATION, application.encode())
        if comment:
            options += _option(_COMMENT, comment.encode())
        header = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
        self._write(_block(_SECTION, header + options + _option(0, b"")))
        for interface in interfaces:
            described = _option(_IF_NAME, interface.encode()) + _option(_IF_TSRESOL, b"\x09") + _option(0, b"")
            self._write(_block(_INTERFACE, struct.pack("<HHI", _ETHERNET, 0, SNAP_LENGTH) + described))

    def write(
        self, frame: bytes, *, wall_ns: int, direction: int, length: int | None = None, interface: int = 0
    ) -> int:
        """Appends a frame (``length``: on the wire, where it was cut) and returns its number, from 1.

        ``wall_ns``: nanoseconds since 1970; ``direction``: INBOUND or OUTBOUND, seen from the interface.
        """
        self.packets += 1
        head = struct.pack("<IIIII", interface, wall_ns >> 32, wall_ns & 0xFFFFFFFF, len(frame), length or len(frame))
        flags = _option(_EPB_FLAGS, struct.pack("<I", direction)) + _option(0, b"")
        self._write(_block(_PACKET, head + _padded(frame) + flags))
        return self.packets

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, block: bytes) -> None:
        if os.write(self._fd, block) != len(block):
            raise OSError("the capture file took only a part of a block: is the disk full?")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size
