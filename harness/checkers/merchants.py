"""STA-08: a merchant that shares the terminal with one in 97 goes on."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

from harness.checkers.finding import Finding, checker
from harness.checkers.identities import Identity, identity_of, merchant_of, selected_at, several
from harness.checkers.installing import SIGN_IN_FIRST, told_to
from harness.checkers.observing import watched
from harness.checkers.reading import FINANCIAL_OPERATIONS, Exchange, Operation, Reading
from harness.checkers.recovery_swap import handed_over
from harness.history.events import UnitReplaced

_ENDS_SIGN_IN = frozenset({"load_tmk", "set_identity", "activate"})


@checker("STA-08")
def others_go_on(reading: Reading) -> Iterator[Finding]:
    """Occasion: a financial operation as one merchant, which the host had signed in, while another is answered 97."""
    if not several(reading):
        return
    for operation in reading.operations:
        if operation.name not in FINANCIAL_OPERATIONS or operation.within is not None:
            continue
        finding = _judged(reading, operation)
        if finding:
            yield finding


def _judged(reading: Reading, operation: Operation) -> Finding | None:
    sent = [e for e in reading.exchanges_of(operation) if e.financial]
    own: Identity | None = (sent[-1].mid, sent[-1].tid) if sent else None
    own = own or identity_of(reading, selected_at(reading, operation.t), operation.t)
    if own is None:
        return None
    blocked = _another_in_97(reading, operation, own)
    signed_in = _last(reading, operation, own) if blocked else None
    if blocked is None or signed_in is None or not signed_in.is_sign_in(reading.profile):
        return None
    evidence = [*blocked.events, *signed_in.events, operation.invoked, operation.completed]
    what = f"while TID {blocked.tid} is answered 97, a {operation.name} of TID {own[1]}"
    start, end = operation.t, operation.done
    cut = reading.wire_hurt_within(start, end) or reading.power_lost_within(start, end)
    good = next((e for e in sent if e.approved(reading.profile)), None)
    if good is not None:
        return Finding.passed("STA-08", f"{what} was sent and approved", [*evidence[:-1], *good.events])
    if cut or operation.completed is None or not watched(reading, operation.done):
        return None
    if sent:
        last = sent[-1]
        reason = f"{what} was sent, and not approved ({last.code or last.outcome})"
        return Finding.undecided("STA-08", reason, [*evidence, *last.events])
    tried = reading.exchanges_of(operation) or reading.connections_between(start, end + 1)
    if operation.outcome == "fail" and (tried or handed_over(reading, operation.t)):
        return None
    if operation.outcome == "fail" and _to_sign_in_first(reading, operation):
        return Finding.failed("STA-08", f"{what} was refused by the terminal, and nothing was sent", evidence)
    return Finding.undecided("STA-08", f"{what} was not sent, and nothing shows that the 97 is why", evidence)


def _to_sign_in_first(reading: Reading, operation: Operation) -> bool:
    return operation.code == "Z4" or told_to(reading, operation, SIGN_IN_FIRST)


def _another_in_97(reading: Reading, operation: Operation, own: Identity) -> Exchange | None:
    """The last word of another identity before the operation, where that was a definite 97."""
    unit = reading.before(UnitReplaced, operation.t)
    last: dict[Identity, Exchange] = {}
    for e in reading.exchanges_between(unit.t if unit else 0, operation.t):
        if e.outcome == "answered" and (e.mid, e.tid) != own:
            last[e.mid, e.tid] = e
    gone = _gone(reading, unit.t if unit else 0, operation.t)
    return next((e for e in last.values() if e.definite_97 and (e.mid, e.tid) not in gone), None)


def _gone(reading: Reading, start: int, end: int) -> set[Identity]:
    """Identities that were set in this time, and others since, as many as the terminal has: no merchant's any more."""
    found: dict[Identity, None] = {}
    for o in reading.operations:
        if o.name == "set_identity" and o.outcome == "ok" and start <= o.t < end:
            identity = o.invoked.args.get("mid", ""), o.invoked.args.get("tid", "")
            found.pop(identity, None)
            found[identity] = None  # the latest last
    return set(list(found)[: -reading.model.identities])


_gifts: WeakKeyDictionary[Reading, list[tuple[int, str]]] = WeakKeyDictionary()


def _given(reading: Reading) -> list[tuple[int, str]]:
    """When (ns) which merchant was given a key or a number, or may have been."""
    if reading not in _gifts:
        _gifts[reading] = [
            (o.t, merchant_of(reading, o))
            for o in reading.operations if o.name in _ENDS_SIGN_IN and o.outcome != "fail"
        ]
    return _gifts[reading]


def _last(reading: Reading, operation: Operation, own: Identity) -> Exchange | None:
    """The last sign-in of this identity before the operation, where it was approved and nothing declined came since,
    nor was its merchant given a key or a number, which ends a sign-in."""
    unit, mine = reading.unit_at(operation.t), selected_at(reading, operation.t)
    given = max((t for t, number in _given(reading) if number == mine and t < operation.t), default=0)
    for e in reversed(reading.exchanges_between(max(unit.t if unit else 0, given), operation.t)):
        if (e.mid, e.tid) != own or e.outcome != "answered":
            continue
        if e.is_sign_in(reading.profile) and e.approved(reading.profile):
            return e
        if e.definite_97 or e.code in reading.profile.force_sign_in or e.transaction == "sign_off":
            return None
    return None
