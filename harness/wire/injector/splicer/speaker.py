# SPDX-License-Identifier: GPL-2.0-only
"""What was last heard from one end of a connection: enough to speak in its name."""

from __future__ import annotations

import struct

from harness.wire.injector.splicer.segments import Header, Stamp, build
from harness.wire.packets import SYN, Segment

_UNKNOWN_WINDOW = 8192
_USUAL_MSS = 1400  # where the handshake was not seen; leaves room for options and a tunnel


class Speaker:
    def __init__(self) -> None:
        self._like = b""
        self._reflected = b""
        self.stamp: int | None = None
        """The latest value of its timestamps (the greatest, as its peer compares them)."""
        self.window = _UNKNOWN_WINDOW
        self.scale: int | None = None
        self.mss: int | None = None
        """The greatest segment that it takes."""

    def hear(self, frame: bytes, head: Header, segment: Segment) -> None:
        """A packet of it."""
        self._like = frame[: head.layout.data]
        if segment.has(SYN):
            self.scale, self.mss = head.scale or 0, head.mss
        else:
            self.window = head.window
        if head.stamp is not None and (self.stamp is None or not (head.stamp[0] - self.stamp) & 0x80000000):
            self.stamp = head.stamp[0]

    def be_spoken_to(self, frame: bytes, head: Header) -> None:
        """A packet to it: all that is known of it before it said anything itself."""
        if self._like or self._reflected:
            return
        at, data = head.layout, bytearray(frame[: head.layout.data])
        data[0:6], data[6:12] = frame[6:12], frame[0:6]
        data[at.ip + 12 : at.ip + 16], data[at.ip + 16 : at.ip + 20] = frame[at.ip + 16 : at.ip + 20], frame[
            at.ip + 12 : at.ip + 16
        ]
        source, destination = struct.unpack_from("!HH", frame, at.tcp)
        struct.pack_into("!HH", data, at.tcp, destination, source)
        self._reflected = bytes(data)
        if head.stamp is not None:
            self.stamp = head.stamp[1]

    def segment_size(self, stamped: bool) -> int:
        """Bytes of payload in a segment to it."""
        return max(1, (self.mss or _USUAL_MSS) - (12 if stamped else 0))

    def say(
        self, *, seq: int, ack: int, echo: int | None, flags: str, window: int | None = None, payload: bytes = b""
    ) -> bytes:
        """A segment in its name. ``echo``: the latest timestamp of the other end."""
        stamp: Stamp | None = None if self.stamp is None or echo is None else (self.stamp, echo)
        return build(
            self._like or self._reflected, seq=seq, ack=ack, flags=flags,
            window=self.window if window is None else window, stamp=stamp, payload=payload,
        )
