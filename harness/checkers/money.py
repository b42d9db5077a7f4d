"""Money, by the request: a 97 books nothing (MON-01), raises no reversal (MON-02), leaves the batch as it is (MON-05).

Trace numbers: ``money_traces``. Reversals: ``money_reversals``. Stored offline: ``money_offline``. Upload,
reconciliation: ``money_batch``."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from harness.checkers.batches import (
    Period,
    Sums,
    later,
    later_with_its_trace,
    matching_batch,
    period_of,
    periods,
    possible_batches,
    records_of,
    sums,
    telling,
    totals,
    totals_of,
    voids,
)
from harness.checkers.exchanges import MACED_REQUESTS
from harness.checkers.finding import Finding, checker
from harness.checkers.observing import noticed
from harness.checkers.reading import Exchange, Reading
from harness.checkers.tables import STORED
from harness.history.events import Counters, Event

MAX_EXPLANATIONS = 4096
COUNTED = frozenset({"sale", "void"})  # what the service port counts


def declined_97s(reading: Reading) -> Iterator[Exchange]:
    """Financial requests answered by a definite 97 which the terminal had the time to take as one."""
    return (e for e in reading.definite_97s if e.financial and noticed(reading, e))


def without_mac(reading: Reading, exchange: Exchange) -> str:
    """What a finding adds where a decline counted without a MAC."""
    if exchange.response_mac != "absent" or exchange.mti not in MACED_REQUESTS:
        return ""
    usual = "the host's declines carry one" if reading.profile.declines_carry_mac else "the host's declines have none"
    return f" (its answer had no MAC, which the profile permits, and {usual}: a forged one would do the same)"


def words(value: Sums) -> str:
    """Totals for people."""
    return f"{value[1]} debits of {value[0] / 100:.2f} and {value[3]} credits of {value[2] / 100:.2f}"


# -- MON-01 ------------------------------------------------------------------------------------------------------------


@checker("MON-01")
def not_in_the_batch(reading: Reading) -> Iterator[Finding]:
    """Decided by the next settlement's totals and its upload; without one by the counters before and after. What was
    accepted offline is in the batch whatever the host says later (MON-04)."""
    for declined in declined_97s(reading):
        nobody_settled = declined.transaction == "balance" and _batch_of(reading, declined) is None
        if declined.transaction in STORED or nobody_settled:
            continue
        yield _uploaded(declined, reading) or _settled(declined, reading) or _counted(declined, reading)


def _batch_of(reading: Reading, declined: Exchange) -> Period | None:
    """The batch in which it would stand. A balance inquiry stands in none: it is judged by the one that was open, where
    that was settled; nobody settles on its account."""
    if declined.transaction != "balance":
        return period_of(reading, declined)
    key = (declined.mid, declined.tid, declined.batch)
    opened = [p for p in periods(reading) if (p.mid, p.tid, p.batch) == key]
    return next((p for p in opened if any(s.t > declined.t for s in p.settlements)), None)


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
    period = _batch_of(reading, declined)
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
        return Finding.passed("MON-01", reason, (*declined.events, settlement.request, *telling(reading, batch)))
    if period.unknown:
        reason = f"in batch {declined.batch} a transaction of a kind was approved that this version does not know"
        return Finding.undecided("MON-01", reason, (*declined.events, settlement.request, period.unknown[0].request))
    expected = totals(reading, period.approved(settlement.t))
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
                if claimed in _as_if_booked(reading, [*batch, *wrongly], wrongly):
                    guilty |= {e.request.seq for e in wrongly}
            if tried > MAX_EXPLANATIONS:
                return guilty
        if guilty:
            return guilty
    return set()


def _as_if_booked(reading: Reading, batch: list[Exchange], wrongly: Iterable[Exchange]) -> list[Sums]:
    """Totals with what was answered 97 in them; of a void also those in which it took the sale away."""
    gone = [sums(batch, netted=True)] if any(voids(e) for e in wrongly) else []
    return [totals(reading, batch), *gone]


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
    if any(e.transaction not in COUNTED for e in (declined, *between)):
        return Finding.undecided("MON-01", what, (*declined.events, before, after))
    change: Sums = (new[0] - old[0], new[1] - old[1], new[2] - old[2], new[3] - old[3])
    evidence: list[Event] = [*declined.events, before, after, *telling(reading, between)]
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
            more = without_mac(reading, declined)
            reason = f"after the 97 to the {declined.name} came the {witness.name}, and no reversal{more}"
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
    if period.unknown:
        reason = f"in batch {refused.batch} a transaction of a kind was approved that this version does not know"
        return Finding.undecided("MON-05", reason, [*evidence, period.unknown[0].request])
    for batch in possible_batches(reading, period, again.t):
        # What had been accepted offline before the 97 was stored then, whenever the host took it.
        earlier = [e for e in batch if e.t < refused.t or (e.transaction in STORED and not _made_since(e, refused))]
        was, now = totals(reading, earlier), totals(reading, batch)
        if all(after[i] - before[i] == now[i] - was[i] for i in range(4)):
            between = [e for e in batch if e not in earlier]
            booked = f" and the {len(between)} booked since" if between else ""
            reason = f"batch {again.batch} was offered again with the same totals{booked}"
            return Finding.passed("MON-05", reason, [*evidence, *telling(reading, between)])
    reason = f"batch {again.batch} held {words(before)} when 97 came, and {words(after)} at the next settlement"
    return Finding.failed("MON-05", reason, evidence)


def _made_since(stored: Exchange, refused: Exchange) -> bool:
    """Accepted offline after the refused settlement: its number is a later one (batches do not reach round 999999)."""
    return (stored.trace or "") > (refused.trace or "")
