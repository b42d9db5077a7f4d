"""INS-04: a way to the acquirer that is wrong is a communication error and never 97, unless who answers there says so;
put right, the terminal works."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checkers import shown
from harness.checkers.finding import Finding, checker
from harness.checkers.installing import IDENTITY, KEY, ONLINE, Life, lives, own, told, undisturbed
from harness.checkers.observing import interrupted
from harness.checkers.reading import Exchange, Operation, Reading
from harness.history.events import Event, Screen

_LOCAL = (None, "Z1", "Z2")


@checker("INS-04")
def no_answer_is_no_97(reading: Reading) -> Iterator[Finding]:
    """Occasion: the first of a row of attempts of a unit that was never in service, which nobody answers. Decided by
    what it shows, and by the first attempt that is answered afterwards."""
    for life in lives(reading):
        before: Operation | None = None
        served = False  # once in service, an answer that fails to come says nothing about how it was installed
        for operation in life.operations:
            if operation.name not in (*ONLINE, "activate") or not _known(life, operation):
                continue
            if any(e.response is not None for e in own(reading, operation)):
                if before is not None:
                    yield _put_right(reading, life, before, operation)
                before = None
                served = served or operation.outcome == "ok"
            elif _in_vain(reading, operation) and before is None:
                says = _says_97(reading, operation)
                if operation.code not in _LOCAL or says is not None:
                    said = f"code {operation.code}" if operation.code else "so on the screen"
                    reason = f"nobody answered the {operation.name}, and the terminal said {said}: not registered"
                    yield Finding.failed("INS-04", reason, [life.unit, *told(operation), says], at=operation.invoked)
                else:
                    before = operation
        if before is not None and not served:
            reason = f"nobody answered the {before.name}; no later attempt was answered"
            yield Finding.undecided("INS-04", reason, [life.unit, *told(before)], at=before.invoked)


def _known(life: Life, operation: Operation) -> bool:
    """It has all but the way: what it can't do now is the line's doing."""
    if operation.t >= life.until:
        return False
    if operation.name == "activate":
        return life.first({"set_host"}, operation.t) is not None
    return all(life.first(names, operation.t) for names in (KEY, IDENTITY, {"set_host"}))


def _in_vain(reading: Reading, operation: Operation) -> bool:
    if operation.outcome != "fail" or interrupted(reading, operation):
        return False
    return not (reading.power_lost_within(operation.t, operation.done + 1) or reading.is_off(operation.t))


def _says_97(reading: Reading, operation: Operation) -> Screen | None:
    screens = reading.between(Screen, operation.t, operation.done + 1)
    return next((s for s in screens if shown.says_not_registered(s.lines, reading.profile)), None)


def _put_right(reading: Reading, life: Life, before: Operation, after: Operation) -> Finding:
    answered = next(e for e in own(reading, after) if e.response is not None)
    evidence: list[Event | None] = [life.unit, *told(before), *answered.events, *told(after)]
    granted = answered.approved(reading.profile)
    if after.completed is None:
        reason = f"nobody answered the {before.name}; how the {after.name} that was answered ended was not seen"
        return Finding.undecided("INS-04", reason, evidence, at=before.invoked)
    if granted and after.outcome == "fail":
        reason = f"the way was put right, {answered.name} was approved, and the terminal said {after.completed.detail}"
        return Finding.failed("INS-04", reason, evidence, at=before.invoked)
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
            if answered is None:
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
    if first.code != refused.code:
        said = f"code {first.code}" if first.code else _detail(first)
        yield Finding.failed("INS-04", f"{what}, and the terminal said {said}", evidence, at=first.invoked)
    elif second.outcome == "ok":
        reason = f"{what} and the terminal showed it; set to {here}, it signed in"
        yield Finding.passed("INS-04", reason, evidence, at=first.invoked)
    else:
        reason = f"{what}; set to {here}, its sign-in was granted, and the terminal said {_detail(second)}"
        yield Finding.failed("INS-04", reason, evidence, at=first.invoked)


def _detail(operation: Operation) -> str:
    return operation.completed.detail if operation.completed else "nothing"
