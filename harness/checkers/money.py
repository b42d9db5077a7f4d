"""Money, by the request: a 97 books nothing (MON-01), raises no reversal (MON-02), leaves the batch as it is (MON-05),
and no trace number is used twice (MON-08). Reversals: ``money_reversals``. Upload, reconciliation: ``money_batch``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from harness.checkers.batches import (
    Period,
    Sums,
    frames,
    later,
    later_with_its_trace,
    matching_batch,
    period_of,
    periods,
    possible_batches,
    records_of,
    same_transaction,
    sums,
    totals_of,
)
from harness.checkers.finding import Finding, checker
from harness.checkers.observing import noticed
from harness.checkers.reading import Exchange, Reading
from harness.history.events import Counters, Event, Power

MAX_EXPLANATIONS = 4096
LAST_TRACE, FIRST_TRACE = "999999", "000001"


def declined_97s(reading: Reading) -> Iterator[Exchange]:
    """Financial requests answered by a definite 97 which the terminal had the time to take as one."""
    return (e for e in reading.definite_97s if e.financial and noticed(reading, e))


def words(value: Sums) -> str:
    """Totals for people."""
    return f"{value[1]} sales of {value[0] / 100:.2f} and {value[3]} voids of {value[2] / 100:.2f}"


# -- MON-01 ------------------------------------------------------------------------------------------------------------


@checker("MON-01")
def not_in_the_batch(reading: Reading) -> Iterator[Finding]:
    """Decided by the next settlement's totals and its upload; without one by the counters before and after."""
    for declined in declined_97s(reading):
        yield _uploaded(declined, reading) or _settled(declined, reading) or _counted(declined, reading)


def _uploaded(declined: Exchange, reading: Reading) -> Finding | None:
    """FAIL where a batch upload lists the declined request."""
    period = period_of(reading, declined)
    if period is None:
        return None
    for upload in period.uploads:
        if any(e.trace == declined.trace for e in period.approved(upload.t)):
            return None  # it lists the one that was approved under the same number (MON-08)
        if upload.t > declined.t and any(trace == declined.trace for trace, _ in records_of(upload) or []):
            reason = f"the {declined.name} of batch {declined.batch} was answered 97, but the batch upload lists it"
            return Finding.failed("MON-01", reason, (*declined.events, upload.request))
    return None


def _settled(declined: Exchange, reading: Reading) -> Finding | None:
    period = period_of(reading, declined)
    settlement = next((s for s in period.settlements if s.t > declined.t), None) if period else None
    if period is None or settlement is None:
        return None
    claimed = totals_of(settlement)
    if claimed is None:
        reason = f"F48 of the settlement of batch {declined.batch} can't be read"
        return Finding.undecided("MON-01", reason, (*declined.events, settlement.request))
    batch = matching_batch(reading, period, settlement.t, claimed)
    if batch is not None:
        reason = f"the settlement of batch {declined.batch} claims {words(claimed)}: the approved ones only"
        return Finding.passed("MON-01", reason, (*declined.events, settlement.request, *frames(batch)))
    expected = sums(period.approved(settlement.t))
    told = f"the settlement of batch {declined.batch} claims {words(claimed)}, approved were {words(expected)}"
    guilty = _explained_by_97s(reading, period, settlement, claimed)
    if guilty and declined.request.seq in guilty:
        reason = f"{told}: the difference is what was answered 97"
        return Finding.failed("MON-01", reason, (*declined.events, settlement.request))
    return Finding.undecided("MON-01", f"{told}: not explained by this 97", (*declined.events, settlement.request))


def _explained_by_97s(reading: Reading, period: Period, settlement: Exchange, claimed: Sums) -> set[int]:
    """Requests (seq) answered 97 which, taken as booked, explain the totals; of explanations, those with the fewest."""
    declined = [e for e in period.originals if e.definite_97 and e.t < settlement.t]
    tried = 0
    for size in range(1, len(declined) + 1):
        guilty: set[int] = set()
        for wrongly in itertools.combinations(declined, size):
            for batch in possible_batches(reading, period, settlement.t):
                tried += 1
                if claimed in (sums([*batch, *wrongly]), sums([*batch, *wrongly], netted=True)):
                    guilty |= {e.request.seq for e in wrongly}
            if tried > MAX_EXPLANATIONS:
                return guilty
        if guilty:
            return guilty
    return set()


def _counted(declined: Exchange, reading: Reading) -> Finding:
    """The terminal's own word (weaker): its counters before and after, where no settlement followed."""
    before = reading.before(Counters, declined.t)
    after = next((c for c in reading.counters if c.t > (declined.answered_at or declined.t)), None)
    period = period_of(reading, declined)
    what = f"nothing after the 97 to the {declined.name} shows the batch (no settlement of {declined.batch} followed)"
    if before is None or after is None or period is None or reading.unit_at(before.t) != reading.unit_at(after.t):
        return Finding.undecided("MON-01", what, declined.events)
    old, new = _counter_sums(before), _counter_sums(after)
    if old is None or new is None or before.values.get("batch") != after.values.get("batch"):
        return Finding.undecided("MON-01", what, (*declined.events, before, after))
    between = [e for e in period.approved(after.t) if e.t > before.t]
    change: Sums = (new[0] - old[0], new[1] - old[1], new[2] - old[2], new[3] - old[3])
    evidence: list[Event] = [*declined.events, before, after, *frames(between)]
    if change == sums(between):
        reason = "the terminal's counters show no transaction more (its own word; no settlement followed)"
        return Finding.passed("MON-01", reason, evidence, at=declined.request)
    if change == sums([*between, declined]):
        reason = f"after the 97 to the {declined.name} the terminal's own counters show it as booked"
        return Finding.failed("MON-01", reason, evidence, at=declined.request)
    return Finding.undecided("MON-01", what, evidence, at=declined.request)


def _counter_sums(counters: Counters) -> Sums | None:
    """``sales=2/2000 voids=0/0`` as totals."""
    numbers: list[int] = []
    for name in ("sales", "voids"):
        count, _, amount = counters.values.get(name, "").partition("/")
        if not (count.isdecimal() and amount.isdecimal()):
            return None
        numbers += [int(amount), int(count)]
    return numbers[0], numbers[1], numbers[2], numbers[3]


# -- MON-02 ------------------------------------------------------------------------------------------------------------


@checker("MON-02")
def no_reversal(reading: Reading) -> Iterator[Finding]:
    """Decided when the terminal sent what a reversal would have preceded: a financial request or a settlement."""
    for declined in declined_97s(reading):
        ahead = later(reading, declined)
        witness = next((e for e in ahead if e.financial or e.mti == "0500"), None)
        verdict: Finding | None = None
        for other in later_with_its_trace(reading, declined):
            if other.mti == "0400":
                told = f"a reversal of it followed (F39 {other.sent.get(39)})"
                reason = f"the {declined.name} was answered 97, and yet {told}"
                verdict = Finding.failed("MON-02", reason, (*declined.events, other.request))
                break
            if other.financial:
                break  # the number is in use again (MON-08): reversals from here on are of that one
        if verdict is None and witness is None:
            reason = f"after the 97 to the {declined.name} nothing was sent that a reversal would have preceded"
            verdict = Finding.undecided("MON-02", reason, declined.events)
        elif verdict is None and witness is not None:
            reason = f"after the 97 to the {declined.name} came the {witness.name}, and no reversal"
            verdict = Finding.passed("MON-02", reason, (*declined.events, witness.request))
        if verdict is not None:
            yield verdict


# -- MON-05 ------------------------------------------------------------------------------------------------------------


@checker("MON-05")
def settlement_refused(reading: Reading) -> Iterator[Finding]:
    """Decided by the next settlement: the same batch number, the same totals and what was booked between."""
    for refused in reading.definite_97s:
        if refused.mti != "0500":
            continue
        again = next((e for e in later(reading, refused) if e.mti == "0500"), None)
        if again is None:
            reason = f"no settlement followed the one of batch {refused.batch} that was answered 97"
            yield Finding.undecided("MON-05", reason, refused.events)
            continue
        yield _same_batch(reading, refused, again)


def _same_batch(reading: Reading, refused: Exchange, again: Exchange) -> Finding:
    period = period_of(reading, refused)
    before, after = totals_of(refused), totals_of(again)
    evidence: list[Event] = [*refused.events, again.request]
    if again.batch != refused.batch:
        reason = f"the settlement of batch {refused.batch} was answered 97; the next one is of batch {again.batch}"
        return Finding.failed("MON-05", reason, evidence)
    if period is None or before is None or after is None:
        return Finding.undecided("MON-05", "F48 of a settlement can't be read", evidence)
    for batch in possible_batches(reading, period, again.t):
        earlier = [e for e in batch if e.t < refused.t]
        for netted in (False, True):
            was, now = sums(earlier, netted=netted), sums(batch, netted=netted)
            if all(after[i] - before[i] == now[i] - was[i] for i in range(4)):
                between = [e for e in batch if e.t > refused.t]
                booked = f" and the {len(between)} booked since" if between else ""
                reason = f"batch {again.batch} was offered again with the same totals{booked}"
                return Finding.passed("MON-05", reason, [*evidence, *frames(between)])
    reason = f"batch {again.batch} held {words(before)} when 97 came, and {words(after)} at the next settlement"
    return Finding.failed("MON-05", reason, evidence)


# -- MON-08 ------------------------------------------------------------------------------------------------------------


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
            if not same_transaction(reading, first, original):
                reason = f"trace {original.trace} was used for two originals of batch {period.batch}"
                yield Finding.failed("MON-08", reason, (first.request, original.request), at=original.request)
        elif original.trace == "000000":
            reason = f"an original of batch {period.batch} has trace 000000; after {LAST_TRACE} comes {FIRST_TRACE}"
            yield Finding.failed("MON-08", reason, (original.request,))
        elif previous is not None and (between := _upheaval(reading, previous, original)):
            reason = f"trace {original.trace} follows {previous.trace} in batch {period.batch}, across {between[0]}"
            evidence = (previous.request, *between[1], original.request)
            yield Finding.passed("MON-08", reason, evidence, at=original.request)
        used.setdefault(original.trace, original)
        previous = original


def _upheaval(reading: Reading, one: Exchange, other: Exchange) -> tuple[str, tuple[Event, ...]] | None:
    """A boot or a definite 97 between two requests of one terminal: its name and its events."""
    boot = next((p for p in reading.between(Power, one.t, other.t) if p.state == "on"), None)
    if boot is not None:
        return "a boot", (boot,)
    for e in reading.exchanges_between(one.t, other.t):
        if e.definite_97 and (e.mid, e.tid) == (one.mid, one.tid):
            return "a 97", e.events
    return None


@checker("MON-08")
def trace_wraps(reading: Reading) -> Iterator[Finding]:
    """After 999999 comes 000001, over all requests which take a number (not reversals: they carry their original's)."""
    previous: dict[tuple[str, str], Exchange] = {}
    for e in reading.exchanges:
        if e.mti == "0400" or e.trace is None:
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


