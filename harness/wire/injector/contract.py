# SPDX-License-Identifier: GPL-2.0-only
"""What the parts of the injector are to each other: packets that were diverted, what is sent in their place, and when.

    divert  ->  splicer (TCP: messages, and numbers that must stay true)  ->  acts (packets)  ->  sent at the other side

The engine owns the sockets, the clock and the dice; splicer and acts (``harness.wire.injector.acts.PacketAct``) own no
I/O, so they can be tested without any.
All times are nanoseconds of CLOCK_MONOTONIC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from harness.wire.faults.base import Fault, Side
from harness.wire.packets import Segment

OTHER: dict[Side, Side] = {"terminal": "acquirer", "acquirer": "terminal"}


@dataclass(frozen=True, slots=True)
class Packet:
    """An Ethernet frame that was taken from the wire. ``came``: from which side. ``segment``: its TCP, if it is any.

    ``carries``: the whole messages of which it brings bytes, where somebody asked for moments; ``connecting``: it is
    part of a handshake. Both are filled in by the splicer.
    """

    frame: bytes
    t: int
    came: Side
    segment: Segment | None = None
    carries: tuple[bytes, ...] = ()
    connecting: bool = False


@dataclass(frozen=True, slots=True)
class Sending:
    """A frame to be sent towards ``to``, not before ``at`` (0: now). ``of``: the packet that it was; None: new.

    ``by``: the fault for which it waits; until it is sent that fault is not used up, and when that is healed, it goes.
    """

    frame: bytes
    to: Side
    at: int = 0
    of: Packet | None = None
    by: int = 0

    def later(self, at: int) -> Sending:
        return replace(self, at=at)


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault struck. ``match``: which match since it was armed (1, 2, ...). ``what``: in words, for people; where it
    begins with ``not done:`` it says why nothing was.

    ``message``: the message at the moment; ``delivered``: what its receiver got in its place. ``took`` and ``sent``:
    the Ethernet frames that were taken and sent because of it, with the side at which; the engine puts them into the
    capture of faults and tells their numbers.
    """

    fault_id: int
    t: int
    match: int
    what: str
    to: Side | None = None
    message: bytes = b""
    delivered: bytes = b""
    took: tuple[tuple[Side, bytes], ...] = ()
    sent: tuple[tuple[Side, bytes], ...] = ()


@dataclass(slots=True)
class Outcome:
    """What is to be sent, and what is to be told."""

    send: list[Sending] = field(default_factory=list)
    strikes: list[Strike] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        self.send += other.send
        self.strikes += other.strikes


class Dice(Protocol):
    """Decides, for each match of a fault, whether it strikes: by ``only``, else by count, percent and seed."""

    def thrown(self) -> int | None:
        """The number of this match (from 1) where the fault strikes, None where it does not."""

    @property
    def used_up(self) -> bool:
        """It will never strike again."""


class Splicer(Protocol):
    """All faults on messages, over all TCP connections that are diverted. Keeps each connection valid on both sides:
    whatever it added or took is hidden from sequence numbers, acknowledgements and SACK blocks until the connection
    ends.
    """

    def arm(self, fault_id: int, fault: Fault, dice: Dice) -> None:
        """Raises :class:`harness.errors.BadInput` with the reason where this link can't do it."""

    def heal(self, fault_id: int, now: int) -> Outcome:
        """Disarms; what is held is delivered."""

    def busy(self, fault_id: int) -> bool:
        """Whether something of the fault is still held or to come. Once its dice are used up and this is false, the
        engine heals it as used up."""

    def keys(self, masters: Sequence[Mapping[str, str]]) -> None:
        """Master keys of terminals, to recompute MACs: ``{"tid", "mid", "tmk"}``, the key in hex, and ``"sign_in"``,
        the last 0810 in hex, where that passed before."""

    def watch(self, moments: bool) -> None:
        """Whether packets are to say which messages they carry (:attr:`Packet.carries`): each message is then kept back
        until it is whole."""

    def take(self, packet: Packet, now: int) -> tuple[list[Packet], Outcome]:
        """A diverted TCP packet. First: packets that go on to the acts (this one, earlier ones, or none), already true
        for their receiver. Second: what the splicer itself sends, past the acts, and its strikes."""

    def tick(self, now: int) -> tuple[list[Packet], Outcome]: ...

    @property
    def due(self) -> int | None: ...

    @property
    def peers(self) -> frozenset[tuple[str, int]]:
        """Address and port of peers whose connections must stay diverted, armed or not, since their numbers differ."""
