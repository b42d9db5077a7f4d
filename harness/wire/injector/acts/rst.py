# SPDX-License-Identifier: GPL-2.0-only
"""Both ends of a connection, or one, get a reset as if the other had sent it; or a SYN is answered with one.

A receiver obeys only a reset whose number is exactly the one that it expects (RFC 5961). That of a packet's sender is
the packet's acknowledgement; that of its receiver the packet's number, unless something is missing in between: then the
receiver says in an acknowledgement what it expects, and is reset again. The packet itself goes no further.
"""

from __future__ import annotations

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from harness.wire.faults.base import Side
from harness.wire.faults.rst import Rst
from harness.wire.injector.acts import PacketAct, onward
from harness.wire.injector.contract import OTHER, Packet, Sending
from harness.wire.injector.reading import tcp_flags
from harness.wire.packets import ACK, FIN, RST, SYN, Endpoint, Segment

AFTERCARE_NS = 1_000_000_000
"""How long what is under way in a connection that was reset is answered with resets."""


def reset(frame: bytes, segment: Segment, *, back: bool) -> bytes:
    """The reset for the sender of a segment (``back``), or for its receiver."""
    own, other = frame[6:12].hex(":"), frame[0:6].hex(":")
    (source, sport), (destination, dport) = segment.source, segment.destination
    if back:
        own, other, source, destination, sport, dport = other, own, destination, source, dport, sport
    if not back:
        seq, ack, flags = segment.seq, segment.ack, "RA" if segment.has(ACK) else "R"
    elif segment.has(ACK):
        seq, ack, flags = segment.ack, (segment.seq + segment.length) % 2**32, "RA"
    else:  # a SYN: nothing was acknowledged yet (RFC 9293, 3.10.7.1)
        seq, ack, flags = 0, (segment.seq + segment.length) % 2**32, "RA"
    packet = (
        Ether(src=own, dst=other)
        / IP(src=source, dst=destination, id=0, flags="DF")
        / TCP(sport=sport, dport=dport, seq=seq, ack=ack, flags=flags, window=0)
    )
    return bytes(packet)


class Act(PacketAct[Rst]):
    """Without a moment, or at ``connecting``. At messages the splicer does it."""

    kind = "tcp"
    raw = True
    claiming = True
    both_ways = True
    provokes = True

    def __init__(self, fault: Rst) -> None:
        super().__init__(fault)
        self._victims: tuple[Side, ...] = ("terminal", "acquirer") if fault.side == "both" else (fault.side,)
        self._until: dict[frozenset[Endpoint], int] = {}

    def fits(self, frame: bytes, came: Side) -> bool:
        flags = tcp_flags(frame)
        if self.fault.match.moment is not None:
            return flags & (SYN | ACK | RST) == SYN
        return bool(flags & ACK) and not flags & (SYN | RST)

    def claim(self, packet: Packet, now: int, at_moment: bool) -> list[Sending] | None:
        """Packets that were under way, or that say which number their sender expects."""
        segment = packet.segment
        if segment is None or now >= self._until.get(_ends(segment), 0):
            return None
        if segment.has(SYN) and not segment.has(ACK):
            del self._until[_ends(segment)]  # another connection of the same name
            return None
        if packet.came not in self._victims:
            return None
        if segment.has(RST) or not segment.has(ACK):
            return []
        return [Sending(reset(packet.frame, segment, back=True), packet.came)]

    def strike(self, packet: Packet, now: int) -> tuple[list[Sending], str]:
        segment = packet.segment
        assert segment is not None
        if self.fault.match.moment is None or self.fault.side == "acquirer":
            self._until[_ends(segment)] = now + AFTERCARE_NS
        sendings = []
        if packet.came in self._victims:
            sendings.append(Sending(reset(packet.frame, segment, back=True), packet.came))
        if OTHER[packet.came] in self._victims and not segment.has(SYN):
            sendings.append(Sending(reset(packet.frame, segment, back=False), OTHER[packet.came]))
        if packet.came not in self._victims:
            sendings.append(onward(packet))
        what = "refused" if segment.has(SYN) else f"reset at {' and '.join(self._victims)}"
        return sendings, what + (" (closing already)" if segment.has(FIN) else "")

    @property
    def due(self) -> int | None:
        return max(self._until.values(), default=None)

    def tick(self, now: int) -> list[Sending]:
        self._until = {ends: until for ends, until in self._until.items() if until > now}
        return []


def _ends(segment: Segment) -> frozenset[Endpoint]:
    return frozenset((segment.source, segment.destination))
