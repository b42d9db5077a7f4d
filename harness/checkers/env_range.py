"""ENV-01: inside the declared range of temperature, humidity and supply the terminal works as ever.

Where it stands at nominal all other rules say so. Here an occasion is what it did while at least one of the three was
away from nominal and all of them, as readings frame it, inside the declared range.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.checkers.as_decided import came_to, reported_fault
from harness.checkers.attribution import refused_by_itself
from harness.checkers.disturbances import aftermath, broken_between, hits_between
from harness.checkers.finding import Finding, checker
from harness.checkers.reading import ONLINE_OPERATIONS, SECOND, Operation, Reading
from harness.checkers.surroundings import QUANTITIES, Around, around, outside_of_range, settling, steps, steps_at
from harness.checkers.timeline import LOOKUP_S
from harness.checkers.updates import belongs_to_an_update
from harness.history.events import Event, Power
from harness.history.instrument_events import InstrumentSet
from harness.terminal.surroundings import Surroundings

RULE = "ENV-01"
ABOUT_S = 5  # real seconds around a reset in which readings must frame it
SWITCHING = frozenset({"set_voltage", "output", "dip", "switch"})  # methods that may take the power away


@checker(RULE)
def works_inside_its_range(reading: Reading) -> Iterator[Finding]:
    """Each online operation: it ends as the host decided, and no hardware fault is reported."""
    declared = reading.model.surroundings
    if declared is None:
        yield from _undeclared(reading)
        return
    for operation in reading.outermost:
        if operation.name in ONLINE_OPERATIONS and operation.invoked.via != "service":
            finding = _operation(reading, declared, operation)
            if finding is not None:
                yield finding


def _undeclared(reading: Reading) -> Iterator[Finding]:
    step = next((step for step, *_times in steps(reading) if step.quantity in QUANTITIES), None)
    if step is not None:
        yield Finding.undecided(RULE, "the model declares no range of surroundings", [step], at=step)


def _operation(reading: Reading, declared: Surroundings, operation: Operation) -> Finding | None:
    start, end = operation.t, operation.done
    here = around(reading, start, end)
    led_away = any(step.quantity in QUANTITIES for step in steps_at(reading, start))
    if not (here.away(declared) or (here.lacking and led_away)) or not here.within(declared):
        return None
    if _troubled(reading, operation):
        return None
    name, evidence = operation.name, [operation.invoked, *here.events]
    if here.lacking:
        return Finding.undecided(RULE, f"{name}: {here.unmeasured}", evidence, at=operation.invoked)
    return _ended(reading, operation, here)


def _troubled(reading: Reading, operation: Operation) -> bool:
    """Something else than the surroundings was in its way."""
    start, end = operation.t, operation.done + 1
    hurt = reading.wire_hurt_within(start - LOOKUP_S * SECOND, end)
    if hurt is not None or reading.is_off(start) or reading.power_lost_within(start, end):
        return True
    struck = hits_between(reading, start - aftermath(reading), end)
    return bool(struck or broken_between(reading, start, end)) or refused_by_itself(reading, operation)()


def _ended(reading: Reading, operation: Operation, here: Around) -> Finding | None:
    came = came_to(reading, operation)
    evidence: list[Event] = [*came.events, *here.events]
    fault = reported_fault(reading, operation, nothing_sent=not came.decided or came.right is False)
    if fault is not None:
        reason = f"{operation.name} at {here}: the screen reported {fault.name}"
        return _against(reading, reason, [*evidence, fault.screen], operation)
    if not came.decided:
        return None
    reason = f"{operation.name} at {here} {came.how}"
    if came.right is False:
        return _against(reading, reason, evidence, operation)
    if came.right and not reading.offers("power"):
        reason = f"{reason}; whether it reset itself is not seen here"
        return Finding.undecided(RULE, reason, evidence, at=operation.invoked)
    make = Finding.passed if came.right else Finding.undecided
    return make(RULE, reason, evidence, at=operation.invoked)


def _against(reading: Reading, reason: str, evidence: list[Event], operation: Operation) -> Finding:
    """FAIL, unless the terminal stood a little outside, or came from outside a short while ago."""
    if outside_of_range(reading, operation.t, operation.done) is not None:
        reason = f"{reason}; a reading lay just outside the declared range"
        return Finding.undecided(RULE, reason, evidence, at=operation.invoked)
    before = outside_of_range(reading, operation.t - settling(reading), operation.t)
    if before is not None:
        reason = f"{reason}; shortly before it had stood outside its range ({before})"
        return Finding.undecided(RULE, reason, [*evidence, before.event], at=operation.invoked)
    return Finding.failed(RULE, reason, evidence, at=operation.invoked)


# -- resets ------------------------------------------------------------------------------------------------------------


@checker(RULE)
def stays_on_inside_its_range(reading: Reading) -> Iterator[Finding]:
    """Whatever made it go off by itself there, is a failure."""
    declared = reading.model.surroundings
    if declared is None:
        return
    for power in reading.powers:
        if power.reason == "watchdog" and not belongs_to_an_update(reading, power) and _first_of_it(reading, power):
            what = "the terminal reset itself"
        elif power.reason == "brown_out" and power.state == "off":
            what = "the terminal went off for want of voltage"
        else:
            continue
        finding = _went_off(reading, declared, power, what)
        if finding is not None:
            yield finding


def _first_of_it(reading: Reading, power: Power) -> bool:
    """A reset leaves two events, off and on; one, where only that was seen."""
    if power.state == "off":
        return True
    before = reading.before(Power, power.t - 1)
    return before is None or before.state == "on"


def _went_off(reading: Reading, declared: Surroundings, power: Power, what: str) -> Finding | None:
    start, end = power.t - ABOUT_S * SECOND, power.t
    here = around(reading, start, end)
    if not here.away(declared) or not here.within(declared) or outside_of_range(reading, start, end):
        return None
    if hits_between(reading, power.t - aftermath(reading), end) or broken_between(reading, start, end):
        return None
    evidence: list[Event] = [power, *here.events]
    if here.lacking:
        return Finding.undecided(RULE, f"{what}: {here.unmeasured}", evidence, at=power)
    switched = [e for e in reading.between(InstrumentSet, start, end + 1) if e.method in SWITCHING]
    before = outside_of_range(reading, power.t - settling(reading), power.t)
    if switched or before is not None:
        why = "the supply was being set just then" if switched else f"shortly before it had stood outside ({before})"
        return Finding.undecided(RULE, f"{what} at {here}; {why}", [*evidence, *switched], at=power)
    return Finding.failed(RULE, f"{what} at {here}", evidence, at=power)
