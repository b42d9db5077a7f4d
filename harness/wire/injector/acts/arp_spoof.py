# SPDX-License-Identifier: GPL-2.0-only
"""Somebody else answers for the peer. Whoever believed it is told the truth when the fault ends, however it ends."""

from __future__ import annotations

from collections.abc import Sequence

from scapy.layers.l2 import ARP, Ether

from harness.wire.faults.arp_spoof import ArpSpoof
from harness.wire.faults.base import Side
from harness.wire.injector.acts import PacketAct
from harness.wire.injector.contract import OTHER, Packet, Sending

_ANSWER = b"\x00\x02"
_EVERYBODY = "ff:ff:ff:ff:ff:ff"


def announcement(mac: str, address: str) -> bytes:
    """A gratuitous ARP request (RFC 5227): all who have the address in their table take the card from it."""
    return bytes(Ether(src=mac, dst=_EVERYBODY) / ARP(op=1, hwsrc=mac, psrc=address, pdst=address))


class Act(PacketAct[ArpSpoof]):
    kind = "arp"

    def __init__(self, fault: ArpSpoof) -> None:
        super().__init__(fault)
        self._truth: dict[tuple[Side, str], bytes] = {}

    def fits(self, frame: bytes, came: Side) -> bool:
        return len(frame) >= 42 and frame[20:22] == _ANSWER

    def strike(self, packet: Packet, now: int) -> tuple[list[Sending], str]:
        answer = Ether(packet.frame)
        true, address, to = answer[ARP].hwsrc, answer[ARP].psrc, OTHER[packet.came]
        self._truth[to, address] = announcement(true, address)
        answer[ARP].hwsrc = self.fault.mac
        return [Sending(bytes(answer), to, of=packet)], f"{address} is said to be at {self.fault.mac}, not {true}"

    @property
    def parting(self) -> Sequence[Sending]:
        return [Sending(frame, side) for (side, _), frame in self._truth.items()]

    def heal(self, now: int) -> list[Sending]:
        return [*self.parting]
