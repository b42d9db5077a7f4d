# SPDX-License-Identifier: GPL-2.0-only
"""A packet is refused: its sender gets ICMP "destination unreachable" in the name of whoever was to have it.

The message carries the IP header and the first 8 bytes behind it (RFC 792), by which a TCP finds the connection.
"""

from __future__ import annotations

from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from harness.wire.faults.base import Side
from harness.wire.faults.icmp_unreachable import IcmpUnreachable
from harness.wire.injector.acts import PacketAct
from harness.wire.injector.contract import Packet, Sending
from harness.wire.injector.reading import ETHERNET, end, protocol, transport

CODES = {
    "net": 0, "host": 1, "protocol": 2, "port": 3, "net_prohibited": 9, "host_prohibited": 10, "admin_prohibited": 13,
}
FRAGMENTATION_NEEDED = 4
_ICMP_ERRORS = {3, 4, 5, 11, 12}
_QUOTED = 8


def unreachable(frame: bytes, code: int, mtu: int = 0) -> bytes:
    """The Ethernet frame that goes back to the sender of ``frame``. ``mtu``: of the next hop, for code 4 (RFC 1191)."""
    quoted = frame[ETHERNET : min(end(frame), transport(frame) + _QUOTED)]
    packet = (
        Ether(src=frame[0:6].hex(":"), dst=frame[6:12].hex(":"))
        / IP(src=_dotted(frame[30:34]), dst=_dotted(frame[26:30]), id=0, tos=0xC0)
        / ICMP(type=3, code=code, nexthopmtu=mtu)
        / Raw(quoted)
    )
    return bytes(packet)


def answerable(frame: bytes) -> bool:
    """An error is never answered with an error, nor is what goes to many (RFC 1122, 3.2.2)."""
    if frame[0] & 1 or protocol(frame) < 0:
        return False
    at = transport(frame)
    return not (frame[23] == 1 and len(frame) > at and frame[at] in _ICMP_ERRORS)


class Act(PacketAct[IcmpUnreachable]):
    def fits(self, frame: bytes, came: Side) -> bool:
        return answerable(frame)

    def strike(self, packet: Packet, now: int) -> tuple[list[Sending], str]:
        code = self.fault.code
        return [Sending(unreachable(packet.frame, CODES[code]), packet.came)], f"refused: ICMP {code} unreachable"


def _dotted(address: bytes) -> str:
    return ".".join(map(str, address))
