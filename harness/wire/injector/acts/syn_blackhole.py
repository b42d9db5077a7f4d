# SPDX-License-Identifier: GPL-2.0-only
"""SYNs are lost without a word; connections that stand go on."""

from __future__ import annotations

from harness.wire.faults.base import Side
from harness.wire.faults.syn_blackhole import SynBlackhole
from harness.wire.injector.acts import PacketAct
from harness.wire.injector.contract import Packet, Sending
from harness.wire.injector.reading import tcp_flags
from harness.wire.packets import SYN


class Act(PacketAct[SynBlackhole]):
    kind = "tcp"

    def fits(self, frame: bytes, came: Side) -> bool:
        return bool(tcp_flags(frame) & SYN)

    def strike(self, packet: Packet, now: int) -> tuple[list[Sending], str]:
        return [], "the SYN is lost"
