"""Updates of the terminal's software: what was given, what ran before, what runs after. Shared by the FWU rules.

An :class:`Update` is one ``load_firmware`` with the image that was offered in it. Which version runs is what the
terminal itself says (``firmware.told``) or, of a unit that nobody has asked yet, what its factory put on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakKeyDictionary

from harness.checkers.batches import Period, lost_power_while_storing, periods
from harness.checkers.chip import refused_after_approval
from harness.checkers.disturbances import reset_explained
from harness.checkers.money_offline import TO_BE_SENT_AGAIN, Stored, stored
from harness.checkers.money_reversals import Due, dues
from harness.checkers.observing import is_idle
from harness.checkers.reading import END, SECOND, Exchange, Operation, Reading
from harness.checkers.shown import contains, contains_any
from harness.checkers.timeline import LOOKUP_S
from harness.checkers.units import identities_at, stands_since, stays
from harness.history.events import Event, Firmware, Power, Service, UnitReplaced
from harness.history.update_events import CHANGED, FirmwareTold, ImageOffered
from harness.lab.image_set import TURNED_BACK

LOAD = "load_firmware"
DEAD_TEXTS = ("固件损坏", "firmware damaged")  # what a boot loader shows that has nothing left to start

Version = tuple[str, str]  # name, version


class Episode(Protocol):
    """Something that a unit must come through with all that it holds: begun at ``t``, over at ``settled``; what is seen
    from ``until`` on may be of something else; another unit stands there from ``unit`` on. (ns; END: never.)"""

    @property
    def t(self) -> int: ...
    @property
    def settled(self) -> int: ...
    @property
    def until(self) -> int: ...
    @property
    def unit(self) -> int: ...


@dataclass(frozen=True)
class Later:
    """An :class:`Episode` looked at from a later moment ``t`` of it: when it was installed, or over."""

    t: int
    settled: int
    until: int
    unit: int


@dataclass(frozen=True)
class Update:
    """One attempt to give a unit other software.

    ``before``: what tells which version ran, None: nothing. ``told``: the terminal's first word on its version after
    it, on the service port, None: none before ``until``, when the next attempt begins or another unit comes (``unit``
    is when that is; END: never). ``settled``: from here on (ns) it is over; what runs then runs on.
    """

    offered: ImageOffered
    operation: Operation
    before: FirmwareTold | UnitReplaced | None
    was: Version | None
    told: FirmwareTold | None
    settled: int
    until: int
    unit: int

    @property
    def t(self) -> int:
        return self.operation.t

    @property
    def flaw(self) -> str:
        return self.offered.flaw

    @property
    def sound(self) -> bool:
        return not self.flaw

    @property
    def offers(self) -> Version:
        return version_of(self.offered.firmware)

    @property
    def accepted(self) -> bool:
        """The terminal said that it installs the image."""
        return self.operation.outcome == "ok"

    @property
    def runs(self) -> Version | None:
        return (self.told.name, self.told.version) if self.told else None

    @property
    def taken(self) -> bool:
        """The image that was given runs. (Where it has the name of the one before, the terminal's word counts.)"""
        return self.runs == self.offers and (self.was != self.offers or self.accepted)

    @property
    def kept(self) -> bool:
        """What ran before runs on, or again."""
        return self.runs is not None and self.runs == self.was and not self.taken

    @property
    def name(self) -> str:
        """For people: "the update from 0.9.0 to 1.0.0 by the service port"."""
        route = "the service port" if self.offered.via == "service" else "the network"
        return f"the update from {self.was[1] if self.was else '?'} to {self.offers[1]} by {route}"

    @property
    def old(self) -> str:
        """The version before, for people."""
        return " ".join(self.was) if self.was else "the version before"

    @property
    def events(self) -> list[Event]:
        """What a judgement on it rests on, beside what ran before."""
        known = (self.offered, self.operation.invoked, self.operation.completed, self.told)
        return [event for event in known if event is not None]


def version_of(firmware: Firmware) -> Version:
    return firmware.name, firmware.version


@dataclass(frozen=True)
class Second:
    """An image given while another was coming. ``offered``: None where the bench did not say what it was."""

    first: Update
    operation: Operation
    offered: ImageOffered | None

    @property
    def accepted(self) -> bool:
        return self.operation.outcome == "ok"

    @property
    def events(self) -> list[Event]:
        """What a judgement on it rests on: whose image it was matters to nobody."""
        known = (self.operation.invoked, self.operation.completed)
        return [event for event in known if event is not None]


_updates: WeakKeyDictionary[Reading, tuple[Update, ...]] = WeakKeyDictionary()


def updates(reading: Reading) -> tuple[Update, ...]:
    """All attempts of the log, in order, but for those that were begun while another was under way
    (:func:`second_senders`). One whose image no event describes is left out: nothing is known of it."""
    if reading not in _updates:
        _updates[reading] = tuple(_updates_of(reading))
    return _updates[reading]


def _updates_of(reading: Reading) -> Iterator[Update]:
    loads = [load for load, first in _loads(reading) if first is None]
    offers = {e.op: e for e in reading.all(ImageOffered)}
    for index, load in enumerate(loads):
        offered = offers.get(load.op)
        if offered is None:
            continue
        following = reading.after_moment(UnitReplaced, load.t)
        unit = following.t if following else END
        until = min(unit, loads[index + 1].t if index + 1 < len(loads) else END)
        before, was = running(reading, load.t)
        told = _told_after(reading, load, until)
        over = _over(reading, offered, load, told.t if told else until)
        settled = max(load.done, _last_boot(reading, load.t, over) or 0)
        yield Update(offered, load, before, was, told, settled, until, unit)


def _loads(reading: Reading) -> Iterator[tuple[Operation, Operation | None]]:
    """Each time that an image was given, and which other one was still coming then, None: none was."""
    first: Operation | None = None
    for load in sorted((o for o in reading.operations if o.name == LOAD), key=lambda o: o.t):
        over = first.completed if first is not None else None
        if over is not None and load.t < over.t:
            yield load, first
        else:
            first = load
            yield load, None


_seconds: WeakKeyDictionary[Reading, tuple[Second, ...]] = WeakKeyDictionary()


def second_senders(reading: Reading) -> tuple[Second, ...]:
    """Each image that was given while another was coming."""
    if reading not in _seconds:
        offers = {e.op: e for e in reading.all(ImageOffered)}
        by_op = {update.operation.op: update for update in updates(reading)}
        _seconds[reading] = tuple(
            Second(by_op[first.op], load, offers.get(load.op))
            for load, first in _loads(reading) if first is not None and first.op in by_op
        )
    return _seconds[reading]


def running(reading: Reading, t: int) -> tuple[FirmwareTold | UnitReplaced | None, Version | None]:
    """What ran at ``t``, and what tells it: the terminal's last word on the service port, or the unit's factory."""
    there = stays(reading, t)
    words = [e for start, end in there for e in reading.between(FirmwareTold, start, end) if _own(e)]
    if words:
        return words[-1], (words[-1].name, words[-1].version)
    unit = next(iter(reading.between(UnitReplaced, there[0][0], there[0][0] + 1)), None)
    if unit is None:
        return None, None
    return unit, version_of(unit.firmware or reading.header.firmware)


def _own(told: FirmwareTold) -> bool:
    return told.via != "host"


def _told_after(reading: Reading, load: Operation, until: int) -> FirmwareTold | None:
    """Its first word after the load was over; where it was to restart, after it did."""
    start = load.done
    if load.outcome == "ok":
        restart = _restart(reading, load.t, until)
        start = restart if restart is not None else start
    words = (e for e in reading.between(FirmwareTold, start, until) if _own(e))
    return next(words, None)


def _restart(reading: Reading, start: int, end: int) -> int | None:
    """When power was first there again after it had gone in the interval."""
    gone = reading.power_lost_within(start, end)
    back = next((p for p in reading.between(Power, gone.t, end) if p.state == "on"), None) if gone else None
    return back.t if back else None


def _over(reading: Reading, offered: ImageOffered, load: Operation, end: int) -> int:
    """When, up to ``end``, nothing more came of it: refused, or idle or at work after its restart. An image from which
    the terminal turns back may come as far, and fail then."""
    if load.outcome == "fail" and reading.power_lost_within(load.t, load.done + 1) is None:
        return min(end, load.done + 1)
    restart = _restart(reading, load.t, end)
    if restart is None or offered.flaw in TURNED_BACK:
        return end
    idle = (s.t for s in reading.screens_between(restart, end) if is_idle(reading, s))
    sent = (e.t for e in reading.exchanges_between(restart, end))
    return min(next(idle, end), next(sent, end))


def _last_boot(reading: Reading, start: int, end: int) -> int | None:
    boots = [p.t for p in reading.between(Power, start, end) if p.state == "on"]
    return boots[-1] if boots else None


def belongs_to_an_update(reading: Reading, power: Power) -> bool:
    """The terminal restarts because it was told to install something: no crash. Nor are the restarts by which it turns
    back from an image that was made to fail."""
    if power.reason != "watchdog":
        return False
    return any(u.accepted and u.t < power.t <= (u.told.t if u.told else u.until) for u in updates(reading))


def own_resets(reading: Reading, start: int, end: int) -> list[Power]:
    """Resets in the interval that nobody asked the terminal for, and that nothing explains which was done to it."""
    found = (p for p in reading.between(Power, start, end) if p.reason == "watchdog")
    return [p for p in found if not belongs_to_an_update(reading, p) and reset_explained(reading, p) is None]


# -- how it went -------------------------------------------------------------------------------------------------------


def cut(reading: Reading, update: Update) -> Power | None:
    """The power was taken away in the middle of it."""
    end = _over(reading, update.offered, update.operation, update.told.t if update.told else update.until)
    events = reading.between(Power, update.t, end)
    return next((p for p in events if p.state == "off" and p.reason != "watchdog"), None)


def disturbed(reading: Reading, update: Update) -> tuple[str, tuple[Event, ...]] | None:
    """What hurt the transfer, in words, and the events that tell; power cuts are another matter."""
    said = update.operation.invoked.args.get("disturbed", "")
    if said:
        return said, (update.operation.invoked,)
    other = next((second for second in second_senders(reading) if second.first is update), None)
    if other is not None:
        return "somebody else gave an image meanwhile", tuple(other.events)
    if update.offered.via != "network":
        return None
    before = 0 if update.accepted else LOOKUP_S * SECOND  # a cable just put back is in the way of the look-up alone
    hurt = reading.wire_hurt_within(update.t - before, update.operation.done)
    if hurt is None:
        return None
    return "the line was hurt", tuple(e for e in (hurt.began,) if e is not None)


def untroubled(reading: Reading, update: Update) -> bool:
    return cut(reading, update) is None and disturbed(reading, update) is None


def dead(reading: Reading, update: Update) -> Event | None:
    """A screen after it on which the boot loader says that nothing can be started."""
    return next((s for s in reading.screens_between(update.t, update.until) if contains_any(s.lines, DEAD_TEXTS)), None)


def reason_told(reading: Reading, update: Update) -> str:
    """Why it was not taken, as the terminal told it: the operation's end, or an ERR on the service port."""
    return reason_of(reading, update.operation)


def reason_of(reading: Reading, load: Operation) -> str:
    """:func:`reason_told` of one attempt."""
    done = load.completed
    if done is not None and (done.code or done.detail):
        return done.detail or done.code or ""
    lines = reading.between(Service, load.t, load.done + 1)
    said = (e.text for e in lines if e.direction == "from_terminal" and e.text.startswith("ERR"))
    return next((text for text in said if len(text.split()) > 2), "")


def turned_back(update: Update) -> bool:
    """The image is one from which the terminal has to come back by itself."""
    return update.flaw in TURNED_BACK


def changed_later(update: Update) -> bool:
    """The bench changed it in its slot, when the terminal had it."""
    return update.flaw in CHANGED


# -- what the terminal held when it began ------------------------------------------------------------------------------


def last_word(reading: Reading, update: Episode) -> Exchange | None:
    """The last of the unit's requests before it that the host answered."""
    sent = [e for start, end in stays(reading, update.t, restored=True) for e in reading.exchanges_between(start, end)]
    return next((e for e in reversed(sent) if e.outcome == "answered"), None)


def in_97(reading: Reading, update: Episode) -> Exchange | None:
    """The 97 in which it was done; None: the host's last word was another."""
    word = last_word(reading, update)
    return word if word is not None and word.definite_97 else None


def identities_before(reading: Reading, update: Episode) -> dict[tuple[str, str], list[Event]]:
    """Who the unit was."""
    return identities_at(reading, update.t)


def certain(reading: Reading, period: Period, t: int) -> list[Exchange]:
    """What was stored in the batch beyond doubt: the power did not go at once, and the card did not refuse it."""
    return [
        e for e in period.approved(t)
        if lost_power_while_storing(reading, e) is None and refused_after_approval(reading, e) is None
    ]  # fmt: skip


def open_batches(reading: Reading, update: Episode) -> list[Period]:
    """The batches in which something approved was stored."""
    unit = stands_since(reading, update.t)
    return [
        p for p in periods(reading)
        if p.begun < update.t and (p.closed is None or p.closed.t > update.t)
        and stands_since(reading, p.begun) == unit and certain(reading, p, update.t)
    ]  # fmt: skip


def due_reversals(reading: Reading, update: Episode) -> list[Due]:
    """The reversals that were due."""
    unit = stands_since(reading, update.t)
    return [
        d for d in dues(reading)
        if d.original.t < update.t < d.until and stands_since(reading, d.original.t) == unit
        and not _given_up(reading, d, update.t)
    ]  # fmt: skip


def _given_up(reading: Reading, due: Due, t: int) -> bool:
    """A slip had recorded its deletion, which the profile allows."""
    trace = due.original.trace
    if reading.profile.reversal_exhausted != "delete_recorded" or trace is None:
        return False
    slips = reading.slips_between(due.original.t, t)
    return any(contains(slip.lines, "冲正") and contains(slip.lines, trace) for slip in slips)


def undelivered(reading: Reading, update: Episode) -> list[Stored]:
    """What had been accepted offline and not been delivered, nor been refused by the host for good."""
    unit = stands_since(reading, update.t)
    found = []
    for item in stored(reading):
        sent = (e for e in item.sent if e.t <= update.t)
        gone = any(e.approved(reading.profile) or _refused(reading, e) for e in sent)
        if item.t < update.t and stands_since(reading, item.t) == unit and not gone:
            found.append(item)
    return found


def _refused(reading: Reading, advice: Exchange) -> bool:
    """The host's last word on it."""
    later = TO_BE_SENT_AGAIN | {*reading.profile.force_sign_in}
    return advice.declined(reading.profile) and not advice.definite_97 and advice.code not in later


def held(reading: Reading, update: Episode) -> list[Event]:
    """An event for each thing that was stored: what forbids an update that resets. Empty: nothing. What no slip tells
    of is known by its request."""
    found: list[Event] = [e.request for p in open_batches(reading, update) for e in certain(reading, p, update.t)]
    found += [d.original.request for d in due_reversals(reading, update)]
    found += [event for item in undelivered(reading, update) for event in item.made[-1:] or [item.sent[0].request]]
    return found
