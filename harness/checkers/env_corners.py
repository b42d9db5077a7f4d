"""ENV-04: 97 and the recovery from it at the corners of the declared range: cold, hot, humid, low supply.

A time was at a corner where readings frame it, and all of them lay within a tenth of the range of that end, or where a
stress profile had led the terminal (at least half of the way from nominal to the end).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from harness.checkers.as_decided import came_to
from harness.checkers.disturbances import broken_between, excused, felt, need_not_work
from harness.checkers.finding import Finding, checker
from harness.checkers.messages import code_and_text_in_time
from harness.checkers.observing import operation_of, went_on
from harness.checkers.reading import END, Exchange, Operation, Reading
from harness.checkers.recoveries import Recovery, recoveries, restoration
from harness.checkers.surroundings import (
    CORNER,
    TOLERANCE,
    Framed,
    around,
    declared_range,
    framed,
    measured,
    outside_of_range,
    settling,
    steps,
    steps_at,
)
from harness.history.events import Event
from harness.terminal.surroundings import Surroundings

RULE = "ENV-04"
HALF = 0.5  # of the way from nominal: a step that goes less far leads to no corner


@dataclass(frozen=True)
class Corner:
    name: str
    quantity: str
    end: Literal["low", "high"]


CORNERS = (
    Corner("cold", "temperature_c", "low"), Corner("hot", "temperature_c", "high"),
    Corner("humid", "humidity_pct", "high"), Corner("low supply", "voltage_v", "low"),
)  # fmt: skip


def _at(reading: Reading, declared: Surroundings, corner: Corner, start: int, end: int) -> Framed | None:
    """The readings by which it stood at the corner all the time."""
    here = framed(reading, corner.quantity, start, end)
    if here is None:
        return None
    limits = declared_range(declared, corner.quantity)
    width = limits.high - limits.low
    spare, reach = TOLERANCE[corner.quantity], CORNER * width
    wanted = list(_led(reading, declared, corner, start, end))
    if corner.end == "low":
        furthest = max([limits.low + reach, *(value + spare for value in wanted)])
        return here if limits.low - spare <= here.low and here.high <= furthest else None
    nearest = min([limits.high - reach, *(value - spare for value in wanted)])
    return here if here.high <= limits.high + spare and nearest <= here.low else None


def _led(reading: Reading, declared: Surroundings, corner: Corner, start: int, end: int) -> Iterator[float]:
    """The values to which steps of a profile had led it by ``start``, and held it until ``end``."""
    limits = declared_range(declared, corner.quantity)
    last = limits.low if corner.end == "low" else limits.high
    for step, _begun, reached, ended in steps(reading):
        if step.quantity == corner.quantity and reached <= start and end <= ended:
            share = (step.value - limits.nominal) / (last - limits.nominal) if last != limits.nominal else 0.0
            if HALF <= share <= 1:
                yield step.value


@checker(RULE)
def works_at_the_corners(reading: Reading) -> Iterator[Finding]:
    """Occasions: a recovery that began with 97 and registration at a corner; and a 97 there that is not shown."""
    declared = reading.model.surroundings
    if declared is None or not measured(reading):
        return
    for exchange in reading.definite_97s:
        by = operation_of(reading, exchange)
        if by is not None and not _aside(reading, by.t, by.done):
            yield from _not_shown(reading, declared, exchange, by)
    for recovery in recoveries(reading):
        asked = [(e, o) for e in recovery.met if (o := operation_of(reading, e)) is not None and e.answered_at]
        if not asked or _aside(reading, asked[-1][1].t, asked[-1][1].done):
            continue
        exchange, operation = asked[-1]
        for corner in CORNERS:
            here = _at(reading, declared, corner, operation.t, max(operation.done, recovery.registered.t))
            seen = _shown(reading, exchange, operation) if here is not None else None
            if here is not None and not (seen is not None and seen.verdict == "FAIL"):
                yield from _recovered(reading, declared, corner, recovery, exchange, operation, seen)


def _aside(reading: Reading, start: int, end: int) -> bool:
    return bool(felt(reading, start, end) or broken_between(reading, start, end))


def _shown(reading: Reading, exchange: Exchange, operation: Operation) -> Finding | None:
    if exchange.answered_at is None:
        return None
    found = next(code_and_text_in_time(reading, exchange, operation, exchange.answered_at), None)
    return None if found and found.verdict != "PASS" and went_on(reading, exchange, operation) else found


def _not_shown(reading: Reading, declared: Surroundings, exchange: Exchange, by: Operation) -> Iterator[Finding]:
    for corner in CORNERS:
        here = _at(reading, declared, corner, by.t, by.done)
        found = _shown(reading, exchange, by) if here is not None else None
        if here is not None and found is not None and found.verdict == "FAIL":
            reason = f"{corner.name} ({here}): {found.reason}"
            evidence: list[Event | int] = [*found.evidence, *here.events]
            failed = Finding.failed(RULE, reason, evidence, at=exchange.response)
            why = outside_of_range(reading, by.t, by.done, settling=settling(reading))
            yield failed if why is None else excused(failed, why)


def _recovered(
    reading: Reading, declared: Surroundings, corner: Corner, recovery: Recovery, exchange: Exchange, by: Operation,
    seen: Finding | None,
) -> Iterator[Finding]:  # fmt: skip
    work = _work(reading, recovery)
    over = work[1].done if work else recovery.sign_in.answered_at or recovery.sign_in.t if recovery.sign_in else by.done
    here = _at(reading, declared, corner, by.t, over)
    if here is not None:
        yield _there(reading, corner, here, recovery, exchange, by, seen, work, over)
    elif any(step.quantity == corner.quantity for step in steps_at(reading, by.t)) or not steps(reading):
        left = _at(reading, declared, corner, by.t, by.done)
        reason = f"{corner.name}: it was led away from there, or not measured, before its recovery was over"
        evidence = [recovery.registered, *(left.events if left else ())]
        yield Finding.undecided(RULE, reason, evidence, at=recovery.registered)


def _there(
    reading: Reading, corner: Corner, here: Framed, recovery: Recovery, exchange: Exchange, by: Operation,
    seen: Finding | None, work: tuple[Exchange, Operation] | None, over: int,
) -> Finding:  # fmt: skip
    """All the way there."""
    what, whole = f"{corner.name} ({here})", around(reading, by.t, over)
    evidence: list[Event | int] = [*exchange.events, by.invoked, recovery.registered, *whole.events]
    evidence += seen.evidence if seen else ()
    back = restoration(reading, recovery)
    if back is not None and back.proof.ok is False:
        reason = f"{what}: registered again, the sign-in was granted, but {back.proof.reason}"
        events = [*back.sign_in.events, *back.proof.events]
        return _against(reading, max(over, *(one.t for one in events)), reason, [*evidence, *events], by, recovery)
    if work is not None and recovery.sign_in is not None:
        evidence += [*recovery.sign_in.events, *work[0].events]
        came = came_to(reading, work[1])
        evidence += came.events
        if came.right is False:
            return _against(reading, over, f"{what}: {work[1].name} {came.how}", evidence, by, recovery)
        if came.right and seen is not None and seen.verdict == "PASS" and whole.lacking:
            return Finding.undecided(RULE, f"{what}: {whole.unmeasured}", evidence, at=recovery.registered)
        if came.right and seen is not None and seen.verdict == "PASS":
            reason = f"{what}: 97 was shown, and registered again it signed in and {work[1].name} was approved"
            return Finding.passed(RULE, reason, evidence, at=recovery.registered)
    reason = f"{what}: 97 came, and nothing shows the whole way from there to an approved sale"
    return Finding.undecided(RULE, reason, evidence, at=recovery.registered)


def _against(
    reading: Reading, over: int, reason: str, evidence: list[Event | int], by: Operation, recovery: Recovery
) -> Finding:
    failed = Finding.failed(RULE, reason, evidence, at=recovery.registered)
    why = need_not_work(reading, by.t, over)
    return failed if why is None else excused(failed, why)


def _work(reading: Reading, recovery: Recovery) -> tuple[Exchange, Operation] | None:
    """The first request for money after the sign-in that was approved, and its operation."""
    if recovery.sign_in is None:
        return None
    end = min(recovery.until, reading.end + 1) if recovery.until != END else reading.end + 1
    for exchange in reading.financial_between(recovery.sign_in.t, end):
        by = operation_of(reading, exchange) if exchange.asks and exchange.approved(reading.profile) else None
        if (exchange.mid, exchange.tid) == (recovery.mid, recovery.tid) and by is not None:
            return exchange, by
    return None
