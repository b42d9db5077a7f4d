"""INS-03, INS-05, INS-06: a number that the acquirer does not know, does not yet approve, or means another unit by: it
says so, the terminal shows it, and when it is put right the terminal works."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checkers.finding import Finding, checker
from harness.checkers.identities import same_merchant
from harness.checkers.installing import (
    UNDER_REVIEW,
    Life,
    binding,
    could_not_ask,
    could_use,
    granted_and_denied,
    lives,
    mistyped,
    own,
    told,
    told_to,
    under_review,
    undisturbed,
    unit_said,
    unread,
)
from harness.checkers.reading import Exchange, Operation, Reading
from harness.history.events import Event, HostChanged

_MERCHANT_UNKNOWN = "03"


def _declined(reading: Reading, operation: Operation) -> Exchange | None:
    """Its own request, where the acquirer does not know who asks."""
    unknown = (*reading.profile.not_registered, _MERCHANT_UNKNOWN)
    sent = own(reading, operation)
    return sent[-1] if sent and sent[-1].code in unknown and sent[-1].outcome == "answered" else None


def _signed_in(reading: Reading, operation: Operation) -> Exchange | None:
    """Its own request, where the acquirer granted it."""
    sent = own(reading, operation)
    return sent[-1] if sent and sent[-1].approved(reading.profile) else None


# -- INS-03 ------------------------------------------------------------------------------------------------------------


@checker("INS-03")
def wrong_and_corrected(reading: Reading) -> Iterator[Finding]:
    """Occasion: the first sign-in after an identity was set, or an activation, that is declined as unknown, in a unit
    that never signed in. Decided by what is shown, and by the sign-in (activation) after the next identity (code)."""
    for life in lives(reading):
        for index, operation in enumerate(life.operations):
            if any(o.name == "sign_in" and o.outcome == "ok" for o in life.operations[:index]):
                break
            if operation.name not in ("sign_in", "activate") or operation.outcome == "unknown":
                continue
            refused = _declined(reading, operation)
            if refused is None or operation.completed is None:
                continue
            evidence: list[Event | None] = [life.unit, *refused.events, *told(operation)]
            if operation.code != refused.code:
                if unread(reading, operation):
                    yield _not_read("INS-03", refused, operation, evidence)
                    continue
                said = f"code {operation.code}" if operation.code else operation.completed.detail
                reason = f"{refused.name} was answered {refused.code}, the terminal said {said}"
                yield Finding.failed("INS-03", reason, evidence, at=operation.invoked)
            elif operation.name == "activate":
                yield from _another_code(reading, life, index, refused, evidence)
            else:
                yield from _another_identity(reading, life, index, refused, evidence)


def _not_read(rule: str, refused: Exchange, operation: Operation, evidence: list[Event | None]) -> Finding:
    reason = f"{refused.name} was answered {refused.code}; part of what the terminal said could not be read"
    return Finding.undecided(rule, reason, evidence, at=operation.invoked)


def _another_code(
    reading: Reading, life: Life, index: int, refused: Exchange, evidence: list[Event | None]
) -> Iterator[Finding]:
    operation = life.operations[index]
    for later in life.operations[index + 1 :]:
        granted = _signed_in(reading, later) if later.name == "activate" else None
        if granted is None or not undisturbed(reading, later):
            continue
        evidence = [*evidence, *granted.events, *told(later)]
        if later.outcome == "ok":
            reason = f"a wrong code was answered {refused.code} and shown so; the right one was taken"
            yield Finding.passed("INS-03", reason, evidence, at=operation.invoked)
        else:
            reason = f"after a wrong code the right one was granted, and the terminal said {_detail(later)}"
            yield Finding.failed("INS-03", reason, evidence, at=operation.invoked)
        return


def _another_identity(
    reading: Reading, life: Life, index: int, refused: Exchange, evidence: list[Event | None]
) -> Iterator[Finding]:
    """Of the merchant that was refused: others that share the unit are each given theirs."""
    operation, wrong = life.operations[index], (refused.tid, refused.mid)
    given = {_named(o): o for o in life.operations if o.name == "set_identity"}
    others = {names for names, o in given.items() if not same_merchant(reading, o, operation)}
    possible: dict[tuple[str, str], Operation] = {}  # who it may be: as was set last, or asked for with an unseen end
    maybe_wrong = True
    for later in life.operations[index + 1 :]:
        if not same_merchant(reading, later, operation):
            continue
        if later.name == "set_identity":
            named = _named(later)
            if later.outcome == "fail" and named != wrong and not _may_refuse(reading, later):
                reason = f"{refused.tid} was answered {refused.code}; the correction was refused: {_detail(later)}"
                yield Finding.failed("INS-03", reason, [*evidence, *told(later)], at=operation.invoked)
                return
            if later.outcome == "ok":
                possible, maybe_wrong = {}, named == wrong
            if later.outcome != "fail" and named != wrong:
                possible[named] = later
            continue
        if later.name == "activate" and later.outcome != "fail":
            return  # the number comes from the acquirer
        if later.name != "sign_in" or not possible or not undisturbed(reading, later):
            continue
        sent = own(reading, later)
        named = (sent[-1].tid, sent[-1].mid) if sent else wrong
        if not sent or named in others - possible.keys() or (named == wrong and maybe_wrong):
            continue
        last, set_to = sent[-1], possible.get(named, list(possible.values())[-1])
        shows = [*evidence, set_to.invoked, *last.events, *told(later)]
        if named not in possible:
            tid, mid = _named(set_to)
            reason = f"corrected to {tid} of {mid}, it signed in as {last.tid} of {last.mid}"
            yield Finding.failed("INS-03", reason, [*shows, set_to.completed], at=operation.invoked)
        elif last.approved(reading.profile) and later.outcome == "ok":
            reason = f"a wrong identity was answered {refused.code} and shown so; corrected, it signed in"
            yield Finding.passed("INS-03", reason, shows, at=operation.invoked)
        elif granted_and_denied(reading, later):
            reason = f"corrected, the sign-in was granted, and the terminal said {_detail(later)}"
            yield Finding.failed("INS-03", reason, shows, at=operation.invoked)
        elif last.approved(reading.profile):
            continue
        return


def _named(set_identity: Operation) -> tuple[str, str]:
    args = set_identity.invoked.args
    return args.get("tid", ""), args.get("mid", "")


def _may_refuse(reading: Reading, correction: Operation) -> bool:
    return correction.code in ("03", "90") or mistyped(correction) or told_to(reading, correction, "终端忙")


def _detail(operation: Operation) -> str:
    return operation.completed.detail if operation.completed else "nothing"


# -- INS-05 ------------------------------------------------------------------------------------------------------------


@checker("INS-05")
def until_it_is_approved(reading: Reading) -> Iterator[Finding]:
    """Occasion: a sign-in of a unit that never signed in, while its application is under review or rejected. Decided by
    what is shown, and by the first sign-in after the approval that could be sent and, where granted, used."""
    for life in lives(reading):
        for change in reading.between(HostChanged, 0, life.end):
            if change.change in UNDER_REVIEW:
                yield from _under_review(reading, life, change)


def _under_review(reading: Reading, life: Life, change: HostChanged) -> Iterator[Finding]:
    changes = reading.registration.changes(change.mid, change.tid)
    approved = next((c for c in changes if c.t > change.t and c.change == "terminal_registered"), None)
    over = next((c.t for c in changes if c.t > change.t), life.end)
    attempts = [o for o in life.operations if o.name == "sign_in" and o.t > change.t]
    refused_in = next((o for o in attempts if o.done < over), None)
    if refused_in is None or refused_in.completed is None:
        return
    if any(o.name == "sign_in" and o.outcome == "ok" and o.t < change.t for o in life.operations):
        return  # its installation was over
    refused = _declined(reading, refused_in)
    if refused is None or (refused.mid, refused.tid) != (change.mid, change.tid):
        return
    evidence: list[Event | None] = [life.unit, change, *refused.events, *told(refused_in)]
    if refused_in.code != refused.code and unread(reading, refused_in):
        yield _not_read("INS-05", refused, refused_in, evidence)
        return
    if refused_in.code != refused.code:
        reason = f"under review {refused.name} was answered {refused.code}, the terminal said {_detail(refused_in)}"
        yield Finding.failed("INS-05", reason, evidence, at=refused_in.invoked)
        return
    if approved is None or approved.t != over:
        return
    for later in attempts:
        if later.t < approved.t or not undisturbed(reading, later) or could_not_ask(reading, later):
            continue
        sent = own(reading, later)
        who = (sent[-1].mid, sent[-1].tid) if sent else None
        if who not in (None, (change.mid, change.tid)) or not same_merchant(reading, later, refused_in):
            continue
        granted = _signed_in(reading, later)
        if granted is not None and later.outcome != "ok" and not could_use(reading, granted):
            continue
        evidence = [*evidence, approved, *(granted.events if granted else ()), *told(later)]
        if later.outcome == "ok" and granted is not None:
            reason = f"{change.change[9:]}, it was answered {refused.code} and shown so; approved, it signed in"
            yield Finding.passed("INS-05", reason, evidence, at=refused_in.invoked)
        elif granted is not None or not sent:
            reason = f"the application was approved, and the sign-in ended so: {_detail(later)}"
            yield Finding.failed("INS-05", reason, evidence, at=refused_in.invoked)
        return


# -- INS-06 ------------------------------------------------------------------------------------------------------------


@checker("INS-06")
def another_unit_is_not_registered(reading: Reading) -> Iterator[Finding]:
    """Occasion: a sign-in of a unit that is not the one bound to the number it names, or is bound to another number,
    answered not registered. Decided by what the operation showed."""
    for operation in reading.outermost:
        if operation.name != "sign_in" or operation.completed is None or operation.outcome == "unknown":
            continue
        sent = own(reading, operation)
        refused = sent[-1] if sent else None
        if refused is None or not refused.definite_97:
            continue
        cause = _bound_elsewhere(reading, refused)
        if cause is None:
            continue
        evidence: list[Event | None] = [cause, *refused.events, *told(operation)]
        what = f"unit {unit_said(refused)} as {refused.tid} of {refused.mid} was answered {refused.code}"
        if operation.code == refused.code:
            yield Finding.passed("INS-06", f"{what} and showed it", evidence, at=operation.invoked)
        elif unread(reading, operation):
            yield _not_read("INS-06", refused, operation, evidence)
        else:
            said = f"code {operation.code}" if operation.code else operation.completed.detail
            yield Finding.failed("INS-06", f"{what}, and said {said}", evidence, at=operation.invoked)


def _bound_elsewhere(reading: Reading, refused: Exchange) -> HostChanged | None:
    """The change that bound the number to another unit, or this unit to another number; None: neither, or the number is
    under review, which is answered so whatever unit asks."""
    serial = unit_said(refused)
    if under_review(reading, refused.mid, refused.tid, refused.t):
        return None
    bound = binding(reading, refused.mid, refused.tid, refused.t)
    if bound is not None:
        return bound if serial and bound.detail["serial"] != serial else None
    for change in reversed(reading.host_changes):
        if change.t > refused.t or change.detail.get("serial") != serial or not serial:
            continue
        elsewhere = binding(reading, change.mid, change.tid, refused.t)
        return elsewhere if elsewhere is not None and elsewhere.detail["serial"] == serial else None
    return None
