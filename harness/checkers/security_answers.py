"""What is no answer, whatever it says: an earlier one replayed (SEC-02), an approval without its right MAC (SEC-03)."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

from harness.checkers.decoding import decoded
from harness.checkers.exchanges import MACED_REQUESTS
from harness.checkers.faults import CLOCKS_NS, SOON_NS, delivered_frames
from harness.checkers.finding import Finding, checker
from harness.checkers.money_reversals import Due, dues, follows
from harness.checkers.observing import interrupted
from harness.checkers.reading import Exchange, Operation, Reading
from harness.checkers.tables import REVERSIBLE
from harness.checkers.told import Told, known, says_97_unfounded, told
from harness.history.events import Event, FaultStruck, WireFrame
from harness.protocol.profile import Profile

# -- SEC-02 ------------------------------------------------------------------------------------------------------------


@checker("SEC-02")
def a_replay_is_no_answer(reading: Reading) -> Iterator[Finding]:
    """Occasion: an earlier 97 or approval comes once more while somebody waits for another answer.

    One that no field tells from the answer (a reversal sent again has the original's number) counts as the answer.
    """
    due_of = {due.original.request.seq: due for due in dues(reading)}
    for strike in reading.all(FaultStruck):
        for text in delivered_frames(strike):
            says = _says(reading.profile, text)
            met = _exchange_at(reading, text, strike) if says else None
            if says is None or met is None or not _seen_before(reading, met[1]):
                continue
            operation = reading.attended_by(met[0])
            if operation is None or interrupted(reading, operation):
                continue
            yield _judged(reading, strike, says, met, operation, due_of.get(met[0].request.seq))


def _says(profile: Profile, text: str) -> str | None:
    """ "97", "approval"; None: neither, or no answer at all."""
    frame = decoded(text)
    if frame is None or not frame.is_response:
        return None
    code = frame.get(39)
    accepted = profile.reversal_success if frame.mti == "0410" else profile.success
    return "approval" if code in accepted else "97" if code in profile.not_registered else None


_first_seen: WeakKeyDictionary[Reading, dict[str, int]] = WeakKeyDictionary()


def _seen_before(reading: Reading, came: WireFrame) -> bool:
    """The acquirer had said it once, or the tap had seen it."""
    if reading not in _first_seen:
        first = _first_seen[reading] = {}
        said = [(line.hex, line.t) for line in reading.journal if line.direction != "in"]
        passed = [(frame.hex, frame.t) for frame in reading.all(WireFrame) if frame.direction == "to_terminal"]
        for text, t in (*said, *passed):
            first[text] = min(t, first.get(text, t))
    return _first_seen[reading].get(came.hex, came.t) < came.t


def _exchange_at(reading: Reading, text: str, strike: FaultStruck) -> tuple[Exchange, WireFrame] | None:
    """The exchange into which the frame fell without being its answer, and the frame as the tap saw it."""
    for e in reversed(reading.exchanges_between(0, strike.t + SOON_NS)):
        others = (*e.strays, *([e.response] if e.response and e.outcome == "bad_mac" else []))
        for frame in others:
            if frame.hex == text and -CLOCKS_NS <= frame.t - strike.t <= SOON_NS:
                return e, frame
    return None


def _judged(
    reading: Reading, strike: FaultStruck, says: str, met: tuple[Exchange, WireFrame], operation: Operation,
    due: Due | None,
) -> Finding:  # fmt: skip
    rule, (exchange, frame) = "SEC-02", met
    what = f"an earlier {says} came to {exchange.name}"
    evidence: list[Event] = [strike, operation.invoked, exchange.request, frame]
    said, by = told(operation), known(reading, operation)
    if said is None:
        return Finding.undecided(rule, f"{what}; how it ended was not seen", evidence, at=strike)
    if _believed(reading, says, said, operation) and (by is None or by.outcome == "unknown"):
        reason = f"{what}, and counted as its answer: told as {said}"
        return Finding.failed(rule, reason, [*evidence, said.completed], at=strike)
    if due is not None and due.breach is not None:
        reason = f"{what}, and its reversal was forgotten: the {due.breach.name} was sent"
        return Finding.failed(rule, reason, [*evidence, due.breach.request], at=strike)
    return Finding.passed(rule, f"{what}, and did not count", [*evidence, said.completed], at=strike)


def _believed(reading: Reading, says: str, said: Told, operation: Operation) -> bool:
    if says == "approval":
        return said.outcome == "approved"
    return said.code in reading.profile.not_registered or bool(says_97_unfounded(reading, operation))


# -- SEC-03 ------------------------------------------------------------------------------------------------------------


@checker("SEC-03")
def no_approval_without_its_mac(reading: Reading) -> Iterator[Finding]:
    """Occasion: an approval of a request with a MAC, whose own is wrong or missing, whoever took it away."""
    due_of = {due.original.request.seq: due for due in dues(reading)}
    for exchange in reading.exchanges:
        if not _unproven_approval(reading, exchange):
            continue
        if exchange.mti == "0400":
            found = _of_a_reversal(exchange, [d for d in due_of.values() if exchange in d.sent])
        else:
            found = _of_an_original(reading, exchange, due_of.get(exchange.request.seq))
        if found is not None:
            yield found


def _unproven_approval(reading: Reading, exchange: Exchange) -> bool:
    profile = reading.profile
    accepted = profile.reversal_success if exchange.mti == "0400" else profile.success
    return exchange.outcome == "bad_mac" and exchange.code in accepted and exchange.mti in MACED_REQUESTS


def _what(exchange: Exchange) -> str:
    flaw = "without a MAC" if exchange.response_mac == "absent" else "with a wrong MAC"
    return f"an approval {flaw} came to {exchange.name}"


def _of_an_original(reading: Reading, exchange: Exchange, due: Due | None) -> Finding | None:
    rule, what = "SEC-03", _what(exchange)
    operation = reading.attended_by(exchange)
    if operation is None or interrupted(reading, operation):
        return None
    said, by = told(operation), known(reading, operation)
    if said is None:
        if reading.power_lost_within(exchange.t, operation.done + 1):
            return None
        return Finding.undecided(rule, f"{what}; how it ended was not seen", [*exchange.events, operation.invoked])
    evidence: list[Event] = [*exchange.events, operation.invoked, said.completed]
    if said.outcome == "approved" and (by is None or by.outcome == "unknown"):
        return Finding.failed(rule, f"{what}, and counted as one: told as {said}", evidence)
    if exchange.transaction not in REVERSIBLE or due is None:
        return Finding.passed(rule, f"{what}, and did not count", evidence)
    reasons = [reading.profile.reversal_reason_bad_mac]
    if exchange.response_mac == "absent":
        reasons += reading.profile.reversal_reason_mismatch
    flaw = "without a MAC" if exchange.response_mac == "absent" else "with a wrong MAC"
    return follows(due, rule, f"an approval {flaw}", evidence, reasons)


def _of_a_reversal(exchange: Exchange, of: list[Due]) -> Finding | None:
    """Not delivered by that: it goes out again before anything new."""
    if not of:
        return None
    rule, due, what = "SEC-03", of[0], _what(exchange)
    evidence: list[Event] = [due.original.request, *exchange.events]
    if due.breach is not None and due.breach.t > exchange.t:
        reason = f"{what}, and counted as delivered: the {due.breach.name} was sent"
        return Finding.failed(rule, reason, [*evidence, due.breach.request])
    if due.delivered is None or due.delivered.t < exchange.t:
        return Finding.undecided(rule, f"{what}; the reversal was still due at the end", evidence)
    return Finding.passed(rule, f"{what}; it was sent again", [*evidence, *due.delivered.events])
