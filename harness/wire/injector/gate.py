# SPDX-License-Identifier: GPL-2.0-only
"""When a fault on packets is at its moment: counted from when it was armed. Pure."""

from __future__ import annotations

from collections import deque

from harness.wire.faults.base import Fault
from harness.wire.injector.contract import Packet
from harness.wire.moments import Moment
from harness.wire.packets import ACK, SYN

_REMEMBERED = 64


def gate(fault: Fault) -> Gate:
    """For the fault's moment; one that is always open where it has none."""
    moment = fault.match.moment
    if moment is None:
        return Gate()
    if moment.connecting:
        return _Connecting(moment)
    return _OfMessage(moment)


class Gate:
    """Shown every diverted packet, whichever way it goes, in the order in which they go on to their receivers."""

    def open(self, packet: Packet) -> bool:
        """Whether the moment is at this packet. To be asked once for each."""
        return True

    message: bytes = b""
    """The message at the moment, where it is one."""


class _OfMessage(Gate):
    def __init__(self, moment: Moment) -> None:
        self._moment, self._count, self._passed = moment, 0, False
        self._known: deque[tuple[bytes, bool]] = deque(maxlen=_REMEMBERED)

    def open(self, packet: Packet) -> bool:
        passed = self._passed
        at = [message for message in packet.carries if self._is_it(message)]
        if not self._moment.after:
            self.message = at[0] if at else b""
            return bool(at)
        if at:
            self._passed = True  # with this packet: those that follow are meant
        return passed

    def _is_it(self, message: bytes) -> bool:
        for known, fits in self._known:
            if known is message:  # the same one, further bytes of it or a repetition: counted already
                return fits
        fits = self._moment.fits(message)
        if fits:
            self._count += 1
            fits = self._moment.nth in (None, self._count)
        self._known.append((message, fits))
        return fits


class _Connecting(Gate):
    """A connection is told by its SYN; the handshake is over once the terminal has the SYN+ACK."""

    def __init__(self, moment: Moment) -> None:
        self._moment, self._count, self._made = moment, 0, False
        self._known: dict[tuple[object, object], int] = {}

    def open(self, packet: Packet) -> bool:
        segment = packet.segment
        made = self._made
        if segment is None or not packet.connecting:
            return made and self._moment.after
        answered = segment.has(ACK)
        ends = (segment.source, segment.destination)
        pair = ends[::-1] if answered else ends
        if segment.has(SYN) and not answered and pair not in self._known:
            self._count += 1
            self._known[pair] = self._count
        fits = pair in self._known and self._moment.nth in (None, self._known[pair])
        if self._moment.after:
            self._made = made or (fits and answered and packet.came == "acquirer")
            return made
        return fits

