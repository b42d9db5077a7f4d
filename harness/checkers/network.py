"""NET-01: whatever is done to the wire, an operation ends as what it was, its reversal is due exactly where its outcome
is unknown, and nothing is charged twice.

An occasion is an operation that asks the host while something was wrong with the wire (``faults.touched_by``). It is
judged three times, each by evidence of its own: by what the terminal told, by what it sent afterwards, by the books.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from harness.checkers.batches import later, later_with_its_trace
from harness.checkers.decoding import decoded
from harness.checkers.faults import Trouble, falsified, lines_for, touched_by
from harness.checkers.finding import Finding, checker
from harness.checkers.money_reversals import Due, dues, may_drop, recorded_deletion
from harness.checkers.observing import interrupted, own_exchanges
from harness.checkers.reading import END, FINANCIAL_OPERATIONS, ONLINE_OPERATIONS, SECOND, Exchange, Operation, Reading
from harness.checkers.tables import REVERSIBLE
from harness.checkers.told import Known, Told, agrees, known, told
from harness.history.events import Event, HostLedger, LedgerEntry

RULE = "NET-01"
LIVE = frozenset({"approved", "voided", "adjusted", "completed"})  # what the host holds as having happened
STORING_NS = 3 * SECOND  # power lost so soon after an answer: what was stored of it is open


def occasions(reading: Reading) -> Iterator[tuple[Operation, Trouble]]:
    """Operations that ask the host, and what was wrong with the wire meanwhile."""
    for operation in reading.outermost:
        if operation.name not in ONLINE_OPERATIONS or operation.invoked.via == "service":
            continue
        trouble = touched_by(reading, operation)
        if trouble is not None and not interrupted(reading, operation):
            yield operation, trouble


# -- the class of the outcome ------------------------------------------------------------------------------------------


@checker(RULE)
def ends_as_what_it_was(reading: Reading) -> Iterator[Finding]:
    """Approved, declined or unknown: told as what the wire says that the terminal can have known."""
    for operation, trouble in occasions(reading):
        if reading.power_lost_within(operation.t, operation.done + 1):
            continue
        by, said = known(reading, operation), told(operation)
        what = f"{operation.name} under {trouble.name}"
        if by is None:
            yield from _nothing_of_its_own(reading, operation, trouble, said)
        elif said is None:
            evidence: list[Event] = [trouble.began, operation.invoked, *by.exchange.events]
            yield Finding.undecided(RULE, f"{what}: how it ended was not seen", evidence, at=operation.invoked)
        elif agrees(said, by):
            evidence = [trouble.began, operation.invoked, said.completed, *_resting_on(by)]
            yield Finding.passed(RULE, f"{what}: {_words(by)}, and told so", evidence, at=operation.invoked)
        elif said.outcome == "unknown" and by.outcome == "declined" and said.code is None:
            evidence = [trouble.began, operation.invoked, said.completed, *by.exchange.events]
            reason = f"{what}: {_words(by)}; the terminal told no code"
            yield Finding.undecided(RULE, reason, evidence, at=operation.invoked)
        else:
            evidence = [trouble.began, operation.invoked, *by.exchange.events, said.completed]
            yield Finding.failed(RULE, f"{what}: {_words(by)}, and told as {said}", evidence, at=operation.invoked)


def _resting_on(by: Known) -> tuple[Event, ...]:
    """An unknown outcome rests on the request: whatever else came was no answer."""
    return (by.exchange.request,) if by.outcome == "unknown" else by.exchange.events


def _words(by: Known) -> str:
    exchange = by.exchange
    if by.outcome == "unknown":
        why = {
            "late": "its answer came too late", "bad_mac": "the MAC of its answer does not count",
            "mismatch": "what came answers something else",
        }.get(exchange.outcome, "no answer came")
        return f"{exchange.name} was sent, {why}"
    return f"{exchange.name} was {by.outcome} ({exchange.code})"


def _nothing_of_its_own(
    reading: Reading, operation: Operation, trouble: Trouble, said: Told | None
) -> Iterator[Finding]:
    """Nothing of its own was sent: then it must not end as approved, nor as declined where nothing was answered."""
    if said is None or own_exchanges(reading, operation):
        return
    sent = reading.exchanges_of(operation)
    what = f"{operation.name} under {trouble.name}: nothing of its own was sent"
    evidence: list[Event] = [trouble.began, operation.invoked, said.completed]
    codes = {e.code for e in sent if e.outcome == "answered"}
    if said.outcome == "approved" or (said.outcome == "declined" and said.code not in codes):
        yield Finding.failed(RULE, f"{what}, and told as {said}", evidence, at=operation.invoked)
    elif sent:
        evidence.append(sent[-1].request)
        yield Finding.passed(RULE, f"{what} ({sent[-1].name} was in its way), and told so", evidence)
    elif not any(c.opened for c in reading.connections_between(operation.t, operation.done + 1)):
        yield Finding.passed(RULE, f"{what}, and told so", evidence)


# -- the reversal ------------------------------------------------------------------------------------------------------


@checker(RULE)
def reversed_where_unknown(reading: Reading) -> Iterator[Finding]:
    """For each request that can be reversed: due where no answer to it counts, and nowhere else."""
    due_of = {due.original.request.seq: due for due in dues(reading)}
    for operation, trouble in occasions(reading):
        for original in own_exchanges(reading, operation):
            if original.transaction not in REVERSIBLE or may_drop(reading, original):
                continue
            due = due_of.get(original.request.seq)
            if due is not None:
                yield _delivered(reading, due, trouble)
            elif not _power_lost(reading, original):
                yield _none_follows(reading, original, trouble)


def _power_lost(reading: Reading, original: Exchange) -> bool:
    return reading.power_lost_within(original.t, (original.answered_at or original.t) + STORING_NS) is not None


def _delivered(reading: Reading, due: Due, trouble: Trouble) -> Finding:
    original = due.original
    what = f"{original.name} under {trouble.name}: its outcome is unknown"
    evidence: list[Event] = [trouble.began, original.request]
    if due.refused is not None:
        what, evidence = f"{original.name} under {trouble.name}: the card refused it", [*evidence, due.refused]
    if due.breach is not None:
        reason = f"{what}, and the {due.breach.name} was sent before its reversal was delivered"
        noted = recorded_deletion(reading, due)
        tried = sum(r.t < due.breach.t for r in due.sent)
        if noted is not None and tried >= reading.profile.reversal_attempts:
            told_so = f"{reason}; a slip records that it was given up, which the profile allows"
            return Finding.undecided(RULE, told_so, [*evidence, noted, due.breach.request])
        return Finding.failed(RULE, reason, [*evidence, due.breach.request])
    altered = due.altered()
    if altered is not None:
        return Finding.failed(RULE, f"{what}, and its reversal has {altered[1]}", [*evidence, altered[0].request])
    if due.delivered is None:
        return Finding.undecided(RULE, f"{what}, and its reversal was still due at the end", evidence)
    return Finding.passed(RULE, f"{what}, and its reversal was delivered", [*evidence, *due.delivered.events])


def _none_follows(reading: Reading, original: Exchange, trouble: Trouble) -> Finding:
    how = f"{'approved' if original.approved(reading.profile) else 'declined'} ({original.code})"
    what = f"{original.name} under {trouble.name} was {how}"
    evidence: list[Event] = [trouble.began, *original.events]
    for other in later_with_its_trace(reading, original):
        if other.mti == "0400":
            return Finding.failed(RULE, f"{what}, and a reversal of it was sent", [*evidence, other.request])
        if other.financial:
            break  # the number is in use again: reversals from here on are of that one
    witness = next((e for e in later(reading, original) if e.asks or e.mti == "0500"), None)
    if witness is None:
        return Finding.undecided(RULE, f"{what}; nothing followed that a reversal would have preceded", evidence)
    return Finding.passed(RULE, f"{what}; the {witness.name} followed, and no reversal", [*evidence, witness.request])


# -- the books ---------------------------------------------------------------------------------------------------------


@checker(RULE)
def charged_once(reading: Reading) -> Iterator[Finding]:
    """One operation, at most one booking that stands: by the next reading of the host's books."""
    for operation, trouble in occasions(reading):
        if operation.name not in FINANCIAL_OPERATIONS:
            continue
        own = [e for e in own_exchanges(reading, operation) if e.asks and e.transaction != "balance"]
        if not own or any(falsified(reading, e) for e in own):
            continue
        sent = [*own, *_sent_again(reading, operation, own[-1])]
        what = f"{operation.name} under {trouble.name}"
        evidence: list[Event] = [trouble.began, *(e.request for e in sent)]
        settled = [e.answered_at or e.t for e in _reversals(reading, sent) if e.outcome == "answered"]
        ledger = _books_after(reading, own[0], max([operation.done, *(e.t for e in sent), *settled]))
        if ledger is None:
            yield Finding.undecided(RULE, f"{what}: the host's books were not read afterwards", evidence)
            continue
        standing = _standing(reading, ledger, sent)
        evidence.append(ledger)
        if len(standing) > 1:
            booked = ", ".join(f"{e.trace}: {e.amount / 100:.2f}" for e in standing)
            yield Finding.failed(RULE, f"{what}: the host has booked it {len(standing)} times ({booked})", evidence)
        else:
            yield Finding.passed(RULE, f"{what}: the host's books hold it {_times(len(standing))}", evidence)


def _times(count: int) -> str:
    return "once" if count else "not at all"


def _sent_again(reading: Reading, operation: Operation, last: Exchange) -> list[Exchange]:
    """The same purchase, asked for once more by the terminal on its own account."""
    until, bought = _next_alike(reading, operation), _purchase(last)
    following = itertools.takewhile(lambda e: e.t < until, later(reading, last))
    return [e for e in following if e.asks and _purchase(e) == bought and reading.attended_by(e) is None]


def _next_alike(reading: Reading, operation: Operation) -> int:
    """When somebody did the same kind of thing again, which may look the same (ns)."""
    again = (o.t for o in reading.operations_after(operation.t) if o.name == operation.name)
    return next(again, reading.end + 1)


def _purchase(e: Exchange) -> tuple[str, int | None, str, str]:
    return e.transaction, e.amount, e.sent.get(2), e.sent.get(35)


def _reversals(reading: Reading, sent: list[Exchange]) -> Iterator[Exchange]:
    for original in sent:
        for other in later_with_its_trace(reading, original):
            if other.mti == "0400":
                yield other
            elif other.financial:
                break


def _books_after(reading: Reading, original: Exchange, since: int) -> HostLedger | None:
    ledger = reading.after_moment(HostLedger, since)
    while ledger is not None and (ledger.mid, ledger.tid) != (original.mid, original.tid):
        ledger = reading.after_moment(HostLedger, ledger.t)
    return ledger


def _standing(reading: Reading, ledger: HostLedger, sent: list[Exchange]) -> list[LedgerEntry]:
    """The entries of these requests that are not reversed. A batch and trace number may come again: the reference
    number, which the host's journal has, tells whose an entry is."""
    records = {(e.batch, e.trace, e.amount) for e in sent}
    references = set(_references(reading, sent, min([ledger.t, *_number_again(reading, sent)])))
    return [
        e for e in ledger.entries
        if (e.batch, e.trace, e.amount) in records and e.rrn in references and e.state in LIVE
    ]  # fmt: skip


def _references(reading: Reading, sent: list[Exchange], until: int) -> Iterator[str]:
    """F37 of what the host decided on these requests, whether or not it got through."""
    for e in sent:
        for line in lines_for(reading, e):
            frame = decoded(line.hex)
            if e.t <= line.t < until and frame is not None and frame.batch in ("", e.batch):
                yield frame.get(37)


def _number_again(reading: Reading, sent: list[Exchange]) -> Iterator[int]:
    """When the numbers of these requests were in use for others (ns)."""
    seqs = {e.request.seq for e in sent}
    for e in sent:
        again = (o.t for o in later_with_its_trace(reading, e) if o.financial and o.request.seq not in seqs)
        yield next(again, END)
