"""MON-07: after recovery and settlement books, upload and slips agree."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Set
from dataclasses import dataclass

from harness.checkers.batches import STORING_S, Period, Record, periods, record, replaced_trace, result_of, voided_trace
from harness.checkers.disturbances import broken_between
from harness.checkers.faults import falsified, first_falsified
from harness.checkers.finding import Finding, checker
from harness.checkers.money_batch import Upload, listed, upload_of
from harness.checkers.reading import SECOND, Exchange, Reading
from harness.checkers.shown import contains_any
from harness.checkers.surroundings import outside_of_range
from harness.checkers.tables import KINDS, REVERSIBLE, STORED
from harness.history.events import Event, FaultStruck, HostLedger, LedgerEntry, Slip

NOT_BALANCED = 2
PRINTS = frozenset({"printer", "paper"})
REVERSAL = "冲正"  # what a slip is headed with that records one
_GAP = r"[^0-9\n]{0,24}\n?[^0-9\n]{0,8}"
_BATCH = re.compile(rf"(?:批次号|批号|BATCH){_GAP}(\d{{6}})(?!\d)")
_TERMINAL = re.compile(rf"(?:终端号|终端编号|TERMINAL|TID){_GAP}([0-9A-Z]{{8}})(?![0-9A-Z])")
_TRACE = re.compile(rf"(?<!原)(?:凭证号|流水号|票据号|VOUCHER|TRACE){_GAP}(\d{{6}})(?!\d)")
_TOTAL = re.compile(rf"(?:总计|合计|总额|总金额|TOTAL){_GAP}(\d[\d,]*\.\d{{2}})(?!\d)")  # with a tip
_AMOUNT = re.compile(rf"(?<!原)(?:金额|AMOUNT){_GAP}(\d[\d,]*\.\d{{2}})(?!\d)")


@dataclass(frozen=True)
class SlipRecord:
    """What a transaction slip says: batch ("" where it has none), trace, amount in cents, terminal ("" where it has
    none)."""

    slip: Slip
    batch: str
    trace: str
    amount: int
    tid: str = ""

    @property
    def of(self) -> tuple[str, str, str, int]:
        """Which transaction."""
        return (self.tid, self.batch, self.trace, self.amount)


def read_slip(slip: Slip) -> SlipRecord | None:
    """None: no slip of one transaction (no trace number or no amount on it)."""
    text = unicodedata.normalize("NFKC", "\n".join(slip.lines)).upper()
    trace, batch = _TRACE.search(text), _BATCH.search(text)
    amount = _TOTAL.search(text) or _AMOUNT.search(text)
    if trace is None or amount is None:
        return None
    cents = int(re.sub(r"\D", "", amount.group(1)))
    terminal = _TERMINAL.search(text)
    return SlipRecord(
        slip, batch.group(1) if batch else "", trace.group(1), cents, terminal.group(1) if terminal else ""
    )


@checker("MON-07")
def reconciled(reading: Reading) -> Iterator[Finding]:
    """Every batch in which 97 came, and which was uploaded as a whole because the host said that totals differ."""
    for period in periods(reading):
        upload = upload_of(reading, period)
        if upload is None:
            continue
        settlement = next(
            (s for s in reversed(period.settlements) if s.t < upload.end.t and result_of(s) == NOT_BALANCED), None
        )
        start = _start(reading, period)
        first = next(
            (
                e
                for e in reading.definite_97s
                if start <= e.t < upload.end.t and (e.mid, e.tid) == (period.mid, period.tid)
            ),
            None,
        )
        if settlement is not None and first is not None:
            yield _reconciled(reading, upload, settlement, first, start)


def _start(reading: Reading, period: Period) -> int:
    """The end of the terminal's batch before, or its unit's first moment on the bench."""
    ends = [e.t for e in reading.fresh_units if e.t <= period.begun]
    for other in periods(reading):
        closed = other.closed.t if other.closed else None
        if (other.mid, other.tid) == (period.mid, period.tid) and closed is not None and closed < period.begun:
            ends.append(closed)
    return max(ends, default=0)


def _reconciled(reading: Reading, upload: Upload, settlement: Exchange, first: Exchange, start: int) -> Finding:
    period, end = upload.period, upload.end
    evidence: list[Event] = [*first.events, *settlement.events, *upload.events]
    closed_at = end.answered_at or end.t

    def undecided(reason: str, *more: Event) -> Finding:
        return Finding.undecided("MON-07", f"batch {period.batch}: {reason}", [*evidence, *more], at=end.request)

    ledger = next((x for x in reading.ledgers if x.t >= closed_at and (x.mid, x.tid) == (period.mid, period.tid)), None)
    if ledger is None:
        return undecided("the host's books were not read after it was closed")
    if upload.records is None:
        return undecided("an upload request can't be read")
    strike = first_falsified(reading, (*period.settlements, *period.uploads, *period.ends))
    if strike is not None:
        return undecided("the bench itself has falsified a message of its settlement", strike)
    if period.unknown:
        reason = "a transaction of a kind was approved that this version does not know"
        return undecided(reason, period.unknown[0].request)
    mine, unseen = _entries(reading, period, ledger)
    if not reading.begins_with_the_log:  # of the number's earlier batches only the books tell; what matters is uploaded
        unseen &= set(upload.records)
    if unseen:
        return undecided(f"the host has booked what the wire did not show: {listed(unseen)}", ledger)
    evidence += [ledger, *(e.request for e in period.originals if record(e) in {(m.trace, m.amount) for m in mine})]
    if upload.twice:
        reason = f"batch {period.batch}: uploaded twice: {', '.join(upload.twice)}"
        return Finding.failed("MON-07", reason, evidence, at=end.request)
    strange = sorted({e.kind for e in mine} - set(KINDS))
    if strange:
        return undecided(f"the host has booked kinds that this version does not know: {', '.join(strange)}", ledger)
    aside = _falsified(reading, period)
    evidence += aside.values()
    books = _Books.of([e for e in mine if (e.trace, e.amount) not in aside])
    taken = set(upload.records) - books.replaced - set(aside)
    unanswered = _unanswered(period) & (books.full - taken)
    if unanswered and taken in (books.full - unanswered, books.net - unanswered):
        told = "whose answer the terminal never had; what is never reversed has to be settled by hand"
        return undecided(f"the host has booked {listed(unanswered)}, {told}", ledger)
    if taken not in (books.full, books.net):
        expected = books.full if taken & (books.full - books.net) else books.net
        reason = f"batch {period.batch}: {_difference('the upload', taken, 'the books', expected)}"
        return Finding.failed("MON-07", reason, evidence, at=end.request)
    return _with_slips(reading, upload, evidence, books, start, set(aside))


def _falsified(reading: Reading, period: Period) -> dict[Record, FaultStruck]:
    """What the bench itself has falsified: of these the host and the terminal were told different things, and neither
    need have what the other has."""
    reversals = {e.trace: strike for e in period.reversals if (strike := falsified(reading, e))}
    struck = [(e, falsified(reading, e) or reversals.get(e.trace)) for e in period.originals]
    found = {record(e): strike for e, strike in struck if strike is not None}
    for e, strike in struck:  # and what a void or an adjustment of these names
        named = voided_trace(e) or replaced_trace(e)
        its = (o for o in period.originals if strike is not None and o.trace == named)
        found.update((record(o), strike) for o in its if strike is not None)
    return found


@dataclass(frozen=True)
class _Books:
    """What the host holds of one batch. ``full`` what must be uploaded and ``net`` the same without voided pairs;
    ``replaced`` what was adjusted (it may be listed or not); ``authorised`` what moves no money; ``reversed``."""

    full: frozenset[Record]
    net: frozenset[Record]
    replaced: frozenset[Record]
    authorised: frozenset[Record]
    reversed: frozenset[Record]

    @classmethod
    def of(cls, entries: list[LedgerEntry]) -> _Books:
        def those(*states: str, in_batch: bool = True, voids: bool = True) -> frozenset[Record]:
            return frozenset(
                (e.trace, e.amount) for e in entries
                if e.state in states and KINDS[e.kind].in_batch == in_batch and (voids or not _is_void(e.kind))
            )  # fmt: skip

        return cls(
            those("approved", "voided"), those("approved", voids=False), those("adjusted"),
            those("approved", "voided", "adjusted", "completed", in_batch=False),
            frozenset((e.trace, e.amount) for e in entries if e.state == "reversed"),
        )  # fmt: skip


def _is_void(kind: str) -> bool:
    return KINDS[kind].side == "credit" and KINDS[kind].names == "trace"


def _entries(reading: Reading, period: Period, ledger: HostLedger) -> tuple[list[LedgerEntry], set[Record]]:
    """The entries of this batch, and those of its number which no request on the wire explains.

    What the books held before its first request is of an earlier batch with this number: another unit begins its trace
    numbers anew.
    """
    own = {record(e) for e in period.originals}
    others = {record(e) for p in periods(reading) if p is not period and p.batch == period.batch for e in p.originals}
    earlier = [x for x in reading.ledgers if x.t < period.begun and (x.mid, x.tid) == (period.mid, period.tid)]
    known = {e.rrn for x in earlier for e in x.entries}
    entries = [e for e in ledger.entries if e.batch == period.batch and e.rrn not in known]
    mine = [e for e in entries if (e.trace, e.amount) in own]
    return mine, {(e.trace, e.amount) for e in entries} - own - others


def _with_slips(
    reading: Reading, upload: Upload, evidence: list[Event], books: _Books, start: int, aside: set[Record]
) -> Finding:
    period, end = upload.period, upload.end
    if not reading.offers("slip"):
        reason = f"batch {period.batch}: books and upload agree; the model shows no slips"
        return Finding.undecided("MON-07", reason, evidence, at=end.request)
    booked, printed = books.full | books.authorised, dict[Record, Slip]()
    for slip in reading.slips_between(start, end.t):
        said = read_slip(slip)
        if slip.unreadable:
            reason = f"batch {period.batch}: {slip.unreadable} cells of a slip can't be read"
            return Finding.undecided("MON-07", reason, [*evidence, slip], at=end.request)
        if said is None or said.batch not in ("", period.batch) or _no_sale(reading, slip, period):
            continue
        if said.tid not in ("", period.tid):  # of another merchant that shares the terminal
            continue
        if _of_before(reading, slip, start, booked) or _of_another_batch(reading, said, period, booked):
            continue
        if (said.trace, said.amount) not in aside:
            printed.setdefault((said.trace, said.amount), slip)
    evidence = [*evidence, *(slip for told, slip in printed.items() if told in booked or told not in _known(books))]
    allowed = booked | books.reversed | books.replaced | _refused(period)
    cut = booked - set(printed)
    kept = {one: why for one, why in _kept(reading, period, start).items() if one in cut}
    if cut and cut <= _power_lost(reading, period, start) | set(kept) and set(printed) <= allowed:
        why = f"power was lost before the slips of {listed(cut)} can have been printed"
        if kept:
            why = f"the terminal could not print, and may have kept the slips of {listed(kept)}"
        reason = f"batch {period.batch}: {why}"
        return Finding.undecided("MON-07", reason, [*evidence, *kept.values()], at=end.request)
    if cut or not set(printed) <= allowed:
        told = _difference("the slips", set(printed) - (allowed - booked), "the books", booked)
        return Finding.failed("MON-07", f"batch {period.batch}: {told}", evidence, at=end.request)
    reason = f"batch {period.batch}: books, upload and slips agree on {len(booked)} transactions"
    if aside:
        reason += f"; left aside what the bench itself has falsified: {listed(aside)}"
    return Finding.passed("MON-07", reason, evidence, at=end.request)


def _of_before(reading: Reading, slip: Slip, start: int, booked: Set[Record]) -> bool:
    """Printed again, of a transaction whose slip was there before the period: batches may have the same number. A log
    that shows no slip before this one (that of one test) does not show what the last one was; it is of this period
    where the books have it (a printer that was broken at first)."""
    operation, said = reading.operation_at(slip.t), read_slip(slip)
    if said is None or operation is None or operation.name != "reprint":
        return False
    if not reading.slips_between(0, slip.t):
        return (said.trace, said.amount) not in booked
    earlier = (read_slip(one) for one in reading.slips_between(0, start))
    return any(one is not None and one.of == said.of for one in earlier)


def _of_another_batch(reading: Reading, said: SlipRecord, period: Period, booked: Set[Record]) -> bool:
    """A slip that the terminal had kept: of what the host had approved in the unit's earlier batch of that number."""
    told, unit = (said.trace, said.amount), reading.unit_at(period.begun)
    earlier = (
        p for p in periods(reading)
        if p.begun < period.begun and (p.mid, p.tid) == (period.mid, period.tid) and said.batch in ("", p.batch)
        and reading.unit_at(p.begun) == unit
    )  # fmt: skip
    return told not in booked and any(
        record(e) == told and e.approved(reading.profile) for p in earlier for e in p.originals
    )


def _known(books: _Books) -> frozenset[Record]:
    return books.reversed | books.replaced


def _refused(period: Period) -> set[Record]:
    """Accepted offline, with a slip, and not taken by the host: MON-04 tells of them."""
    taken = {e.trace for e in period.accepted}
    return {record(e) for e in period.originals if e.transaction in STORED and e.trace not in taken}


def _unanswered(period: Period) -> set[Record]:
    """Refunds and the like, which a terminal does not reverse, without an answer that it can have taken as one: whether
    the host has booked them it can't know."""
    return {
        record(e) for e in period.originals
        if e.outcome != "answered" and e.transaction not in REVERSIBLE | STORED
    }  # fmt: skip


def _power_lost(reading: Reading, period: Period, start: int) -> set[Record]:
    """Approved, and power went so soon that nothing may have been printed."""
    return {
        record(e) for e in period.originals
        if any(reading.power_lost_within(since, until) is not None for since, until in _printing(reading, e, start))
    }  # fmt: skip


def _kept(reading: Reading, period: Period, start: int) -> dict[Record, Event]:
    """Approved, and there was no paper, or the printer could not print: the slip comes when somebody prints it again.
    With what tells it."""
    found: dict[Record, Event] = {}
    for e in period.originals:
        for since, until in _printing(reading, e, start):
            part = next((one for one in broken_between(reading, since, until) if one.part in PRINTS), None)
            outside = outside_of_range(reading, since, until)
            why = part.began if part else outside.event if outside else None
            if why is not None:
                found[record(e)] = why
    return found


def _printing(reading: Reading, e: Exchange, start: int) -> Iterator[tuple[int, int]]:
    """When its slip is due: from its approval to the end of its operation, in which a customer may have to sign first;
    of what was accepted offline in the operation that made it."""
    if e.transaction in STORED:
        yield from ((o.t, o.done) for o in reading.operations if o.name == e.transaction and start <= o.t <= e.t)
    elif e.answered_at is not None:
        operation, soon = reading.attended_by(e), e.answered_at + int(STORING_S * SECOND)
        yield e.answered_at, max(soon, operation.done) if operation else soon


def _no_sale(reading: Reading, slip: Slip, period: Period) -> bool:
    """It says declined, records a reversal that was given up, or is another merchant's on the same terminal."""
    if contains_any(slip.lines, (*reading.profile.texts.declined, REVERSAL)):
        return True
    others = {tid for mid, tid in _identities(reading) if (mid, tid) != (period.mid, period.tid)}
    return bool(contains_any(slip.lines, others)) and not contains_any(slip.lines, (period.tid,))


def _identities(reading: Reading) -> set[tuple[str, str]]:
    return {(p.mid, p.tid) for p in periods(reading)} if reading.model.identities > 1 else set()


def _difference(one: str, left: Set[Record], other: str, right: Set[Record]) -> str:
    parts = []
    if left - right:
        parts.append(f"{one} have or list {listed(left - right)}, which {other} have not")
    if right - left:
        parts.append(f"{other} have {listed(right - left)}, which {one} lack")
    return "; ".join(parts)
