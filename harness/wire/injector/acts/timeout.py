# SPDX-License-Identifier: GPL-2.0-only
"""Connections that stand go silent; those made afterwards are left alone."""

from __future__ import annotations

from harness.wire.faults.timeout import Timeout
from harness.wire.injector.acts import PacketAct, onward
from harness.wire.injector.contract import Packet, Sending
from harness.wire.packets import ACK, SYN, Endpoint


class Act(PacketAct[Timeout]):
    kind = "tcp"
    claiming = True
    both_ways = True
    from_then_on = True

    def __init__(self, fault: Timeout) -> None:
        super().__init__(fault)
        self._new: set[frozenset[Endpoint]] = set()

    def claim(self, packet: Packet, now: int, at_moment: bool) -> list[Sending] | None:
        segment = packet.segment
        if segment is None:
            return None
        ends = frozenset((segment.source, segment.destination))
        if segment.has(SYN) and not segment.has(ACK):
            (self._new.add if at_moment else self._new.discard)(ends)
        return [onward(packet)] if ends in self._new else None

    def strike(self, packet: Packet, now: int) -> tuple[list[Sending], str]:
        return [], "lost: the connection is silent"
