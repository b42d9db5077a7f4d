# SPDX-License-Identifier: GPL-2.0-only
"""The engine: diverted packets in, through the splicer and the acts, and out at the other side when they are due.

With nothing armed nothing is diverted. What was diverted before a fault was healed still passes. One thread; time and
packets come from outside, so it runs the same in a test.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, Protocol

from harness.errors import BadInput, BenchError
from harness.wire.faults.base import Fault, Match, Side
from harness.wire.injector import acts
from harness.wire.injector.armed import Armed
from harness.wire.injector.contract import OTHER, Outcome, Packet, Sending, Splicer, Strike
from harness.wire.injector.divert import Divert, Rule, rules, without_repeats
from harness.wire.packets import SYN, Segment, parse

Why = Literal["used_up", "over", "asked", "died"]


class Out(Protocol):
    """Where frames leave."""

    def send(self, side: Side, frame: bytes) -> None: ...


class Telling(Protocol):
    """Who is told what happens (``harness.wire.injector.telling``)."""

    def armed(self, fault_id: int, fault: Fault, t: int) -> None: ...
    def struck(self, strike: Strike, at: dict[int, int]) -> None: ...
    def healed(self, fault_id: int, why: Why, t: int) -> None: ...


class Engine:
    """``parting``: is given what must be sent should we be killed, whenever that changes. ``provocation``: gives what
    makes the terminal's end of the present connection speak."""

    def __init__(
        self, out: Out, divert: Divert, splicer: Splicer, telling: Telling,
        parting: Callable[[list[Sending]], None] = lambda sendings: None,
        provocation: Callable[[Match], bytes | None] = lambda match: None,
    ) -> None:
        self._provocation = provocation
        self._out, self._divert, self._splicer, self._telling, self._parting = out, divert, splicer, telling, parting
        self._armed: dict[int, Armed] = {}
        self._acting: list[Armed] = []
        self._numbers, self._order = itertools.count(1), itertools.count()
        self._later: list[tuple[int, int, Sending]] = []
        self._put: frozenset[Rule] = frozenset()
        self._peers: frozenset[tuple[str, int]] = frozenset()
        self._splicing, self._fast = False, True

    # -- arming --------------------------------------------------------------------------------------------------------

    def arm(self, fault: Fault, now: int) -> int:
        """Its number. Raises :class:`BadInput` with the reason where it can't be done here, :class:`OSError` where the
        kernel refuses; then nothing has changed."""
        number = next(self._numbers)
        act = self._act(fault)
        armed = Armed(number, fault, act, now)
        if act is None:
            self._splicer.arm(number, fault, armed.dice)
        try:
            if armed.reads_messages:
                self._splicer.watch(True)
            self._armed[number] = armed
            self._arrange()
        except (BadInput, OSError):
            self._forget(number, now)
            raise
        self._telling.armed(number, fault, now)
        if act is not None and act.provokes and fault.match.moment is None:
            stray = self._provocation(fault.match)
            if stray is not None:
                self._out.send("terminal", stray)
        return number

    def heal(self, fault_id: int | None, why: Why, now: int) -> None:
        """One fault, or all: no more strikes, and what is kept is let go. Raises BadInput for a number not armed."""
        if fault_id is not None and fault_id not in self._armed:
            raise BadInput(f"fault {fault_id} is not armed", where="fault_id",
                           remedy=f"Armed: {', '.join(map(str, self._armed)) or 'none'}.")
        for number in [*self._armed] if fault_id is None else [fault_id]:
            self._forget(number, now)
            self._telling.healed(number, why, now)

    def leave(self, now: int) -> None:
        """Before the rules go: connections that can't live without us are ended, rather than left to hang."""
        self._send(self._splicer.leave(), now)

    @property
    def armed(self) -> dict[int, Fault]:
        return {number: one.fault for number, one in self._armed.items()}

    # -- packets -------------------------------------------------------------------------------------------------------

    def take(self, frame: bytes, came: Side, now: int) -> None:
        """A diverted frame."""
        if self._fast:
            for place, armed in enumerate(self._acting):
                number = armed.thrown(frame, came)
                if number is not None:
                    packet = _packet(frame, came, now)
                    self._onward(self._strike(armed, number, packet, now, now), place + 1, now)
                    return
            self._out.send(OTHER[came], frame)
            return
        packet = _packet(frame, came, now)
        first = Sending(frame, OTHER[came], of=packet)
        for armed in self._acting:
            if armed.act is not None and armed.act.raw:
                sendings = self._through(armed, first, now)
                if len(sendings) != 1 or sendings[0] is not first:
                    self._deliver(sendings, now)
                    return
        packets, outcome = [packet], Outcome()
        if self._splicing and packet.segment is not None:
            packets, outcome = self._splicer.take(packet, now)
        self._carry_out(packets, outcome, now)
        self._tick_acts(now)  # what was waiting for this very packet goes right behind it

    def tick(self, now: int) -> None:
        """Whatever is due by now; faults that are over or used up are healed; rules follow."""
        while self._later and self._later[0][0] <= now:
            waited = heapq.heappop(self._later)[2]
            self._out.send(waited.to, waited.frame)
        if self._splicer.due is not None and self._splicer.due <= now:
            self._carry_out(*self._splicer.tick(now), now)
        self._tick_acts(now)
        waiting = {waits.by for _, _, waits in self._later}
        for number, armed in [*self._armed.items()]:
            busy = number in waiting or (self._splicer.busy(number) if armed.act is None else armed.act.busy)
            if armed.until is not None and now >= armed.until:
                self.heal(number, "over", now)
            elif armed.dice.used_up and not busy:
                self.heal(number, "used_up", now)
        if self._splicer.peers != self._peers:
            self._arrange()

    @property
    def due(self) -> int | None:
        """When :meth:`tick` wants to be called."""
        times = [armed.act.due for armed in self._acting if armed.act is not None]
        times += [armed.until for armed in self._armed.values()]
        times += [self._splicer.due, self._later[0][0] if self._later else None]
        return min((one for one in times if one is not None), default=None)

    def keys(self, masters: list[dict[str, str]]) -> None:
        self._splicer.keys(masters)

    # -- within --------------------------------------------------------------------------------------------------------

    def _act(self, fault: Fault) -> acts.AnyAct | None:
        moment = fault.match.moment
        if fault.level == "message" and not (fault.fault == "rst" and (moment is None or moment.connecting)):
            return None
        try:
            return acts.make(fault)
        except KeyError as error:
            raise BadInput(f"this injector has no {fault.fault}", where="fault") from error

    def _arrange(self) -> None:
        """Rules for what is armed, and how packets take their way through it."""
        self._acting = [one for one in self._armed.values() if one.act is not None]
        self._peers = self._splicer.peers
        watching = any(one.reads_messages for one in self._acting)
        self._splicing = watching or bool(self._peers) or len(self._acting) < len(self._armed)
        self._fast = not self._splicing and not any(one.needs_packets for one in self._acting)
        wanted = {rule for one in self._armed.values() for rule in one.rules()}
        for address, port in self._peers:
            wanted |= rules("both", "tcp", address, port)
        new = without_repeats(wanted)
        if new != self._put:
            self._put = frozenset()
            self._divert.put(new)
            self._put = new

    def _forget(self, number: int, now: int) -> None:
        """Raises :class:`BenchError` where the kernel does not take the rules that are left."""
        armed = self._armed.pop(number, None)
        if armed is None or armed.act is None:
            self._send(self._splicer.heal(number, now), now)
        else:
            place = self._acting.index(armed) + 1 if armed in self._acting else len(self._acting)
            self._onward(armed.act.heal(now), place, now)
        if armed is not None and armed.reads_messages and not any(one.reads_messages for one in self._armed.values()):
            self._splicer.watch(False)
        self._release(number)
        try:
            self._arrange()
        except OSError as error:
            raise BenchError(f"the kernel does not take the rules of what is armed still: {error}") from error
        self._part()

    def _release(self, number: int) -> None:
        """What waits because of this fault goes now, in its order; all, where nothing is armed any more."""
        kept = []
        for waits in sorted(self._later):
            if self._armed and waits[2].by != number:
                kept.append(waits)
            else:
                self._out.send(waits[2].to, waits[2].frame)
        self._later = kept

    def _tick_acts(self, now: int) -> None:
        for place, armed in enumerate([*self._acting]):
            if armed.act is not None and armed.act.due is not None and armed.act.due <= now:
                self._onward(armed.act.tick(now), place + 1, now)

    def _carry_out(self, packets: list[Packet], outcome: Outcome, now: int) -> None:
        """A message goes before the reset that follows it."""
        for packet in packets:
            self._onward([Sending(packet.frame, OTHER[packet.came], of=packet)], 0, now)
        self._send(outcome, now)

    def _send(self, outcome: Outcome, now: int) -> None:
        for strike in outcome.strikes:
            if strike.fault_id in self._armed:
                self._armed[strike.fault_id].struck(now)
            self._telling.struck(strike, {})
        self._deliver(outcome.send, now)

    def _onward(self, sendings: list[Sending], start: int, now: int) -> None:
        """Through the acts from ``start`` on, in the order of arming; new frames go past them."""
        for armed in self._acting[start:]:
            if armed.act is not None and not armed.act.raw:
                sendings = [one for each in sendings for one in self._through(armed, each, now)]
        self._deliver(sendings, now)

    def _through(self, armed: Armed, sending: Sending, now: int) -> list[Sending]:
        if sending.of is None or armed.act is None:
            return [sending]
        packet = sending.of
        if sending.frame is not packet.frame:
            packet = replace(packet, frame=sending.frame, segment=_segment(sending.frame, now))
        at = max(now, sending.at)
        at_moment = armed.at_moment(packet)
        if armed.act.claiming and (armed.act.both_ways or armed.meant(packet.frame, packet.came)):
            claimed = armed.act.claim(packet, at, at_moment)
            if claimed is not None:
                return claimed
        number = armed.thrown(packet.frame, packet.came) if at_moment else None
        if number is None:
            return [sending]
        struck = self._strike(armed, number, packet, now, at)
        return [one if one.at >= sending.at else replace(one, at=sending.at, by=sending.by) for one in struck]

    def _strike(self, armed: Armed, number: int, packet: Packet, now: int, at: int) -> list[Sending]:
        """``at``: when the packet would leave by what struck it before."""
        assert armed.act is not None
        sendings, what = armed.act.strike(packet, at)
        armed.struck(now)
        sent = tuple((one.to, one.frame) for one in sendings)
        strike = Strike(
            armed.fault_id, now, number, what, to=OTHER[packet.came], message=armed.gate.message,
            took=((packet.came, packet.frame),), sent=sent,
        )
        self._telling.struck(strike, {place: one.at for place, one in enumerate(sendings) if one.at > now})
        self._part()
        return [replace(one, by=armed.fault_id) if one.at > now else one for one in sendings]

    def _deliver(self, sendings: list[Sending], now: int) -> None:
        for one in sendings:
            if one.at > now:
                heapq.heappush(self._later, (one.at, next(self._order), one))
            else:
                self._out.send(one.to, one.frame)

    def _part(self) -> None:
        self._parting([one for armed in self._acting if armed.act is not None for one in armed.act.parting])


def _packet(frame: bytes, came: Side, now: int) -> Packet:
    segment = _segment(frame, now)
    return Packet(frame, now, came, segment, connecting=segment is not None and segment.has(SYN))


def _segment(frame: bytes, now: int) -> Segment | None:
    return parse(frame, t=now, packet=0)


def plain(fault: Fault) -> dict[str, Any]:
    """As JSON, all that is needed to arm it again."""
    return fault.model_dump(mode="json")
