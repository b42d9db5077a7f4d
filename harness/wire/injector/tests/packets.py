# SPDX-License-Identifier: GPL-2.0-only
"""Frames to try things on, and an engine without wires: what would be sent is kept, what would be told too."""

from __future__ import annotations

from dataclasses import dataclass, field

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from harness.wire.faults.base import Fault, Side
from harness.wire.injector.contract import OTHER, Splicer, Strike
from harness.wire.injector.divert import Rule
from harness.wire.injector.engine import Engine, Why
from harness.wire.injector.splicer import TcpSplicer

MAC: dict[Side, str] = {"terminal": "02:00:00:00:00:02", "acquirer": "02:00:00:00:00:01"}
ADDRESS: dict[Side, str] = {"terminal": "10.97.0.2", "acquirer": "10.97.0.1"}
PORT: dict[Side, int] = {"terminal": 40000, "acquirer": 8583}


def tcp(came: Side, data: bytes = b"", *, seq: int = 1000, ack: int = 2000, flags: str = "PA") -> bytes:
    """A TCP segment that came from that side."""
    to = OTHER[came]
    packet = (
        Ether(src=MAC[came], dst=MAC[to]) / IP(src=ADDRESS[came], dst=ADDRESS[to], flags="DF")
        / TCP(sport=PORT[came], dport=PORT[to], seq=seq, ack=ack, flags=flags)
    )
    return bytes(packet / Raw(data)) if data else bytes(packet)


def udp(came: Side, data: bytes = b"?", port: int = 53) -> bytes:
    to = OTHER[came]
    ports = {"terminal": 5000, "acquirer": port}
    packet = Ether(src=MAC[came], dst=MAC[to]) / IP(src=ADDRESS[came], dst=ADDRESS[to])
    return bytes(packet / UDP(sport=ports[came], dport=ports[to]) / Raw(data))


def arp(came: Side, op: int) -> bytes:
    to = OTHER[came]
    packet = ARP(op=op, hwsrc=MAC[came], psrc=ADDRESS[came], hwdst=MAC[to], pdst=ADDRESS[to])
    return bytes(Ether(src=MAC[came], dst=MAC[to]) / packet)


@dataclass
class Bench:
    """An engine with nothing around it. ``sent``: (side, frame); time is whatever the test says."""

    splicer: Splicer = field(default_factory=TcpSplicer)
    sent: list[tuple[Side, bytes]] = field(default_factory=list)
    strikes: list[Strike] = field(default_factory=list)
    ended: list[tuple[int, Why]] = field(default_factory=list)
    rules: frozenset[Rule] = frozenset()
    name: str = "none"
    removal: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = Engine(self, self, self.splicer, self)

    def send(self, side: Side, frame: bytes) -> None:
        self.sent.append((side, frame))

    def put(self, rules: frozenset[Rule]) -> None:
        self.rules = rules

    def close(self) -> None:
        self.rules = frozenset()

    def armed(self, fault_id: int, fault: Fault, t: int) -> None:
        return

    def struck(self, strike: Strike, at: dict[int, int]) -> None:
        self.strikes.append(strike)

    def healed(self, fault_id: int, why: Why, t: int) -> None:
        self.ended.append((fault_id, why))

    def passed(self, frame: bytes, came: Side, now: int = 0) -> list[bytes]:
        """What leaves at once because of a frame, at either side."""
        before = len(self.sent)
        self.engine.take(frame, came, now)
        self.engine.tick(now)
        return [sent for _, sent in self.sent[before:]]
