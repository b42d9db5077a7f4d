# SPDX-License-Identifier: GPL-2.0-only
"""Bits of a packet are turned over, behind its TCP or UDP header."""

from __future__ import annotations

from scapy.layers.inet import TCP, UDP
from scapy.layers.l2 import Ether

from harness.wire.faults.base import Side
from harness.wire.faults.corrupt import Corrupt
from harness.wire.injector.acts import PacketAct
from harness.wire.injector.contract import OTHER, Packet, Sending
from harness.wire.injector.dice import chance
from harness.wire.injector.reading import end, payload


def with_checksum(frame: bytes) -> bytes:
    """The frame with the checksum of its TCP or UDP made true."""
    packet = Ether(frame)
    for layer in (TCP, UDP):
        if layer in packet:
            del packet[layer].chksum
    return bytes(packet)


class Act(PacketAct[Corrupt]):
    def __init__(self, fault: Corrupt) -> None:
        super().__init__(fault)
        self._chance = chance(fault)

    def fits(self, frame: bytes, came: Side) -> bool:
        return payload(frame) + (self.fault.offset or 0) < end(frame)

    def strike(self, packet: Packet, now: int) -> tuple[list[Sending], str]:
        start, stop = payload(packet.frame), end(packet.frame)
        bits = self._bits((stop - start) * 8)
        frame = bytearray(packet.frame)
        for bit in bits:
            frame[start + bit // 8] ^= 0x80 >> bit % 8
        damaged = with_checksum(bytes(frame)) if self.fault.fix_checksum else bytes(frame)
        where = ", ".join(str(byte) for byte in sorted({bit // 8 for bit in bits}))
        told = "checksum true" if self.fault.fix_checksum else "checksum false"
        return [Sending(damaged, OTHER[packet.came], of=packet)], f"{len(bits)} bits turned in byte {where}, {told}"

    def _bits(self, size: int) -> list[int]:
        """Which ones, counted from the first bit of the payload."""
        if self.fault.offset is None:
            return self._chance.sample(range(size), min(self.fault.bits, size))
        first = self.fault.offset * 8
        return list(range(first, min(first + self.fault.bits, size)))
