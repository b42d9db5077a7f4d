"""REC-03: what was due before 97 goes out before anything new."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checkers.finding import Finding, checker
from harness.checkers.money_reversals import Due, dues, recorded_deletion
from harness.checkers.reading import Exchange, Reading
from harness.checkers.recoveries import Recovery, recoveries, window
from harness.history.events import Event


@checker("REC-03")
def reversal_first(reading: Reading) -> Iterator[Finding]:
    """A reversal that was due when 97 came: after recovery it is delivered before the first new original."""
    for recovery in recoveries(reading):
        original = next((e for e in window(reading, recovery) if e.asks), None)
        if recovery.sign_in is None or original is None:
            continue
        for due in dues(reading):
            if _was_due(reading, due, recovery):
                yield _went_first(reading, due, recovery, recovery.sign_in, original)
        for notice in _scripts_due(reading, recovery):
            yield _script_first(reading, notice, recovery, recovery.sign_in, original)


def _was_due(reading: Reading, due: Due, recovery: Recovery) -> bool:
    """From the unit that stands there: what another one had in it is gone with it."""
    original, unit = due.original, reading.unit_at(recovery.registered.t)
    if unit is not None and original.t < unit.t:
        return False
    if (original.mid, original.tid) != (recovery.mid, recovery.tid) or original.t > recovery.met[-1].t:
        return False
    return due.until > recovery.registered.t


def _went_first(reading: Reading, due: Due, recovery: Recovery, sign_in: Exchange, original: Exchange) -> Finding:
    registered, breach = recovery.registered, due.breach
    if breach is not None and breach.asks and breach.t < original.t:
        original = breach  # it went before the sign-in
    evidence: list[Event] = [due.original.request, *recovery.met[-1].events, registered, *sign_in.events]
    name = f"the reversal of {due.original.name}"
    if due.delivered is not None and due.delivered.t < original.t:
        reason = f"after recovery {name} went out before {original.name}"
        return Finding.passed("REC-03", reason, [*evidence, *due.delivered.events, original.request], at=registered)
    tried = [r for r in due.sent if r.t < original.t]
    evidence += [*(r.request for r in tried), original.request]
    noted = recorded_deletion(reading, due)
    if noted is not None and len(tried) >= reading.profile.reversal_attempts:
        reason = f"after recovery {original.name} was sent; a slip records that {name} was given up"
        return Finding.undecided("REC-03", reason, [*evidence, noted], at=registered)
    reason = f"after recovery {original.name} was sent, and {name} had not gone before it"
    if any(r.t > registered.t for r in tried):
        reason = f"after recovery {original.name} was sent, and {name} had not been delivered before it"
    return Finding.failed("REC-03", reason, evidence, at=registered)


def _scripts_due(reading: Reading, recovery: Recovery) -> list[Exchange]:
    """The script notices whose last sending before registration was answered 97: by trace, the last of each."""
    last: dict[str | None, Exchange] = {}
    unit = reading.unit_at(recovery.registered.t)
    for e in reading.exchanges_between(unit.t if unit else 0, recovery.registered.t):
        if e.transaction == "script_notice" and (e.mid, e.tid) == (recovery.mid, recovery.tid):
            last[e.sent.get(61)] = e
    return [e for e in last.values() if e.definite_97]


def _script_first(
    reading: Reading, notice: Exchange, recovery: Recovery, sign_in: Exchange, original: Exchange
) -> Finding:
    registered, original_of = recovery.registered, notice.sent.get(61)
    evidence: list[Event] = [*notice.events, registered, *sign_in.events]
    again = next(
        (
            e for e in reading.exchanges_between(registered.t, original.t)
            if e.transaction == "script_notice" and e.sent.get(61) == original_of
        ),
        None,
    )  # fmt: skip
    name = f"the script notice of trace {original_of[6:12]}"
    if again is None:
        reason = f"after recovery {original.name} was sent, and {name} had not gone before it"
        return Finding.failed("REC-03", reason, [*evidence, original.request], at=registered)
    reason = f"after recovery {name} went out before {original.name}"
    return Finding.passed("REC-03", reason, [*evidence, again.request, original.request], at=registered)
