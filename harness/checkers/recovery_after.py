"""What must follow a granted sign-in: obedience to the host (REC-05), and no loss where the batch starts again at
000001 (REC-06)."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checkers.batches import frames, later, matching_batch, totals, totals_of
from harness.checkers.departures import departures
from harness.checkers.finding import Finding, checker
from harness.checkers.reading import Exchange, Reading
from harness.checkers.recoveries import Recovery, recoveries, sound, window
from harness.checkers.recovery_sign_in import Kept, first_sound, held_then
from harness.checkers.tables import ASKED_FOR_BY, TYPE_OF
from harness.history.events import Event

# -- REC-05 ------------------------------------------------------------------------------------------------------------


@checker("REC-05")
def host_is_obeyed(reading: Reading) -> Iterator[Finding]:
    """Header nibble 5 of an answer after recovery: the terminal does what it asks for, by itself, before its next
    original. Another request of the host in between takes its place."""
    for recovery in recoveries(reading):
        first = [recovery.sign_in] if recovery.sign_in is not None else []
        for asked in (*first, *window(reading, recovery)):
            request = asked.answer.processing_request if asked.answer and asked.outcome == "answered" else ""
            kinds = ASKED_FOR_BY.get(request)
            if kinds and asked.transaction not in kinds:
                yield _obeyed(reading, recovery, asked, kinds)


def _obeyed(reading: Reading, recovery: Recovery, asked: Exchange, kinds: frozenset[str]) -> Finding:
    evidence: list[Event] = [recovery.registered, *asked.events]
    told = f"the answer to {asked.name} asks for {TYPE_OF[min(kinds)]}"
    following = next((e for e in later(reading, asked) if e.asks or e.transaction in kinds), None)
    if following is None:
        return Finding.undecided("REC-05", f"{told}; nothing followed that would tell", evidence)
    evidence.append(following.request)
    if following.financial:
        reason = f"{told}; the {following.name} was sent without it"
        return Finding.failed("REC-05", reason, evidence)
    wrong = departures(reading.profile, following)
    if wrong:
        return Finding.failed("REC-05", f"{told}; what followed is no such request: {'; '.join(wrong)}", evidence)
    operation = reading.attended_by(following)
    if operation is None:
        return Finding.passed("REC-05", f"{told}, and the terminal did it by itself", evidence)
    waited = reading.terminal_seconds(asked.answered_at or asked.t, operation.t)
    reason = f"{told}; after {waited:.0f} s an operator did it"
    make = Finding.failed if waited > reading.limits.idle_s else Finding.undecided
    return make("REC-05", reason, [*evidence, operation.invoked])


# -- REC-06 ------------------------------------------------------------------------------------------------------------


@checker("REC-06")
def stored_batch_is_delivered(reading: Reading) -> Iterator[Finding]:
    for recovery in recoveries(reading):
        sign_in = first_sound(reading, recovery)
        kept = held_then(reading, recovery, sign_in) if sign_in else None
        if sign_in is not None and kept is not None:
            yield _delivered(reading, recovery, sign_in, kept)


def _delivered(reading: Reading, recovery: Recovery, sign_in: Exchange, kept: Kept) -> Finding:
    period = kept.period
    told = sign_in.answer.batch if sign_in.answer else ""
    evidence: list[Event] = [recovery.registered, *sign_in.events, *frames(kept.originals)]
    name = f"batch {period.batch} ({len(kept.originals)} stored) met a host that starts again at {told}"
    at = recovery.registered
    offered: Exchange | None = None
    for e in later(reading, sign_in):
        if period.closed is not None and e.t > period.closed.t:
            break
        if (e.asks or e.mti == "0500") and e.batch != period.batch:
            reason = f"{name}; the {e.name} of batch {e.batch} was sent before it was delivered"
            return Finding.failed("REC-06", reason, [*evidence, e.request], at=at)
        if e.mti == "0500":
            offered = e
    if offered is None and period.closed is not None:  # settled before, and its upload cut: that only goes on
        settled = (s for s in reversed(period.settlements) if s.t < sign_in.t and s.approved(reading.profile))
        offered = next(settled, None)
    if offered is None:
        return Finding.undecided("REC-06", f"{name}; it was not offered for settlement", evidence, at=at)
    evidence.append(offered.request)
    claimed = totals_of(offered)
    whole = claimed is not None and matching_batch(reading, period, offered.t, claimed) is not None
    expected = totals(reading, period.approved(offered.t))
    if claimed is not None and not whole and claimed[1] + claimed[3] < expected[1] + expected[3]:
        counts = f"{claimed[1] + claimed[3]}/{expected[1] + expected[3]}"
        reason = f"{name}; its settlement claims {counts} transactions"
        return Finding.failed("REC-06", reason, evidence, at=at)
    if period.closed is None:
        strict = not reading.profile.accepts_old_batch
        why = "the profile's host takes no old batch: its deadlock" if strict else f"the host answered {offered.code}"
        return Finding.undecided("REC-06", f"{name}; offered under its own number, not closed: {why}", evidence, at=at)
    if not whole:
        reason = f"{name}; what its settlement claims is not what the wire shows as approved"
        return Finding.undecided("REC-06", reason, evidence, at=at)
    evidence += period.closed.events
    return Finding.passed("REC-06", f"{name}; it was delivered whole, under its own number", evidence, at=at)


@checker("REC-06")
def number_adopted_after_delivery(reading: Reading) -> Iterator[Finding]:
    """The first original after delivery has the number of the last sign-in before it, or the next where that closed."""
    for recovery in recoveries(reading):
        sign_in = first_sound(reading, recovery)
        kept = held_then(reading, recovery, sign_in) if sign_in else None
        if kept is None or kept.period.closed is None:
            continue
        closed = kept.period.closed
        original = next((e for e in later(reading, closed) if e.asks), None)
        if original is None:
            continue
        number, named = _host_number(reading, recovery, original)
        if number is None or named is None:
            continue
        evidence = (recovery.registered, *closed.events, *named.events, original.request)
        told = f"after delivery of batch {kept.period.batch} the {original.name} has batch {original.batch}"
        if original.batch == number:
            yield Finding.passed("REC-06", f"{told}, as the host said", evidence, at=original.request)
        else:
            yield Finding.failed("REC-06", f"{told}, the host said {number}", evidence, at=original.request)


def _host_number(reading: Reading, recovery: Recovery, original: Exchange) -> tuple[str | None, Exchange | None]:
    """The batch number that the host had given before this original, and the sign-in that gave it."""
    number: str | None = None
    named: Exchange | None = None
    for e in reading.exchanges_between(recovery.registered.t, original.t):
        if (e.mid, e.tid) != (recovery.mid, recovery.tid) or not e.approved(reading.profile):
            continue
        if e.is_sign_in(reading.profile) and sound(reading, e) and e.answer is not None and e.answer.batch:
            number, named = e.answer.batch, e
        elif _moves(reading, e) and number == e.batch:
            number = f"{int(number) % 999_999 + 1:06d}"
    return number, named


def _moves(reading: Reading, exchange: Exchange) -> bool:
    """With this request the host's batch number goes up, by the profile."""
    if reading.profile.batch_moves == "settlement":
        return exchange.mti == "0500"
    return exchange.transaction == "batch_end"
