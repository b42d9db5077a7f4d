"""The batch as a whole: an upload cut by 97 (MON-06, MON-11), and books, upload and slips that agree (MON-07)."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.checkers.batches import (
    Period,
    Record,
    frames,
    later,
    period_of,
    periods,
    possible_batches,
    record,
    records_of,
    result_of,
    voided_trace,
)
from harness.checkers.finding import Finding, checker
from harness.checkers.reading import Exchange, Reading
from harness.checkers.shown import contains_any
from harness.history.events import Event, HostLedger, LedgerEntry, Slip, UnitReplaced

BALANCED, NOT_BALANCED = 1, 2
MOST_LISTED = 8


def listed(records: Iterable[Record]) -> str:
    """Records for people: "000012 (10.00), 000013 (11.00)"; of many the first ones."""
    whole = [f"{trace} ({amount / 100:.2f})" for trace, amount in sorted(records)]
    more = f" and {len(whole) - MOST_LISTED} more" if len(whole) > MOST_LISTED else ""
    return ", ".join(whole[:MOST_LISTED]) + more


@dataclass(frozen=True)
class Upload:
    """A batch upload that came to its end: what the host took, and from which requests."""

    period: Period
    requests: tuple[Exchange, ...]
    end: Exchange
    records: tuple[Record, ...] | None  # None: a request can't be read

    @property
    def events(self) -> list[Event]:
        return [*frames(self.requests), *self.end.events]

    @property
    def twice(self) -> list[str]:
        """Trace numbers which the host took more than once."""
        return sorted(t for t, n in Counter(trace for trace, _ in self.records or ()).items() if n > 1)


def _upload_of(reading: Reading, period: Period) -> Upload | None:
    """None: no batch end was accepted."""
    if period.closed is None or period.closed.transaction != "batch_end":
        return None
    requests = tuple(period.accepted_uploads(reading))
    lists = [records_of(e) for e in requests]
    if any(one is None for one in lists):
        return Upload(period, requests, period.closed, None)
    return Upload(period, requests, period.closed, tuple(r for one in lists for r in one or ()))


def _cuts(reading: Reading) -> Iterator[tuple[Exchange, Period]]:
    """Requests of a batch upload that were answered by a definite 97, and the batch they belong to."""
    for cut in reading.definite_97s:
        period = period_of(reading, cut) if cut.mti == "0320" else None
        if period is None:
            continue
        answered = [s for s in period.settlements if s.t < cut.t and s.approved(reading.profile)]
        if answered and result_of(answered[-1]) == BALANCED:
            continue  # a balanced batch has an end, but no upload
        yield cut, period


def _unfinished(reading: Reading, rule: str, cut: Exchange, period: Period) -> Finding:
    """The upload never came to its end: FAIL where the terminal has gone on with another batch."""
    onward = next((e for e in later(reading, cut) if e.financial and e.batch != period.batch), None)
    if onward is not None:
        reason = f"the upload of batch {period.batch} was cut by 97 and never finished; batch {onward.batch} followed"
        return Finding.failed(rule, reason, (*cut.events, onward.request))
    reason = f"the upload of batch {period.batch} was cut by 97 and not finished when the log (or its unit) ended"
    return Finding.undecided(rule, reason, cut.events)


def _missing(batch: list[Exchange], taken: set[Record]) -> set[Record]:
    """What an upload lacks. A voided sale and its void are both listed, or both left out."""
    gone = {trace for e in batch if (trace := voided_trace(e))}
    full = {record(e) for e in batch}
    net = {record(e) for e in batch if e.trace not in gone and e.transaction != "void"}
    return (full if taken & (full - net) else net) - taken


# -- MON-06, MON-11 ----------------------------------------------------------------------------------------------------


@checker("MON-06")
def cut_upload_goes_on(reading: Reading) -> Iterator[Finding]:
    for cut, period in _cuts(reading):
        upload = _upload_of(reading, period)
        yield _whole(reading, cut, upload) if upload else _unfinished(reading, "MON-06", cut, period)


def _whole(reading: Reading, cut: Exchange, upload: Upload) -> Finding:
    period, evidence = upload.period, [*cut.events, *upload.events]
    batches = possible_batches(reading, period, upload.end.t)
    if upload.records is None:
        return Finding.undecided("MON-06", f"F48 of the upload of batch {period.batch} can't be read", evidence)
    if upload.twice:
        again = [e for e in upload.requests if {t for t, _ in records_of(e) or ()} & set(upload.twice)]
        reason = f"the upload of batch {period.batch}, cut by 97, listed twice: {', '.join(upload.twice)}"
        return Finding.failed("MON-06", reason, (*cut.events, *frames(again)))
    if not batches[0]:
        reason = f"the log shows no approved transaction of batch {period.batch}: nothing tells what must be uploaded"
        return Finding.undecided("MON-06", reason, evidence)
    taken = set(upload.records)
    lacking = [_missing(batch, taken) for batch in batches]
    best = min(range(len(batches)), key=lambda i: len(lacking[i]))
    if lacking[best]:
        absent = [e for e in batches[best] if record(e) in lacking[best]]
        reason = f"the upload of batch {period.batch}, cut by 97, ended without {listed(lacking[best])}"
        return Finding.failed("MON-06", reason, (*evidence, *frames(absent)), at=cut.request)
    unexplained = taken - {record(e) for e in batches[best]}
    if unexplained:
        return Finding.undecided("MON-06", _unexplained(upload, unexplained), evidence)
    reason = f"the upload of batch {period.batch}, cut by 97, ended with all {len(taken)} records, each once"
    return Finding.passed("MON-06", reason, (*evidence, *frames(batches[best])), at=cut.request)


def _unexplained(upload: Upload, records: set[Record]) -> str:
    """MON-01 and MON-07 judge what should not be there; here it only shows that the log does not tell everything."""
    return f"the upload of batch {upload.period.batch} also lists {listed(records)}, not seen approved on the wire"


@checker("MON-11")
def approvals_outlive_the_97(reading: Reading) -> Iterator[Finding]:
    for cut, period in _cuts(reading):
        batch = possible_batches(reading, period, cut.t)[-1]
        reversed_ = next(
            (r for e in batch for r in period.reversals if r.t > cut.t and r.trace == e.trace), None
        )
        if reversed_ is not None:
            reason = f"a 97 on the batch upload was followed by a reversal of the approved trace {reversed_.trace}"
            yield Finding.failed("MON-11", reason, (*cut.events, reversed_.request))
            continue
        upload = _upload_of(reading, period)
        if upload is None:
            yield _unfinished(reading, "MON-11", cut, period)
        elif upload.records is None or not batch:
            reason = f"nothing tells what the upload of batch {period.batch} must hold"
            yield Finding.undecided("MON-11", reason, (*cut.events, *upload.events))
        else:
            yield _kept(reading, cut, upload, batch)


def _kept(reading: Reading, cut: Exchange, upload: Upload, batch: list[Exchange]) -> Finding:
    lacking = _missing(batch, set(upload.records or ()))
    evidence = (*cut.events, *upload.events, *frames(batch))
    if lacking:
        reason = f"approved before a 97 on the batch upload, and not in it when it ended: {listed(lacking)}"
        return Finding.failed("MON-11", reason, evidence, at=cut.request)
    approved = {record(e) for e in upload.period.approved(upload.end.t)}
    unexplained = set(upload.records or ()) - approved
    if unexplained:
        return Finding.undecided("MON-11", _unexplained(upload, unexplained), evidence, at=cut.request)
    reason = f"what was approved before a 97 on the upload of batch {upload.period.batch} was all delivered after it"
    return Finding.passed("MON-11", reason, evidence, at=cut.request)


# -- MON-07 ------------------------------------------------------------------------------------------------------------

_GAP = r"[^0-9\n]{0,24}\n?[^0-9\n]{0,8}"
_BATCH = re.compile(rf"(?:批次号|批号|BATCH){_GAP}(\d{{6}})(?!\d)")
_TRACE = re.compile(rf"(?<!原)(?:凭证号|流水号|票据号|VOUCHER|TRACE){_GAP}(\d{{6}})(?!\d)")
_AMOUNT = re.compile(rf"(?:金额|AMOUNT){_GAP}(\d[\d,]*\.\d{{2}})(?!\d)")


@dataclass(frozen=True)
class SlipRecord:
    """What a transaction slip says: batch ("" where it has none), trace, amount in cents."""

    slip: Slip
    batch: str
    trace: str
    amount: int


def read_slip(slip: Slip) -> SlipRecord | None:
    """None: no slip of one transaction (no trace number or no amount on it)."""
    text = unicodedata.normalize("NFKC", "\n".join(slip.lines)).upper()
    trace, amount, batch = _TRACE.search(text), _AMOUNT.search(text), _BATCH.search(text)
    if trace is None or amount is None:
        return None
    cents = int(re.sub(r"\D", "", amount.group(1)))
    return SlipRecord(slip, batch.group(1) if batch else "", trace.group(1), cents)


@checker("MON-07")
def reconciled(reading: Reading) -> Iterator[Finding]:
    """Every batch in which 97 came, and which was uploaded as a whole because the host said that totals differ."""
    for period in periods(reading):
        upload = _upload_of(reading, period)
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
    ends = [e.t for e in reading.all(UnitReplaced) if e.t <= period.begun]
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
    mine, unseen = _entries(reading, period, ledger)
    if not reading.begins_with_the_log:  # of the number's earlier batches only the books tell; what matters is uploaded
        unseen &= set(upload.records)
    if unseen:
        return undecided(f"the host has booked what the wire did not show: {listed(unseen)}", ledger)
    evidence += [ledger, *(e.request for e in period.originals if record(e) in {(m.trace, m.amount) for m in mine})]
    if upload.twice:
        reason = f"batch {period.batch}: uploaded twice: {', '.join(upload.twice)}"
        return Finding.failed("MON-07", reason, evidence, at=end.request)
    full = {(e.trace, e.amount) for e in mine if e.state != "reversed"}
    net = {(e.trace, e.amount) for e in mine if e.state == "approved" and e.kind == "sale"}
    taken = set(upload.records)
    if taken not in (full, net):
        expected = full if taken & (full - net) else net
        reason = f"batch {period.batch}: {_difference('the upload', taken, 'the books', expected)}"
        return Finding.failed("MON-07", reason, evidence, at=end.request)
    return _with_slips(reading, upload, evidence, full, {(e.trace, e.amount) for e in mine} - full, start)


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
    reading: Reading, upload: Upload, evidence: list[Event], booked: set[Record], reversed_: set[Record], start: int
) -> Finding:
    period, end = upload.period, upload.end
    if not reading.offers("slip"):
        reason = f"batch {period.batch}: books and upload agree; the model shows no slips"
        return Finding.undecided("MON-07", reason, evidence, at=end.request)
    printed: dict[Record, Slip] = {}
    for slip in reading.slips_between(start, end.t):
        said = read_slip(slip)
        if slip.unreadable:
            reason = f"batch {period.batch}: {slip.unreadable} cells of a slip can't be read"
            return Finding.undecided("MON-07", reason, [*evidence, slip], at=end.request)
        if said is None or said.batch not in ("", period.batch) or _declined(reading, slip):
            continue
        printed.setdefault((said.trace, said.amount), slip)
    evidence = [*evidence, *printed.values()]
    if not booked <= set(printed) or not set(printed) <= booked | reversed_:
        told = _difference("the slips", set(printed), "the books", booked)
        return Finding.failed("MON-07", f"batch {period.batch}: {told}", evidence, at=end.request)
    reason = f"batch {period.batch}: books, upload and slips agree on {len(booked)} transactions"
    return Finding.passed("MON-07", reason, evidence, at=end.request)


def _declined(reading: Reading, slip: Slip) -> bool:
    return contains_any(slip.lines, reading.profile.texts.declined) is not None


def _difference(one: str, left: set[Record], other: str, right: set[Record]) -> str:
    parts = []
    if left - right:
        parts.append(f"{one} have or list {listed(left - right)}, which {other} have not")
    if right - left:
        parts.append(f"{other} have {listed(right - left)}, which {one} lack")
    return "; ".join(parts)
