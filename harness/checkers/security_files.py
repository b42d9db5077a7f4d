"""SEC-04: a changed application or parameter file is found out at the start and refused.

Who changed it is the bench (``stored.changed``, or an image whose flaw says so): the terminal can't know. What it
refuses with is its own affair, as long as it works neither under the foreign value nor at all, and has everything when
its own is put back.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from harness.checkers.batches import Period
from harness.checkers.finding import Finding, checker
from harness.checkers.firmware_started import met
from harness.checkers.observing import is_idle, quoted
from harness.checkers.reading import END, Reading
from harness.checkers.refusals import given_again
from harness.checkers.security_sign_in import settled_after
from harness.checkers.shown import contains_any
from harness.checkers.updates import changed_later, updates
from harness.history.events import Event, Power, Screen, UnitReplaced
from harness.history.update_events import StoredChanged

RULE = "SEC-04"
FAULTS = ("存储故障", "资料损坏", "storage fault", "data damaged")  # says who refuses what is stored


@checker(RULE)
def changed_data_are_refused(reading: Reading) -> Iterator[Finding]:
    """Occasion: something stored was changed. Switched on, the terminal says so, is never idle and sends nothing, until
    it was put back."""
    for change in _changes(reading):
        until = _until(reading, change)
        on = next((p for p in reading.between(Power, change.t, until) if p.state == "on"), None)
        what = f"{change.what} {change.was} was changed to {change.now} on the flash"
        if on is None:
            yield Finding.undecided(RULE, f"{what}, and it was not switched on with it", [change])
            continue
        sent = next(iter(reading.exchanges_between(on.t, until)), None)
        screens = list(reading.between(Screen, on.t, until))
        idle = next((s for s in screens if is_idle(reading, s)), None)
        told = next((s for s in screens if contains_any(s.lines, FAULTS)), None)
        evidence: list[Event] = [change, on]
        if sent is not None:
            reason = f"{what}: {sent.name} left under terminal number {sent.tid}"
            yield Finding.failed(RULE, reason, [*evidence, sent.request], at=change)
        elif idle is not None:
            yield Finding.failed(RULE, f"{what}: it started as if nothing were", [*evidence, idle], at=change)
        elif told is None:
            yield Finding.undecided(RULE, f"{what}; what it does about it was not seen", evidence, at=change)
        else:
            reason = f"{what}: it says {quoted(told)}, and does nothing"
            yield Finding.passed(RULE, reason, [*evidence, told], at=change)


@checker(RULE)
def nothing_is_lost(reading: Reading) -> Iterator[Finding]:
    """Occasion: what had been changed was put back. What was stored then is in the next settlement of its batch."""
    for change in _changes(reading):
        back = _put_back(reading, change)
        if back is None:
            continue
        what = f"{change.what} was changed on the flash and put back"
        of_unit = partial(_is_of, reading, reading.unit_at(change.t))
        yield from settled_after(reading, RULE, what, [change, back], change.t, of_unit)


def _is_of(reading: Reading, unit: UnitReplaced | None, period: Period) -> bool:
    return reading.unit_at(period.begun) == unit


@checker(RULE)
def a_changed_application_is_refused(reading: Reading) -> Iterator[Finding]:
    """Occasion: an image was changed in its slot after the terminal had it, and before it was to install or to start
    it. It never runs."""
    for update in updates(reading):
        if not changed_later(update):
            continue
        what = f"an image was changed in its slot ({update.flaw})"
        evidence = [update.before, *update.events]
        shown = met(reading, update)
        if update.taken:
            yield Finding.failed(RULE, f"{what}: it runs", evidence, at=update.offered)
        elif update.kept and not shown:
            if given_again(reading, update) is None:
                what = f"an image was to be changed in its slot ({update.flaw})"
                reason = f"{what}; nothing shows that the terminal was to start it then"
                yield Finding.undecided(RULE, reason, evidence, at=update.offered)
        elif update.kept:
            evidence += shown if len(shown) == 1 else []  # of many any one would do
            yield Finding.passed(RULE, f"{what}: {update.old} runs on", evidence, at=update.offered)
        else:
            yield Finding.undecided(RULE, f"{what}; what ran afterwards is not known", evidence, at=update.offered)


def _changes(reading: Reading) -> Iterator[StoredChanged]:
    """Without those that only put back what was there: each puts back one change, of its unit."""
    foreign: list[StoredChanged] = []
    for change in reading.all(StoredChanged):
        if not change.places:
            continue
        undone = next((one for one in foreign if _undoes(change, one) and _same_unit(reading, change, one)), None)
        if undone is not None:
            foreign.remove(undone)
            continue
        foreign.append(change)
        yield change


def _same_unit(reading: Reading, change: StoredChanged, other: StoredChanged) -> bool:
    one, another = reading.before(UnitReplaced, change.t), reading.before(UnitReplaced, other.t)
    return (one and one.serial) == (another and another.serial)


def _undoes(change: StoredChanged, earlier: StoredChanged) -> bool:
    return (change.what, change.was, change.now) == (earlier.what, earlier.now, earlier.was)


def _put_back(reading: Reading, change: StoredChanged) -> StoredChanged | None:
    unit = reading.after_moment(UnitReplaced, change.t)
    later = reading.between(StoredChanged, change.t, unit.t if unit else END)
    return next((one for one in later if _undoes(one, change)), None)


def _until(reading: Reading, change: StoredChanged) -> int:
    """When it was put back, or another unit came."""
    back = _put_back(reading, change)
    unit = reading.after_moment(UnitReplaced, change.t)
    return back.t if back else unit.t if unit else END
