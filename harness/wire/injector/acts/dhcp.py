# SPDX-License-Identifier: GPL-2.0-only
"""What a DHCP server says is lost, comes late, or comes as something else (RFC 2131)."""

from __future__ import annotations

from typing import Any

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from harness.wire.faults.base import Side
from harness.wire.faults.dhcp import Dhcp
from harness.wire.injector.acts import PacketAct
from harness.wire.injector.contract import OTHER, Packet, Sending

PORT = 67
OFFER, ACK, NAK = 2, 5, 6
_NAMES = {OFFER: "offer", ACK: "ACK", NAK: "NAK"}
_STRUCK = {
    "no_offer": {OFFER}, "silent": {OFFER, ACK, NAK}, "nak": {ACK}, "slow": {OFFER, ACK, NAK},
    "wrong_router": {OFFER, ACK},
}
_S = 1_000_000_000


class Act(PacketAct[Dhcp]):
    kind = "udp"
    port = PORT

    def fits(self, frame: bytes, came: Side) -> bool:
        assert isinstance(self.fault, Dhcp)
        return came == "acquirer" and said(frame) in _STRUCK[self.fault.answer]

    def strike(self, packet: Packet, now: int) -> tuple[list[Sending], str]:
        fault = self.fault
        name = _NAMES[said(packet.frame)]
        if fault.answer in ("no_offer", "silent"):
            return [], f"the {name} is lost"
        if fault.answer == "slow":
            at = now + int(fault.delay_s * _S)
            late = Sending(packet.frame, OTHER[packet.came], at=at, of=packet)
            return [late], f"the {name} comes {fault.delay_s:g} s late"
        if fault.answer == "nak":
            frame, what = _refusal(packet.frame), f"the {name} comes as a NAK"
        else:
            frame, what = _with_router(packet.frame, fault.router), f"the {name} names the router {fault.router}"
        return [Sending(frame, OTHER[packet.came], of=packet)], what


def said(frame: bytes) -> int:
    """The kind of a server's message; 0 where the frame is none."""
    try:
        found = Ether(frame)
        if UDP not in found or DHCP not in found or found[BOOTP].op != 2:
            return 0
        return int(dict(_options(found)).get("message-type", 0))
    except Exception:  # scapy raises whatever its layers raise on wild bytes
        return 0


def _options(frame: Ether) -> list[tuple[Any, ...]]:
    return [option for option in frame[DHCP].options if isinstance(option, tuple) and len(option) >= 2]


def _refusal(data: bytes) -> bytes:
    """The grant as a refusal: no address, and of its options only who says so."""
    frame = Ether(data)
    frame[BOOTP].yiaddr = frame[BOOTP].ciaddr = "0.0.0.0"
    server = [option for option in _options(frame) if option[0] == "server_id"]
    frame[DHCP].options = [("message-type", NAK), *server, "end"]
    return _sealed(frame)


def _with_router(data: bytes, router: str) -> bytes:
    frame = Ether(data)
    others = [option for option in _options(frame) if option[0] != "router"]
    frame[DHCP].options = [*others, ("router", router), "end"]
    return _sealed(frame)


def _sealed(frame: Ether) -> bytes:
    """With lengths and checksums as they are now, and without what padded the old message."""
    frame[DHCP].remove_payload()
    for layer, names in ((IP, ("len", "chksum")), (UDP, ("len", "chksum"))):
        for name in names:
            delattr(frame[layer], name)
    return bytes(frame)
