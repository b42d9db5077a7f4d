# SPDX-License-Identifier: GPL-2.0-only
"""A fault while it is armed: its match, its moment, its dice, and since when it strikes."""

from __future__ import annotations

from harness.wire.faults.base import Fault, Side
from harness.wire.injector.acts import AnyAct
from harness.wire.injector.contract import Packet
from harness.wire.injector.dice import dice
from harness.wire.injector.divert import Kind, Rule, rules
from harness.wire.injector.gate import gate
from harness.wire.injector.reading import compiled


class Armed:
    """``act`` is None where the splicer does the work (faults on messages)."""

    def __init__(self, fault_id: int, fault: Fault, act: AnyAct | None, now: int) -> None:
        self.fault_id, self.fault, self.act = fault_id, fault, act
        self.dice = dice(fault)
        self.gate = gate(fault)
        self._opened = False
        match = fault.match
        kind: Kind = "tcp" if act is None else act.kind
        port = match.port if match.port is not None or act is None else act.port
        self._wanted = rules(match.direction, kind, match.address, port)
        self._tests = {
            side: [compiled(rule) for rule in self._wanted if rule.came == side] for side in ("terminal", "acquirer")
        }
        self.until: int | None = None
        if match.moment is None:
            self._start_clock(now)

    @property
    def needs_packets(self) -> bool:
        """Whether its packets must be parsed before it can be asked: it has a moment, or claims."""
        return self.fault.match.moment is not None or (self.act is not None and (self.act.claiming or self.act.raw))

    @property
    def reads_messages(self) -> bool:
        """Whether its packets must say which messages they carry. What acts on messages itself sees them anyway."""
        moment = self.fault.match.moment
        return self.act is not None and moment is not None and not moment.connecting

    def rules(self) -> set[Rule]:
        """All that it can match, and what it has to see besides."""
        match, wanted = self.fault.match, set(self._wanted)
        if self.act is None or match.moment is not None:
            wanted |= rules("both", "tcp", match.address, match.port)
        elif self.act.both_ways:
            wanted |= rules("both", self.act.kind, match.address, match.port)
        return wanted

    def meant(self, frame: bytes, came: Side) -> bool:
        """Direction, address and port."""
        for test in self._tests[came]:  # noqa: SIM110 (asked about every diverted packet: no generator)
            if test(frame, came):
                return True
        return False

    def at_moment(self, packet: Packet) -> bool:
        """To be asked once for each packet, whichever way it goes."""
        is_open = self.gate.open(packet)
        if self.act is not None and self.act.from_then_on:
            is_open = self._opened = self._opened or is_open
        return is_open

    def thrown(self, frame: bytes, came: Side) -> int | None:
        """The number of the match where the fault strikes, at its moment."""
        if self.act is None or not self.meant(frame, came) or not self.act.fits(frame, came):
            return None
        return self.dice.thrown()

    def struck(self, now: int) -> None:
        """From its first strike runs ``for_s``, where the moment decides when that is."""
        if self.until is None:
            self._start_clock(now)

    def _start_clock(self, now: int) -> None:
        if self.fault.for_s is not None:
            self.until = now + round(self.fault.for_s * 1e9)
