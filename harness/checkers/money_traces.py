"""MON-08: no trace number is used for two originals of a batch, and after 999999 comes 000001."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

from harness.checkers.batches import Period, periods, same_transaction
from harness.checkers.decoding import decoded
from harness.checkers.exchanges import FINANCIAL_REQUESTS
from harness.checkers.faults import delivered_frames
from harness.checkers.finding import Finding, checker
from harness.checkers.reading import Exchange, Reading
from harness.checkers.tables import NUMBERED_BEFORE, STORED
from harness.history.events import Event, FaultStruck, HostJournal, Power

LAST_TRACE, FIRST_TRACE = "999999", "000001"
_LISTED = 3


@checker("MON-08")
def trace_used_once(reading: Reading) -> Iterator[Finding]:
    """A FAIL for every number used again in a batch; a PASS for every original after one across a 97 or a boot."""
    for period in periods(reading):
        yield from _numbers_of(reading, period)


def _numbers_of(reading: Reading, period: Period) -> Iterator[Finding]:
    used: dict[str, Exchange] = {}
    previous: Exchange | None = None
    for original in period.originals:
        if original.trace is None:
            continue
        first = used.get(original.trace)
        if first is not None:
            if not (same_transaction(reading, first, original) or _offered_again(first, original)):
                reason = f"trace {original.trace} was used for two originals of batch {period.batch}"
                yield Finding.failed("MON-08", reason, (first.request, original.request), at=original.request)
        elif original.trace == "000000":
            reason = f"an original of batch {period.batch} has trace 000000; after {LAST_TRACE} comes {FIRST_TRACE}"
            yield Finding.failed("MON-08", reason, (original.request,))
        elif previous is not None and (between := _upheaval(reading, previous, original)):
            yield _followed(reading, period, previous, original, between)
        used.setdefault(original.trace, original)
        previous = original


def _offered_again(first: Exchange, other: Exchange) -> bool:
    """What was accepted offline is sent under its own number until the host takes it."""
    same = all(first.sent.get(n) == other.sent.get(n) for n in (2, 3, 4, 35))
    return first.transaction == other.transaction and first.transaction in STORED and same


def _upheaval(reading: Reading, one: Exchange, other: Exchange) -> tuple[str, tuple[Event, ...]] | None:
    """A boot or a definite 97 between two requests of one terminal: its name and its events."""
    boot = next((p for p in reading.between(Power, one.t, other.t) if p.state == "on"), None)
    if boot is not None:
        return "a boot", (boot,)
    for e in reading.exchanges_between(one.t, other.t):
        if e.definite_97 and (e.mid, e.tid) == (one.mid, one.tid):
            return "a 97", e.events
    return None


def _followed(
    reading: Reading, period: Period, previous: Exchange, original: Exchange, between: tuple[str, tuple[Event, ...]]
) -> Finding:
    """Another number than before. What the tap missed the host has in its journal; where nothing tells what became of
    the numbers between, they may have been used and one of them again."""
    what = f"trace {original.trace} follows {previous.trace} in batch {period.batch}, across {between[0]}"
    evidence: list[Event] = [previous.request, *between[1], original.request]
    twice = _used_unseen(reading, period, original)
    if twice is not None:
        reason = f"{what}; the host's journal has another original of that batch under it, which the wire log lacks"
        return Finding.failed("MON-08", reason, [*evidence, twice], at=original.request)
    gap = _gap(reading, previous, original)
    if not gap:
        return Finding.passed("MON-08", what, evidence, at=original.request)
    lines = [reading.journal_of(e.request) for e in (previous, original)]
    if any(line is None for line in lines):
        listed = ", ".join(gap[:_LISTED]) + (f" and {len(gap) - _LISTED} more" if len(gap) > _LISTED else "")
        reason = f"{what}; the wire log lacks {listed} between them, and no journal of the host tells of it"
        return Finding.undecided("MON-08", reason, evidence, at=original.request)
    reason = f"{what}; of the numbers between them the host's journal has no original either"
    return Finding.passed("MON-08", reason, [*evidence, *lines], at=original.request)


def _gap(reading: Reading, previous: Exchange, original: Exchange) -> list[str]:
    """The numbers between two originals that no request on the wire has. (One that goes back has none.)"""
    first, last = int(previous.trace or 0), int(original.trace or 0)
    wrapped = last < first and first - last > 500_000
    if not wrapped and last <= first + 1:
        return []
    numbers = [f"{n % 999_999 + 1:06d}" for n in range(first, first + (last - first - 1) % 999_999)]
    seen = {e.trace for e in reading.exchanges_between(previous.t, original.t + 1)}
    return [n for n in numbers if n not in seen]


_unseen: WeakKeyDictionary[Reading, dict[tuple[str, str, str, str], list[HostJournal]]] = WeakKeyDictionary()


def _used_unseen(reading: Reading, period: Period, original: Exchange) -> HostJournal | None:
    """An earlier original of the batch under this number, in the host's journal, which is not on the wire. (What the
    bench itself put there in the terminal's name is none.)"""
    if reading not in _unseen:
        index = _unseen[reading] = {}
        on_the_wire = {e.request.hex for e in reading.exchanges}
        on_the_wire |= {text for strike in reading.all(FaultStruck) for text in delivered_frames(strike)}
        for line in reading.journal:
            frame = decoded(line.hex) if line.direction == "in" and line.hex not in on_the_wire else None
            if frame is not None and frame.mti in FINANCIAL_REQUESTS:
                index.setdefault((frame.get(42), frame.get(41), frame.batch, frame.get(11)), []).append(line)
    lines = _unseen[reading].get((period.mid, period.tid, period.batch, original.trace or ""), [])
    return next((line for line in lines if period.begun <= line.t < original.t), None)


@checker("MON-08")
def trace_wraps(reading: Reading) -> Iterator[Finding]:
    """After 999999 comes 000001, over all requests which take a number (not those that carry an earlier one's)."""
    previous: dict[tuple[str, str], Exchange] = {}
    for e in reading.exchanges:
        if e.transaction in NUMBERED_BEFORE or e.trace is None:
            continue
        key = (e.mid, e.tid)
        before = previous.get(key)
        previous[key] = e
        if before is None or before.trace != LAST_TRACE or e.trace == LAST_TRACE:
            continue
        if reading.unit_at(before.t) != reading.unit_at(e.t):
            continue
        evidence = (before.request, e.request)
        if e.trace == FIRST_TRACE:
            yield Finding.passed("MON-08", f"after trace {LAST_TRACE} comes {FIRST_TRACE}", evidence, at=e.request)
        else:
            reason = f"after trace {LAST_TRACE} comes {e.trace}, expected {FIRST_TRACE}"
            yield Finding.failed("MON-08", reason, evidence, at=e.request)
