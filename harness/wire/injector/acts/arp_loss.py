# SPDX-License-Identifier: GPL-2.0-only
"""ARP requests and answers are lost."""

from __future__ import annotations

from harness.wire.faults.arp_loss import ArpLoss
from harness.wire.injector.acts import PacketAct
from harness.wire.injector.contract import Packet, Sending


class Act(PacketAct[ArpLoss]):
    kind = "arp"

    def strike(self, packet: Packet, now: int) -> tuple[list[Sending], str]:
        return [], "ARP lost"
