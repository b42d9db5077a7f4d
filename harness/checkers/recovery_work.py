"""After recovery everything works and balances (REC-04): all that was tried of what the model declares."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checkers.batches import matching_batch, period_of, result_of, telling, totals, totals_of
from harness.checkers.departures import departures
from harness.checkers.faults import falsified
from harness.checkers.finding import Finding, checker
from harness.checkers.money import words
from harness.checkers.observing import operation_of
from harness.checkers.reading import Exchange, Reading
from harness.checkers.recoveries import Recovery, recoveries, window
from harness.checkers.tables import KINDS, STORED, UPLOADS
from harness.history.events import Event
from harness.protocol.profile import Profile

# As models declare it -> as the wire names it. A working day is one on which the core of it was tried.
WORK = {**{name: name for name in KINDS}, "settle": "settlement"}
CORE = ("sale", "void", "settle")
DAY = ("refund", "pre_authorisation", "completion")  # named in the verdict where nobody tried them
BATCH_WRONG = "77"
TERMINALS_FAULT = {"A0": "its MAC is wrong", BATCH_WRONG: "its batch number is wrong", "94": "its trace number is used"}
REFUSED_AS_WRITTEN = frozenset({"12", "30", "40", "96"})  # how hosts refuse what they can't read
BALANCED = 1


def _terminals_fault(profile: Profile, exchange: Exchange) -> str | None:
    """Why the host declined, where the terminal is the cause."""
    code = exchange.code or ""
    if exchange.request_mac == "absent" and code == profile.mac_missing:
        return "it has no MAC"
    if code in TERMINALS_FAULT:
        return TERMINALS_FAULT[code]
    if code == profile.not_signed_in:
        return "the host does not hold it for signed in"
    return "; ".join(departures(profile, exchange)) or None if code in REFUSED_AS_WRITTEN else None


@checker("REC-04")
def everything_works(reading: Reading) -> Iterator[Finding]:
    """An occasion is a recovery after which sale, void and settlement, as far as declared, were tried before the host
    was changed again. Whatever else was tried must have worked too, and what of a day's work was not is named.

    A settlement that the host was told to call unbalanced balances where it claims what the wire shows as approved.
    """
    declared: list[str] = [name for name in reading.model.transactions if name in WORK]
    for recovery in recoveries(reading):
        tried = list(_tried(reading, recovery))
        fault = next((found for e in tried if (found := _fault(reading, e))), None)
        if fault is not None:
            yield _failed(recovery, *fault)
            continue
        done = {e.transaction for e in tried}
        if not {WORK[name] for name in CORE if name in declared} <= done:
            continue
        yield _judged(reading, recovery, [name for name in declared if WORK[name] in done], tried)


def _tried(reading: Reading, recovery: Recovery) -> Iterator[Exchange]:
    """Requests of the working day after the sign-in, answered before somebody changed the host."""
    if recovery.sign_in is None:
        return
    changes = reading.registration.changes(recovery.mid, recovery.tid)
    honest_until = min(
        [c.t for c in changes if c.t > recovery.sign_in.t and not c.change.startswith("clock")], default=recovery.until
    )
    work = {*WORK.values(), *UPLOADS}
    sent = (e for e in window(reading, recovery) if (e.answered_at or e.t) < honest_until)
    yield from (e for e in sent if e.transaction in work)


def _by_rule(reading: Reading, exchange: Exchange) -> bool:
    """The acquirer was told to answer so, or the bench did in its name."""
    if falsified(reading, exchange):
        return True
    entry = reading.journal_of(exchange.response) if exchange.response else None
    return entry is not None and entry.rule_id is not None


def _fault(reading: Reading, exchange: Exchange) -> tuple[Exchange, str] | None:
    """What went wrong through the terminal, if something did."""
    if exchange.outcome != "answered":
        return None
    if not exchange.approved(reading.profile):
        why = _terminals_fault(reading.profile, exchange)
        if why is None or _by_rule(reading, exchange) or not reading.journal:
            return None
        if exchange.code == BATCH_WRONG and _in_stored_batch(reading, exchange):
            return None
        return exchange, f"was answered {exchange.code}: {why}"
    if exchange.transaction == "settlement":
        return _unbalanced(reading, exchange)
    operation = operation_of(reading, exchange)
    if operation is None or WORK.get(operation.name) != exchange.transaction:
        return None
    if operation.outcome == "fail":
        return exchange, f"was approved, but the terminal said {operation.code or 'it failed'}"
    return None


def _in_stored_batch(reading: Reading, exchange: Exchange) -> bool:
    """It belongs to a batch in which something is stored: whether a host takes it there is the host's choice."""
    period = period_of(reading, exchange)
    return period is not None and bool(period.approved(exchange.t))


def _unbalanced(reading: Reading, settlement: Exchange) -> tuple[Exchange, str] | None:
    claimed, period = totals_of(settlement), period_of(reading, settlement)
    if result_of(settlement) == BALANCED or _by_rule(reading, settlement) or claimed is None or period is None:
        return None
    if period.unknown or matching_batch(reading, period, settlement.t, claimed) is not None:
        return None
    expected = totals(reading, period.approved(settlement.t))
    return settlement, f"does not balance: it claims {words(claimed)}, approved on the wire were {words(expected)}"


def _failed(recovery: Recovery, exchange: Exchange, what: str) -> Finding:
    sign_in = recovery.sign_in.events if recovery.sign_in else ()
    evidence = (*recovery.met[-1].events, recovery.registered, *sign_in, *exchange.events)
    return Finding.failed("REC-04", f"after recovery the {exchange.name} {what}", evidence, at=recovery.registered)


def _judged(reading: Reading, recovery: Recovery, declared: list[str], tried: list[Exchange]) -> Finding:
    sign_in = recovery.sign_in.events if recovery.sign_in else ()
    evidence: list[Event] = [*recovery.met[-1].events, recovery.registered, *sign_in]
    lacking: list[str] = []
    for name in declared:
        good = next((found for e in tried if (found := _worked(reading, e, WORK[name])) is not None), None)
        if good is None:
            lacking.append(name)
        else:
            evidence += good
    at = recovery.registered
    if lacking:
        reason = f"after recovery these were tried, and not seen to work: {', '.join(lacking)}"
        return Finding.undecided("REC-04", reason, evidence, at=at)
    untried = [name for name in DAY if name in reading.model.transactions and name not in declared]
    more = f" (not tried: {', '.join(untried)})" if untried else ""
    reason = f"after recovery {', '.join(declared)} worked, and the batch balanced{more}"
    return Finding.passed("REC-04", reason, evidence, at=at)


def _worked(reading: Reading, exchange: Exchange, name: str) -> list[Event] | None:
    """The events by which this request is seen to have worked; None: it is another, or it is not seen."""
    if exchange.transaction != name or not exchange.approved(reading.profile):
        return None
    if name in STORED and exchange.approved(reading.profile):
        return [*exchange.events]
    operation = operation_of(reading, exchange)
    if operation is None or operation.completed is None or operation.outcome != "ok":
        return None
    evidence: list[Event] = [*exchange.events, operation.invoked, operation.completed]
    if name != "settlement":
        return evidence
    claimed, period = totals_of(exchange), period_of(reading, exchange)
    if claimed is None or period is None:
        return None
    batch = matching_batch(reading, period, exchange.t, claimed)
    if batch is None or (result_of(exchange) != BALANCED and not _by_rule(reading, exchange)):
        return None
    return [*evidence, *telling(reading, batch)]
