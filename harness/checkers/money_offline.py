"""MON-04: what was accepted offline survives 97, and takes effect at the host exactly once after recovery.

A stored transaction is known from its slip, printed in the operation that made it, before it is on the wire; then from
the 0220s that carry its number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from harness.checkers.batches import Period, periods
from harness.checkers.finding import Finding, checker
from harness.checkers.money_books import read_slip
from harness.checkers.reading import END, SECOND, Exchange, Operation, Reading
from harness.checkers.shown import contains_any
from harness.checkers.tables import STORED
from harness.history.events import Event, HostLedger, LedgerEntry, Slip

AT_ONCE_S = 3.0  # power lost so soon after the host's acceptance: it may not have been noted
TO_BE_SENT_AGAIN = frozenset({"77", "99", "A0"})  # first sign in: no word on the transaction


@dataclass
class Stored:
    """One transaction accepted offline. ``batch`` "" where its slip has none; ``t`` when it was there at the latest."""

    kind: str
    batch: str
    trace: str
    amount: int
    t: int
    made: tuple[Event, ...] = ()  # operation and slip; none: only the wire shows it
    sent: list[Exchange] = field(default_factory=list)
    reversal: Exchange | None = None

    @property
    def name(self) -> str:
        return f"the {self.kind} {self.trace}"

    def delivered(self, reading: Reading) -> Exchange | None:
        return next((e for e in self.sent if e.approved(reading.profile)), None)


def stored(reading: Reading) -> list[Stored]:
    """All of the log, in the order in which they were first seen."""
    of_operation: dict[int, Stored] = {}  # its first slip tells; more are copies
    for slip in reading.slips:
        made = _of_slip(reading, slip)
        if made is not None:
            of_operation.setdefault(made.made[0].seq, made)
    found = list(of_operation.values())
    for exchange in reading.exchanges:
        if exchange.transaction in STORED:
            item = _known(reading, found, exchange)
            if item is None:
                trace, amount = exchange.trace or "", exchange.amount or 0
                item = Stored(exchange.transaction, exchange.batch, trace, amount, exchange.t)
                found.append(item)
            item.sent.append(exchange)
        elif exchange.mti == "0400":
            for item in found:
                if item.sent and _number(item.sent[0]) == _number(exchange) and _same_unit(reading, item, exchange):
                    item.reversal = item.reversal or exchange
    return found


def _of_slip(reading: Reading, slip: Slip) -> Stored | None:
    operation = reading.operation_at(slip.t) or reading.operation_before(slip.t)
    said = read_slip(slip)
    if operation is None or operation.name not in STORED or said is None or slip.t >= operation.until:
        return None
    if contains_any(slip.lines, reading.profile.texts.declined) or reading.exchanges_of(operation):
        return None  # it went out, or was refused, at once: judged by the wire
    return Stored(operation.name, said.batch, said.trace, said.amount, slip.t, (operation.invoked, slip))


def _known(reading: Reading, found: list[Stored], exchange: Exchange) -> Stored | None:
    """The newest under this number which the request is of."""
    for item in reversed(found):
        if item.trace != exchange.trace or item.batch not in ("", exchange.batch) or item.t > exchange.t:
            continue
        if _same_unit(reading, item, exchange):
            return item
    return None


def _same_unit(reading: Reading, item: Stored, exchange: Exchange) -> bool:
    """Another unit begins its numbers anew."""
    return reading.unit_at(item.t) == reading.unit_at(exchange.t)


def _number(e: Exchange) -> tuple[str, str, str, str | None]:
    return e.mid, e.tid, e.batch, e.trace


@checker("MON-04")
def takes_effect_once(reading: Reading) -> Iterator[Finding]:
    """Occasion: a definite 97 while something accepted offline had not been delivered."""
    items = stored(reading)
    for item in items:
        first = _met(reading, item)
        if first is not None:
            yield _copied(reading, item, items, first) or _judged(reading, item, first)
    for operation in reading.operations:
        finding = _without_slip(reading, operation)
        if finding:
            yield finding


def _met(reading: Reading, item: Stored) -> Exchange | None:
    delivered = item.delivered(reading)
    end = delivered.t if delivered else END
    unit = reading.unit_at(item.t)
    for e in reading.definite_97s:
        if not item.t <= e.t < end or reading.unit_at(e.t) != unit:
            continue
        if not item.sent or (e.mid, e.tid) == (item.sent[0].mid, item.sent[0].tid):
            return e
    return None


def _copied(reading: Reading, item: Stored, items: Sequence[Stored], first: Exchange) -> Finding | None:
    """The host took it under another number too: the same card and amount, sent after the 97, which nobody made."""
    if not item.made or item.delivered(reading) is None:
        return None
    what = _what(item.sent[0])
    for other in items:
        taken = other.delivered(reading)
        if other.made or taken is None or other.trace == item.trace or other.t < first.t or _what(taken) != what:
            continue
        if any(o.name == item.kind for o in reading.operations_after(item.t) if o.t < other.t and o.t > item.made[0].t):
            continue  # perhaps of that one, whose slip nobody could read
        reason = f"{item.name} was sent under the number {other.trace} as well, and accepted by the host"
        return Finding.failed("MON-04", reason, [*item.made, *first.events, *taken.events], at=first.request)
    return None


def _what(e: Exchange) -> tuple[str, str, str, int | None, str | None]:
    return e.transaction, e.mid, e.tid, e.amount, e.sent.fields.get(2)


def _judged(reading: Reading, item: Stored, first: Exchange) -> Finding:
    rule, evidence = "MON-04", [*item.made, *first.events]
    at = first.request
    if item.reversal is not None:
        reason = f"{item.name} was accepted offline, and a reversal of it was sent"
        return Finding.failed(rule, reason, [*evidence, item.reversal.request], at=at)
    altered = next((e for e in item.sent if e.amount != item.amount), None)
    if altered is not None:
        sent = _yuan(altered.amount or 0)
        reason = f"{item.name} was accepted offline with {_yuan(item.amount)}, and sent with {sent}"
        return Finding.failed(rule, reason, [*evidence, altered.request], at=at)
    delivered = item.delivered(reading)
    if delivered is None:
        return _undelivered(reading, item, evidence, first)
    evidence += delivered.events
    accepted_at = delivered.answered_at or delivered.t
    again = next((e for e in item.sent if e.t > delivered.t), None)
    if again is not None and not reading.power_lost_within(delivered.t, accepted_at + int(AT_ONCE_S * SECOND)):
        reason = f"{item.name} was accepted by the host, and sent again all the same"
        return Finding.failed(rule, reason, [*evidence, again.request], at=at)
    return _booked(reading, item, delivered, evidence, first)


def _yuan(cents: int) -> str:
    return f"{cents / 100:.2f}"


def _booked(
    reading: Reading, item: Stored, delivered: Exchange, evidence: list[Event], first: Exchange
) -> Finding:
    rule, at = "MON-04", first.request
    since = delivered.answered_at or delivered.t
    ledger = next(
        (x for x in reading.ledgers if x.t > since and (x.mid, x.tid) == (delivered.mid, delivered.tid)), None
    )
    if ledger is None:
        reason = f"{item.name} was accepted by the host after 97; its books were not read afterwards"
        return Finding.undecided(rule, reason, evidence, at=at)
    entries = _entries(reading, item, ledger, delivered)
    evidence = [*evidence, ledger]
    if len(entries) > 1:
        reason = f"{item.name} was sent {len(item.sent)} times over 97, and the host has booked it {len(entries)} times"
        return Finding.failed(rule, reason, evidence, at=at)
    if not entries or entries[0].state == "reversed":
        state = "reversed" if entries else "not booked"
        reason = f"{item.name} was accepted by the host after 97, but in its books it is {state}"
        return Finding.undecided(rule, reason, evidence, at=at)
    if not item.made and reading.offers("slip"):
        reason = f"{item.name} took effect once after 97; no slip shows that it had been accepted before"
        return Finding.undecided(rule, reason, evidence, at=at)
    reason = f"{item.name} outlived the 97 to the {first.name}, and took effect once"
    return Finding.passed(rule, reason, evidence, at=at)


def _entries(reading: Reading, item: Stored, ledger: HostLedger, delivered: Exchange) -> list[LedgerEntry]:
    """What the books hold of it: entries of earlier batches of that number were there before it was made."""
    earlier = [x for x in reading.ledgers if x.t < item.t and (x.mid, x.tid) == (ledger.mid, ledger.tid)]
    known = {e.rrn for x in earlier for e in x.entries}
    key = (delivered.batch, item.trace, item.amount)
    return [e for e in ledger.entries if (e.batch, e.trace, e.amount) == key and e.rrn not in known]


def _undelivered(reading: Reading, item: Stored, evidence: list[Event], first: Exchange) -> Finding:
    rule, at = "MON-04", first.request
    closed = _closing(reading, item, first)
    refused = next((e for e in item.sent if _is_refusal(reading, e)), None)
    if refused is not None:
        reason = f"{item.name} was refused by the host ({refused.code}): money to be claimed by hand"
        return Finding.undecided(rule, reason, [*evidence, *refused.events], at=at)
    if closed is not None:
        reason = f"{item.name} was accepted offline before 97, and its batch was closed without it"
        return Finding.failed(rule, reason, [*evidence, closed.request], at=at)
    last = item.sent[-1] if item.sent else None
    if last is not None and last.code == "77" and not reading.profile.accepts_old_batch:
        reason = f"{item.name} is of a batch that the profile's host takes no more: its deadlock"
        return Finding.undecided(rule, reason, [*evidence, *last.events], at=at)
    reason = f"{item.name} was still stored when the log (or its unit) ended"
    return Finding.undecided(rule, reason, evidence, at=at)


def _is_refusal(reading: Reading, exchange: Exchange) -> bool:
    """The host's last word on it: a decline for a reason of its own."""
    if not exchange.declined(reading.profile) or exchange.definite_97:
        return False
    return exchange.code not in TO_BE_SENT_AGAIN | set(reading.profile.force_sign_in)


def _closing(reading: Reading, item: Stored, first: Exchange) -> Exchange | None:
    """The request that closed its batch after the 97."""
    batch = item.batch or (item.sent[0].batch if item.sent else "")
    unit = reading.unit_at(item.t)

    def its(period: Period) -> bool:
        return period.batch == batch and (period.mid, period.tid) == (first.mid, first.tid)

    closings = (p.closed for p in periods(reading) if its(p) and p.closed is not None)
    return next((c for c in closings if c.t > item.t and reading.unit_at(c.t) == unit), None)


def _without_slip(reading: Reading, operation: Operation) -> Finding | None:
    """Said to be accepted offline, and nothing printed says under which number, although the model prints slips."""
    if operation.name not in STORED or operation.outcome != "ok" or not reading.offers("slip"):
        return None
    if reading.exchanges_of(operation) or operation.completed is None:
        return None
    if any(_of_slip(reading, s) for s in reading.slips_between(operation.t, min(operation.until, reading.end + 1))):
        return None
    first = next((e for e in reading.definite_97s if e.t > operation.done), None)
    if first is None:
        return None
    reason = f"an {operation.name} was accepted offline before 97, and no readable slip says under which number"
    return Finding.undecided("MON-04", reason, (operation.invoked, operation.completed, *first.events))

