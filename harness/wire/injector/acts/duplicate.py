# SPDX-License-Identifier: GPL-2.0-only
"""Packets come more than once."""

from __future__ import annotations

from harness.wire.faults.duplicate import Duplicate
from harness.wire.injector.acts import PacketAct, onward
from harness.wire.injector.contract import Packet, Sending


class Act(PacketAct[Duplicate]):
    def strike(self, packet: Packet, now: int) -> tuple[list[Sending], str]:
        gap = round(self.fault.gap_ms * 1e6)
        copies = [onward(packet, now + gap * number if gap else 0) for number in range(1, self.fault.copies + 1)]
        return [onward(packet), *copies], f"came {1 + self.fault.copies} times"
