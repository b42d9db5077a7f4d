"""After recovery everything works and balances: every transaction that the model declares (REC-04)."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checkers.batches import frames, matching_batch, period_of, result_of, sums, totals_of
from harness.checkers.finding import Finding, checker
from harness.checkers.money import words
from harness.checkers.observing import operation_of
from harness.checkers.reading import Exchange, Reading
from harness.checkers.recoveries import Recovery, recoveries, window
from harness.history.events import Event

WORK = {"sale": "sale", "void": "void", "settle": "settlement"}  # as models declare it -> as the wire names it
BATCH_WRONG = "77"
TERMINALS_FAULT = {"A0": "its MAC is wrong", BATCH_WRONG: "its batch number is wrong", "94": "its trace number is used"}
BALANCED = 1


@checker("REC-04")
def everything_works(reading: Reading) -> Iterator[Finding]:
    """An occasion is a recovery after which everything declared was tried before the host was changed again.

    A settlement that the host was told to call unbalanced balances where it claims what the wire shows as approved.
    """
    declared: list[str] = [name for name in WORK if name in reading.model.transactions]
    for recovery in recoveries(reading):
        tried = list(_tried(reading, recovery))
        fault = next((found for e in tried if (found := _fault(reading, e))), None)
        if fault is not None:
            yield _failed(recovery, *fault)
            continue
        if not all(any(e.transaction == WORK[name] for e in tried) for name in declared):
            continue
        yield _judged(reading, recovery, declared, tried)


def _tried(reading: Reading, recovery: Recovery) -> Iterator[Exchange]:
    """Requests of the working day after the sign-in, until somebody changed the host."""
    if recovery.sign_in is None:
        return
    changes = reading.registration.changes(recovery.mid, recovery.tid)
    honest_until = min(
        [c.t for c in changes if c.t > recovery.sign_in.t and not c.change.startswith("clock")], default=recovery.until
    )
    yield from (e for e in window(reading, recovery) if e.t < honest_until and e.transaction in WORK.values())


def _by_rule(reading: Reading, exchange: Exchange) -> bool:
    """The acquirer was told to answer so."""
    entry = reading.journal_of(exchange.response) if exchange.response else None
    return entry is not None and entry.rule_id is not None


def _fault(reading: Reading, exchange: Exchange) -> tuple[Exchange, str] | None:
    """What went wrong through the terminal, if something did."""
    if exchange.outcome != "answered":
        return None
    if not exchange.approved(reading.profile):
        why = TERMINALS_FAULT.get(exchange.code or "")
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
    if matching_batch(reading, period, settlement.t, claimed) is not None:
        return None
    expected = sums(period.approved(settlement.t))
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
    reason = f"after recovery {', '.join(declared)} worked, and the batch balanced"
    return Finding.passed("REC-04", reason, evidence, at=at)


def _worked(reading: Reading, exchange: Exchange, name: str) -> list[Event] | None:
    """The events by which this request is seen to have worked; None: it is another, or it is not seen."""
    if exchange.transaction != name or not exchange.approved(reading.profile):
        return None
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
    return [*evidence, *frames(batch)]
