"""What the wire says must be in a terminal's batch: originals, settlements, uploads, in periods from close to close.

A batch number alone does not name a batch: a host may start again at 000001. A :class:`Period` is one batch of one
terminal, from its first request until its end was accepted, another unit stood on the bench, or (with nothing stored in
it) the terminal went on with another number.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from harness.checkers.exchanges import let_go_before
from harness.checkers.reading import SECOND, Exchange, Reading
from harness.checkers.tables import KINDS, STORED
from harness.checkers.telling import says_approved
from harness.history.events import Cashier, Event, Power, Screen, Slip, UnitReplaced, WireFrame
from harness.protocol.frames import FrameError
from harness.protocol.nested import Original, batch_records, settlement_totals
from harness.protocol.profile import Profile

Record = tuple[str, int]  # trace, amount in cents
Sums = tuple[int, int, int, int]  # debit amount and count, credit amount and count
STORING_S = 3.0  # power lost so soon after an approval: whether it was stored is open
MAX_DOUBTS = 6
REFUSED_BY_CARD = "204"  # 60.3


@dataclass(eq=False)
class Period:
    """One batch. ``closed`` is the accepted request that closed it; None: still open, or its unit was taken away."""

    mid: str
    tid: str
    batch: str
    originals: list[Exchange] = field(default_factory=list)  # 0100, 0200, 0220, balance inquiries left out
    accepted: list[Exchange] = field(default_factory=list)  # of these what stands in a batch, approved; reversed too
    unknown: list[Exchange] = field(default_factory=list)  # approved, of a kind that this version does not know
    reversals: list[Exchange] = field(default_factory=list)
    settlements: list[Exchange] = field(default_factory=list)
    uploads: list[Exchange] = field(default_factory=list)  # 0320 with records
    ends: list[Exchange] = field(default_factory=list)  # 0320 batch end
    closed: Exchange | None = None

    def approved(self, until: int) -> list[Exchange]:
        """Originals sent before ``until`` which the terminal knows as approved, and did not reverse before."""
        undone = {r.trace for r in self.reversals if r.t < until}
        return [e for e in self.accepted if e.t < until and e.trace not in undone]

    def undelivered(self, until: int) -> list[Exchange]:
        """Accepted offline and sent, and by ``until`` not approved by the host: stored, or refused."""
        delivered = {e.trace for e in self.accepted if e.t < until}
        found = {e.trace: e for e in self.originals if e.transaction in STORED and e.trace not in delivered}
        return list(found.values())

    def accepted_uploads(self, reading: Reading) -> list[Exchange]:
        """Upload requests whose acceptance reached the terminal."""
        return [e for e in self.uploads if e.approved(reading.profile)]

    @property
    def begun(self) -> int:
        """When its first request was sent."""
        return min(e.t for e in (*self.originals, *self.settlements, *self.uploads, *self.ends))


_periods: WeakKeyDictionary[Reading, tuple[Period, ...]] = WeakKeyDictionary()
_owners: WeakKeyDictionary[Reading, dict[int, Period]] = WeakKeyDictionary()


def periods(reading: Reading) -> tuple[Period, ...]:
    """All batches of the log in the order of their first request."""
    if reading not in _periods:
        _periods[reading] = tuple(_periods_of(reading))
    return _periods[reading]


def period_of(reading: Reading, exchange: Exchange) -> Period | None:
    """The batch that this original, settlement or upload belongs to."""
    if reading not in _owners:
        _owners[reading] = {
            e.request.seq: period
            for period in periods(reading)
            for e in (*period.originals, *period.settlements, *period.uploads, *period.ends)
        }
    return _owners[reading].get(exchange.request.seq)


def _periods_of(reading: Reading) -> Iterator[Period]:
    steps: list[Exchange | UnitReplaced] = [*reading.exchanges, *reading.fresh_units]
    open_ones: dict[tuple[str, str, str], Period] = {}
    latest: dict[tuple[str, str, str], Period] = {}
    for step in sorted(steps, key=lambda s: s.t):
        if isinstance(step, UnitReplaced):
            open_ones.clear()
            continue
        kind, key = step.transaction, (step.mid, step.tid, step.batch)
        if step.mti == "0400":
            owner = open_ones.get(key) or latest.get(key)
            if owner:
                owner.reversals.append(step)
            continue
        if not (step.financial or step.mti in ("0500", "0320")) or kind == "balance":
            continue
        period = open_ones.get(key) or (_made_in(latest.get(key), step) if kind in STORED else None)
        if period is None:
            if step.financial and kind not in STORED:
                _close_balanced(open_ones, step, reading.profile)
                _leave_empty(open_ones, step)
            period = open_ones[key] = latest[key] = Period(*key)
            yield period
        _file(period, step, reading.profile)
        if kind == "batch_end" and step.approved(reading.profile):
            period.closed = step
            open_ones.pop(key, None)


def _made_in(period: Period | None, step: Exchange) -> Period | None:
    """The closed batch with its number, where the stored transaction is of before it was closed: trace numbers tell. A
    later one begins another batch with that number."""
    closed = period.closed if period else None
    return None if closed is not None and (step.trace or "") > (closed.trace or "") else period


def _file(period: Period, step: Exchange, profile: Profile) -> None:
    if step.financial:
        period.originals.append(step)
        kind = KINDS.get(step.transaction)
        if step.approved(profile):
            (period.unknown if kind is None else period.accepted if kind.in_batch else []).append(step)
    elif step.mti == "0500":
        period.settlements.append(step)
    elif step.transaction == "batch_end":
        period.ends.append(step)
    else:
        period.uploads.append(step)


def _close_balanced(open_ones: dict[tuple[str, str, str], Period], step: Exchange, profile: Profile) -> None:
    """A terminal that sends no batch end closes at the balanced answer, or at one that says its totals were reset: seen
    when it goes on with another number."""
    for key, period in list(open_ones.items()):
        settled = next((s for s in reversed(period.settlements) if _settled(s, profile)), None)
        if key[:2] == (step.mid, step.tid) and settled:
            period.closed = settled
            del open_ones[key]


def _settled(settlement: Exchange, profile: Profile) -> bool:
    if not settlement.approved(profile):
        return False
    return result_of(settlement) == 1 or settlement.code not in profile.success


def _leave_empty(open_ones: dict[tuple[str, str, str], Period], step: Exchange) -> None:
    """A batch in which nothing is stored ends without a settlement where the terminal goes on with another number."""
    for key, period in list(open_ones.items()):
        if key[:2] == (step.mid, step.tid) and not period.approved(step.t):
            del open_ones[key]


# -- what stands in settlements and uploads ----------------------------------------------------------------------------


def totals_of(settlement: Exchange) -> Sums | None:
    """What the terminal claims in F48 of a 0500; None where it can't be read."""
    try:
        home, _ = settlement_totals(settlement.sent)
    except FrameError:
        return None
    return home.debit_amount, home.debit_count, home.credit_amount, home.credit_count


def result_of(settlement: Exchange) -> int | None:
    """1 balanced, 2 not balanced, by the host's answer; None where there is none."""
    if settlement.answer is None:
        return None
    try:
        return settlement_totals(settlement.answer)[0].result
    except FrameError:
        return None


def records_of(upload: Exchange) -> list[Record] | None:
    """The transactions that one upload request lists; None where they can't be read.

    A 204 names a chip transaction that the card refused after all: no record of the batch.
    """
    if upload.transaction == "batch_upload_chip":
        if upload.network_code == REFUSED_BY_CARD:
            return []
        return [(upload.trace, upload.amount)] if upload.trace and upload.amount is not None else None
    try:
        return [(record.trace, record.amount) for record in batch_records(upload.sent)]
    except FrameError:
        return None


def record(original: Exchange) -> Record:
    """An original as an upload lists it."""
    return original.trace or "", original.amount or 0


def is_credit(original: Exchange) -> bool:
    """Counts on the credit side: by its kind; of one that is in no batch, or not known, F3 begins 20."""
    kind = KINDS.get(original.transaction)
    if kind is not None and kind.in_batch:
        return kind.side == "credit"
    return original.sent.get(3).startswith("20")


def voids(original: Exchange) -> bool:
    """Undoes one original of the batch, and names it by its trace: a void."""
    kind = KINDS.get(original.transaction)
    return kind is not None and kind.side == "credit" and kind.names == "trace"


def _names(original: Exchange) -> str | None:
    try:
        return Original.of(original.sent).trace
    except FrameError:
        return None


def voided_trace(original: Exchange) -> str | None:
    """The trace number of the transaction that a void undoes."""
    return _names(original) if voids(original) else None


def replaced_trace(original: Exchange) -> str | None:
    """The trace number of the transaction whose amount an adjustment or tip takes the place of."""
    kind = KINDS.get(original.transaction)
    return _names(original) if kind is not None and kind.replaces else None


# -- what must be there ------------------------------------------------------------------------------------------------


def counting(originals: Iterable[Exchange]) -> list[Exchange]:
    """Those whose amount counts: without what was adjusted, and of several adjustments of one only the last."""
    listed = list(originals)
    last = {trace: e for e in listed if (trace := replaced_trace(e))}
    return [e for e in listed if e.trace not in last and last.get(replaced_trace(e) or "", e) is e]


def sums(originals: Iterable[Exchange], *, netted: bool = False) -> Sums:
    """Totals of approved originals. ``netted``: a void takes what it voids away instead of standing as a credit."""
    listed = counting(originals)
    if netted:
        gone = {trace for e in listed if (trace := voided_trace(e))}
        listed = [e for e in listed if e.trace not in gone and not voids(e)]
    debits = [e.amount or 0 for e in listed if not is_credit(e)]
    credits = [e.amount or 0 for e in listed if is_credit(e)]
    return sum(debits), len(debits), sum(credits), len(credits)


def telling(reading: Reading, originals: Iterable[Exchange]) -> list[WireFrame]:
    """The frames on which totals or an upload rest: not those of what was replaced or (by the profile) netted, and of
    what was accepted offline only the request: it is stored whatever the host says."""
    listed = counting(originals)
    if reading.profile.settlement_voids == "net":
        gone = {trace for e in listed if (trace := voided_trace(e))}
        listed = [e for e in listed if e.trace not in gone and not voids(e)]
    return [event for e in listed for event in ((e.request,) if e.transaction in STORED else e.events)]


def totals(reading: Reading, originals: Iterable[Exchange]) -> Sums:
    """Totals as the profile says that a settlement has them."""
    return sums(originals, netted=reading.profile.settlement_voids == "net")


def possible_batches(reading: Reading, period: Period, until: int) -> list[list[Exchange]]:
    """The sets of originals that the batch may hold at ``until``: one, unless power went right after an approval, or
    something accepted offline was not delivered. None at all where a kind was approved that this version does not know.
    """
    if any(e.t < until for e in period.unknown):
        return []
    certain: list[Exchange] = []
    doubtful: list[Exchange] = []
    for e in period.approved(until):
        (doubtful if lost_power_while_storing(reading, e) else certain).append(e)
    doubtful += period.undelivered(until)
    choices: list[list[Exchange]] = []
    for size in range(len(doubtful[:MAX_DOUBTS]), -1, -1):
        choices += [[*certain, *some] for some in itertools.combinations(doubtful[:MAX_DOUBTS], size)]
    return choices


def lost_power_while_storing(reading: Reading, exchange: Exchange) -> Power | None:
    """Power went so soon after the answer that the terminal may or may not have stored it.

    What it told its user as approved it had stored before.
    """
    answered = exchange.answered_at
    lost = reading.power_lost_within(answered, answered + int(STORING_S * SECOND)) if answered else None
    if lost is None or answered is None:
        return None
    operation = reading.attended_by(exchange)
    if operation is not None:
        told = operation.completed
        if told and told.outcome == "ok" and told.t < lost.t:
            return None
        shown: list[Screen | Slip | Cashier] = [
            *reading.screens_between(answered, lost.t), *reading.slips_between(answered, lost.t),
            *reading.cashier_between(answered, lost.t),
        ]  # fmt: skip
        if any(says_approved(reading, event) for event in shown):
            return None
    return lost


def matching_batch(reading: Reading, period: Period, until: int, claimed: Sums) -> list[Exchange] | None:
    """The originals which explain the totals that the terminal claims at ``until``; None: nothing allowed does."""
    for choice in possible_batches(reading, period, until):
        if claimed == totals(reading, choice):
            return choice
    return None


def frames(exchanges: Iterable[Exchange]) -> list[WireFrame]:
    """Requests and responses."""
    return [event for e in exchanges for event in e.events]


def gave_up(reading: Reading, exchange: Exchange) -> Event | None:
    """The event by which the terminal had given up before the answer came; None: the answer was not late.

    What it told its user, its FIN or RST; or (where the cable was out meanwhile) its RST to the answer.
    """
    if not exchange.late or exchange.response is None:
        return None
    told = reading.told_before_answer(exchange)
    connection = exchange.connection
    return let_go_before(connection, exchange.response) or told or connection.reset


# -- what comes later --------------------------------------------------------------------------------------------------


def later(reading: Reading, exchange: Exchange) -> Iterator[Exchange]:
    """What the same terminal (mid, tid, unit) sent after this request, in order."""
    unit = reading.fresh_unit_after(exchange.t)
    replaced = unit.t if unit else None
    for other in reading.exchanges_from(exchange.t):
        if (other.t, other.request.seq) <= (exchange.t, exchange.request.seq):
            continue
        if replaced is not None and other.t >= replaced:
            return
        if (other.mid, other.tid) == (exchange.mid, exchange.tid):
            yield other


_by_trace: WeakKeyDictionary[Reading, dict[tuple[str, str, str | None], list[Exchange]]] = WeakKeyDictionary()


def later_with_its_trace(reading: Reading, exchange: Exchange) -> Iterator[Exchange]:
    """Of :func:`later` what has the same trace number."""
    if reading not in _by_trace:
        index = _by_trace[reading] = {}
        for e in reading.exchanges:
            index.setdefault((e.mid, e.tid, e.trace), []).append(e)
    same = _by_trace[reading][exchange.mid, exchange.tid, exchange.trace]
    unit = reading.fresh_unit_after(exchange.t)
    for other in same:
        if unit is not None and other.t >= unit.t:
            return
        if (other.t, other.request.seq) > (exchange.t, exchange.request.seq):
            yield other


def same_transaction(reading: Reading, one: Exchange, other: Exchange) -> bool:
    """A request sent again within one operation, byte for byte: a repeat and not another transaction."""
    if one.request.hex != other.request.hex:
        return False
    first, second = reading.attended_by(one), reading.attended_by(other)
    return first is not None and second is not None and first.op == second.op
