# SPDX-License-Identifier: GPL-2.0-only
"""The terminal's connections as they pass: who talks to whom, and the next sequence number of each side. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.wire.packets import ACK, FIN, RST, SYN, Endpoint, Segment

TERMINAL, ACQUIRER = "terminal", "acquirer"


@dataclass
class Flow:
    """One connection. ``next``: by sender, the sequence number its next byte will have. ``mac``: by side."""

    endpoints: dict[str, Endpoint]
    mac: dict[str, bytes] = field(default_factory=dict)
    next: dict[str, int] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)
    reset: bool = False

    @property
    def whole(self) -> bool:
        """Whether enough was seen to reset both ends."""
        return len(self.mac) == 2 and len(self.next) == 2

    def advance(self, sender: str, seq: int) -> bool:
        """``seq`` is the sender's next number now; False when that is not ahead of what was known."""
        known = self.next.get(sender)
        seq &= 0xFFFFFFFF
        if known is not None and (seq - known) & 0x80000000:
            return False  # a retransmission
        self.next[sender] = seq
        return known != seq


class Flows:
    """All connections seen so far; :attr:`current` is the one that had the last packet and is open."""

    def __init__(self, terminal: str) -> None:
        self._terminal = terminal
        self._flows: dict[tuple[Endpoint, Endpoint], Flow] = {}
        self.current: Flow | None = None

    def take(self, segment: Segment, frame: bytes) -> tuple[Flow, str, bool] | None:
        """Learns from a captured segment: its connection, its sender, and whether it moved the sender's number.

        None for what is not the terminal's, and for the tail of connections that nobody saw.
        """
        if segment.source[0] == self._terminal:
            sender, receiver, key = TERMINAL, ACQUIRER, (segment.source, segment.destination)
        elif segment.destination[0] == self._terminal:
            sender, receiver, key = ACQUIRER, TERMINAL, (segment.destination, segment.source)
        else:
            return None
        flow = self._flows.get(key)
        if segment.has(SYN) and not segment.has(ACK) and (flow is None or flow.reset or flow.whole):
            flow = None
        if flow is None:
            if segment.has(RST):
                return None
            flow = self._flows[key] = Flow({TERMINAL: key[0], ACQUIRER: key[1]})
        if segment.has(RST):
            flow.reset = True
            self.current = None if self.current is flow else self.current
            return flow, sender, False
        flow.mac[sender], flow.mac[receiver] = frame[6:12], frame[0:6]
        moved = flow.advance(sender, segment.seq + segment.length)
        if segment.has(ACK):
            flow.advance(receiver, segment.ack)
        if segment.has(FIN):
            flow.finished.add(sender)
        if flow.reset or len(flow.finished) == 2:
            self.current = None if self.current is flow else self.current
        else:
            self.current = flow
        return flow, sender, moved
