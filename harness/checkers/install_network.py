"""INS-04: a way to the acquirer that is wrong is a communication error and never 97, unless who answers there says so;
put right, the terminal works."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checkers import shown
from harness.checkers.attribution import refused_by_itself
from harness.checkers.finding import Finding, checker
from harness.checkers.identities import same_merchant
from harness.checkers.installing import (
    IDENTITY,
    KEY,
    ONLINE,
    Life,
    could_not_ask,
    could_use,
    granted_and_denied,
    lives,
    own,
    told,
    undisturbed,
    unread,
)
from harness.checkers.observing import interrupted
from harness.checkers.reading import Exchange, Operation, Reading
from harness.history.events import Event, Screen


@checker("INS-04")
def no_answer_is_no_97(reading: Reading) -> Iterator[Finding]:
    """Occasion: a row of attempts of a unit that was never in service, which tried and had no answer. Each is decided
    by what it shows, the row by the first attempt that is answered afterwards."""
    for life in lives(reading):
        before: Operation | None = None
        undecided: Finding | None = None
        for operation in life.operations:
            if operation.name not in (*ONLINE, "activate") or not _known(life, operation):
                continue
            sent = own(reading, operation)
            answered = next((e for e in sent if e.outcome == "answered"), None)
            if answered is not None:
                found = _put_right(reading, life, before, operation, answered) if before else None
                if found is not None and found.verdict == "INCONCLUSIVE":
                    undecided = found
                elif found is not None:
                    yield found
                    before = undecided = None
                if operation.outcome == "ok" and operation.name != "activate":
                    break  # in service: an answer that fails to come says nothing about how it was installed
            elif _in_vain(reading, operation) and all(e.response is None for e in sent):
                says = _says_97(reading, life, operation)
                if says is not None:
                    said = f"code {operation.code}" if operation.code else "so on the screen"
                    reason = f"nobody answered the {operation.name}, and the terminal said {said}: not registered"
                    yield Finding.failed("INS-04", reason, [life.unit, *told(operation), says], at=operation.invoked)
                    before = undecided = None
                elif before is None and (sent or could_not_ask(reading, operation)):
                    before = operation
        if before is not None:
            reason = f"nobody answered the {before.name}; no later attempt was answered"
            yield undecided or Finding.undecided("INS-04", reason, [life.unit, *told(before)], at=before.invoked)


def _known(life: Life, operation: Operation) -> bool:
    """It has all but the way: what it can't do now is the line's doing."""
    if operation.t >= life.until:
        return False
    if operation.name == "activate":
        return life.first({"set_host"}, operation.t) is not None
    return all(life.first(names, operation.t) for names in (KEY, IDENTITY, {"set_host"}))


def _in_vain(reading: Reading, operation: Operation) -> bool:
    if operation.outcome != "fail" or interrupted(reading, operation) or refused_by_itself(reading, operation)():
        return False
    return not (reading.power_lost_within(operation.t, operation.done + 1) or reading.is_off(operation.t))


def _says_97(reading: Reading, life: Life, operation: Operation) -> Event | None:
    """What says so, and is not about a 97 that came for something else since somebody last stood there."""
    last = max((o.t for o in life.operations if o.at_the_terminal and o.t < operation.t), default=life.start)
    for e in reading.exchanges_between(life.start, operation.done + 1):
        by = reading.attended_by(e)
        if e.definite_97 and last <= (e.answered_at or 0) <= operation.done and (by is None or by.op == operation.op):
            return None
    if operation.code in reading.profile.not_registered:
        return operation.completed
    screens = reading.between(Screen, operation.t, operation.done + 1)
    return next((s for s in screens if shown.says_not_registered(s.lines, reading.profile)), None)


def _put_right(reading: Reading, life: Life, before: Operation, after: Operation, answered: Exchange) -> Finding:
    evidence: list[Event | None] = [life.unit, *told(before), *answered.events, *told(after)]
    if after.outcome == "unknown":
        reason = f"nobody answered the {before.name}; how the {after.name} that was answered ended was not seen"
        return Finding.undecided("INS-04", reason, evidence, at=before.invoked)
    if granted_and_denied(reading, after):
        reason = f"the way was put right, {answered.name} was approved, and the terminal said {_detail(after)}"
        return Finding.failed("INS-04", reason, evidence, at=before.invoked)
    if after.outcome == "fail" and answered.approved(reading.profile):
        reason = f"nobody answered the {before.name}; the {after.name} that was approved failed for another reason"
        return Finding.undecided("INS-04", reason, evidence, at=before.invoked)
    reason = f"nobody answered the {before.name}, and it was told as such; put right, {answered.name} was answered"
    return Finding.passed("INS-04", reason, evidence, at=before.invoked)


@checker("INS-04")
def another_acquirers_97(reading: Reading) -> Iterator[Finding]:
    """Occasion: a unit that was never in service is answered not registered by one host, and its next sign-in after
    another host was set is granted by that one. Decided by what it told of either."""
    for life in lives(reading):
        refused: tuple[Operation, Exchange] | None = None
        for operation in life.operations:
            if operation.name != "sign_in" or operation.completed is None or not _known(life, operation):
                continue
            answered = next((e for e in reversed(own(reading, operation)) if e.outcome == "answered"), None)
            if answered is None or (refused is not None and not same_merchant(reading, operation, refused[0])):
                continue
            if answered.definite_97:
                refused = refused or (operation, answered)
            elif answered.approved(reading.profile):
                if refused is not None:
                    yield from _another_host(reading, life, refused, (operation, answered))
                break


def _another_host(
    reading: Reading, life: Life, before: tuple[Operation, Exchange], after: tuple[Operation, Exchange]
) -> Iterator[Finding]:
    (first, refused), (second, granted) = before, after
    there, here = refused.connection.peer, granted.connection.peer
    moved = [o for o in life.operations if o.name == "set_host" and o.outcome == "ok" and first.t < o.t < second.t]
    if not (there and here) or there == here or not moved or not undisturbed(reading, second):
        return
    evidence: list[Event | None] = [
        life.unit, *refused.events, *told(first), *told(moved[-1]), *granted.events, *told(second)
    ]
    what = f"the host at {there} answered {refused.code}"
    if first.code != refused.code and unread(reading, first):
        reason = f"{what}; part of what the terminal said could not be read"
        yield Finding.undecided("INS-04", reason, evidence, at=first.invoked)
    elif first.code != refused.code:
        said = f"code {first.code}" if first.code else _detail(first)
        yield Finding.failed("INS-04", f"{what}, and the terminal said {said}", evidence, at=first.invoked)
    elif second.outcome == "ok":
        reason = f"{what} and the terminal showed it; set to {here}, it signed in"
        yield Finding.passed("INS-04", reason, evidence, at=first.invoked)
    elif could_use(reading, granted):
        reason = f"{what}; set to {here}, its sign-in was granted, and the terminal said {_detail(second)}"
        yield Finding.failed("INS-04", reason, evidence, at=first.invoked)


def _detail(operation: Operation) -> str:
    return operation.completed.detail if operation.completed else "nothing"
