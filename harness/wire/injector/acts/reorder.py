# SPDX-License-Identifier: GPL-2.0-only
"""A packet is overtaken by later ones of its direction. While one is kept back, the others that match pass it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.wire.faults.base import Side
from harness.wire.faults.reorder import Reorder
from harness.wire.injector.acts import PacketAct, onward
from harness.wire.injector.contract import Packet, Sending


@dataclass(frozen=True, slots=True)
class _Kept:
    packet: Packet
    overtakers: int
    due: int


class Act(PacketAct[Reorder]):
    claiming = True

    def __init__(self, fault: Reorder) -> None:
        super().__init__(fault)
        self._kept: dict[Side, _Kept] = {}

    def fits(self, frame: bytes, came: Side) -> bool:
        return came not in self._kept

    def claim(self, packet: Packet, now: int, at_moment: bool) -> list[Sending] | None:
        kept = self._kept.get(packet.came)
        if kept is not None:
            left = kept.overtakers - 1
            self._kept[packet.came] = replace(kept, overtakers=left, due=kept.due if left > 0 else now)
        return None

    def strike(self, packet: Packet, now: int) -> tuple[list[Sending], str]:
        self._kept[packet.came] = _Kept(packet, self.fault.gap, now + round(self.fault.wait_ms * 1e6))
        return [], f"kept back until {self.fault.gap} more have passed, or {self.fault.wait_ms:g} ms"

    @property
    def due(self) -> int | None:
        return min((kept.due for kept in self._kept.values()), default=None)

    def tick(self, now: int) -> list[Sending]:
        ready = [side for side, kept in self._kept.items() if kept.due <= now]
        return [onward(self._kept.pop(side).packet) for side in ready]

    def heal(self, now: int) -> list[Sending]:
        kept, self._kept = self._kept, {}
        return [onward(one.packet) for one in kept.values()]
