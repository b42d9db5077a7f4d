"""What a granted sign-in must bring: keys, clock and batch number (REC-02), obedience to the host (REC-05), and no loss
where the batch starts again at 000001 (REC-06)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.checkers.batches import (
    Period,
    frames,
    later,
    matching_batch,
    periods,
    sums,
    totals_of,
)
from harness.checkers.finding import Finding, checker
from harness.checkers.money_reversals import dues
from harness.checkers.reading import END, SECOND, Exchange, Operation, Reading
from harness.checkers.recoveries import Recovery, operation_of, proof_of, recoveries, sound, stale_key, window
from harness.history.events import Event, Screen, UnitReplaced

DAY_S = 86_400
APART_S = 150.0  # clocks shown to the minute which differ by less may be the same
TOLERANCE_S = 90.0
SOON_S = 60.0  # a screen that is older, or comes later, may show a clock that stands
STATUS_CLOCK = re.compile(r"^\s*([01]\d|2[0-3]):([0-5]\d)(?!\d)")
SIGN_IN_AGAIN = "3"


def _first_sound(reading: Reading, recovery: Recovery) -> Exchange | None:
    """The recovery's first sign-in that brought keys which the terminal can open."""
    for sign_in in recovery.granted:
        if sound(reading, sign_in) and not stale_key(reading, recovery.mid, recovery.tid, sign_in.t):
            return sign_in
    return None


# -- REC-02 ------------------------------------------------------------------------------------------------------------


@checker("REC-02")
def keys_loaded(reading: Reading) -> Iterator[Finding]:
    """Decided by the next request with a MAC, where one is sent before the next sign-in."""
    for recovery in recoveries(reading):
        sign_in = _first_sound(reading, recovery)
        if sign_in is None or sign_in.response is None:
            continue
        following = next((e for e in later(reading, sign_in) if e.request_mac != "absent" or e.mti == "0800"), None)
        if following is None or following.mti == "0800":
            continue
        evidence = (recovery.registered, *sign_in.events, following.request)
        if following.mac_key == sign_in.response.seq:
            reason = f"the {following.name} is signed under the keys of the sign-in before it"
            yield Finding.passed("REC-02", reason, evidence)
        elif following.request_mac == "unverifiable":
            reason = f"the bench has no key to verify the MAC of the {following.name}"
            yield Finding.undecided("REC-02", reason, evidence)
        else:
            reason = f"the {following.name} is not signed under the keys of the sign-in before it"
            yield Finding.failed("REC-02", reason, evidence)


@checker("REC-02")
def batch_number_loaded(reading: Reading) -> Iterator[Finding]:
    """Where the host's number is another than the terminal had, and nothing is stored: the next original has it."""
    for recovery in recoveries(reading):
        sign_in = _first_sound(reading, recovery)
        if sign_in is None or sign_in.answer is None or not sign_in.answer.batch:
            continue
        original = _original_before_other_numbers(reading, recovery, sign_in)
        if original is None or _holds_other_batch(reading, recovery, sign_in):
            continue
        told = sign_in.answer.batch
        evidence = (recovery.registered, *sign_in.events, original.request)
        if original.batch != told:
            reason = f"the sign-in gave batch {told}, the {original.name} after it has {original.batch}"
            yield Finding.failed("REC-02", reason, evidence)
        elif sign_in.batch != told:
            reason = f"the sign-in gave batch {told} in place of {sign_in.batch}, and the {original.name} has it"
            yield Finding.passed("REC-02", reason, evidence)


def _original_before_other_numbers(reading: Reading, recovery: Recovery, sign_in: Exchange) -> Exchange | None:
    """The first original after the sign-in, unless another sign-in or a closed batch gave another number before it."""
    for e in later(reading, sign_in):
        if e.t >= recovery.until:
            return None
        if e.financial:
            return e
        if e.approved(reading.profile) and (e.mti in ("0800", "0500") or e.transaction == "batch_end"):
            return None
    return None


def _holds_other_batch(reading: Reading, recovery: Recovery, sign_in: Exchange) -> bool:
    """The terminal keeps something of another batch than the sign-in names: that goes out first (REC-06)."""
    told = sign_in.answer.batch if sign_in.answer else ""
    if _stored(reading, recovery, sign_in):
        return True
    return any(
        d.original.batch != told and d.original.t < sign_in.t < d.until
        for d in dues(reading)
        if (d.original.mid, d.original.tid) == (recovery.mid, recovery.tid)
    )


@checker("REC-02")
def clock_loaded(reading: Reading) -> Iterator[Finding]:
    """Where the terminal's clock, as it shows it, was plainly another than the host's before the sign-in."""
    for recovery in recoveries(reading):
        sign_in = _first_sound(reading, recovery)
        if sign_in is None or sign_in.answer is None or proof_of(reading, sign_in).ok is False:
            continue
        told = _seconds_of_day(sign_in.answer.get(12))
        answered = sign_in.answered_at or sign_in.t
        seen = reading.screens_between(answered - int(SOON_S * SECOND), answered)
        before = next(_clocks(reversed(seen)), None)
        if told is None or before is None:
            continue
        if _apart(before[1], told) < APART_S:
            continue
        evidence: list[Event] = [recovery.registered, before[0], *sign_in.events]
        operation = operation_of(reading, sign_in)
        until = (operation.done if operation else answered) + int(SOON_S * SECOND)
        last: tuple[Screen, float] | None = None
        right = False
        for last in _clocks(reading.screens_between(answered + 1, until)):
            right = _apart(last[1], told + (last[0].t - answered) / SECOND) <= TOLERANCE_S
            if right:
                break
        if last is None:
            reason = "the sign-in gave another time than the terminal had; no screen soon after it shows its clock"
            yield Finding.undecided("REC-02", reason, evidence)
            continue
        screen, clock = last
        texts = f"the sign-in gave {_clock_text(told)}; before it the terminal showed {_clock_text(before[1])}"
        make = Finding.passed if right else Finding.failed
        yield make("REC-02", f"{texts}, after it {_clock_text(clock)}", [*evidence, screen])


def _clocks(screens: Iterable[Screen]) -> Iterator[tuple[Screen, float]]:
    """The screens that show a clock, and what it shows."""
    return ((screen, clock) for screen in screens if (clock := _status_clock(screen)) is not None)


def _status_clock(screen: Screen) -> float | None:
    """Seconds of the day that the status row shows (HH:MM, taken at its middle)."""
    match = STATUS_CLOCK.match(screen.lines[0]) if screen.lines and not screen.unreadable else None
    return int(match[1]) * 3600 + int(match[2]) * 60 + 30.0 if match else None


def _seconds_of_day(f12: str) -> float | None:
    return int(f12[:2]) * 3600 + int(f12[2:4]) * 60 + int(f12[4:6]) if len(f12) == 6 and f12.isdecimal() else None


def _apart(one: float, other: float) -> float:
    """Seconds between two times of the day, round midnight."""
    difference = abs(one - other) % DAY_S
    return min(difference, DAY_S - difference)


def _clock_text(seconds: float) -> str:
    return f"{int(seconds // 3600) % 24:02d}:{int(seconds // 60) % 60:02d}"


@checker("REC-02")
def bad_kcv_is_no_sign_in(reading: Reading) -> Iterator[Finding]:
    """After keys with a wrong check value the next attempted sale sends nothing, until a sound sign-in."""
    bad = {k.seq for k in reading.keyring.working if k.standing == "bad_kcv"}
    for sign_in in reading.exchanges:
        if sign_in.response is None or sign_in.response.seq not in bad or not sign_in.approved(reading.profile):
            continue
        operation = operation_of(reading, sign_in)
        if operation is not None and operation.completed is not None and operation.outcome == "ok":
            reason = "a sign-in whose keys have a wrong check value is shown as a success"
            yield Finding.failed("REC-02", reason, (*sign_in.events, operation.invoked, operation.completed))
            continue
        following = next(
            (e for e in later(reading, sign_in) if e.financial or (e.answer and e.is_sign_in(reading.profile))), None
        )
        if following is not None and following.financial:
            reason = f"after a sign-in whose keys have a wrong check value the {following.name} was sent"
            yield Finding.failed("REC-02", reason, (*sign_in.events, following.request))
            continue
        attempt = _refused_attempt(reading, sign_in, following.t if following else END)
        if attempt is None or attempt.completed is None:
            reason = "keys with a wrong check value came, and no sale was attempted before the next sign-in"
            yield Finding.undecided("REC-02", reason, sign_in.events)
            continue
        reason = f"after keys with a wrong check value a {attempt.name} was attempted, and nothing was sent"
        yield Finding.passed("REC-02", reason, (*sign_in.events, attempt.invoked, attempt.completed))


def _refused_attempt(reading: Reading, sign_in: Exchange, until: int) -> Operation | None:
    """A sale or void attempted with the link up, which the terminal refused, before ``until``."""
    for operation in reading.operations_after(sign_in.t):
        if operation.t >= until:
            return None
        if operation.name in ("sale", "void") and operation.outcome == "fail":
            blind = reading.link_lost_within(operation.t, operation.done + 1)
            return None if blind else operation
    return None


# -- REC-05 ------------------------------------------------------------------------------------------------------------


@checker("REC-05")
def asked_to_sign_in_again(reading: Reading) -> Iterator[Finding]:
    """Header nibble 5 = 3 in an answer after recovery: the terminal signs in by itself before its next original."""
    for recovery in recoveries(reading):
        for asked in window(reading, recovery):
            request = asked.answer.processing_request if asked.answer and asked.outcome == "answered" else ""
            if request == SIGN_IN_AGAIN and not asked.is_sign_in(reading.profile):
                yield _obeyed(reading, recovery, asked)


def _obeyed(reading: Reading, recovery: Recovery, asked: Exchange) -> Finding:
    evidence: list[Event] = [recovery.registered, *asked.events]
    following = next(
        (e for e in later(reading, asked) if e.financial or e.is_sign_in(reading.profile)), None
    )
    if following is None:
        reason = f"the answer to {asked.name} asks for another sign-in; nothing followed that would tell"
        return Finding.undecided("REC-05", reason, evidence)
    evidence.append(following.request)
    if following.financial:
        reason = f"the answer to {asked.name} asks for another sign-in; the {following.name} was sent without one"
        return Finding.failed("REC-05", reason, evidence)
    operation = operation_of(reading, following)
    if operation is None:
        reason = f"the answer to {asked.name} asks for another sign-in, and the terminal signed in by itself"
        return Finding.passed("REC-05", reason, evidence)
    waited = reading.terminal_seconds(asked.answered_at or asked.t, operation.t)
    reason = f"the answer to {asked.name} asks for another sign-in; after {waited:.0f} s an operator did it"
    make = Finding.failed if waited > reading.limits.idle_s else Finding.undecided
    return make("REC-05", reason, [*evidence, operation.invoked])


# -- REC-06 ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """A batch that the terminal held when the host named another number."""

    period: Period
    originals: tuple[Exchange, ...]


def _stored(reading: Reading, recovery: Recovery, sign_in: Exchange) -> Kept | None:
    """What of another batch than the sign-in names was stored when it was granted."""
    told = sign_in.answer.batch if sign_in.answer else ""
    for period in periods(reading):
        if (period.mid, period.tid) != (recovery.mid, recovery.tid) or period.batch == told:
            continue
        if period.begun > sign_in.t or (period.closed is not None and period.closed.t < sign_in.t):
            continue
        if any(period.begun <= u.t < sign_in.t for u in reading.all(UnitReplaced)):
            continue
        held = period.approved(sign_in.t)
        if held:
            return Kept(period, tuple(held))
    return None


@checker("REC-06")
def stored_batch_is_delivered(reading: Reading) -> Iterator[Finding]:
    for recovery in recoveries(reading):
        sign_in = _first_sound(reading, recovery)
        kept = _stored(reading, recovery, sign_in) if sign_in else None
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
        if (e.financial or e.mti == "0500") and e.batch != period.batch:
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
    expected = sums(period.approved(offered.t))
    if claimed is not None and not whole and claimed[1] + claimed[3] < expected[1] + expected[3]:
        counts = f"{claimed[1] + claimed[3]} of {expected[1] + expected[3]}"
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
        sign_in = _first_sound(reading, recovery)
        kept = _stored(reading, recovery, sign_in) if sign_in else None
        if kept is None or kept.period.closed is None:
            continue
        closed = kept.period.closed
        original = next((e for e in later(reading, closed) if e.financial), None)
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
        elif e.transaction == "batch_end" and number == e.batch:
            number = f"{int(number) % 999_999 + 1:06d}"
    return number, named
