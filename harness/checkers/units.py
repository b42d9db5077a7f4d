"""Which unit stands on the bench, since when, and who it is."""

from __future__ import annotations

from harness.checkers.identities import FIRST, Identity, merchant_of, several
from harness.checkers.reading import Exchange, Operation, Reading
from harness.history.events import Event, UnitReplaced


def stands_since(reading: Reading, t: int) -> UnitReplaced | None:
    """With what the unit there at ``t`` began to stand there, or what it holds; None: the first unit of the log. One
    into which a backup is restored goes on with what the unit before it held."""
    fresh = {unit.seq for unit in reading.fresh_units}
    placed = reversed(reading.between(UnitReplaced, 0, t + 1))
    return next((unit for unit in placed if unit.kept or unit.seq in fresh), None)


def stays(reading: Reading, t: int, *, restored: bool = False) -> list[tuple[int, int]]:
    """When (ns) the unit there at ``t`` stood there since it came out of its box, by its serial number, up to ``t``.
    ``restored``: where a backup was restored into it, the time of the unit before it too."""
    placed = reading.between(UnitReplaced, 0, t + 1)
    if not placed:
        return [(0, t)]
    fresh = {unit.seq for unit in reading.fresh_units}
    ends = [*(unit.t for unit in placed[1:]), t]
    found: list[tuple[int, int]] = []
    serial: str | None = placed[-1].serial
    for unit, end in reversed(list(zip(placed, ends, strict=True))):
        if serial not in (None, unit.serial):
            continue
        serial = unit.serial
        found.insert(0, (unit.t, end))
        if unit.kept:
            continue
        if not restored or unit.seq in fresh:
            break
        serial = None  # the one before
    return found


def identities_at(reading: Reading, t: int) -> dict[Identity, list[Event]]:
    """Who the unit there at ``t`` was: as it called itself, or as it was set, and the events that tell it. What was
    set, or told, anew takes the place of what that merchant was before."""
    found: dict[Identity, list[Event]] = {}
    merchants: dict[str, Identity] = {}
    for step in _telling_who(reading, t):
        number: str | None
        event: Event
        if isinstance(step, Exchange):
            who, number, event = (step.mid, step.tid), None if several(reading) else FIRST, step.request
        else:
            args, number = step.invoked.args, merchant_of(reading, step)
            who, event = (args.get("mid", ""), args.get("tid", "")), step.completed or step.invoked
        found.setdefault(who, []).append(event)
        if number is not None:
            former = merchants.get(number, who)
            merchants[number] = who
            if former not in merchants.values():
                found.pop(former, None)
    return found


def _telling_who(reading: Reading, t: int) -> list[Operation | Exchange]:
    """In order; an activation asks who it is."""
    told: list[Operation | Exchange] = []
    for start, end in stays(reading, t, restored=True):
        told += [
            o for o in reading.operations if o.name == "set_identity" and o.outcome == "ok" and start <= o.t < end
        ]
        told += [e for e in reading.exchanges_between(start, end) if e.transaction != "activation"]
    return sorted(told, key=lambda step: step.t)
