# SPDX-License-Identifier: GPL-2.0-only
"""Connections that we ended: what still comes is answered as a host would that does not know them. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from harness.wire.faults.base import Side
from harness.wire.injector.contract import OTHER, Packet, Sending
from harness.wire.injector.splicer.half import Half
from harness.wire.injector.splicer.script import NEVER
from harness.wire.injector.splicer.translation import Translation
from harness.wire.packets import ACK, FIN, RST, Segment

_FIRST_WAIT, _LONGEST_WAIT, _TIMES = 250_000_000, 4_000_000_000, 12


class Gone:
    """Reset at some ends. Whatever one of those still says is answered by a reset with the number that it shows to
    expect; what the other says is lost."""

    over = False

    def __init__(self, translation: Translation, victims: frozenset[Side]) -> None:
        self._translation, self._victims = translation, victims

    def take(self, packet: Packet, segment: Segment) -> list[Sending]:
        if packet.came not in self._victims or segment.has(RST) or not segment.has(ACK):
            return []
        return [Sending(self._translation.reset(packet.came, segment.ack), packet.came)]


class Farewell:
    """``receiver`` got a FIN that the other end never sent, and that other end was reset: we close with it."""

    def __init__(self, translation: Translation, halves: Mapping[Side, Half], receiver: Side) -> None:
        self._translation, self._receiver = translation, receiver
        self._own, self._said = halves[receiver], halves[OTHER[receiver]]
        self.over = False

    def take(self, packet: Packet, segment: Segment) -> list[Sending]:
        if packet.came != self._receiver:
            if segment.has(RST) or not segment.has(ACK):
                return []
            return [Sending(self._translation.reset(packet.came, segment.ack), packet.came)]
        if segment.has(RST):
            self._said.own_until, self.over = 0, True
            return []
        if segment.has(ACK):
            self._said.hear(segment.ack)
        end = self._own.offset(segment.seq) + len(segment.payload)
        if segment.payload and end > self._own.told:
            self._said.own_until, self.over = 0, True
            return [Sending(self._translation.reset(self._receiver, segment.ack), self._receiver)]
        if segment.has(FIN):
            self._own.told = max(self._own.told, end + 1)
            self.over = True
            return [Sending(self._translation.acknowledgement(self._receiver), self._receiver)]
        return []


class Repeats:
    """When bytes of our own are sent again: until they are acknowledged, ever more rarely, and not for ever."""

    def __init__(self) -> None:
        self.at = NEVER
        self._wait, self._times, self._acked = _FIRST_WAIT, 0, -1

    def watch(self, acked: int, open_: bool, now: int) -> None:
        """After every event."""
        if not open_:
            self.at, self._times = NEVER, 0
        elif acked != self._acked or (self.at == NEVER and self._times == 0):
            self._wait, self._times = _FIRST_WAIT, 0
            self.at = now + self._wait
        self._acked = acked

    def strikes(self, acked: int, open_: bool, now: int) -> bool:
        if not open_ or now < self.at:
            return False
        self._times += 1
        self._wait = min(2 * self._wait, _LONGEST_WAIT)
        self.at = now + self._wait if self._times < _TIMES else NEVER
        return True
