"""The batch as a whole: an upload cut by 97 (MON-06), and approvals that a 97 on a follow-up undoes (MON-11). Books,
upload and slips that agree: ``money_books``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.checkers.batches import (
    STORING_S,
    Period,
    Record,
    counting,
    frames,
    later,
    matching_batch,
    period_of,
    periods,
    possible_batches,
    record,
    records_of,
    replaced_trace,
    result_of,
    telling,
    totals,
    totals_of,
    voided_trace,
    voids,
)
from harness.checkers.exchanges import FINANCIAL_REQUESTS
from harness.checkers.faults import first_falsified
from harness.checkers.finding import Finding, checker
from harness.checkers.reading import SECOND, Exchange, Reading
from harness.checkers.tables import FOLLOW_UPS, KINDS, UNKNOWN
from harness.history.events import Event
from harness.protocol.frames import FrameError
from harness.protocol.nested import Original

BALANCED = 1
MOST_LISTED = 8


def listed(records: Iterable[Record]) -> str:
    """Records for people: "000012 (10.00), 000013 (11.00)"; of many the first ones."""
    whole = [f"{trace} ({amount / 100:.2f})" for trace, amount in sorted(records)]
    more = f" and {len(whole) - MOST_LISTED} more" if len(whole) > MOST_LISTED else ""
    return ", ".join(whole[:MOST_LISTED]) + more


@dataclass(frozen=True)
class Upload:
    """A batch upload that came to its end: what the host took, and from which requests.

    ``balanced``: of a batch that balances only chip data are uploaded. ``twice``: trace numbers which the host took
    more than once under one network code (60.3), but for what it took just before power was lost.
    """

    period: Period
    requests: tuple[Exchange, ...]
    end: Exchange
    records: tuple[Record, ...] | None  # None: a request can't be read
    balanced: bool = False
    twice: tuple[str, ...] = ()

    @property
    def events(self) -> list[Event]:
        return [*frames(self.requests), *self.end.events]


def upload_of(reading: Reading, period: Period) -> Upload | None:
    """None: no batch end was accepted."""
    if period.closed is None or period.closed.transaction != "batch_end":
        return None
    requests = tuple(period.accepted_uploads(reading))
    lists = [records_of(e) for e in requests]
    unreadable = any(one is None for one in lists)
    records = None if unreadable else tuple(dict.fromkeys(r for one in lists for r in one or ()))
    balanced = _balances(reading, period, period.closed.t)
    return Upload(period, requests, period.closed, records, balanced, _twice(reading, requests))


def _twice(reading: Reading, requests: Iterable[Exchange]) -> tuple[str, ...]:
    """What the host took again although the terminal can have noted that it had taken it."""
    last: dict[tuple[str, str], Exchange] = {}
    again: set[str] = set()
    for exchange in sorted(requests, key=lambda e: e.t):
        for trace, _ in records_of(exchange) or ():
            before = last.get((exchange.network_code, trace))
            if before is not None and not _lost_power_between(reading, before, exchange):
                again.add(trace)
            last[exchange.network_code, trace] = exchange
    return tuple(sorted(again))


def _lost_power_between(reading: Reading, first: Exchange, repeat: Exchange) -> bool:
    """Before the repeat, and so soon after the first one's answer that the terminal may not have noted it."""
    answered = first.answered_at
    if answered is None:
        return False
    until = min(answered + int(STORING_S * SECOND), repeat.t)
    return reading.power_lost_within(answered, until) is not None


def _balances(reading: Reading, period: Period, until: int) -> bool:
    """The last settlement before ``until`` that the host took was answered "balanced"."""
    answered = [s for s in period.settlements if s.t < until and s.approved(reading.profile)]
    return bool(answered) and result_of(answered[-1]) == BALANCED


def _cuts(reading: Reading) -> Iterator[tuple[Exchange, Period]]:
    """Requests of a batch upload that were answered by a definite 97, and the batch they belong to."""
    for cut in reading.definite_97s:
        period = period_of(reading, cut) if cut.mti == "0320" else None
        if period is None:
            continue
        if cut.transaction == "batch_end" and _balances(reading, period, cut.t):
            continue  # nothing is uploaded any more
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
    """What an upload lacks. A voided sale and its void are both listed, or both left out; what was adjusted may be."""
    listed_ones = counting(batch)
    gone = {trace for e in listed_ones if (trace := voided_trace(e))}
    full = {record(e) for e in listed_ones}
    net = {record(e) for e in listed_ones if e.trace not in gone and not voids(e)}
    return (full if taken & (full - net) else net) - taken


# -- MON-06, MON-11 ----------------------------------------------------------------------------------------------------


@checker("MON-06")
def cut_upload_goes_on(reading: Reading) -> Iterator[Finding]:
    for cut, period in _cuts(reading):
        upload = upload_of(reading, period)
        strike = first_falsified(reading, (*period.settlements, *period.uploads, *period.ends))
        if strike is not None:
            reason = f"the bench itself has falsified a message of the settlement of batch {period.batch}"
            yield Finding.undecided("MON-06", reason, (*cut.events, strike))
            continue
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
    if upload.balanced:
        return _chip_data_whole(upload, cut, evidence)
    if not batches or not batches[0]:
        known = "shows no approved transaction" if batches else "shows a kind of transaction that is not known"
        reason = f"the log {known} of batch {period.batch}: nothing tells what must be uploaded"
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
    return Finding.passed("MON-06", reason, (*evidence, *telling(reading, batches[best])), at=cut.request)


def _chip_data_whole(upload: Upload, cut: Exchange, evidence: list[Event]) -> Finding:
    """Of a batch that balances: what it began to upload the host has in the end."""
    tried = {r for e in upload.period.uploads for r in records_of(e) or ()}
    lacking = tried - set(upload.records or ())
    name = f"the upload of chip data of batch {upload.period.batch}, cut by 97,"
    if lacking:
        return Finding.failed("MON-06", f"{name} ended without {listed(lacking)}", evidence, at=cut.request)
    reason = f"{name} ended with all {len(tried)} records, each once"
    return Finding.passed("MON-06", reason, evidence, at=cut.request)


def _unexplained(upload: Upload, records: set[Record]) -> str:
    """MON-01 and MON-07 judge what should not be there; here it only shows that the log does not tell everything."""
    return f"the upload of batch {upload.period.batch} also lists {listed(records)}, not seen approved on the wire"


@checker("MON-11")
def approvals_outlive_the_97(reading: Reading) -> Iterator[Finding]:
    for cut, period in _cuts(reading):
        batch = next(reversed(possible_batches(reading, period, cut.t)), [])
        reversed_ = next(
            (r for e in batch for r in period.reversals if r.t > cut.t and r.trace == e.trace), None
        )
        if reversed_ is not None:
            reason = f"a 97 on the batch upload was followed by a reversal of the approved trace {reversed_.trace}"
            yield Finding.failed("MON-11", reason, (*cut.events, reversed_.request))
            continue
        upload = upload_of(reading, period)
        if upload is None:
            yield _unfinished(reading, "MON-11", cut, period)
        elif upload.balanced:
            yield _totals_kept(reading, cut, period, batch, "the upload of chip data")
        else:
            yield _kept(reading, cut, upload, batch)


def _kept(reading: Reading, cut: Exchange, upload: Upload, batch: list[Exchange]) -> Finding:
    """``batch``: what was there before the cut. What was voided after it, or adjusted, may be left out."""
    at_end, taken = possible_batches(reading, upload.period, upload.end.t), set(upload.records or ())
    if upload.records is None or not batch or not at_end:
        reason = f"nothing tells what the upload of batch {upload.period.batch} must hold"
        return Finding.undecided("MON-11", reason, (*cut.events, *upload.events))
    lacking = min((_lost(batch, one, taken) for one in at_end), key=len)
    left_out = {e.trace for e in batch if record(e) not in taken}
    since = [e.request for e in at_end[0] if e.t > cut.t and (voided_trace(e) or replaced_trace(e)) in left_out]
    there = [e for e in batch if record(e) in taken | lacking]
    evidence = (*cut.events, *upload.events, *telling(reading, there), *since)
    if lacking:
        reason = f"approved before a 97 on the batch upload, and not in it when it ended: {listed(lacking)}"
        return Finding.failed("MON-11", reason, evidence, at=cut.request)
    approved = {record(e) for e in upload.period.approved(upload.end.t)}
    unexplained = set(upload.records or ()) - approved
    if unexplained:
        return Finding.undecided("MON-11", _unexplained(upload, unexplained), evidence, at=cut.request)
    reason = f"what was approved before a 97 on the upload of batch {upload.period.batch} was all delivered after it"
    return Finding.passed("MON-11", reason, evidence, at=cut.request)


def _lost(before: list[Exchange], at_end: list[Exchange], taken: set[Record]) -> set[Record]:
    """What stood in the batch before, or has taken the place of something that did, and is not in the upload."""
    missing, traces = _missing(at_end, taken), {e.trace for e in before if e.trace}
    return {record(e) for e in at_end if record(e) in missing and {e.trace, replaced_trace(e)} & traces}


@checker("MON-11")
def follow_ups_undo_nothing(reading: Reading) -> Iterator[Finding]:
    """A 97 on a script notice or a signature: what it follows stays approved. One on a message that is neither money
    nor known otherwise: nobody can say what it follows."""
    for cut in reading.definite_97s:
        if cut.transaction in FOLLOW_UPS:
            yield _follow_up(reading, cut)
        elif cut.transaction == UNKNOWN and cut.mti not in FINANCIAL_REQUESTS and cut.mti != "0400":
            reason = f"97 to a {cut.mti} of a kind that this version does not know: what it follows can't be told"
            yield Finding.undecided("MON-11", reason, cut.events)


def _follow_up(reading: Reading, cut: Exchange) -> Finding:
    trace = _followed(cut)
    what = f"a 97 on the {cut.transaction} of trace {trace or '(none)'}"
    unit = reading.unit_at(cut.t)
    approvals = (
        e for period in periods(reading) for e in period.originals
        if e.trace == trace and (e.mid, e.tid) == (cut.mid, cut.tid) and e.t < cut.t and e.approved(reading.profile)
        and reading.unit_at(e.t) == unit
    )  # fmt: skip
    original = max(approvals, key=lambda e: e.t, default=None)
    if original is None:
        return Finding.undecided("MON-11", f"{what}: the log shows no approval under it", cut.events)
    for other in later(reading, cut):
        if other.mti == "0400" and other.trace == trace:
            reason = f"{what} was followed by a reversal of what it follows"
            return Finding.failed("MON-11", reason, (*original.events, *cut.events, other.request))
        if other.financial and other.trace == trace:
            break  # the number is in use again
    period = period_of(reading, original)
    kind = KINDS.get(original.transaction)
    if period is None or kind is None or not kind.in_batch:
        following = next((e for e in later(reading, cut) if e.financial or e.mti == "0500"), None)
        if following is None:
            reason = f"{what}: nothing followed that a reversal would have preceded"
            return Finding.undecided("MON-11", reason, cut.events)
        reason = f"{what} undid nothing: the {following.name} followed, and no reversal"
        return Finding.passed("MON-11", reason, (*original.events, *cut.events, following.request))
    return _totals_kept(reading, cut, period, [original], what)


def _followed(cut: Exchange) -> str | None:
    """The trace number of the transaction that a follow-up belongs to."""
    if cut.transaction == "signature_upload":
        return cut.trace
    try:
        return Original.of(cut.sent).trace
    except FrameError:
        return None


def _totals_kept(reading: Reading, cut: Exchange, period: Period, kept: list[Exchange], what: str) -> Finding:
    """``kept`` (approved before the cut) counts in the next settlement; for a cut inside one, in the last before it."""
    of_all = [s for s in period.settlements if all(s.t > e.t for e in kept)]
    settlement = next((s for s in of_all if s.t > cut.t), of_all[-1] if of_all else None)
    evidence = [*cut.events, *frames(kept)]
    claimed = totals_of(settlement) if settlement is not None else None
    if settlement is None or claimed is None:
        reason = f"{what}: no settlement of batch {period.batch} followed that shows what it holds"
        return Finding.undecided("MON-11", reason, evidence)
    batch = matching_batch(reading, period, settlement.t, claimed)
    if batch is not None and all(e in batch for e in kept):
        reason = f"{what} undid nothing: the settlement of batch {period.batch} claims what was approved"
        evidence += [settlement.request, *telling(reading, batch)]
        return Finding.passed("MON-11", reason, evidence, at=cut.request)
    gone = {e.trace for e in kept}
    for others in possible_batches(reading, period, settlement.t):
        if claimed == totals(reading, [e for e in others if e.trace not in gone]):
            reason = f"{what}: the settlement of batch {period.batch} claims no more what it follows"
            return Finding.failed("MON-11", reason, [*evidence, settlement.request], at=cut.request)
    reason = f"{what}: what the settlement of batch {period.batch} claims is not what the wire shows as approved"
    return Finding.undecided("MON-11", reason, [*evidence, settlement.request], at=cut.request)
