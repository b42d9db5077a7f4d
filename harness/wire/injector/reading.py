# SPDX-License-Identifier: GPL-2.0-only
"""What a frame is and whom it is for, read straight from its bytes, and matches compiled to a few comparisons. Pure.

This is run on every diverted packet, so it makes no objects.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from harness.wire.faults.base import Side
from harness.wire.injector.divert import Rule

IPV4, ARP = b"\x08\x00", b"\x08\x06"
TCP, UDP, ICMP = 6, 17, 1
ETHERNET = 14

Test = Callable[[bytes, Side], bool]
"""Whether a frame that came from that side is meant."""


def is_ipv4(frame: bytes) -> bool:
    return frame[12:14] == IPV4 and len(frame) >= ETHERNET + 20


def protocol(frame: bytes) -> int:
    """Of an IPv4 packet; -1 for what is none, and for later fragments, which have no ports."""
    if not is_ipv4(frame) or frame[20] & 0x1F or frame[21]:
        return -1
    return frame[23]


def transport(frame: bytes) -> int:
    """Where the header behind that of IPv4 begins."""
    return ETHERNET + (frame[14] & 0x0F) * 4


def end(frame: bytes) -> int:
    """Where the IPv4 packet ends: Ethernet pads what is short."""
    return min(len(frame), ETHERNET + int.from_bytes(frame[16:18], "big"))


def payload(frame: bytes) -> int:
    """Where the bytes of the application begin in TCP or UDP; behind the IPv4 header for all else."""
    start = transport(frame)
    kind = protocol(frame)
    if kind == TCP and len(frame) > start + 12:
        return start + (frame[start + 12] >> 4) * 4
    return start + 8 if kind == UDP else start


def tcp_flags(frame: bytes) -> int:
    """0 for what is no TCP."""
    if protocol(frame) != TCP:
        return 0
    at = transport(frame) + 13
    return frame[at] if len(frame) > at else 0


def compiled(rule: Rule) -> Test:
    """The same test that the kernel makes for the rule."""
    came, outward = rule.came, rule.came == "terminal"
    address = ipaddress.IPv4Address(rule.address).packed if rule.address is not None else None
    port = rule.port.to_bytes(2, "big") if rule.port is not None else None
    if rule.kind == "all":
        return lambda frame, side: side == came
    if rule.kind == "arp":
        at = 38 if outward else 28
        return lambda frame, side: (
            side == came and frame[12:14] == ARP and (address is None or frame[at : at + 4] == address)
        )
    wanted = {"tcp": TCP, "udp": UDP}.get(rule.kind)
    at, at_port = (30, 36) if outward else (26, 34)

    def fits(frame: bytes, side: Side) -> bool:
        if side != came or frame[12:14] != IPV4 or len(frame) < 34:
            return False
        if address is not None and frame[at : at + 4] != address:
            return False
        if wanted is not None and frame[23] != wanted:
            return False
        if port is None:
            return True
        return not frame[20] & 0x1F and not frame[21] and frame[14] == 0x45 and frame[at_port : at_port + 2] == port

    return fits
