"""STA-01 to STA-04: what a 97 must do to the terminal's state (not signed in), and what it must not (anything else)."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator

from harness.checkers.batches import later as later_of
from harness.checkers.batches import periods
from harness.checkers.disturbances import excused, struck
from harness.checkers.finding import Finding, checker
from harness.checkers.identities import of_another, several
from harness.checkers.money_reversals import closes
from harness.checkers.observing import noticed, watched
from harness.checkers.reading import END, FINANCIAL_OPERATIONS, SECOND, Exchange, Operation, Reading
from harness.checkers.tables import ASKED_FOR_BY, DOWNLOADS, REVERSIBLE
from harness.history.events import Event, Power, Slip, UnitReplaced

KEY_BLOCK = 24  # bytes: the shortest F62 that can hold working keys
MAKING_NEW = frozenset({"load_tmk", "set_identity", "activate", "restore"})


def same_terminal(reading: Reading, exchange: Exchange, until: int = END) -> Iterator[Exchange]:
    """What the same unit under the same MID and TID sent after the response to ``exchange``, and before ``until``."""
    after = exchange.answered_at or exchange.t
    end = min(until, _replaced_after(reading, after))
    for e in reading.exchanges_from(after):
        if e.t >= end:
            return
        if (e.mid, e.tid) == (exchange.mid, exchange.tid) and e.request.seq != exchange.request.seq:
            yield e


def _replaced_after(reading: Reading, t: int) -> int:
    """When another unit came (END: never)."""
    unit = reading.fresh_unit_after(t)
    return unit.t if unit else END


def next_sign_in(reading: Reading, exchange: Exchange) -> Exchange | None:
    """The first sign-in after it that the host approved, and the terminal got to know. A terminal with one identity
    may have got another one meanwhile."""
    after = exchange.answered_at or exchange.t
    replaced = _replaced_after(reading, after)
    sign_ins = reading.approved_sign_ins
    first = bisect.bisect_right(sign_ins, after, key=lambda e: e.t)
    for sign_in in itertools.islice(sign_ins, first, None):
        if sign_in.t >= replaced:
            break
        if (sign_in.mid, sign_in.tid) == (exchange.mid, exchange.tid) or not several(reading):
            return sign_in
    return None


def end_of_state(reading: Reading, exchange: Exchange) -> int:
    """Up to here the terminal is what the response to ``exchange`` made of it: a sign-in, or another unit, ends it."""
    after = exchange.answered_at or exchange.t
    replaced = _replaced_after(reading, after)
    signed_in = next_sign_in(reading, exchange)
    return min(replaced, signed_in.answered_at or signed_in.t) if signed_in else replaced


def sign_ins_refused(reading: Reading) -> list[Exchange]:
    """The definite 97s on sign-in, in order."""
    return [e for e in reading.definite_97s if e.is_sign_in(reading.profile)]


def attempts(reading: Reading, refused: Exchange, start: int, end: int) -> list[Operation]:
    """Online financial operations begun in the interval, with power and link, so that a request could have left; as the
    merchant whose sign-in was refused."""
    return [
        o for o in itertools.takewhile(lambda o: o.t < end, reading.operations_after(start - 1))
        if o.name in FINANCIAL_OPERATIONS and not reading.wire_hurt_within(o.t, o.done)
        and not of_another(reading, o, (refused.mid, refused.tid))
        and not reading.power_lost_within(o.t, o.done) and not reading.is_off(o.t)
    ]  # fmt: skip


def leaving(reading: Reading, refused: Exchange, start: int, end: int) -> tuple[Exchange, ...]:
    """What may not leave while signed out, sent in the interval: new financial requests; and, by the profile, reversals
    and settlements. An advice of what was accepted offline is none: it is not new."""
    profile = reading.profile
    barred = {
        *(() if profile.reversal_before_sign_in else ("reversal",)),
        *(() if profile.settlement_before_sign_in else ("settlement",)),
    }  # fmt: skip
    return tuple(
        e for e in reading.exchanges_between(start, end)
        if (e.transaction in barred or e.asks)
        and not (several(reading) and (e.mid, e.tid) != (refused.mid, refused.tid))
    )  # fmt: skip


def reboot_between(reading: Reading, start: int, end: int) -> tuple[Power, Power] | None:
    """The last loss of power in the interval after which it came back, and its return."""
    events = reading.between(Power, start, end)
    pairs = [(a, b) for a, b in itertools.pairwise(events) if (a.state, b.state) == ("off", "on")]
    return pairs[-1] if pairs else None


# -- STA-01 --------------------------------------------------------------------------------------------------------


@checker("STA-01")
def refused_means_signed_out(reading: Reading) -> Iterator[Finding]:
    """Occasions: a sale or void attempted after 97 on sign-in and before the next successful one; and any new financial
    request that leaves in that time."""
    yield from _signed_out(reading, "STA-01", rebooted=False)


def _signed_out(reading: Reading, rule: str, *, rebooted: bool) -> Iterator[Finding]:
    """Judge the time from each 97 on sign-in to the next; ``rebooted``: only what comes after a reboot in it."""
    refused = sign_ins_refused(reading)
    ends = [end_of_state(reading, e) for e in refused]
    for index, exchange in enumerate(refused):
        start, end = exchange.answered_at or exchange.t, ends[index]
        if rebooted and index and ends[index - 1] == end:
            continue  # the first one of a row holds over the reboot, whatever came after it
        if not rebooted and index + 1 < len(refused):
            end = min(end, refused[index + 1].t)
        what = "97 on sign-in"
        for request in leaving(reading, exchange, start, end):
            reboot = reboot_between(reading, start, request.t)
            known = any(noticed(reading, e) for e in refused if start <= (e.answered_at or e.t) < request.t)
            if not (known or noticed(reading, exchange)) or (reboot is None) == rebooted:
                continue
            after = f"{what} and a reboot" if reboot else what
            evidence = (*exchange.events, *(reboot or ()), request.request)
            reason = f"after {after}, {request.name} left without a sign-in"
            yield Finding.failed(rule, reason, evidence, at=request.request)
        for operation in attempts(reading, exchange, start, end):
            reboot = reboot_between(reading, start, operation.t)
            left = leaving(reading, exchange, operation.t, operation.done + 1)
            if left or operation.done > end or (reboot is None) == rebooted:
                continue
            after = f"{what} and a reboot" if reboot else what
            evidence = (*exchange.events, *(reboot or ()), operation.invoked, operation.completed)
            if operation.completed is None or not watched(reading, operation.done):
                reason = f"after {after} a {operation.name} was attempted; how it ended was not seen"
                yield Finding.undecided(rule, reason, evidence, at=operation.invoked)
            elif operation.outcome != "fail":
                reason = f"after {after} a {operation.name} was attempted, no request left, and nothing told it refused"
                yield Finding.undecided(rule, reason, evidence, at=operation.invoked)
            elif opened := _opened_for(reading, operation):
                reason = f"after {after} a {operation.name} was attempted, and a connection made in it with no request"
                yield Finding.undecided(rule, reason, (*evidence, *opened), at=operation.invoked)
            else:
                reason = f"after {after} a {operation.name} was attempted and no request left"
                yield Finding.passed(rule, reason, evidence, at=operation.invoked)


def _opened_for(reading: Reading, operation: Operation) -> tuple[Event, ...]:
    """How the connections of the operation began that carried no request, neither its own nor an unattended one."""
    start, end = operation.t, operation.done + 1
    used = {e.connection.stream for e in reading.exchanges_between(start - SECOND, end + SECOND)}
    return tuple(
        event for c in reading.connections_between(start, end) if c.stream not in used
        for event in [c.opening or c.opened or c.refused or c.ended or next(iter(c.frames), None)] if event
    )  # fmt: skip


# -- STA-02 --------------------------------------------------------------------------------------------------------


@checker("STA-02")
def keys_not_loaded(reading: Reading) -> Iterator[Finding]:
    """Occasion: the first request with a MAC after a 97 with F62, before a sign-in brings other keys."""
    rule = "STA-02"
    for exchange in reading.definite_97s:
        if exchange.answer is None or exchange.response is None or len(exchange.answer.binary(62)) < KEY_BLOCK:
            continue
        for request in same_terminal(reading, exchange):
            if request.request_mac != "absent":
                yield _not_loaded(reading, rule, exchange, request)
                break
            if request.answer is not None and request.mti == "0800" and request.answer.binary(62):
                break  # other keys came; nothing was seen of these


def _not_loaded(reading: Reading, rule: str, exchange: Exchange, request: Exchange) -> Finding:
    what = f"the 97 to {exchange.name} held keys in F62"
    frames = (*exchange.events, request.request)
    planted = reading.keyring.key(exchange.response.seq) if exchange.response else None
    if planted and reading.keyring.verified_by(request.sent, [planted]):
        reason = f"{what}, and the MAC of {request.name} was made with them"
        return Finding.failed(rule, reason, frames, at=request.request)
    if request.request_mac == "ok":
        key = reading.keyring.key(request.mac_key)
        reason = f"{what}; the MAC of {request.name} was made with the keys from before"
        return Finding.passed(rule, reason, (*frames, *(key.rests_on if key else ())), at=request.request)
    if request.request_mac == "unverifiable":
        return Finding.undecided(rule, f"{what}; the MAC of {request.name} can't be verified here", frames)
    reason = f"{what}; the MAC of {request.name} verifies under no key that a sign-in brought"
    return Finding.failed(rule, reason, frames, at=request.request)


# -- STA-03 --------------------------------------------------------------------------------------------------------


@checker("STA-03")
def nothing_is_wiped(reading: Reading) -> Iterator[Finding]:
    """Occasions: the first sign-in after 97 with no key or identity set between, and the request with a MAC after it; a
    reprint after 97 with a transaction in the batch; parameters or CA keys asked for anew."""
    seen: set[int] = set()
    judged: set[int] = set()
    for exchange in reversed(reading.definite_97s):  # the last 97 before each sign-in makes the occasion
        finding = _identity_and_keys(reading, exchange, judged)
        if finding and finding.t not in seen:
            seen.add(finding.t)
            yield finding
    for operation in reading.operations:
        if operation.name == "reprint" and operation.within is None:
            yield from _log_kept(reading, operation)
    yield from _asked_anew(reading)


def made_new(reading: Reading, start: int, end: int) -> bool:
    """Somebody set a key or an identity, or put another unit there: what is gone may be gone for that."""
    moments = (reading.invoked_by_name.get(name, []) for name in MAKING_NEW)
    touched = any(bisect.bisect_left(t, start) < bisect.bisect_left(t, end) for t in moments)
    return touched or bool(reading.between(UnitReplaced, start, end))


def _identity_and_keys(reading: Reading, exchange: Exchange, judged: set[int]) -> Finding | None:
    """``judged``: the sign-ins (seq) that a later 97 has taken up; this one's is added."""
    rule, start = "STA-03", exchange.answered_at or exchange.t
    following = None if several(reading) else reading.exchange_after(start)
    if following and (following.mid, following.tid) != (exchange.mid, exchange.tid):
        if made_new(reading, start, following.t):
            return None
        now = f"TID {following.tid or 'blank'}, MID {following.mid or 'blank'}"
        reason = f"after a 97 to TID {exchange.tid}, MID {exchange.mid} the terminal calls itself {now}"
        return Finding.failed(rule, reason, (*exchange.events, following.request), at=following.request)
    sign_in, found = next_sign_in(reading, exchange), None
    while sign_in is not None and sign_in.request.seq not in judged:
        judged.add(sign_in.request.seq)
        if made_new(reading, start, sign_in.t):
            break
        finding = _signs_in(reading, exchange, start, sign_in)
        why = struck(reading, sign_in) if finding is not None and finding.verdict == "FAIL" else None
        if finding is None or why is None:
            return finding or found
        found = excused(finding, why)  # it need not have worked: the next one tells
        sign_in = next_sign_in(reading, sign_in)
    return found


def _signs_in(reading: Reading, exchange: Exchange, start: int, sign_in: Exchange) -> Finding | None:
    """Under the master key of before the 97, which was answered at ``start``."""
    rule, frames = "STA-03", (*exchange.events, *sign_in.events)
    operation = reading.attended_by(sign_in)
    brought = reading.keyring.key(sign_in.response.seq) if sign_in.response else None
    if brought and brought.approved and operation and _refused_to_use(reading, operation, sign_in):
        tmk = brought.rests_on[-1]
        if _used_before(reading, tmk, start):
            reason = "after 97 the terminal can't use an approved sign-in, although its master key is as before"
            return Finding.failed(rule, reason, (*frames, tmk, operation.completed), at=sign_in.request)
    after = same_terminal(reading, sign_in)
    request = next((e for e in after if e.request_mac != "absent" or e.is_sign_in(reading.profile)), None)
    if request is None or request.request_mac == "absent":
        return None
    key = reading.keyring.key(request.mac_key)
    if request.request_mac == "bad" and not noticed(reading, sign_in):
        return None  # the power went before the new keys had to be stored
    if request.request_mac == "bad":
        reason = f"after 97 and a sign-in without key load the MAC of {request.name} is wrong: a key is gone"
        return Finding.failed(rule, reason, (*frames, request.request), at=sign_in.request)
    if request.request_mac != "ok" or key is None:
        reason = f"after 97 and a sign-in the MAC of {request.name} can't be verified here"
        return Finding.undecided(rule, reason, (*frames, request.request), at=sign_in.request)
    reason = f"after 97 the same TID and MID signed in without key load, and {request.name} has a right MAC"
    return Finding.passed(rule, reason, (*frames, request.request, *key.rests_on), at=sign_in.request)


def _refused_to_use(reading: Reading, operation: Operation, sign_in: Exchange) -> bool:
    """The operator's sign-in failed although the host approved it, and for nothing else."""
    return (
        operation.name == "sign_in" and operation.outcome == "fail"
        and reading.exchanges_of(operation)[-1].request.seq == sign_in.request.seq
        and not reading.power_lost_within(sign_in.t, operation.done + 1)
    )  # fmt: skip


def _used_before(reading: Reading, tmk: int, t: int) -> bool:
    """The terminal had this TMK (seq of its event): before ``t`` it made a right MAC with a key that came under it."""
    keys = (reading.keyring.key(e.mac_key) for e in reading.exchanges if e.t < t)
    return any(key is not None and key.rests_on[-1] == tmk for key in keys)


def _log_kept(reading: Reading, operation: Operation) -> Iterator[Finding]:
    """A reprint gives the last approved transaction, where that lies before a 97 and its batch is still open."""
    rule = "STA-03"
    stored = [
        e for period in periods(reading) for e in period.approved(operation.t)
        if period.closed is None or (period.closed.answered_at or period.closed.t) > operation.t
    ]  # fmt: skip
    last = max(stored, key=lambda e: e.t, default=None)
    if last is None or operation.completed is None or reading.power_lost_within(operation.t, operation.done):
        return
    between = [e for e in reading.definite_97s if last.t < e.t < operation.t]
    if not between or made_new(reading, last.t, operation.t):
        return
    refused = between[-1]
    slips = reading.between(Slip, operation.t, min(operation.until, reading.end + 1))
    evidence = (*last.events, *refused.events, operation.invoked, operation.completed)
    right = next((s for s in slips if last.trace and any(last.trace in line for line in s.lines)), None)
    if right:
        reason = f"after 97 the reprint still gives {last.name}"
        yield Finding.passed(rule, reason, (*evidence, right), at=operation.invoked)
    elif any(s.unreadable for s in slips) or not reading.offers("slip") or operation.outcome == "unknown":
        yield Finding.undecided(rule, f"after 97 a reprint of {last.name} could not be read", (*evidence, *slips))
    else:
        gave = "another slip" if slips else "nothing"
        reason = f"after 97 the reprint of {last.name} gives {gave}"
        yield Finding.failed(rule, reason, (*evidence, *slips), at=operation.invoked)


def _asked_anew(reading: Reading) -> Iterator[Finding]:
    """Parameters or CA keys fetched after a 97, which no host asked for (header nibble 5) and nobody else did."""
    for exchange in reading.exchanges:
        if exchange.transaction not in DOWNLOADS or reading.operation_at(exchange.t):
            continue
        earlier = [e for e in reading.definite_97s if (e.answered_at or e.t) < exchange.t]
        if not earlier or made_new(reading, earlier[-1].t, exchange.t):
            continue
        if not host_asked(reading, exchange, earlier[-1].t):
            reason = f"after 97 the terminal asks anew for what it had: {exchange.name}"
            yield Finding.failed("STA-03", reason, (*earlier[-1].events, exchange.request), at=exchange.request)


def host_asked(reading: Reading, exchange: Exchange, since: int) -> bool:
    """An answer since then asks for it (header nibble 5)."""
    answers = [e.answer for e in reading.exchanges_between(since, exchange.t) if e.answer]
    asked = [ASKED_FOR_BY.get(answer.processing_request, frozenset()) for answer in answers]
    return any(exchange.transaction in kinds for kinds in asked)


# -- STA-04 --------------------------------------------------------------------------------------------------------


@checker("STA-04")
def same_after_reboot(reading: Reading) -> Iterator[Finding]:
    """Occasions: a sale or void attempted after 97 on sign-in and a reboot; a reversal due before 97 and a reboot."""
    yield from _signed_out(reading, "STA-04", rebooted=True)
    yield from _reversal_kept(reading)


def _reversal_kept(reading: Reading) -> Iterator[Finding]:
    """An original of unknown outcome, then 97, then a reboot: its reversal goes out before anything new does."""
    rule = "STA-04"
    for original in reading.exchanges:
        if original.transaction not in REVERSIBLE or original.outcome == "answered":
            continue
        refused: Exchange | None = None
        for later in later_of(reading, original):  # its answer may pass long after everything
            reverses = later.mti == "0400" and later.trace == original.trace
            reboot = reboot_between(reading, refused.answered_at or refused.t, later.t) if refused else None
            if reboot and refused and (reverses or later.asks):
                yield _after_reboot(rule, original, refused, reboot, later, reverses)
                break
            if later.asks or (reverses and later.outcome == "answered" and not later.definite_97):
                break  # settled, or judged elsewhere, before a reboot came
            if closes(reading, later, original.batch):
                break  # it was lost before
            refused = later if later.definite_97 else refused


def _after_reboot(
    rule: str, original: Exchange, refused: Exchange, reboot: tuple[Power, Power], later: Exchange, reverses: bool
) -> Finding:
    evidence = (original.request, *refused.events, *reboot, later.request)
    if reverses:
        reason = f"the reversal of {original.name} was still there after 97 and a reboot"
        return Finding.passed(rule, reason, evidence, at=later.request)
    reason = f"after 97 and a reboot {later.name} left before the reversal of {original.name}"
    return Finding.failed(rule, reason, evidence, at=later.request)
