# SPDX-License-Identifier: GPL-2.0-only
"""The messages of one connection: each is judged when it is whole, and its plan put into the streams. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from harness.wire.faults.base import Side
from harness.wire.injector.contract import OTHER
from harness.wire.injector.splicer.armory import Armory, Struck
from harness.wire.injector.splicer.assembly import Assembly, Unit
from harness.wire.injector.splicer.half import Half
from harness.wire.injector.splicer.plan import Message, Plan
from harness.wire.packets import Endpoint

_KNOWN = 64


@dataclass(frozen=True, slots=True)
class Blow:
    """A strike that is to be told. ``took``: the packets that brought the message, with the side of each."""

    struck: Struck
    message: Message
    took: tuple[tuple[Side, bytes], ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """A message that passed, at these delivered offsets."""

    start: int
    end: int
    frame: bytes


class Messages:
    """``armory`` judges each; ``learn`` is told of each that goes to the terminal."""

    def __init__(
        self, peer: Endpoint, halves: Mapping[Side, Half], assembly: Assembly, armory: Armory,
        learn: Callable[[bytes], None],
    ) -> None:
        self._peer, self._halves = peer, halves
        self._assembly, self._armory, self._learn = assembly, armory, learn
        self._known: dict[Side, list[_Known]] = {"terminal": [], "acquirer": []}
        self._insertions: dict[Side, list[bytes]] = {"terminal": [], "acquirer": []}
        self._true_answers: list[tuple[Struck, Callable[[bytes], bool]]] = []
        self._unreadable_for: set[int] = set()
        self._blows: list[Blow] = []

    @property
    def pending(self) -> bool:
        """Whether something is to be inserted, or swallowed when it comes."""
        return bool(self._true_answers) or any(self._insertions.values())

    @property
    def waits(self) -> bool:
        """Whether :meth:`retry` may find messages soon."""
        return self._assembly.waits

    def busy(self, fault_id: int) -> bool:
        return any(by.fault_id == fault_id for by, _ in self._true_answers)

    def heal(self, fault_id: int) -> None:
        self._true_answers = [one for one in self._true_answers if one[0].fault_id != fault_id]

    def give_up(self) -> None:
        """The connection is over."""
        self._true_answers.clear()
        self._insertions = {"terminal": [], "acquirer": []}

    def take_blows(self) -> list[Blow]:
        blows, self._blows = self._blows, []
        return blows

    def between(self, sender: Side, start: int, end: int) -> tuple[bytes, ...]:
        """The messages of which bytes lie between these delivered offsets."""
        return tuple(one.frame for one in self._known[sender] if one.start < end and one.end > start)

    # -- bytes --------------------------------------------------------------------------------------------------------

    def feed(self, half: Half, data: bytes, now: int) -> None:
        """The next bytes of a direction, which it has taken."""
        self._judge(self._assembly.feed(half.sender, data, now), now)
        if self._assembly.unreadable and half.withholding:
            self._tell_unreadable(half)

    def retry(self, now: int) -> None:
        """Messages that had to wait for keys."""
        self._judge(self._assembly.retry(now), now)

    def lost(self, half: Half, now: int) -> None:
        """Bytes were missed; what is unsettled came behind them."""
        self._assembly.lost(half.sender, half.settled)
        if half.unsettled:
            self.feed(half, bytes(half.unsettled), now)

    def _tell_unreadable(self, half: Half) -> None:
        """Once for each fault that waits for a message here."""
        nothing = Message(half.sender, b"", b"", None, bytes, bytes)
        for struck in self._armory.cannot(self._peer, half.sender, self._assembly.unreadable):
            if struck.fault_id not in self._unreadable_for:
                self._unreadable_for.add(struck.fault_id)
                self._blows.append(Blow(struck, nothing, ()))

    def _judge(self, units: list[Unit], now: int) -> None:
        for unit in units:
            half = self._halves[unit.sender]
            if unit.end <= half.settled:
                continue
            whole = unit.start >= half.settled and not half.passed_behind(unit.start)
            if unit.start > half.settled:
                half.settle(unit.start)
            if unit.frame and unit.sender == "acquirer":
                self._learn(unit.frame)
            start = half.end
            if unit.frame and whole and half.withholding:
                self._strike(unit, half, now)
            else:
                if unit.frame:
                    self._armory.count(self._assembly.message(unit, b""), self._peer)
                half.settle(unit.end)
            if unit.frame:
                known = self._known[unit.sender]
                known.append(_Known(start, half.end, unit.frame))
                del known[:-_KNOWN]

    def _strike(self, unit: Unit, half: Half, now: int) -> None:
        message = self._assembly.message(unit, bytes(half.unsettled[: unit.end - unit.start]))
        by = self._true_answer(message)
        if by is not None:
            words = "the true answer was swallowed, and acknowledged to its sender"
            plan, struck = Plan(message, b""), [replace(by, what=words, delivered=b"")]
        else:
            plan, struck = self._armory.judge(message, self._peer)
        for frame in unit.also:
            other = replace(message, frame=frame)
            if struck:
                self._armory.count(other, self._peer)
            else:
                plan, struck = self._armory.judge(other, self._peer)
                message = other if struck else message
        took = tuple((packet.came, packet.frame) for packet in half.kept_in(unit.start, unit.end))
        self._blows += [Blow(one, message, took if one.done else ()) for one in struck]
        start = half.end
        half.muted |= plan.mute
        half.settle(unit.end, plan.raw, before=plan.raw_before, after=plan.raw_after)
        script = plan.script({one.fault_id for one in struck if one.keeps}, start, now)
        if script is not None:
            half.scripts.append(script)
        if plan.forged:
            self._insertions[OTHER[unit.sender]].append(message.answer(plan.forged))
        if plan.true_answer is not None:
            by = next(one for one in reversed(struck) if one.done)
            self._true_answers.append((by, plan.true_answer))

    def _true_answer(self, message: Message) -> Struck | None:
        """Whose forged answer came before this one, if any's: asked once."""
        for waiting in self._true_answers:
            by, is_it = waiting
            if message.sender == "acquirer" and is_it(message.frame):
                self._true_answers.remove(waiting)
                return by
        return None

    def insert(self) -> None:
        """Forged answers, as soon as no message of that direction is half delivered."""
        for side, waiting in self._insertions.items():
            half = self._halves[side]
            while waiting and half.started and self._assembly.begun(side) >= half.settled and not half.fin_sent:
                half.insert(waiting.pop(0))
