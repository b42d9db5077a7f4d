"""REC-09: a unit in the place of another: the batch goes on under its number, is settled as both have sold it, and the
old unit sells no more and gets 97. (What must not be in the backup: ``backup_secrets``.)"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.checkers.attribution import DO_FIRST
from harness.checkers.batches import Period, Sums, period_of, periods, possible_batches, telling, totals, totals_of
from harness.checkers.finding import Finding, checker
from harness.checkers.identities import Identity
from harness.checkers.installing import could_not_ask, in_vain, own, told, undisturbed
from harness.checkers.reading import END, Exchange, Operation, Reading
from harness.checkers.shown import contains_any
from harness.history.events import Event, Service, UnitReplaced
from harness.history.update_events import BackupTaken

RULE = "REC-09"
_HANDED_OVER = frozenset({"0100", "0200", "0220", "0320", "0400", "0500", "0620"})  # what only one unit may send
_SIGN_IN_FIRST = "Z4"  # at the till


# -- the old unit ------------------------------------------------------------------------------------------------------


@checker(RULE)
def the_old_unit_sells_no_more(reading: Reading) -> Iterator[Finding]:
    """Occasion: money that a unit asks for, or a reversal, a stored transaction or a settlement that it delivers, after
    its backup was taken, also when it is put back later; before it was told that nobody restores it."""
    for taken in reading.all(BackupTaken):
        old = reading.before(UnitReplaced, taken.t)
        for start, end in _stands_after(reading, taken, old):
            for e in reading.exchanges_between(start, end):
                if e.mti in _HANDED_OVER:
                    reason = f"a unit whose batch was handed over sent {e.name}"
                    yield Finding.failed(RULE, reason, [old, taken, e.request], at=e.request)


def handed_over(reading: Reading, t: int) -> bool:
    """The unit on the bench has given its batch away: that it sells nothing is right."""
    return any(
        start <= t < end
        for taken in reading.all(BackupTaken)
        for start, end in _stands_after(reading, taken, reading.before(UnitReplaced, taken.t))
    )


def _stands_after(reading: Reading, taken: BackupTaken, old: UnitReplaced | None) -> Iterator[tuple[int, int]]:
    """When the unit that gave the backup is on the bench, until it works again or another has its serial number."""
    spans, start = [], taken.t
    for unit in (u for u in reading.all(UnitReplaced) if u.t > taken.t):
        if start:
            spans.append((start, unit.t))
        its = old is not None and unit.serial == old.serial
        if its and not unit.kept:
            start = 0
            break
        start = unit.t if its else 0
    if start:
        spans.append((start, reading.end + 1))
    for begin, end in spans:
        ended = _works_again(reading, taken, begin, end)
        yield begin, min(end, ended)
        if ended < end:
            return


def _works_again(reading: Reading, taken: BackupTaken, start: int, end: int) -> int:
    """When the hand-over ended in this time: it was cancelled, the unit got another number, or a batch by a restore.
    END: it did not. What nobody saw the end of counts as done."""
    found, unit = _cancelled(reading, start, end), reading.unit_at(taken.t)
    known = {(e.mid, e.tid) for e in reading.exchanges_between(unit.t if unit else 0, taken.t)}
    for operation in reading.outermost:
        if not start <= operation.t < end or operation.outcome == "fail":
            continue
        if operation.name == "restore":
            found.append(operation.t)
        elif operation.name in ("set_identity", "activate"):
            given = operation.invoked.args.get("mid"), operation.invoked.args.get("tid")
            following = next((e for e in reading.exchanges_from(operation.done) if e.tid), None)
            who = (following.mid, following.tid) if None in given and following else given
            if who not in known:
                found.append(operation.t)
    return min(found, default=END)


def _cancelled(reading: Reading, start: int, end: int) -> list[int]:
    return [line.t for line in reading.between(Service, start, end) if line.text.startswith("BACKUP CANCEL")]


# -- what became of the batch ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Swap:
    """A backup of ``old`` that was restored in ``unit``, which stands there until ``end``."""

    taken: BackupTaken
    old: UnitReplaced
    unit: UnitReplaced
    restored: Operation
    end: int

    def finding(self, verdict: str, reason: str, evidence: list[Event | None]) -> Finding:
        make = {"PASS": Finding.passed, "FAIL": Finding.failed}.get(verdict, Finding.undecided)
        return make(RULE, reason, evidence, at=self.restored.invoked)

    @property
    def evidence(self) -> list[Event | None]:
        return [self.old, self.taken, self.unit, *told(self.restored)]


@checker(RULE)
def the_batch_goes_on(reading: Reading) -> Iterator[Finding]:
    """Occasion: a backup that was restored. Decided by the settlement of its batch on the new unit (where merchants
    share it, of each one's), and by what the old unit is told when it signs in afterwards."""
    for swap in _swaps(reading):
        settlements: dict[Identity, Exchange] = {}
        for e in reading.exchanges_between(swap.restored.t, swap.end):
            if e.mti == "0500":
                settlements.setdefault((e.mid, e.tid), e)
        wrong = [f for s in settlements.values() if (f := _wrongly_settled(reading, swap, s))]
        yield from wrong or [_settled(reading, swap, next(iter(settlements.values()), None))]


def _swaps(reading: Reading) -> Iterator[_Swap]:
    """Each backup with its restore: the last one before that, unless it had been cancelled or its unit is gone."""
    for taken in reading.all(BackupTaken):
        done = (o for o in reading.outermost if o.name == "restore" and o.t > taken.t and o.outcome == "ok")
        restored, old = next(done, None), reading.before(UnitReplaced, taken.t)
        unit = reading.before(UnitReplaced, restored.t) if restored else None
        if restored is None or unit is None or old is None or unit.serial == old.serial:
            continue
        spans = [span for span in _stands_after(reading, taken, old) if span[0] < restored.t]
        again = any(other.t < restored.t for other in reading.all(BackupTaken) if other.t > taken.t)
        fresh = any(taken.t < u.t < restored.t and u.serial == old.serial and not u.kept
                    for u in reading.all(UnitReplaced))  # fmt: skip
        cancelled = any(_cancelled(reading, start, min(end, restored.t)) for start, end in spans)
        if again or fresh or cancelled:
            continue
        following = reading.after_moment(UnitReplaced, unit.t)
        yield _Swap(taken, old, unit, restored, following.t if following else reading.end + 1)


def _held(reading: Reading, swap: _Swap, who: Identity) -> Period | None:
    """The batch of this merchant that was open in the old unit when it gave the backup, with something in it."""
    taken, since = swap.taken.t, reading.unit_at(swap.taken.t)
    found = [
        p for p in periods(reading)
        if (p.mid, p.tid) == who and (since.t if since else 0) <= p.begun < taken
        and (p.closed is None or p.closed.t > taken) and (p.approved(taken) or p.undelivered(taken))
    ]  # fmt: skip
    return found[-1] if found else None


def _wrongly_settled(reading: Reading, swap: _Swap, settlement: Exchange) -> Finding | None:
    """Under another number, or with other totals than what both units have sold."""
    held = _held(reading, swap, (settlement.mid, settlement.tid))
    evidence: list[Event | None] = [*swap.evidence, *settlement.events]
    if held is not None and settlement.batch != held.batch:
        reason = f"batch {held.batch} was restored, and settled as {settlement.batch}"
        return swap.finding("FAIL", reason, [*evidence, *telling(reading, held.approved(swap.taken.t))])
    batches, said = _may_hold(reading, swap, settlement), totals_of(settlement)
    if not batches or any(said == totals(reading, batch) for batch in batches):
        return None
    reason = f"both units sold {_words(totals(reading, batches[0]))}; the new one settled {_words(said)}"
    return swap.finding("FAIL", reason, [*evidence, *telling(reading, batches[0])])


def _may_hold(reading: Reading, swap: _Swap, settlement: Exchange) -> list[list[Exchange]]:
    """What may stand in the batch by then; not what the old unit sold after it had handed over. None at all: it holds
    something of a kind that this version does not know."""
    period = period_of(reading, settlement)
    batches = possible_batches(reading, period, settlement.t) if period else [[]]
    return [[e for e in batch if not swap.taken.t <= e.t < swap.unit.t] for batch in batches]


def _settled(reading: Reading, swap: _Swap, first: Exchange | None) -> Finding:
    """What became of the first settlement, as far as it was right."""
    tried = (o for o in reading.outermost if o.name == "settle" and swap.restored.t < o.t < swap.end)
    settle = next((o for o in tried if _could_settle(reading, o)), None)
    evidence = swap.evidence
    if settle is None or (first is None and not undisturbed(reading, settle)):
        return swap.finding("INCONCLUSIVE", "a backup was restored; no settlement followed on that unit", evidence)
    evidence += told(settle)
    if first is None or first.t > settle.done:
        held = any(_held(reading, swap, (p.mid, p.tid)) for p in periods(reading))
        if held and reading.model.identities == 1 and undisturbed(reading, settle):  # of several: whose is not known
            reason = "the restored batch was to be settled, and the unit sent nothing"
            return swap.finding("FAIL", reason, evidence)
        return swap.finding("INCONCLUSIVE", "the restored batch was not settled", evidence)
    last = [e for e in reading.exchanges_between(first.t, settle.done + 1) if e.mti == "0500"][-1]
    batches, said = _may_hold(reading, swap, first), totals_of(first)
    evidence += telling(reading, next((batch for batch in batches if totals(reading, batch) == said), []))
    evidence += [*first.events, *last.events]
    if not batches:
        reason = "in the restored batch is something of a kind that this version does not know"
        return swap.finding("INCONCLUSIVE", reason, evidence)
    sent = own(reading, settle)
    if settle.outcome != "ok":
        if sent and all(e.approved(reading.profile) for e in sent) and undisturbed(reading, settle):
            return swap.finding("FAIL", "the settlement was approved, and the new unit said no", evidence)
        return swap.finding("INCONCLUSIVE", "the restored batch was not settled", evidence)
    if not last.approved(reading.profile):
        reason = "the answer to the settlement of the restored batch was not seen"
        return swap.finding("INCONCLUSIVE", reason, evidence)
    return _old_one_refused(reading, swap, settle, evidence)


def _could_settle(reading: Reading, settle: Operation) -> bool:
    """It ended, and neither for want of a connection nor of a sign-in."""
    if settle.completed is None or settle.outcome == "unknown" or in_vain(settle) or could_not_ask(reading, settle):
        return False
    screens = reading.screens_between(settle.t, settle.done + 1)
    said = [settle.completed.detail, *(line for screen in screens for line in screen.lines[1:])]
    return settle.outcome == "ok" or not (settle.code == _SIGN_IN_FIRST or contains_any(said, DO_FIRST[:1]))


def _words(sums: Sums | None) -> str:
    return "nothing readable" if sums is None else f"{sums[1]} for {sums[0]} and {sums[3]} back for {sums[2]} cents"


def _old_one_refused(
    reading: Reading, swap: _Swap, settle: Operation, evidence: list[Event | None]
) -> Finding:
    """The old unit, on the bench again after the swap: its sign-in."""
    for operation in reading.outermost:
        there = reading.before(UnitReplaced, operation.t)
        if operation.name != "sign_in" or operation.t < settle.t or there is None or there.serial != swap.old.serial:
            continue
        sent = own(reading, operation)
        if not sent or sent[-1].response is None or not there.kept:
            continue
        refused = sent[-1]
        evidence = [*evidence, there, *refused.events, *told(operation)]
        if refused.definite_97 and operation.code == refused.code:
            reason = f"the new unit settled the batch of the old one, which was answered {refused.code} and showed it"
            return swap.finding("PASS", reason, evidence)
        if refused.definite_97:
            screens = reading.screens_between(operation.t, operation.done + 1)
            if operation.code is None and any(screen.unreadable for screen in screens):
                reason = f"the old unit was answered {refused.code}; what it showed could not be read"
                return swap.finding("INCONCLUSIVE", reason, evidence)
            said = operation.completed.detail if operation.completed else "nothing"
            return swap.finding("FAIL", f"the old unit was answered {refused.code}, and said {said}", evidence)
        return swap.finding("INCONCLUSIVE", "the acquirer still takes the old unit", evidence)
    reason = "the restored batch was settled; the old unit was not seen to sign in after that"
    return swap.finding("INCONCLUSIVE", reason, evidence)
