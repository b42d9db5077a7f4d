"""INS-04: a way to the acquirer that is wrong is a communication error and never 97; put right, the terminal works."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checkers import shown
from harness.checkers.finding import Finding, checker
from harness.checkers.installing import IDENTITY, KEY, ONLINE, Life, lives, own, told
from harness.checkers.observing import interrupted
from harness.checkers.reading import Operation, Reading
from harness.history.events import Event, Screen

_LOCAL = (None, "Z1", "Z2")


@checker("INS-04")
def no_answer_is_no_97(reading: Reading) -> Iterator[Finding]:
    """Occasion: the first of a row of attempts of a unit that was never in service, which nobody answers. Decided by
    what it shows, and by the first attempt that is answered afterwards."""
    for life in lives(reading):
        before: Operation | None = None
        for operation in life.operations:
            if operation.name not in (*ONLINE, "activate") or not _known(life, operation):
                continue
            if any(e.response is not None for e in own(reading, operation)):
                if before is not None:
                    yield _put_right(reading, life, before, operation)
                before = None
            elif _in_vain(reading, operation) and before is None:
                says = _says_97(reading, operation)
                if operation.code not in _LOCAL or says is not None:
                    said = f"code {operation.code}" if operation.code else "so on the screen"
                    reason = f"nobody answered the {operation.name}, and the terminal said {said}: not registered"
                    yield Finding.failed("INS-04", reason, [life.unit, *told(operation), says], at=operation.invoked)
                else:
                    before = operation
        if before is not None:
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
