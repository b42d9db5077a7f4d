"""What a granted sign-in must bring: keys, clock and batch number (REC-02). What must follow it: ``recovery_after``."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.checkers.batches import (
    Period,
    later,
    periods,
)
from harness.checkers.finding import Finding, checker
from harness.checkers.money_reversals import dues
from harness.checkers.reading import END, FINANCIAL_OPERATIONS, SECOND, Exchange, Operation, Reading
from harness.checkers.recoveries import Recovery, operation_of, proof_of, recoveries, sound, stale_key
from harness.checkers.tables import STORED
from harness.history.events import Event, Screen

DAY_S = 86_400
APART_S = 150.0  # clocks shown to the minute which differ by less may be the same
TOLERANCE_S = 90.0
SOON_S = 60.0  # a screen that is older, or comes later, may show a clock that stands
STATUS_CLOCK = re.compile(r"^\s*([01]\d|2[0-3]):([0-5]\d)(?!\d)")


def first_sound(reading: Reading, recovery: Recovery) -> Exchange | None:
    """The recovery's first sign-in that brought keys which the terminal can open."""
    for sign_in in recovery.granted:
        if sound(reading, sign_in) and not stale_key(reading, recovery.mid, recovery.tid, sign_in.t):
            return sign_in
    return None


@dataclass(frozen=True)
class Kept:
    """A batch that the terminal held when the host named another number."""

    period: Period
    originals: tuple[Exchange, ...]


def held_then(reading: Reading, recovery: Recovery, sign_in: Exchange) -> Kept | None:
    """What of another batch than the sign-in names was stored when it was granted."""
    told = sign_in.answer.batch if sign_in.answer else ""
    for period in periods(reading):
        if (period.mid, period.tid) != (recovery.mid, recovery.tid) or period.batch == told:
            continue
        if period.begun > sign_in.t or (period.closed is not None and period.closed.t < sign_in.t):
            continue
        if any(period.begun <= u.t < sign_in.t for u in reading.fresh_units):
            continue
        held = period.approved(sign_in.t)
        if held:
            return Kept(period, tuple(held))
    return None


# -- REC-02 ------------------------------------------------------------------------------------------------------------


@checker("REC-02")
def keys_loaded(reading: Reading) -> Iterator[Finding]:
    """Decided by the next request with a MAC, where one is sent before the next sign-in."""
    for recovery in recoveries(reading):
        sign_in = first_sound(reading, recovery)
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
        sign_in = first_sound(reading, recovery)
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
        if e.asks:
            return e
        if e.approved(reading.profile) and (e.mti in ("0800", "0500") or e.transaction == "batch_end"):
            return None
    return None


def _holds_other_batch(reading: Reading, recovery: Recovery, sign_in: Exchange) -> bool:
    """The terminal keeps something of another batch than the sign-in names: that goes out first (REC-06)."""
    told = sign_in.answer.batch if sign_in.answer else ""
    if held_then(reading, recovery, sign_in):
        return True
    following = itertools.takewhile(lambda e: e.t < recovery.until, later(reading, sign_in))
    if any(e.transaction in STORED and e.batch != told for e in following):
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
        sign_in = first_sound(reading, recovery)
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
    """A financial operation attempted with the link up, which the terminal refused, before ``until``."""
    for operation in reading.operations_after(sign_in.t):
        if operation.t >= until:
            return None
        if operation.name in FINANCIAL_OPERATIONS and operation.outcome == "fail":
            blind = reading.wire_hurt_within(operation.t, operation.done + 1)
            return None if blind else operation
    return None
