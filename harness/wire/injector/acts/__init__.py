# SPDX-License-Identifier: GPL-2.0-only
"""What faults do to packets: one file for each fault, of the fault's name, with a class ``Act``.

A class says by ``kind`` (and ``port``) which packets it can act on at all; the kernel diverts those that fit this and
the fault's match, and no others. Acts own no sockets and no clock.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from typing import ClassVar

from harness.wire.faults.base import Fault, Side
from harness.wire.injector.contract import Packet, Sending
from harness.wire.injector.divert import Kind


class PacketAct:
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

    def __init__(self, fault: Fault) -> None:
        self.fault = fault

    def fits(self, frame: bytes, came: Side) -> bool:
        """Whether it can strike this frame; address, port, direction and moment have been looked at."""
        return True

    def claim(self, packet: Packet, now: int) -> list[Sending] | None:
        """What is sent in place of a packet that belongs to an earlier strike (no dice are thrown); None: not mine."""
        return None

    def strike(self, packet: Packet, now: int) -> tuple[list[Sending], str]:
        raise NotImplementedError

    def tick(self, now: int) -> list[Sending]:
        return []

    @property
    def due(self) -> int | None:
        return None

    @property
    def busy(self) -> bool:
        """Whether something of earlier strikes is still to come, so that it can't be taken away yet."""
        return self.due is not None

    def heal(self, now: int) -> list[Sending]:
        return []

    @property
    def parting(self) -> Sequence[Sending]:
        """What the guardian must send should the injector be killed now."""
        return ()


def known() -> frozenset[str]:
    """The faults for which there is an act."""
    return frozenset(module.name for module in pkgutil.iter_modules(__path__))


def make(fault: Fault) -> PacketAct:
    """A new act for the fault. Raises :class:`KeyError` where there is none."""
    if fault.fault not in known():
        raise KeyError(fault.fault)
    made: PacketAct = importlib.import_module(f"{__name__}.{fault.fault}").Act(fault)
    return made


def load() -> None:
    """Imports all acts, and with them scapy, so that arming need not wait for it."""
    for name in sorted(known()):
        importlib.import_module(f"{__name__}.{name}")
