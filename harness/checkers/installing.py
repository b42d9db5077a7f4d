"""What the rules about installation share: the life of a unit from its box, and what was set and done in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from harness.checkers.observing import interrupted, own_exchanges
from harness.checkers.reading import SECOND, Exchange, Operation, Reading
from harness.checkers.timeline import LOOKUP_S
from harness.history.events import Event, HostChanged, Power, Service, TestOpened, UnitReplaced, WireLink
from harness.protocol.frames import FrameError
from harness.protocol.nested import serial_number
from harness.terminal.contracts import NOT_CONNECTED

KEY, IDENTITY = frozenset({"load_tmk", "activate"}), frozenset({"set_identity", "activate"})
SETTINGS = KEY | IDENTITY | {"set_host"}
ONLINE = ("sign_in", "parameter_download", "capk_update", "echo", "sale", "void", "settle")
AFTER = ("back_up", "load_firmware")  # what is done with a unit that is installed
_CERTIFICATE = 4  # characters before a serial number in F62


@dataclass(frozen=True)
class Life:
    """A unit from its box: from ``start`` on it stands on the bench, until ``end``. ``operations``: what was done with
    it in the test in which it came, until it was backed up or given other software. ``settled``: that which settled
    its first batch."""

    unit: UnitReplaced
    start: int
    end: int
    operations: tuple[Operation, ...]
    settled: Operation | None

    @property
    def until(self) -> int:
        """The installation is over then."""
        return self.settled.done + 1 if self.settled else self.end

    def first(self, names: frozenset[str] | set[str], before: int) -> Operation | None:
        """The first operation of these names that was done, before that moment."""
        return next((o for o in self.operations if o.name in names and o.outcome == "ok" and o.done < before), None)


_lives: WeakKeyDictionary[Reading, tuple[Life, ...]] = WeakKeyDictionary()


def lives(reading: Reading) -> tuple[Life, ...]:
    """Of all units that came from their box; not of one into which a backup was restored: it is no installation."""
    if reading not in _lives:
        _lives[reading] = tuple(_lives_of(reading))
    return _lives[reading]


def _lives_of(reading: Reading) -> Iterator[Life]:
    whole, spans = reading.begins_with_the_log, {opened.test for opened in reading.all(TestOpened)}
    for unit in reading.all(UnitReplaced):
        if unit.span is None or (not whole and unit.span not in spans):
            continue  # it came before the tests, or what was set in it before this part of the log is not here
        following = reading.after_moment(UnitReplaced, unit.t)
        end = following.t if following else reading.end + 1
        here = (o for o in reading.outermost if unit.t < o.t < end and o.invoked.span == unit.span)
        found = tuple(itertools.takewhile(lambda o: o.name not in AFTER, here))
        if unit.kept or any(o.name == "restore" and o.outcome == "ok" for o in found):
            continue
        settled = next((o for o in found if o.name == "settle" and o.outcome == "ok"), None)
        yield Life(unit, unit.t, end, found, settled)


def told(*operations: Operation | None) -> list[Event | None]:
    """The events of operations."""
    return [event for o in operations if o is not None for event in (o.invoked, o.completed)]


def network_set(reading: Reading, life: Life, before: int) -> list[Event]:
    """The line by which the network was set, and the terminal's yes; none where it has a modem, or it was not."""
    for line in reading.between(Service, life.start, before):
        if line.direction == "to_terminal" and line.text.startswith(("NET DHCP", "NET STATIC")):
            answer = next((s for s in reading.between(Service, line.t, before) if s.direction == "from_terminal"), None)
            if answer is not None and answer.text.startswith("OK NET"):
                return [line, answer]
    return []


def interruption(reading: Reading, life: Life, before: int) -> Event | None:
    """What cut the installation first: the power, the cable, or an answer that did not come; after the first setting
    was asked for."""
    begun = next((o.t for o in life.operations if o.name in SETTINGS), before)
    found: list[Event] = [p for p in reading.between(Power, begun, before) if p.state == "off"]
    found += [link for link in reading.between(WireLink, begun, before) if link.state == "down"]
    found += [e.request for e in reading.exchanges_between(begun, before) if e.response is None]
    return min(found, key=lambda event: event.t, default=None)


def own(reading: Reading, operation: Operation) -> list[Exchange]:
    return own_exchanges(reading, operation)


def undisturbed(reading: Reading, operation: Operation) -> bool:
    """Power, line and bench were whole, and the acquirer did what it does by itself: how it ended is the terminal's."""
    end = operation.done + 1
    if operation.completed is None or operation.outcome == "unknown" or interrupted(reading, operation):
        return False
    if reading.power_lost_within(operation.t, end) or reading.is_off(operation.t):
        return False
    if reading.wire_hurt_within(operation.t, end):
        return False
    answers = [e.response for e in reading.exchanges_of(operation) if e.response is not None]
    rows = [reading.journal_of(answer) for answer in answers]
    return not any(row is not None and row.rule_id is not None for row in rows)


def in_vain(operation: Operation) -> bool:
    """The terminal said that it could not connect."""
    detail = operation.completed.detail if operation.completed else ""
    return operation.code == "Z1" or any(reason in detail for reason in NOT_CONNECTED)


def could_not_ask(reading: Reading, operation: Operation) -> bool:
    """Nothing of it was sent, and something shows why: the terminal said so, a connection did not come about or was
    under way for something else, or the line had been hurt a moment before."""
    if reading.exchanges_of(operation):
        return False
    end = operation.done + 1
    hurt = reading.wire_hurt_within(operation.t - LOOKUP_S * SECOND, end)
    return in_vain(operation) or hurt is not None or bool(reading.connections_during(operation.t, end))


def unit_said(exchange: Exchange) -> str:
    """The serial number in a sign-in, without the vendor's characters; "" it says none."""
    try:
        return serial_number(exchange.sent)[_CERTIFICATE:]
    except FrameError:
        return ""


def binding(reading: Reading, mid: str, tid: str, t: int) -> HostChanged | None:
    """What says at ``t`` which unit is this terminal; None: any may be."""
    found: HostChanged | None = None
    for change in reading.host_changes:
        if change.t > t or (change.mid, change.tid) != (mid, tid):
            continue
        if change.change == "terminal_removed":
            found = None
        elif "serial" in change.detail:
            found = change
    return found
