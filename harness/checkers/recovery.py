"""Back to service after re-registration: REC-01, REC-07, REC-08, REC-10.

What goes out first (REC-03) is in ``recovery_first``, what the sign-in brings (REC-02) in ``recovery_sign_in``, what
follows it (REC-05, REC-06) in ``recovery_after``, that all works again (REC-04) in ``recovery_work``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from harness.checkers.disturbances import by_surroundings
from harness.checkers.finding import Finding, checker
from harness.checkers.observing import operation_of as watched_operation
from harness.checkers.observing import power_lost_soon, until_text
from harness.checkers.reading import END, FINANCIAL_OPERATIONS, SECOND, Exchange, Operation, Reading
from harness.checkers.recoveries import (
    Recovery,
    loads,
    operation_of,
    proof_of,
    recoveries,
    restoration,
    sound,
    stale_key,
)
from harness.checkers.tables import DECLARED_AS, FOLLOW_UPS, KINDS, TYPE_OF, UNKNOWN
from harness.checkers.telling import says_97
from harness.checkers.timeline import LOOKUP_S
from harness.checkers.updates import own_resets, updates
from harness.history.events import Cashier, Event, HostJournal, Key, Measurement, Power, Screen
from harness.protocol.profile import Profile

RECOVERY_TIME = "recovery_s"


# -- REC-01 ------------------------------------------------------------------------------------------------------------


@checker("REC-01")
def next_sign_in_succeeds(reading: Reading) -> Iterator[Finding]:
    for recovery in recoveries(reading):
        refused = _sent_nothing(reading, recovery)
        if refused is not None:
            reason = "registered again, the terminal was asked to sign in and sent nothing"
            evidence = (*recovery.met[-1].events, recovery.registered, refused.invoked, refused.completed)
            yield Finding.failed("REC-01", reason, evidence, at=recovery.registered)
            continue
        if recovery.sign_in is None:
            yield from _never_granted(reading, recovery)
            continue
        yield from _without_help(reading, recovery, recovery.sign_in)


def _sent_nothing(reading: Reading, recovery: Recovery) -> Operation | None:
    """The first sign-in asked for after registration, where it failed, neither frame nor connection left, and no other
    was under way."""
    asked = next((o for o in reading.operations_after(recovery.registered.t) if o.name == "sign_in"), None)
    if asked is None or asked.outcome != "fail" or asked.t >= recovery.until or reading.exchanges_of(asked):
        return None
    tried = reading.connections_during(asked.t, asked.done + 1)
    return None if tried or _could_not_send(reading, asked) else asked


def _could_not_send(reading: Reading, asked: Operation) -> bool:
    """Power or wire explain that nothing left, the wire also where it was hurt a moment ago; or an update that begins
    with nothing stored was taken, and nobody has set the terminal up since."""
    hurt = reading.wire_hurt_within(asked.t - LOOKUP_S * SECOND, asked.done + 1)
    if hurt is not None or reading.power_lost_within(asked.t, asked.done + 1) is not None:
        return True
    resets = [one.t for one in updates(reading) if one.offered.resets and not one.kept and one.t < asked.t]
    return bool(resets) and not loads(reading, resets[-1], asked.t)


def _never_granted(reading: Reading, recovery: Recovery) -> Iterator[Finding]:
    """Asked for, and never granted as long as the registration (or the log) lasted."""
    evidence: list[Event] = [*recovery.met[-1].events, recovery.registered]
    asked = list(_failed_before(reading, recovery, recovery.until))
    own = next((o for o in asked if _terminals_own_fault(reading, recovery, o)), None)
    if own is not None:
        reason = "registered again, a sign-in that the host would have granted failed, and none was granted after it"
        evidence += _all_of(reading, own)
        yield Finding.failed("REC-01", reason, evidence, at=recovery.registered)
    elif recovery.until == END:
        reason = "registered again, the terminal sent no sign-in that was granted before the log ended"
        yield Finding.undecided("REC-01", reason, evidence)
    elif asked:
        reason = "registered again, a sign-in was asked for and none was granted; that need not be the terminal's fault"
        evidence += _all_of(reading, asked[-1])
        yield Finding.undecided("REC-01", reason, evidence, at=recovery.registered)


def _failed_before(reading: Reading, recovery: Recovery, end: int) -> Iterator[Operation]:
    """The sign-ins that somebody asked for from registration on, and that were over before ``end`` without success."""
    for asked in itertools.takewhile(lambda o: o.t < end, reading.operations_after(recovery.registered.t)):
        if asked.name != "sign_in" or asked.completed is None or asked.outcome == "ok" or asked.done >= end:
            continue
        sent = reading.exchanges_of(asked)
        if not sent or any((e.mid, e.tid) == (recovery.mid, recovery.tid) for e in sent):  # else it is another by now
            yield asked


def _terminals_own_fault(reading: Reading, recovery: Recovery, asked: Operation) -> bool:
    """The sign-in failed although the host would have served it: the terminal sent none, or one that the host refused
    of its own accord (no rule told it to) while the terminal was registered; no key, cable or power explains it."""
    if asked.outcome != "fail" or reading.is_off(asked.t) or stale_key(reading, recovery.mid, recovery.tid, asked.t):
        return False
    sent = reading.exchanges_of(asked)
    if not sent and _could_not_send(reading, asked):
        return False
    if reading.wire_hurt_within(asked.t, asked.done + 1) or reading.power_lost_within(asked.t, asked.done + 1):
        return False
    if not sent:
        return not reading.connections_during(asked.t, asked.done + 1)
    last = sent[-1]
    answered = last.answered_at or last.t
    state, _change = reading.registration.throughout(last.t, answered, recovery.mid, recovery.tid)
    if (last.mid, last.tid) != (recovery.mid, recovery.tid) or state != "registered" or last.response is None:
        return False
    told = reading.journal_of(last.response)
    return last.declined(reading.profile) and told is not None and told.rule_id is None


def _all_of(reading: Reading, operation: Operation) -> list[Event]:
    """Its beginning and end, and the frames between."""
    ends = [e for e in (operation.invoked, operation.completed) if e is not None]
    return [*ends, *(event for e in reading.exchanges_of(operation) for event in e.events)]


def _without_help(reading: Reading, recovery: Recovery, sign_in: Exchange) -> Iterator[Finding]:
    operation = operation_of(reading, sign_in)
    done = operation.done if operation else (sign_in.answered_at or sign_in.t)
    evidence: list[Event] = [*recovery.met[-1].events, recovery.registered]
    resets = recovery.resets(reading, recovery.registered.t, done + 1)
    own = next(iter(own_resets(reading, recovery.registered.t, done + 1)), None)
    if own is not None:
        reason = "between registration and sign-in the terminal reset itself"
        yield Finding.failed("REC-01", reason, [*evidence, own, *sign_in.events], at=recovery.registered)
        return
    if any(by_surroundings(reading, p) for p in resets):
        return  # what failed before may have failed for the same reason
    if resets:  # somebody switched it off and on: what had failed before shows that it needed that
        before = _failed_before(reading, recovery, resets[0].t)
        failed = next((o for o in before if _terminals_own_fault(reading, recovery, o)), None)
        if failed is not None:
            reason = "registered again, a sign-in the host would have granted failed; after a reset one was granted"
            evidence += [*_all_of(reading, failed), resets[0], *sign_in.events]
            yield Finding.failed("REC-01", reason, evidence, at=recovery.registered)
        return  # whether it would have recovered without is not known (REC-08 is)
    new_key = stale_key(reading, recovery.mid, recovery.tid, sign_in.t)
    if new_key is not None:
        finding = _with_new_key(reading, recovery, new_key)
        if finding is not None:
            yield finding
        return
    if not sound(reading, sign_in):
        return  # the host granted it without sound keys
    earlier = _unexplained(reading, recovery, sign_in)
    if earlier is not None:
        reason = "a sign-in asked for after registration, before the granted one, failed; the wire does not show why"
        more = (*sign_in.events, earlier.invoked, earlier.completed)
        yield Finding.undecided("REC-01", reason, [*evidence, *more], at=recovery.registered)
        return
    proof = proof_of(reading, sign_in)
    again = _again_at_once(reading, recovery, sign_in) if proof.ok is None else None
    if again is not None:
        yield from _without_help(reading, recovery, again)
        return
    evidence += [*sign_in.events, *proof.events]
    if proof.ok is None:
        yield Finding.undecided("REC-01", f"registered again: {proof.reason}", evidence, at=recovery.registered)
    elif proof.ok:
        reason = f"registered again, the next sign-in was granted and {proof.reason}"
        yield Finding.passed("REC-01", reason, evidence, at=recovery.registered)
    else:
        reason = f"registered again, the next sign-in was granted, but {proof.reason}"
        yield Finding.failed("REC-01", reason, evidence, at=recovery.registered)


def _again_at_once(reading: Reading, recovery: Recovery, sign_in: Exchange) -> Exchange | None:
    """The sign-in granted next, where nothing was tried between the two that the first could have served."""
    following = next((s for s in recovery.granted if s.t > sign_in.t), None)
    if following is None:
        return None
    between = itertools.takewhile(lambda o: o.t < following.t, reading.operations_after(sign_in.t))
    tried = any(o.name in FINANCIAL_OPERATIONS for o in between)
    return None if tried or reading.financial_between(sign_in.t, following.t) else following


def _unexplained(reading: Reading, recovery: Recovery, sign_in: Exchange) -> Operation | None:
    """A sign-in asked for after registration that failed before this one, and the wire lacks its request or answer."""
    for asked in reading.operations_after(recovery.registered.t):
        if asked.done >= sign_in.t:
            return None
        if asked.name != "sign_in" or asked.outcome != "fail":
            continue
        sent = [e for e in reading.exchanges_of(asked) if e.is_sign_in(reading.profile)]
        if sent:
            answered = any(e.response is not None or e.strays for e in sent)
            blind = reading.wire_hurt_within(asked.t, asked.done + 1)
            told = any(j.direction == "out" for j in reading.between(HostJournal, sent[-1].t, asked.done))
            if told and not answered and not blind:
                return asked
            continue
        if any(asked.t <= c.t <= asked.done and c.fate in ("used", "open") for c in reading.connections):
            return asked
    return None


def _with_new_key(reading: Reading, recovery: Recovery, new_key: Key) -> Finding | None:
    """Before the new master key is loaded a key error, never 97; after it a sign-in. None: nobody asked before it."""
    loaded = next(iter(loads(reading, recovery.registered.t, recovery.until)), None)
    before = [s for s in recovery.granted if loaded is None or s.t < loaded.t]
    first = next(((s, o) for s in before if (o := operation_of(reading, s))), None)
    if first is None:
        return None
    sign_in, operation = first
    evidence: list[Event] = [
        *recovery.met[-1].events, recovery.registered, new_key, *sign_in.events, operation.invoked,
    ]  # fmt: skip
    if operation.completed is not None:
        evidence.append(operation.completed)

    def finding(verdict: str, reason: str, *more: Event | None) -> Finding:
        make = {"PASS": Finding.passed, "FAIL": Finding.failed}.get(verdict, Finding.undecided)
        return make("REC-01", reason, [*evidence, *more], at=recovery.registered)

    if operation.outcome == "ok":
        return finding("FAIL", "signed in although the new master key was not loaded: the keys can't have been right")
    screens = reading.screens_between(sign_in.answered_at or sign_in.t, until_text(reading, operation))
    told = next((s for s in screens if says_97(reading, s)), None)
    if operation.code in reading.profile.not_registered or told is not None:
        return finding("FAIL", "a sign-in under a master key not yet loaded is shown as 97, not as a key error", told)
    if operation.outcome == "unknown":
        return finding("INCONCLUSIVE", "a sign-in under a master key not yet loaded: its result could not be read")
    load = next(iter(loads(reading, sign_in.t, recovery.until)), None)
    after = next((s for s in recovery.granted if load and s.t > load.done), None)
    if load is None or after is None:
        return finding("INCONCLUSIVE", "the new master key was not loaded, or no sign-in was granted after it")
    proof = proof_of(reading, after)
    more = (load.invoked, load.completed, *after.events, *proof.events)
    if proof.ok is None:
        return finding("INCONCLUSIVE", f"with the new master key loaded: {proof.reason}", *more)
    if proof.ok:
        return finding("PASS", f"a key error before the new master key was loaded, and then {proof.reason}", *more)
    return finding("FAIL", f"with the new master key loaded the sign-in was granted, but {proof.reason}", *more)


# -- REC-07 ------------------------------------------------------------------------------------------------------------

STATES = {"terminal_removed": "missing", "terminal_pending": "pending", "terminal_rejected": "rejected"}


@checker("REC-07")
def shown_while_missing(reading: Reading) -> Iterator[Finding]:
    for recovery in recoveries(reading):
        gone = recovery.gone
        if gone is None and (recovery.registered_before or not reading.begins_with_the_log):
            continue  # it was registered all along, as far as we know: somebody made the host say 97
        met = [e for e in recovery.met if gone is None or e.t > gone.t]
        attended = next(
            ((e, o) for e in met if (o := watched_operation(reading, e)) and not _cut_off(reading, e)), None
        )
        if attended is None:
            continue
        state = STATES[gone.change] if gone else "missing"
        yield from _shown_and_restored(reading, recovery, state, *attended)


def _cut_off(reading: Reading, exchange: Exchange) -> bool:
    return exchange.answered_at is None or power_lost_soon(reading, exchange.answered_at) is not None


def _shown_and_restored(
    reading: Reading, recovery: Recovery, state: str, met: Exchange, operation: Operation
) -> Iterator[Finding]:
    start, end = met.answered_at or met.t, until_text(reading, operation)
    screens = reading.screens_between(start, end)
    seen: list[Screen | Cashier] = [*screens, *reading.cashier_between(start, end)]
    shown = next((event for event in seen if says_97(reading, event)), None)
    evidence: list[Event] = [*([recovery.gone] if recovery.gone else []), *met.events]
    at = recovery.registered
    if shown is None:
        unclear = not reading.offers("screen") or not screens or any(s.unreadable for s in screens)
        reason = f"while its registration was {state} the {met.name} was answered 97, and nothing readable showed it"
        make = Finding.undecided if unclear else Finding.failed
        yield make("REC-07", reason, [*evidence, *screens], at=at)
        return
    evidence += [shown, at]
    back = restoration(reading, recovery)
    if back is None and recovery.until != END:
        return  # it never came to a sign-in that could have restored it
    if back is None or back.proof.ok is None:
        why = back.proof.reason if back else "no sign-in was granted before the log ended"
        yield Finding.undecided("REC-07", f"97 was shown while registration was {state}; then: {why}", evidence, at=at)
        return
    evidence += [*back.sign_in.events, *back.proof.events]
    if back.proof.ok:
        reason = f"97 was shown while registration was {state}, and registration restored service: {back.proof.reason}"
        yield Finding.passed("REC-07", reason, evidence, at=at)
    else:
        reason = f"registration was {state}, then given, but {back.proof.reason}"
        yield Finding.failed("REC-07", reason, evidence, at=at)


# -- REC-08 ------------------------------------------------------------------------------------------------------------


def met_on(recovery: Recovery) -> dict[str, Exchange]:
    """Transaction type -> the last 97 on it before the registration."""
    return {TYPE_OF.get(e.transaction, UNKNOWN): e for e in recovery.met}


def _boot(reading: Reading, met: Exchange, sign_in: Exchange) -> list[Power]:
    """Somebody switched it off and on between 97 and sign-in: the first two events of it (one: the log lacks one)."""
    return [p for p in reading.powers if met.t < p.t < sign_in.t and p.reason != "watchdog"][:2]


def _whole_boot(boot: list[Power]) -> bool:
    return [p.state for p in boot] in ([], ["off", "on"])


@checker("REC-08")
def from_every_type(reading: Reading) -> Iterator[Finding]:
    """One occasion for each type of transaction on which 97 came. That all types were tried, and both ways, can only be
    told from all benches of a group: :func:`missing_recoveries`."""
    for recovery in recoveries(reading):
        back = restoration(reading, recovery)
        for kind, met in met_on(recovery).items():
            evidence: list[Event] = [*met.events, recovery.registered]
            if kind == UNKNOWN:
                reason = f"97 on a {met.mti} of a kind that this version does not know"
                yield Finding.undecided("REC-08", reason, evidence, at=met.request)
                continue
            if back is None or back.proof.ok is None:
                if back is not None or recovery.until == END:
                    why = back.proof.reason if back else "no sign-in was granted before the log ended"
                    yield Finding.undecided("REC-08", f"97 on {kind}: {why}", evidence, at=met.request)
                continue
            boot = _boot(reading, met, back.sign_in)
            evidence += [*boot, *back.sign_in.events, *back.proof.events]
            if not _whole_boot(boot):
                reason = f"97 on {kind}: whether it was switched off and on before the sign-in can't be told"
                yield Finding.undecided("REC-08", reason, evidence, at=met.request)
                continue
            way = "with a reboot" if boot else "without a reboot"
            make = Finding.passed if back.proof.ok else Finding.failed
            reason = f"97 on {kind}, {way} between: registered again, the sign-in was granted, and {back.proof.reason}"
            yield make("REC-08", reason, evidence, at=met.request)


def _expected(reading: Reading) -> frozenset[str]:
    """The types on which a terminal without a registration meets 97, by the profile."""
    profile, kinds = reading.profile, frozenset(TYPE_OF.values()) - FOLLOW_UPS - {"echo"}
    if profile.terminal_unknown_on == "sign_in":
        return frozenset({"sign_in"})
    return kinds if profile.keys_outlive_registration else kinds - frozenset(KINDS) - {"reversal"}


def missing_recoveries(readings: Iterable[Reading]) -> list[tuple[str, bool]]:
    """(type, with a reboot) which none of these logs of equal benches shows, of what their model declares and its
    profile lets happen. What depends on more (echo, what follows an approval, what a host of this profile refuses for
    another reason first) counts only where 97 came on it."""
    wanted: set[tuple[str, bool]] = set()
    seen: set[tuple[str, bool]] = set()
    for reading in readings:
        met = {TYPE_OF.get(e.transaction, UNKNOWN) for e in reading.definite_97s} - {UNKNOWN}
        kinds = {kind for kind in _expected(reading) if DECLARED_AS.get(kind, kind) in reading.model.transactions} | met
        wanted |= {(kind, reboot) for kind in kinds for reboot in (False, True)}
        for recovery in recoveries(reading):
            back = restoration(reading, recovery)
            if back is not None and back.proof.ok is not None:
                boots = {kind: _boot(reading, met, back.sign_in) for kind, met in met_on(recovery).items()}
                seen |= {(kind, bool(boot)) for kind, boot in boots.items() if _whole_boot(boot)}
    return sorted(wanted - seen)


def untried(readings: Iterable[Reading]) -> str:
    """:func:`missing_recoveries` in words, "" where there is none."""
    missing = missing_recoveries(readings)
    ways = {way: [kind for kind, reboot in missing if reboot is way] for way in (False, True)}
    told = [
        f"{'with' if reboot else 'without'} a reboot after 97 on {', '.join(kinds)}"
        for reboot, kinds in ways.items() if kinds
    ]
    return f"not tried: {'; '.join(told)}" if told else ""


# -- REC-10 ------------------------------------------------------------------------------------------------------------


@checker("REC-10")
def recovery_time(reading: Reading) -> Iterator[Finding]:
    """Every measured recovery time, against its own limits or the profile's."""
    for measured in reading.all(Measurement):
        if measured.name == RECOVERY_TIME:
            yield _in_time(reading, measured, reading.profile)


def _in_time(reading: Reading, measured: Measurement, profile: Profile) -> Finding:
    high = measured.high if measured.high is not None else profile.limits.recovery_s
    low = measured.low if measured.low is not None else 0.0
    told = f"{measured.value:.1f} s from the operator's action to the first approved sale, allowed {high:.0f} s"
    if measured.unit != "s" or measured.value < low:
        reason = f"{measured.value} {measured.unit} is no time that can be judged"
        return Finding.undecided("REC-10", reason, [measured])
    if measured.value <= high:
        return Finding.passed("REC-10", told, [measured])
    start = measured.t - int(measured.value * 1_000_000_000)
    if not reading.timing_reliable(start, measured.t):
        lag = reading.lag_ms(start, measured.t)
        return Finding.undecided("REC-10", f"{told}; the bench's own clock came {lag:.0f} ms late", [measured])
    return Finding.failed("REC-10", told, [measured])
