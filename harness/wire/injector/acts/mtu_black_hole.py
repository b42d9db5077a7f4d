# SPDX-License-Identifier: GPL-2.0-only
"""Packets above a size disappear, with or without the message that path MTU discovery lives by (RFC 1191)."""

from __future__ import annotations

from harness.wire.faults.base import Side
from harness.wire.faults.mtu_black_hole import MtuBlackHole
from harness.wire.injector.acts import PacketAct
from harness.wire.injector.acts.icmp_unreachable import FRAGMENTATION_NEEDED, answerable, unreachable
from harness.wire.injector.contract import Packet, Sending
from harness.wire.injector.reading import ETHERNET, end


class Act(PacketAct[MtuBlackHole]):
    def fits(self, frame: bytes, came: Side) -> bool:
        return end(frame) - ETHERNET > self.fault.mtu

    def strike(self, packet: Packet, now: int) -> tuple[list[Sending], str]:
        size = end(packet.frame) - ETHERNET
        if self.fault.silent or not answerable(packet.frame):
            return [], f"lost: {size} bytes"
        told = unreachable(packet.frame, FRAGMENTATION_NEEDED, self.fault.mtu)
        return [Sending(told, packet.came)], f"lost: {size} bytes; its sender is told"
