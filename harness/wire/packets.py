"""From an Ethernet frame to the TCP segment in it. Pure. :func:`parse` looks at no checksum: on a veth pair the kernel
leaves them to hardware that is not there; :func:`intact` is for packets in which they are filled. A segment may be
longer than any cable would carry (segmentation offload).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

Endpoint = tuple[str, int]
"""Address in dotted form, and port."""

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

_IPV4 = 0x0800
_VLAN = (0x8100, 0x88A8)
_TCP = 6


@dataclass(frozen=True, slots=True)
class Segment:
    """One TCP segment as captured. ``t`` in ns of CLOCK_MONOTONIC, ``packet`` its number (from 1) in the capture."""

    t: int
    packet: int
    source: Endpoint
    destination: Endpoint
    seq: int
    ack: int
    flags: int
    payload: bytes

    def has(self, flag: int) -> bool:
        return bool(self.flags & flag)

    @property
    def length(self) -> int:
        """What it takes of the sequence space: SYN and FIN count one each."""
        return len(self.payload) + self.has(SYN) + self.has(FIN)


def parse(frame: bytes, *, t: int, packet: int) -> Segment | None:
    """The TCP segment in an Ethernet frame; None for anything else, for what is cut short, and for IP fragments."""
    start = 14
    if len(frame) < start:
        return None
    kind = struct.unpack_from("!H", frame, 12)[0]
    while kind in _VLAN and len(frame) >= start + 4:
        kind = struct.unpack_from("!H", frame, start + 2)[0]
        start += 4
    if kind != _IPV4 or len(frame) < start + 20:
        return None
    version, total, fragment, protocol = struct.unpack_from("!BxHxxHxB", frame, start)
    header = (version & 0x0F) * 4
    if version >> 4 != 4 or header < 20 or protocol != _TCP or fragment & 0x3FFF:
        return None
    end = start + total if total else len(frame)  # 0: longer than 64 KiB, made by offload
    source, destination = (".".join(map(str, frame[start + at : start + at + 4])) for at in (12, 16))
    start += header
    if end > len(frame) or end < start + 20:
        return None
    sport, dport, seq, ack, offset, flags = struct.unpack_from("!HHIIBB", frame, start)
    data = start + (offset >> 4) * 4
    if data < start + 20 or data > end:
        return None
    return Segment(t, packet, (source, sport), (destination, dport), seq, ack, flags, bytes(frame[data:end]))


def intact(frame: bytes) -> bool:
    """The TCP checksum of a frame that :func:`parse` takes is right: what its receiver's kernel does not throw away."""
    start = 14
    while struct.unpack_from("!H", frame, start - 2)[0] in _VLAN:
        start += 4
    header, size = (frame[start] & 0x0F) * 4, struct.unpack_from("!H", frame, start + 2)[0]
    segment = frame[start + header : start + size if size else len(frame)]
    pseudo = frame[start + 12 : start + 20] + struct.pack("!HH", _TCP, len(segment) & 0xFFFF)
    words = pseudo + segment + bytes(len(segment) % 2)
    folded: int = sum(struct.unpack(f"!{len(words) // 2}H", words))
    return folded % 0xFFFF == 0
