# SPDX-License-Identifier: GPL-2.0-only
"""What faults do to packets: one file for each fault, of the fault's name, with a class ``Act``.

A class says by ``kind`` (and ``port``) which packets it can act on at all; the kernel diverts those that fit this and
the fault's match, and no others. Acts own no sockets and no clock.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

from harness.wire.faults.base import Fault, Side
from harness.wire.injector.contract import OTHER, Packet, Sending
from harness.wire.injector.divert import Kind

F = TypeVar("F", bound=Fault)


class PacketAct(Generic[F]):
    """The base of all acts: keeps nothing, claims nothing, takes every packet of its kind."""

    kind: ClassVar[Kind] = "ip"
    port: ClassVar[int | None] = None
    """The peer's port where the fault is about a service; ``match.port`` goes before it."""
    both_ways: ClassVar[bool] = False
    """It must see both directions, whichever it strikes."""
    raw: ClassVar[bool] = False
    """It acts before the splicer, on numbers as they are on the side where the packet came from."""
    claiming: ClassVar[bool] = False
    """It has to be asked by :meth:`claim` about each packet of its rules before the dice are thrown."""
    provokes: ClassVar[bool] = False
    """Without a moment it strikes at once: the present connection is made to speak."""
    from_then_on: ClassVar[bool] = False
    """Once its moment was there, it is there for good."""

    def __init__(self, fault: F) -> None:
        self.fault = fault

    def fits(self, frame: bytes, came: Side) -> bool:
        """Whether it can strike this frame; address, port, direction and moment have been looked at."""
        return True

    def claim(self, packet: Packet, now: int, at_moment: bool) -> list[Sending] | None:
        """What is sent in place of a packet that belongs to an earlier strike, or is none of the fault's business: no
        dice are thrown for it. None: not mine."""
        return None

    def strike(self, packet: Packet, now: int) -> tuple[list[Sending], str]:
        """What is sent in the packet's place (nothing: it is lost), and what was done, in words."""
        raise NotImplementedError

    def tick(self, now: int) -> list[Sending]:
        """What is due by now."""
        return []

    @property
    def due(self) -> int | None:
        """When :meth:`tick` wants to be called."""
        return None

    @property
    def busy(self) -> bool:
        """Whether something of earlier strikes is still to come, so that it can't be taken away yet."""
        return self.due is not None

    def heal(self, now: int) -> list[Sending]:
        """No more strikes: whatever is still kept is let go."""
        return []

    @property
    def parting(self) -> Sequence[Sending]:
        """What the guardian must send should the injector be killed now."""
        return ()


AnyAct = PacketAct[Any]


def onward(packet: Packet, at: int = 0) -> Sending:
    """The packet as it is, at its time."""
    return Sending(packet.frame, OTHER[packet.came], at, of=packet)


def known() -> frozenset[str]:
    """The faults for which there is an act."""
    return frozenset(module.name for module in pkgutil.iter_modules(__path__))


def make(fault: Fault) -> AnyAct:
    """A new act for the fault. Raises :class:`KeyError` where there is none."""
    if fault.fault not in known():
        raise KeyError(fault.fault)
    made: AnyAct = importlib.import_module(f"{__name__}.{fault.fault}").Act(fault)
    return made


def load() -> None:
    """Imports all acts, and with them scapy, so that arming need not wait for it."""
    for name in sorted(known()):
        importlib.import_module(f"{__name__}.{name}")
