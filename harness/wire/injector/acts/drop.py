# SPDX-License-Identifier: GPL-2.0-only
"""Packets are lost. Which ones, the dice say (``harness.wire.injector.dice``)."""

from __future__ import annotations

from harness.wire.faults.drop import Drop
from harness.wire.injector.acts import PacketAct
from harness.wire.injector.contract import Packet, Sending


class Act(PacketAct[Drop]):
    def strike(self, packet: Packet, now: int) -> tuple[list[Sending], str]:
        return [], "lost"
