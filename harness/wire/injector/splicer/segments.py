# SPDX-License-Identifier: GPL-2.0-only
"""TCP segments as bytes: made by scapy, and numbered anew in place.

scapy takes about a millisecond for a packet. It makes every segment whose content is ours; where a packet only needs
other numbers because of an earlier change, eight bytes of it are written over and its checksum is made anew.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import checksum

_VLAN = (0x8100, 0x88A8)
_END, _NOP, _MSS, _SCALE, _SACK, _STAMP = 0, 1, 2, 3, 5, 8
_TCP = 6
MASK = 0xFFFFFFFF

Stamp = tuple[int, int]
"""A timestamp option: value and echo."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Offsets in an Ethernet frame: of IP, TCP, its payload, and the end of that (padding may follow)."""

    ip: int
    tcp: int
    data: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """What of a segment's header is not in :class:`~harness.wire.packets.Segment`."""

    layout: Layout
    window: int
    stamp: Stamp | None
    mss: int | None
    scale: int | None


def layout(frame: bytes) -> Layout:
    """Of a frame in which ``harness.wire.packets.parse`` found a segment."""
    ip = 14
    while struct.unpack_from("!H", frame, ip - 2)[0] in _VLAN:
        ip += 4
    tcp = ip + (frame[ip] & 0x0F) * 4
    total = struct.unpack_from("!H", frame, ip + 2)[0]
    return Layout(ip, tcp, tcp + (frame[tcp + 12] >> 4) * 4, ip + total if total else len(frame))


def header(frame: bytes) -> Header:
    at = layout(frame)
    stamp, mss, scale = None, None, None
    for kind, where, size in _options(frame, at):
        if kind == _STAMP and size == 10:
            stamp = struct.unpack_from("!II", frame, where + 2)
        elif kind == _MSS and size == 4:
            mss = struct.unpack_from("!H", frame, where + 2)[0]
        elif kind == _SCALE and size == 3:
            scale = frame[where + 2]
    return Header(at, struct.unpack_from("!H", frame, at.tcp + 14)[0], stamp, mss, scale)


def build(
    like: bytes, *, seq: int, ack: int, flags: str, window: int, stamp: Stamp | None, payload: bytes = b""
) -> bytes:
    """A segment in the name of who sent ``like``: its addresses and IP header, with these numbers and bytes."""
    at = layout(like)
    packet = Ether(like[: at.tcp])
    packet[IP].len = packet[IP].chksum = None
    sport, dport = struct.unpack_from("!HH", like, at.tcp)
    options = [("NOP", None), ("NOP", None), ("Timestamp", stamp)] if stamp is not None else []
    tcp = TCP(sport=sport, dport=dport, seq=seq & MASK, ack=ack & MASK, flags=flags, window=window, options=options)
    if payload:
        tcp.add_payload(Raw(payload))
    packet[IP].add_payload(tcp)  # `/` would copy all layers
    return bytes(packet)


def renumbered(
    frame: bytes, at: Layout, *, seq: int, ack: int | None, window: int | None = None, stamp: int | None = None,
    blocks: Callable[[int, int], tuple[int, int] | None] | None = None,
) -> bytes:
    """``frame`` with other numbers, and its checksum true for them; the same object where nothing differs.

    ``ack`` None: it has none, or keeps it. ``stamp``: the value of its timestamp. ``blocks``: makes the edges of each
    SACK block anew; where it gives None the block is taken out, and the ones behind close up.
    """
    data = bytearray(frame)
    struct.pack_into("!I", data, at.tcp + 4, seq & MASK)
    if ack is not None:
        struct.pack_into("!I", data, at.tcp + 8, ack & MASK)
    if window is not None:
        struct.pack_into("!H", data, at.tcp + 14, window)
    if stamp is not None or blocks is not None:
        for kind, where, size in list(_options(frame, at)):
            if kind == _STAMP and size == 10 and stamp is not None:
                struct.pack_into("!I", data, where + 2, stamp & MASK)
            elif kind == _SACK and blocks is not None:
                _write_blocks(data, where, size, blocks)
    if data == frame:
        return frame
    struct.pack_into("!H", data, at.tcp + 16, 0)
    struct.pack_into("!H", data, at.tcp + 16, _checksum(data, at))
    return bytes(data)


def has_true_checksums(frame: bytes) -> bool:
    """Of IP and of TCP."""
    at = layout(frame)
    return checksum(frame[at.ip : at.tcp]) == 0 and _checksum(frame, at) == 0


def _checksum(data: bytes | bytearray, at: Layout) -> int:
    pseudo = bytes(data[at.ip + 12 : at.ip + 20]) + struct.pack("!HH", _TCP, at.end - at.tcp)
    return int(checksum(pseudo + bytes(data[at.tcp : at.end])))


def _options(frame: bytes, at: Layout) -> Iterator[tuple[int, int, int]]:
    """Kind, offset and whole size of each."""
    where = at.tcp + 20
    while where < at.data and frame[where] != _END:
        if frame[where] == _NOP:
            where += 1
            continue
        if where + 1 >= at.data:
            return
        size = frame[where + 1]
        if size < 2 or where + size > at.data:
            return
        yield frame[where], where, size
        where += size


def _write_blocks(
    data: bytearray, where: int, size: int, blocks: Callable[[int, int], tuple[int, int] | None]
) -> None:
    pairs = [struct.unpack_from("!II", data, at) for at in range(where + 2, where + size - 7, 8)]
    true = [pair for pair in (blocks(*edges) for edges in pairs) if pair is not None]
    content = b"".join(struct.pack("!II", left & MASK, right & MASK) for left, right in true)
    option = bytes([_SACK, 2 + len(content)]) + content if true else b""
    data[where : where + size] = option.ljust(size, bytes([_NOP]))
