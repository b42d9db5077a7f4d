"""What the rules about installation share: the life of a unit from its box, and what was set and done in it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from harness.checkers.attribution import DO_FIRST
from harness.checkers.chip import refused_after_approval
from harness.checkers.observing import interrupted, own_exchanges
from harness.checkers.reading import SECOND, Exchange, Operation, Reading
from harness.checkers.recoveries import sound, stale_key
from harness.checkers.shown import contains_any
from harness.checkers.timeline import LOOKUP_S
from harness.checkers.updates import own_resets
from harness.history.events import Event, HostChanged, Power, Screen, Service, TestOpened, UnitReplaced, WireLink
from harness.protocol.frames import FrameError
from harness.protocol.nested import serial_number
from harness.terminal.contracts import NOT_CONNECTED

KEY, IDENTITY = frozenset({"load_tmk", "activate"}), frozenset({"set_identity", "activate"})
SETTINGS = KEY | IDENTITY | {"set_host"}
ONLINE = ("sign_in", "parameter_download", "capk_update", "echo", "sale", "void", "settle")
UNDER_REVIEW = ("terminal_pending", "terminal_rejected")
AFTER = ("back_up", "load_firmware")  # what is done with a unit that is installed
SIGN_IN_FIRST, SETTLE_FIRST = DO_FIRST
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
    was asked for. A unit that somebody switches off between two steps is not cut, nor one that resets itself."""
    begun = begun_at(life, before)
    own = own_resets(reading, begun, before)
    off = (p for p in reading.between(Power, begun, before) if p.state == "off" and p not in own)
    found: list[Event] = [p for p in off if p.reason != "operator" or any(o.covers(p.t) for o in life.operations)]
    found += [link for link in reading.between(WireLink, begun, before) if link.state == "down"]
    found += [e.request for e in reading.exchanges_between(begun, before) if e.response is None]
    return min(found, key=lambda event: event.t, default=None)


def begun_at(life: Life, before: int) -> int:
    """When the first setting was asked for; ``before``: not until then."""
    return next((o.t for o in life.operations if o.name in SETTINGS), before)


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


def told_to(reading: Reading, operation: Operation, *first: str) -> bool:
    """The terminal wants something else done before, in one of these words (to sign in, to settle)."""
    if operation.completed is not None and contains_any(operation.completed.detail, first):
        return True
    screens = reading.screens_between(operation.t, operation.done + 1)
    return any(contains_any(screen.lines[1:], first) for screen in screens)


def mistyped(operation: Operation) -> bool:
    """The number that was to be set is none: a terminal need not take it."""
    args = operation.invoked.args
    return operation.name == "set_identity" and not all(
        re.fullmatch(f"[0-9A-Za-z]{{{length}}}", args.get(name, "")) for name, length in (("tid", 8), ("mid", 15))
    )


def granted_and_denied(reading: Reading, operation: Operation) -> bool:
    """It failed, the acquirer had granted all that was asked for, and nothing but the terminal can be the reason."""
    sent = own(reading, operation)
    if operation.outcome != "fail" or not sent or in_vain(operation) or not undisturbed(reading, operation):
        return False
    if not all(e.approved(reading.profile) and could_use(reading, e) for e in sent):
        return False
    begun = reading.connections_between(operation.t, operation.done + 1)
    return not any(c.fate != "used" for c in begun) and not any(refused_after_approval(reading, e) for e in sent)


def could_use(reading: Reading, granted: Exchange) -> bool:
    """The answer has sound keys under the master key that was loaded, where it is to have keys."""
    if not granted.is_sign_in(reading.profile):
        return True
    return sound(reading, granted) and not stale_key(reading, granted.mid, granted.tid, granted.t)


def unread(reading: Reading, operation: Operation) -> Screen | None:
    """A screen of an operation without a code on which something could not be read: the code may have been there."""
    if operation.code is not None:
        return None
    screens = reading.screens_between(operation.t, operation.done + 1)
    return next((screen for screen in screens if screen.unreadable), None)


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
        if change.change in ("terminal_removed", *UNDER_REVIEW):
            found = None
        elif "serial" in change.detail:
            found = change
    return found


def under_review(reading: Reading, mid: str, tid: str, t: int) -> bool:
    """The application for this terminal is under review at ``t``, or was rejected."""
    changes = [c.change for c in reading.registration.changes(mid, tid) if c.t <= t and c.tid == tid]
    states = [change for change in changes if change in (*UNDER_REVIEW, "terminal_registered", "terminal_removed")]
    return bool(states) and states[-1] in UNDER_REVIEW
