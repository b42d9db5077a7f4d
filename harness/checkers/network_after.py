"""After the wire was healed the terminal works again without a visit (NET-04); a fault that fell into a recovery from
97 has only delayed it (NET-05).

A visit is whatever makes a person come: power off and on, a key or an identity or an address set, another unit.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from harness.checkers.attribution import refused_by_itself
from harness.checkers.batches import later
from harness.checkers.faults import Trouble, arrival, troubles
from harness.checkers.finding import Finding, checker
from harness.checkers.observing import seconds
from harness.checkers.reading import END, ONLINE_OPERATIONS, SECOND, Exchange, Operation, Reading
from harness.checkers.recoveries import Recovery, proof_of, recoveries, sound, stale_key
from harness.checkers.shown import contains
from harness.history.events import Event, OperationInvoked, Power, UnitReplaced

SIGN_IN_FIRST = "先签到"
BY_HAND = frozenset({"operator", "cut"})  # reasons of power; by a brown-out it goes and comes by itself
VISITS = frozenset({"load_tmk", "set_identity", "set_host", "activate", "restore"})


@dataclass(frozen=True)
class BadTime:
    """Troubles that follow one another without a pause. ``over``: healed, and what was under way then has ended."""

    troubles: tuple[Trouble, ...]
    over: int

    @property
    def start(self) -> int:
        return self.troubles[0].start

    @property
    def name(self) -> str:
        return ", ".join(dict.fromkeys(trouble.name for trouble in self.troubles))

    @property
    def events(self) -> tuple[Event, ...]:
        """Its first beginning and its last end."""
        ended = self.troubles[-1].ended
        return (self.troubles[0].began, *([ended] if ended else []))


_bad_times: WeakKeyDictionary[Reading, tuple[BadTime, ...]] = WeakKeyDictionary()


def bad_times(reading: Reading) -> tuple[BadTime, ...]:
    """All of the log, in order."""
    if reading not in _bad_times:
        _bad_times[reading] = tuple(_bad_times_of(reading))
    return _bad_times[reading]


def _bad_times_of(reading: Reading) -> Iterator[BadTime]:
    together: list[Trouble] = []
    over = 0
    for trouble in troubles(reading):
        if together and trouble.start > over:
            yield BadTime(tuple(together), over)
            together, over = [], 0
        together = sorted([*together, trouble], key=lambda one: one.end)
        over = max(over, _over(reading, trouble))
    if together:
        yield BadTime(tuple(together), over)


def _over(reading: Reading, trouble: Trouble) -> int:
    if trouble.end == END:
        return END
    under_way = reading.operation_at(trouble.end)
    return max(trouble.end, under_way.done) if under_way else trouble.end


def hurt(reading: Reading, start: int, over: int) -> bool:
    """Something of the terminal's went wrong meanwhile: a request unanswered, a connection that did not come about, an
    operation that sent nothing and failed."""
    if any(e.outcome != "answered" for e in reading.exchanges_between(start - 60 * SECOND, over) if _ends(e) > start):
        return True
    if any(c.fate in ("refused", "no_answer") for c in reading.connections_between(start, over)):
        return True
    present = reading.operation_at(start)
    begun = itertools.takewhile(lambda o: o.t <= over, reading.operations_after(start))
    during = (o for o in (*([present] if present else []), *begun) if o.name in ONLINE_OPERATIONS)
    return any(o.outcome != "ok" and not reading.exchanges_of(o) for o in during)


def _ends(e: Exchange) -> int:
    ended = e.connection.ended
    return e.answered_at or (ended.t if ended else END)


def visits(reading: Reading, start: int, end: int) -> list[Event]:
    """What made a person come in ``(start, end)``, in order."""
    found: list[Event] = [p for p in reading.between(Power, start + 1, end) if p.reason in BY_HAND]
    found += [o for o in reading.between(OperationInvoked, start + 1, end) if o.name in VISITS]
    found += reading.between(UnitReplaced, start + 1, end)
    return sorted(found, key=lambda event: (event.t, event.seq))


def in_vain(reading: Reading, start: int, end: int) -> list[Operation]:
    """Operations that ask the host, begun and ended in the interval, of which nothing reached it. What the terminal
    refused for a reason of its own (sign in first) tried nothing; what arrived and was not answered is the host's."""
    found = []
    for operation in reading.operations_after(start):
        if operation.t >= end:
            break
        if operation.name not in ONLINE_OPERATIONS or operation.completed is None or operation.done >= end:
            continue
        arrived = any(e.response or arrival(reading, e) for e in reading.exchanges_of(operation))
        if not arrived and operation.outcome != "ok" and not refused_by_itself(reading, operation)():
            found.append(operation)
    return found


# -- NET-04 ------------------------------------------------------------------------------------------------------------


@checker("NET-04")
def works_again(reading: Reading) -> Iterator[Finding]:
    """Decided by the first request after healing that is answered; it fails where one operator's action and the limit
    were not enough."""
    times = bad_times(reading)
    for index, bad in enumerate(times):
        following = times[index + 1].start if index + 1 < len(times) else reading.end + 1
        if bad.over == END or not hurt(reading, bad.start, bad.over):
            continue
        finding = _judged(reading, bad, following)
        if finding is not None:
            yield finding


def _judged(reading: Reading, bad: BadTime, following: int) -> Finding | None:
    rule, limit = "NET-04", reading.limits.recovery_s
    deadline = bad.over + int(limit * SECOND)
    candidates = (e for e in reading.exchanges_between(bad.over + 1, following) if e.outcome == "answered")
    again = next(candidates, None)
    came = next(iter(visits(reading, bad.over, again.t if again else following)), None)
    tried = in_vain(reading, bad.over, came.t if came else again.t if again else following)
    what = f"after {bad.name} was over"
    evidence: list[Event] = [*bad.events]
    too_late = next((o for o in tried if o.done > deadline), None)
    if too_late is not None and reading.timing_reliable(bad.over, too_late.done):
        reason = f"{what}, a {too_late.name} found no host {seconds(bad.over, too_late.done):.0f} s later ({len(tried)}"
        ends = (too_late.invoked, too_late.completed)
        return Finding.failed(rule, f"{reason} tried in vain; the limit is {limit:g} s)", [*evidence, *ends])
    if came is not None:
        if not tried or came.t < deadline:
            return None  # somebody came before it was the terminal's turn
        reason = f"{what}, {len(tried)} operations found no host in {seconds(bad.over, came.t):.0f} s"
        evidence += [tried[-1].invoked, came]
        return Finding.failed(rule, f"{reason}, until somebody came", evidence)
    if again is not None:
        reason = f"{what}, {again.name} was answered"
        return Finding.passed(rule, reason, [*evidence, *again.events], at=bad.troubles[0].began)
    if tried:
        reason = f"{what}, {len(tried)} operations found no host; the log does not go on long enough"
        return Finding.undecided(rule, reason, [*evidence, tried[-1].invoked])
    return None


# -- NET-05 ------------------------------------------------------------------------------------------------------------


@checker("NET-05")
def only_delayed(reading: Reading) -> Iterator[Finding]:
    """Occasion: something was wrong with the wire between a registration and the first approval after it."""
    for recovery in recoveries(reading):
        work = _first_work(reading, recovery)
        until = min(work.t if work else END, recovery.until, reading.end + 1)
        fell_in = [b for b in bad_times(reading) if b.start < until and b.over > recovery.registered.t]
        fell_in = [b for b in fell_in if hurt(reading, max(b.start, recovery.registered.t), min(b.over, until))]
        if fell_in:
            finding = _delayed(reading, recovery, fell_in, work, until)
            if finding is not None:
                yield finding


def _first_work(reading: Reading, recovery: Recovery) -> Exchange | None:
    """The first financial request that was approved after the registration."""
    for e in reading.financial_between(recovery.registered.t, min(recovery.until, reading.end + 1)):
        if (e.mid, e.tid) == (recovery.mid, recovery.tid) and e.asks and e.approved(reading.profile):
            return e
    return None


def _delayed(
    reading: Reading, recovery: Recovery, fell_in: list[BadTime], work: Exchange | None, until: int
) -> Finding | None:
    rule, over = "NET-05", max(b.over for b in fell_in)
    what = f"{', '.join(b.name for b in fell_in)} fell into the recovery of TID {recovery.tid}"
    evidence: list[Event] = [*recovery.met[-1].events, recovery.registered, fell_in[0].troubles[0].began]
    helped = [v for v in visits(reading, recovery.registered.t, until) if not _new_key(reading, recovery, v)]
    sign_in = recovery.sign_in
    if work is not None and sign_in is not None and sign_in.t < work.t and not helped:
        reason = f"{what}; it signed in, and {work.name} was approved"
        return Finding.passed(rule, reason, [*evidence, *sign_in.events, *work.events], at=recovery.registered)
    given_up = _gave_up(reading, recovery, over, helped[0].t if helped else until)
    if given_up is not None:
        told, more = given_up
        return Finding.failed(rule, f"{what}; {told}", [*evidence, *more], at=recovery.registered)
    if helped or over == END:
        return None  # somebody came before it was the terminal's turn, or the wire never healed
    reason = f"{what}; nothing was approved up to the end"
    return Finding.undecided(rule, reason, evidence, at=recovery.registered)


def _new_key(reading: Reading, recovery: Recovery, visit: Event) -> bool:
    """A master key loaded because the registration had issued another."""
    loaded = isinstance(visit, OperationInvoked) and visit.name == "load_tmk"
    return loaded and stale_key(reading, recovery.mid, recovery.tid, visit.t) is not None


def _gave_up(
    reading: Reading, recovery: Recovery, over: int, until: int
) -> tuple[str, tuple[Event | None, ...]] | None:
    """What shows, between healing and whatever helped, that the terminal has given up: a sign-in that it does not send,
    one that it does not take, or a transaction that it refuses although it is signed in."""
    if stale_key(reading, recovery.mid, recovery.tid, min(until, reading.end)):
        return None
    for sign_in in recovery.granted:
        proof = proof_of(reading, sign_in) if over < sign_in.t < until and sound(reading, sign_in) else None
        if proof is not None and proof.ok is False:
            return f"then a granted sign-in is none to the terminal: {proof.reason}", (*sign_in.events, *proof.events)
    for operation in reading.operations_after(over):
        if operation.t >= until or operation.completed is None:
            break
        ends = (operation.invoked, operation.completed)
        silent = operation.outcome == "fail" and not reading.exchanges_of(operation)
        tried = reading.connections_between(operation.t, operation.done + 1)
        if operation.name == "sign_in" and silent and not tried and operation.code != "Z6":
            return "then a sign-in was asked for, and none was sent", ends
        granted = [s for s in recovery.granted if s.t < operation.t and proof_of(reading, s).ok]
        if granted and silent and _wants_sign_in(reading, operation) and not _since(reading, granted[-1], operation):
            return f"then it was signed in, and refused a {operation.name}", (*granted[-1].events, *ends)
    return None


def _wants_sign_in(reading: Reading, operation: Operation) -> bool:
    """It was refused because nobody is signed in."""
    if operation.code is not None or operation.completed is None:
        return operation.code == "Z4"
    screens = reading.screens_between(operation.t, operation.done + 1)
    return any(contains(lines, SIGN_IN_FIRST) for lines in (operation.completed.detail, *(s.lines for s in screens)))


def _since(reading: Reading, sign_in: Exchange, operation: Operation) -> bool:
    """Something after the sign-in may have ended it: an answer that is none, or that says no."""
    after = (e for e in later(reading, sign_in) if e.t < operation.t)
    return any(not e.approved(reading.profile) for e in after)
