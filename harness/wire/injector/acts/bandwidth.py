# SPDX-License-Identifier: GPL-2.0-only
"""The link carries only so much: a token bucket and a queue for each direction."""

from __future__ import annotations

from harness.wire.faults.bandwidth import Bandwidth
from harness.wire.faults.base import Side
from harness.wire.injector.acts import PacketAct, onward
from harness.wire.injector.contract import Packet, Sending


class Act(PacketAct[Bandwidth]):
    """Kept as the one time by which all that was sent so far would have passed at the rate alone."""

    def __init__(self, fault: Bandwidth) -> None:
        super().__init__(fault)
        self._ns_a_byte = 8e6 / fault.kbit_s
        self._free: dict[Side, float] = {}

    def strike(self, packet: Packet, now: int) -> tuple[list[Sending], str]:
        cost = len(packet.frame) * self._ns_a_byte
        free = max(self._free.get(packet.came, 0.0), float(now))
        leaves = max(float(now), free + cost - self.fault.burst_bytes * self._ns_a_byte)
        if (leaves - now) / self._ns_a_byte > self.fault.queue_bytes:
            return [], "lost: the queue is full"
        self._free[packet.came] = free + cost
        if leaves <= now:
            return [onward(packet)], "passed within the burst"
        return [onward(packet, round(leaves))], f"late by {(leaves - now) / 1e6:.1f} ms"
