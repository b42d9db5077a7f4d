"""What was done to a terminal, beside the disturbance that is judged, and may explain what it did."""

from __future__ import annotations

from collections.abc import Collection

from harness.checkers.disturbances import (
    HUNG_S,
    OF_SUPPLY,
    Hit,
    aftermath,
    broken_between,
    criterion_of,
    hits,
    hits_between,
)
from harness.checkers.reading import SECOND, Operation, Reading
from harness.checkers.surroundings import outside_of_range, settling
from harness.checkers.timeline import LOOKUP_S


def harmed(reading: Reading, start: int, end: int, own: Collection[Hit] = ()) -> bool:
    """In the interval it was, or may still have been coming back from: a disturbance that it need not work on under
    (other than its ``own``), a broken part, a place outside its range."""
    struck = hits_between(reading, start - aftermath(reading), end)
    if any(criterion_of(reading, hit) != "A" for hit in struck if hit not in own):
        return True
    if broken_between(reading, start, end):
        return True
    dips = [(hit.start, hit.end) for hit in hits(reading) if hit.begun.sort in OF_SUPPLY]
    since = start - max(HUNG_S * SECOND, settling(reading))
    return outside_of_range(reading, since, end, dips=dips) is not None


def in_its_way(reading: Reading, operation: Operation, own: Collection[Hit] = ()) -> bool:
    """It was harmed, or the wire hurt, in the operation or a moment before."""
    start, end = operation.t, operation.done + 1
    return reading.wire_hurt_within(start - LOOKUP_S * SECOND, end) is not None or harmed(reading, start, end, own)
