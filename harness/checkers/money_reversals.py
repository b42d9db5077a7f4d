"""Reversals that are due: they outlive 97 (MON-03); a 97 that is late (MON-09) or no answer (MON-10) undoes none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from harness.checkers.batches import gave_up, later, later_with_its_trace, result_of, same_transaction
from harness.checkers.chip import refused_after_approval
from harness.checkers.decoding import decoded
from harness.checkers.faults import falsified
from harness.checkers.finding import Finding, checker
from harness.checkers.reading import END, SECOND, Exchange, Reading
from harness.checkers.shown import contains
from harness.checkers.tables import REVERSIBLE
from harness.history.events import ChipCommand, Event, HostLedger, Slip, WireFrame


@dataclass(frozen=True)
class Due:
    """An original whose outcome the terminal can't know: it went out, and no answer to it counts. Or one that the host
    approved and the card then refused (``refused``).

    ``sent``: the 0400s with its trace number. ``delivered``: the first of them whose acceptance reached the terminal.
    ``breach``: what the terminal sent although the reversal was not delivered, and should not have: a new original, or
    the request that closed the batch.
    """

    original: Exchange
    sent: tuple[Exchange, ...]
    delivered: Exchange | None
    breach: Exchange | None
    refused: ChipCommand | None = None

    @property
    def until(self) -> int:
        """When it was delivered or given up, else the end of time."""
        if self.delivered is not None:
            return self.delivered.answered_at or self.delivered.t
        return self.breach.t if self.breach else END

    def altered(self) -> tuple[Exchange, str] | None:
        """The first 0400 that does not carry the original's batch number and amount, or says another transaction."""
        for repeat in self.sent:
            if repeat.batch != self.original.batch:
                return repeat, f"batch {repeat.batch}, the original has {self.original.batch}"
            if repeat.amount != self.original.amount:
                return repeat, f"amount {repeat.amount}, the original has {self.original.amount}"
            for name, given, wanted in (
                ("F3", repeat.sent.get(3), self.original.sent.get(3)),
                ("F60.1", repeat.message_type, self.original.message_type),
            ):
                if given != wanted:
                    return repeat, f"{name} {given or '(none)'}, the original has {wanted}"
        return None


_dues: WeakKeyDictionary[Reading, tuple[Due, ...]] = WeakKeyDictionary()


def dues(reading: Reading) -> tuple[Due, ...]:
    """All reversals that came to be due, in the order of their originals."""
    if reading not in _dues:
        _dues[reading] = tuple(
            _due(reading, e, refused)
            for e in reading.exchanges
            if e.transaction in REVERSIBLE
            for refused in [refused_after_approval(reading, e)]
            if refused is not None or unknown(reading, e)
        )
    return _dues[reading]


def unknown(reading: Reading, exchange: Exchange) -> bool:
    """An original that can be reversed, sent, and without an answer that the terminal can have taken as one."""
    if not exchange.financial or exchange.transaction not in REVERSIBLE:
        return False
    return exchange.outcome != "answered" and not may_drop(reading, exchange)


def may_drop(reading: Reading, exchange: Exchange) -> bool:
    """What came does not match the request, and the profile lets the terminal drop the reversal then."""
    return exchange.outcome == "mismatch" and reading.profile.reversal_on_mismatch == "delete"


def _due(reading: Reading, original: Exchange, refused: ChipCommand | None = None) -> Due:
    sent: list[Exchange] = []
    for other in later_with_its_trace(reading, original):
        if other.mti == "0400":
            sent.append(other)
        elif other.asks and not same_transaction(reading, original, other):
            break  # the number is in use again: reversals from here on are of that one
    delivered = next((e for e in sent if e.approved(reading.profile)), None)
    breach = _breach(reading, original, delivered.t if delivered else END)
    return Due(original, tuple(sent), None if breach else delivered, breach, refused)


def _breach(reading: Reading, original: Exchange, until: int) -> Exchange | None:
    """The first request before ``until`` that should have waited for the reversal."""
    for other in later(reading, original):
        if other.t >= until:
            return None
        if other.asks and not same_transaction(reading, original, other):
            return other
        if closes(reading, other, original.batch):
            return other
    return None


def closes(reading: Reading, other: Exchange, batch: str) -> bool:
    """The host has taken the request that ends the batch."""
    if other.batch != batch or not other.approved(reading.profile):
        return False
    return other.transaction == "batch_end" or (other.mti == "0500" and result_of(other) == 1)


def late_97(reading: Reading, exchange: Exchange) -> Event | None:
    """The event by which the terminal had given up, where a 97 to this request came only after it."""
    if exchange.response is None or exchange.code not in reading.profile.not_registered:
        return None
    return gave_up(reading, exchange)


def no_answer_97(reading: Reading, exchange: Exchange) -> WireFrame | None:
    """A frame that says 97 to this request and is no answer: its MAC is wrong, or it answers something else."""
    codes = reading.profile.not_registered
    if exchange.outcome == "bad_mac":
        return exchange.response if exchange.code in codes else None
    if exchange.outcome == "mismatch":
        return next((f for f in exchange.strays if (d := decoded(f.hex)) and d.get(39) in codes), None)
    return None


# -- MON-03 ------------------------------------------------------------------------------------------------------------


@checker("MON-03")
def survives_97(reading: Reading) -> Iterator[Finding]:
    """Every reversal that was due when a definite 97 came, on whatever message."""
    for due in dues(reading):
        first = next((e for e in reading.definite_97s if _between(due, e)), None)
        if first is not None:
            yield _survived(reading, due, first)


def _between(due: Due, other: Exchange) -> bool:
    original = due.original
    if (other.mid, other.tid) != (original.mid, original.tid) or other.answered_at is None:
        return False
    return original.t < other.t and other.answered_at < due.until


def _survived(reading: Reading, due: Due, first: Exchange) -> Finding:
    original = due.original
    name = f"the {original.name} of batch {original.batch}"
    evidence: list[Event] = [original.request, *([due.refused] if due.refused else []), *first.events]
    given = due.sent[0].sent.get(39) if due.sent else None
    fault = reading.profile.reversal_reason_fault
    if due.refused is not None and given not in (None, fault):
        reason = f"the reversal of {name}, which the card refused after approval, gives F39 {given}, expected {fault}"
        return Finding.failed("MON-03", reason, [*evidence, due.sent[0].request])
    if due.breach is not None:
        told = f"the {due.breach.name} was sent, and the reversal of {name} had not been delivered"
        reason = f"{told}: it did not outlive the 97 to the {first.name}"
        noted = recorded_deletion(reading, due)
        tried = [r for r in due.sent if r.t < due.breach.t]
        wanted = reading.profile.reversal_attempts
        if noted is not None and len(tried) < wanted:
            sends = len(tried)
            reason = f"{told}; its deletion is recorded, but after {sends} sends, and the profile asks for {wanted}"
            return Finding.failed("MON-03", reason, [*evidence, noted, due.breach.request])
        if noted is not None:
            reason = f"{told}; a slip records its deletion, which the profile allows: a risk to be accepted by hand"
            return Finding.undecided("MON-03", reason, [*evidence, noted, due.breach.request])
        return Finding.failed("MON-03", reason, [*evidence, due.breach.request])
    altered = due.altered()
    if altered is not None:
        reason = f"the reversal of {name} has {altered[1]}"
        return Finding.failed("MON-03", reason, [*evidence, altered[0].request])
    if due.delivered is None:
        reason = f"the reversal of {name} was still due when the log (or its unit) ended"
        last = due.sent[-1] if due.sent else None
        profile = reading.profile
        if last is not None and last.outcome == "answered" and last.code in (
            profile.reversal_of_unknown, profile.reversal_of_declined,
        ):  # fmt: skip
            told = f"the host answers {last.code} to the reversal of {name}"
            reason = f"{told}, which counts as delivered nowhere: a deadlock"
            return Finding.undecided("MON-03", reason, [*evidence, *last.events])
        return Finding.undecided("MON-03", reason, evidence)
    delivered = due.delivered
    again = next((r for r in due.sent if r.t > delivered.t), None)
    accepted_at = delivered.answered_at or delivered.t
    if again is not None and not reading.power_lost_within(delivered.t, accepted_at + 3 * SECOND):
        reason = f"the reversal of {name} was accepted, and sent again all the same"
        return Finding.failed("MON-03", reason, [*evidence, *delivered.events, again.request])
    contradiction = _books_contradict(reading, due, accepted_at)
    if contradiction is not None:
        reason = f"the reversal of {name} was answered {delivered.code}, and the host's books still hold it as approved"
        return Finding.failed("MON-03", reason, [*evidence, *delivered.events, contradiction])
    reason = f"the reversal of {name} outlived the 97 to the {first.name}, and was accepted once (F39 {delivered.code})"
    return Finding.passed("MON-03", reason, [*evidence, *delivered.events])


def _books_contradict(reading: Reading, due: Due, since: int) -> HostLedger | None:
    """The first reading of the books after the acceptance, where it shows that nothing was reversed. What the bench
    itself has falsified proves nothing."""
    original = due.original
    if any(falsified(reading, e) for e in (original, due.delivered) if e is not None):
        return None
    ledger = next((x for x in reading.ledgers if x.t > since and (x.mid, x.tid) == (original.mid, original.tid)), None)
    if ledger is None:
        return None
    key = (original.batch, original.trace, original.amount)
    entries = [e for e in ledger.entries if (e.batch, e.trace, e.amount) == key]
    if not entries or any(e.reversals == 1 for e in entries):
        return None
    return ledger if any(e.state == "approved" for e in entries) else None


def recorded_deletion(reading: Reading, due: Due) -> Slip | None:
    """A slip that names the reversal which was given up, where the profile allows giving up."""
    if reading.profile.reversal_exhausted != "delete_recorded" or due.breach is None or due.original.trace is None:
        return None
    for slip in reading.slips_between(due.original.t, due.breach.t):
        if contains(slip.lines, "冲正") and contains(slip.lines, due.original.trace):
            return slip
    return None


# -- MON-09, MON-10 ----------------------------------------------------------------------------------------------------


@checker("MON-09")
def late_97_undoes_nothing(reading: Reading) -> Iterator[Finding]:
    """A 97 that came when the terminal had given up: the reversal follows, for the reason "no answer"."""
    for due in dues(reading):
        given_up = late_97(reading, due.original)
        if given_up is not None:
            evidence = [*due.original.events, given_up]
            reasons = [reading.profile.reversal_reason_no_answer]
            yield follows(due, "MON-09", "a 97 that came too late", evidence, reasons)


@checker("MON-10")
def no_answer_undoes_nothing(reading: Reading) -> Iterator[Finding]:
    """A 97 with a wrong MAC or of another message: the reversal follows, for the reason that the profile names."""
    profile = reading.profile
    droppable = [_due(reading, e) for e in reading.exchanges if e.transaction in REVERSIBLE and may_drop(reading, e)]
    for due in (*dues(reading), *droppable):
        frame = no_answer_97(reading, due.original)
        if frame is None:
            continue
        if due.original.outcome == "bad_mac":
            what, reasons = "a 97 whose MAC does not verify", [profile.reversal_reason_bad_mac]
            if due.original.response_mac == "absent":
                what, reasons = "a 97 without the MAC it must have", [*reasons, *profile.reversal_reason_mismatch]
        else:
            what, reasons = "a 97 to another message", profile.reversal_reason_mismatch
        found = follows(due, "MON-10", what, [due.original.request, frame], reasons)
        if found.verdict == "FAIL" and due in droppable and not due.sent:
            name = due.original.name
            reason = f"after {what} the reversal of the {name} was dropped, which the profile allows: a risk"
            found = Finding.undecided("MON-10", reason, found.evidence, at=due.original.request)
        yield found


def follows(due: Due, rule: str, what: str, evidence: list[Event], reasons: list[str]) -> Finding:
    original = due.original
    name = f"the {original.name} of batch {original.batch}"
    first = due.sent[0] if due.sent else None
    if due.breach is not None and (first is None or due.breach.t < first.t):
        reason = f"after {what} the {due.breach.name} was sent without a reversal of {name} before it"
        return Finding.failed(rule, reason, [*evidence, due.breach.request])
    if first is None:
        reason = f"after {what} nothing was sent that the reversal of {name} would have preceded"
        return Finding.undecided(rule, reason, evidence)
    given = first.sent.get(39)
    if given not in reasons:
        reason = f"the reversal of {name} after {what} gives F39 {given or '(none)'}, expected {' or '.join(reasons)}"
        return Finding.failed(rule, reason, [*evidence, first.request])
    altered = due.altered()
    if altered is not None:
        return Finding.failed(rule, f"the reversal of {name} has {altered[1]}", [*evidence, altered[0].request])
    reason = f"after {what} the reversal of {name} followed (F39 {given})"
    return Finding.passed(rule, reason, [*evidence, first.request])
