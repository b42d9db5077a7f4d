# SPDX-License-Identifier: GPL-2.0-only
"""All connections of one terminal that are diverted, and the faults on messages that are armed for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness.errors import BadInput
from harness.wire.faults.base import Fault
from harness.wire.injector.contract import OTHER, Dice, Outcome, Packet, Sending
from harness.wire.injector.splicer.armory import Armory
from harness.wire.injector.splicer.connection import PATIENCE_NS, Connection
from harness.wire.injector.splicer.links import assemblies
from harness.wire.injector.splicer.refusals import check
from harness.wire.injector.splicer.script import NEVER
from harness.wire.injector.splicer.session_keys import SessionKeys, read_masters
from harness.wire.layers import LINKS
from harness.wire.packets import ACK, SYN, Endpoint

_USUAL, _MOST = 16, 512
"""Connections that are remembered: such as need nothing from us, and all."""
_IDLE_NS = 900_000_000_000
"""A connection that says nothing for so long is forgotten: its end was cut off from power, or from the wire."""


class TcpSplicer:
    """``link``: what lies between TCP and the frames (:data:`harness.wire.layers.LINKS`); ``keys``: the file with the
    session keys of TLS."""

    def __init__(self, link: str = "tcp", keys: Path | None = None, *, patience: int = PATIENCE_NS) -> None:
        if link not in LINKS:
            raise BadInput(f"there is no link {link!r}", where="link", remedy=f"Known: {', '.join(LINKS)}.")
        self._link, self._patience = link, patience
        self._assembly = assemblies(link, keys)
        self.session_keys = SessionKeys()
        self._armory = Armory(self.session_keys)
        self._connections: dict[tuple[Endpoint, Endpoint], Connection] = {}
        self._moments = False

    # -- faults -------------------------------------------------------------------------------------------------------

    def arm(self, fault_id: int, fault: Fault, dice: Dice) -> None:
        check(fault, self._link, self.session_keys)
        for connection in self._connections.values():
            if not self._armory.covers(connection.peer):
                connection.rejoin()
        self._armory.arm(fault_id, fault, dice)

    def heal(self, fault_id: int, now: int) -> Outcome:
        """What is held is delivered past the acts: it was held long enough."""
        self._armory.heal(fault_id)
        whole = Outcome()
        for connection in list(self._connections.values()):
            self._set(connection)
            packets, outcome = connection.heal(fault_id, now)
            whole.add(_as_sendings(packets))
            whole.add(outcome)
        return whole

    def watch(self, moments: bool) -> None:
        if moments and not self._moments:
            for connection in self._connections.values():
                if not self._armory.covers(connection.peer):
                    connection.rejoin()
        self._moments = moments
        for connection in self._connections.values():
            self._set(connection)

    def leave(self) -> Outcome:
        whole = Outcome()
        for connection in self._connections.values():
            whole.add(connection.leave())
        self._connections.clear()
        return whole

    def busy(self, fault_id: int) -> bool:
        return any(connection.busy(fault_id) for connection in self._connections.values())

    def keys(self, masters: Sequence[Mapping[str, str]]) -> None:
        self.session_keys.give(read_masters(masters))

    # -- packets ------------------------------------------------------------------------------------------------------

    def take(self, packet: Packet, now: int) -> tuple[list[Packet], Outcome]:
        segment = packet.segment
        if segment is None:
            return [packet], Outcome()
        terminal, peer = segment.source, segment.destination
        if packet.came == "acquirer":
            terminal, peer = peer, terminal
        connection = self._connections.get((terminal, peer))
        begins = segment.has(SYN) and not segment.has(ACK)
        if connection is None or (begins and connection.begun_at != segment.seq):
            connection = self._new(terminal, peer, begins)
        self._set(connection)
        return connection.take(packet, segment, now)

    def tick(self, now: int) -> tuple[list[Packet], Outcome]:
        going: list[Packet] = []
        whole = Outcome()
        for ends, connection in list(self._connections.items()):
            if connection.over_at <= now or connection.heard + _IDLE_NS <= now:
                del self._connections[ends]
            elif connection.due <= now:
                self._set(connection)
                packets, outcome = connection.tick(now)
                going += packets
                whole.add(outcome)
        return going, whole

    @property
    def due(self) -> int | None:
        first = min((
            min(one.due, one.heard + _IDLE_NS) if one.stays else one.due for one in self._connections.values()
        ), default=NEVER)
        return None if first >= NEVER else first

    @property
    def peers(self) -> frozenset[tuple[str, int]]:
        return frozenset(connection.peer for connection in self._connections.values() if connection.stays)

    def _set(self, connection: Connection) -> None:
        wants = self._armory.wants
        connection.withhold(
            self._moments or wants(connection.peer, "terminal"), self._moments or wants(connection.peer, "acquirer")
        )

    def _new(self, terminal: Endpoint, peer: Endpoint, begun: bool) -> Connection:
        connection = Connection(
            peer, self._assembly(begun), self._armory, self.session_keys.learn, self._patience
        )
        if len(self._connections) >= _USUAL:  # their last packets may have passed unseen
            by_age = sorted(self._connections, key=lambda ends: self._connections[ends].heard)
            spare = [ends for ends in by_age if not self._connections[ends].stays]
            for ends in spare[:1] or by_age[: len(by_age) >= _MOST]:
                del self._connections[ends]
        self._connections[terminal, peer] = connection
        return connection


def _as_sendings(packets: Iterable[Packet]) -> Outcome:
    return Outcome([Sending(packet.frame, OTHER[packet.came], of=packet) for packet in packets])
