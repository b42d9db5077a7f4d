# SPDX-License-Identifier: GPL-2.0-only
"""The end of a connection is late: its FIN is kept back. Data that came with it is not."""

from __future__ import annotations

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from harness.wire.faults.base import Side
from harness.wire.faults.slow_close import SlowClose
from harness.wire.injector.acts import PacketAct, onward
from harness.wire.injector.contract import OTHER, Packet, Sending
from harness.wire.injector.reading import tcp_flags
from harness.wire.packets import FIN, Endpoint


def split(frame: bytes) -> tuple[bytes, bytes]:
    """A segment with data and FIN as two: the data, and the FIN behind it."""
    data, close = Ether(frame), Ether(frame)
    size = data[IP].len - data[IP].ihl * 4 - data[TCP].dataofs * 4
    data[TCP].flags = int(data[TCP].flags) & ~FIN
    close[TCP].seq = (close[TCP].seq + size) % 2**32
    close[TCP].remove_payload()
    for packet in (data, close):
        del packet[IP].len, packet[IP].chksum, packet[TCP].chksum
    return bytes(data), bytes(close)


class Act(PacketAct[SlowClose]):
    kind = "tcp"
    claiming = True

    def __init__(self, fault: SlowClose) -> None:
        super().__init__(fault)
        self._until: dict[tuple[Endpoint, Endpoint], int] = {}

    def fits(self, frame: bytes, came: Side) -> bool:
        return bool(tcp_flags(frame) & FIN)

    def claim(self, packet: Packet, now: int, at_moment: bool) -> list[Sending] | None:
        segment = packet.segment
        if segment is None or not segment.has(FIN):
            return None
        until = self._until.get((segment.source, segment.destination), 0)
        return [] if now < until else None  # a repetition of the one that is kept back

    def strike(self, packet: Packet, now: int) -> tuple[list[Sending], str]:
        at = now + round(self.fault.delay_s * 1e9)
        what = f"FIN late by {self.fault.delay_s:g} s"
        segment = packet.segment
        if segment is not None:
            self._until[segment.source, segment.destination] = at
        if segment is None or not segment.payload:
            return [onward(packet, at)], what
        data, close = split(packet.frame)
        to = OTHER[packet.came]
        return [Sending(data, to, of=packet), Sending(close, to, at, of=packet)], what
