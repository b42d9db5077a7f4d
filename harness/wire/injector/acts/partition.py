# SPDX-License-Identifier: GPL-2.0-only
"""Nothing passes, ARP included."""

from __future__ import annotations

from harness.wire.faults.partition import Partition
from harness.wire.injector.acts import PacketAct
from harness.wire.injector.contract import Packet, Sending


class Act(PacketAct[Partition]):
    kind = "all"

    def strike(self, packet: Packet, now: int) -> tuple[list[Sending], str]:
        return [], "lost: no way through"
