# SPDX-License-Identifier: GPL-2.0-only
"""Packets come late. Each is told when it is taken; the capture shows when it is delivered."""

from __future__ import annotations

from harness.wire.faults.delay import Delay
from harness.wire.injector.acts import PacketAct, onward
from harness.wire.injector.contract import Packet, Sending
from harness.wire.injector.dice import chance


class Act(PacketAct[Delay]):
    def __init__(self, fault: Delay) -> None:
        super().__init__(fault)
        self._chance = chance(fault)

    def strike(self, packet: Packet, now: int) -> tuple[list[Sending], str]:
        late = max(0.0, self._late())
        return [onward(packet, now + round(late * 1e6))], f"late by {late:.1f} ms"

    def _late(self) -> float:
        """In milliseconds; drawn anew for each strike."""
        middle, width = self.fault.delay_ms, self.fault.jitter_ms
        if not width:
            return middle
        if self.fault.distribution == "normal":
            return self._chance.gauss(middle, width)
        return self._chance.uniform(middle - width, middle + width)
