"""FWU-01 what outlives an update, FWU-02 updates that reset by design, FWU-08 updates in 97, FWU-09 the matrix.

Cuts and lost links: ``firmware_cut``. Images that must not run: ``firmware_refused``. Which version it says that it
is: ``firmware_told``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.checkers.fate import after
from harness.checkers.finding import Finding, checker
from harness.checkers.firmware_started import loaded, only_loaded, stored_then
from harness.checkers.outliving import fates
from harness.checkers.reading import SECOND, Exchange, Operation, Reading
from harness.checkers.recoveries import recoveries, restoration, sound, stale_key
from harness.checkers.refusals import (
    CANCELLED,
    given_again,
    never_came,
    not_looked_at,
    of_what_is_stored,
    refused_by_the_host,
)
from harness.checkers.shown import contains_any
from harness.checkers.state import made_new
from harness.checkers.tables import ONLINE_OPERATIONS
from harness.checkers.timeline import LOOKUP_S
from harness.checkers.updates import Update, cut, in_97, reason_told, untroubled, updates
from harness.history.events import Event
from harness.terminal.contracts import BUSY, NOT_CONNECTED

_MAKE = {True: Finding.passed, False: Finding.failed, None: Finding.undecided}
BLANK = frozenset("0 ")  # of such characters a number is made that was never set
AT_WORK = frozenset({"Z1", "Z5", "Z6", BUSY})  # no connection, cancelled, busy: no word on what it is


# -- FWU-01 ------------------------------------------------------------------------------------------------------------


@checker("FWU-01")
def nothing_is_lost(reading: Reading) -> Iterator[Finding]:
    """Occasion: each thing that there was to keep when a sound image was installed, which then ran."""
    for update in updates(reading):
        if not update.sound or update.offered.resets or not update.taken or cut(reading, update) is not None:
            continue
        for fate in fates(reading, update):
            make, evidence = _MAKE[fate.ok], [*update.events, *fate.events]
            yield make("FWU-01", f"after {update.name}: {fate.reason}", evidence, at=update.offered)


# -- FWU-02 ------------------------------------------------------------------------------------------------------------


@checker("FWU-02")
def a_reset_waits_for_the_settlement(reading: Reading) -> Iterator[Finding]:
    """Occasion: an image that resets by design was given, and something was stored when it was to be installed. Where
    the power was taken away before it said whether it installs it, only what runs then counts."""
    for update in updates(reading):
        stored = stored_then(reading, update) if update.sound and update.offered.resets else []
        if not stored:
            continue
        what = f"{update.name} resets by design, and {len(stored)} transactions were stored"
        evidence = [*update.events, *stored]
        if update.taken:
            yield Finding.failed("FWU-02", f"{what}: it was installed", evidence, at=update.offered)
        elif cut(reading, update) is not None or loaded(reading, update):
            continue
        elif update.accepted:
            reason = f"{what}: the terminal said that it installs it"
            yield Finding.failed("FWU-02", reason, evidence, at=update.offered)
        elif not update.kept:
            yield Finding.undecided("FWU-02", f"{what}; what ran afterwards is not known", evidence, at=update.offered)
        elif other := not_looked_at(reading, update):
            again = given_again(reading, update)
            if again is not None and stored_then(reading, again):
                continue
            reason = f"{what}; it was not installed, and nothing shows that they were the reason: {other}"
            yield Finding.undecided("FWU-02", reason, evidence, at=update.offered)
        elif not reason_told(reading, update):
            yield Finding.failed("FWU-02", f"{what}: refused without a reason", evidence, at=update.offered)
        else:
            reason = f"{what}: refused ({reason_told(reading, update)}), and {update.old} runs on"
            yield Finding.passed("FWU-02", reason, evidence, at=update.offered)


@checker("FWU-02")
def after_a_reset_it_recovers(reading: Reading) -> Iterator[Finding]:
    """Occasion: an image that resets by design was installed with nothing stored. Afterwards the terminal is as out of
    the box (it sends nothing) or is answered 97; provisioned anew it is back in service."""
    for update in updates(reading):
        if update.sound and update.offered.resets and update.taken and not stored_then(reading, update):
            finding = _recovers(reading, update)
            if finding is not None:
                yield finding


def _recovers(reading: Reading, update: Update) -> Finding | None:
    what = f"{update.name} reset the terminal"
    sent = list(after(reading, update))
    blank = next((e for e in sent if e.transaction != "activation" and not set(e.tid) - BLANK), None)
    if blank is not None:
        reason = f"{what}, and {blank.name} left with a blank terminal number"
        return Finding.failed("FWU-02", reason, [*update.events, blank.request], at=update.offered)
    met: list[Event] = []
    how = "as out of the box"
    untouched = (o for o in _tried(reading, update) if not made_new(reading, update.settled, o.t))
    refused = next((o for o in untouched if not _in_the_way(reading, o)), None)
    tried = refused is not None and reading.connections_between(refused.t, refused.done + 1)
    if refused is not None and refused.outcome == "fail" and not tried:
        met = [e for e in (refused.invoked, refused.completed) if e is not None]
    elif sent and sent[0].definite_97:
        met, how = list(sent[0].events), "97"
    granted = next((e for e in sent if _usable(reading, e)), None)
    if granted is None or not met:
        reason = f"{what}; how it behaved then, and that it recovers, was not seen"
        return Finding.undecided("FWU-02", reason, [*update.events, *met], at=update.offered)
    if not made_new(reading, met[0].t, granted.t):
        reason = f"{what}; it signed in though nobody had provisioned it, and nothing else shows that it was reset"
        return Finding.undecided("FWU-02", reason, [*update.events, *met, *granted.events], at=update.offered)
    asked = reading.attended_by(granted)
    if asked is not None and asked.outcome == "fail":
        reason = f"{what}; provisioned anew the host grants its sign-in, and it can't use it"
        return Finding.failed("FWU-02", reason, [*update.events, *met, *granted.events], at=update.offered)
    good = next((e for e in sent if e.t > granted.t and e.request_mac == "ok" and e.approved(reading.profile)), None)
    if good is None:
        reason = f"{what}; after its sign-in nothing shows that it works again"
        return Finding.undecided("FWU-02", reason, [*update.events, *met, *granted.events], at=update.offered)
    reason = f"{what}: {how}, and provisioned anew it signed in, and {good.name} was approved"
    evidence = [*update.events, *met, *granted.events, *good.events]
    return Finding.passed("FWU-02", reason, evidence, at=update.offered)


def _usable(reading: Reading, e: Exchange) -> bool:
    """A sign-in that the host grants, with keys that the terminal can open."""
    granted = e.is_sign_in(reading.profile) and e.approved(reading.profile)
    return granted and sound(reading, e) and not stale_key(reading, e.mid, e.tid, e.t)


def _in_the_way(reading: Reading, asked: Operation) -> bool:
    """Something else than that it is as out of the box can have kept it from connecting."""
    start, end = asked.t - LOOKUP_S * SECOND, asked.done + 1
    if reading.wire_hurt_within(start, end) or reading.power_lost_within(asked.t, end):
        return True
    texts, done = (*NOT_CONNECTED, CANCELLED), asked.completed
    if done is not None and (done.code in AT_WORK or any(text in done.detail for text in texts)):
        return True
    return any(contains_any(screen.lines, texts) for screen in reading.screens_between(asked.t, end))


def _tried(reading: Reading, update: Update) -> Iterator[Operation]:
    """What was asked of it that needs the host, until another unit came."""
    for operation in reading.operations_after(update.settled):
        if operation.t >= update.unit:
            return
        if operation.name in ONLINE_OPERATIONS:
            yield operation


# -- FWU-08 ------------------------------------------------------------------------------------------------------------


@checker("FWU-08")
def an_update_in_97(reading: Reading) -> Iterator[Finding]:
    """Occasion: a sound image given, without trouble, while the host's last word was 97. It is installed, and once the
    host has registered the terminal again, that signs in."""
    for update in updates(reading):
        met = in_97(reading, update)
        if met is None or not update.sound or update.offered.resets or not untroubled(reading, update):
            continue
        evidence = [*met.events, *update.events]
        what = f"in 97, {update.name}"
        if update.kept and refused_by_the_host(reading, update):
            continue
        if update.kept and (absent := never_came(reading, update)):
            again = given_again(reading, update)
            if again is not None and in_97(reading, again):
                continue
            yield Finding.undecided("FWU-08", f"{what} was not taken: {absent}", evidence, at=update.offered)
        elif update.kept:
            reason = f"{what} was not taken: {reason_told(reading, update) or 'no reason told'}"
            yield Finding.failed("FWU-08", reason, evidence, at=update.offered)
        elif update.taken:
            yield _recovered(reading, update, met, evidence, what)
        else:
            yield Finding.undecided("FWU-08", f"{what}: what ran afterwards is not known", evidence, at=update.offered)


def _recovered(reading: Reading, update: Update, met: Exchange, evidence: list[Event], what: str) -> Finding:
    for recovery in recoveries(reading):
        if recovery.until <= update.t or recovery.registered.t >= update.unit:
            continue
        if (recovery.mid, recovery.tid) != (met.mid, met.tid):
            continue
        back = restoration(reading, recovery)
        if back is None or back.proof.ok is None or back.sign_in.t < update.settled:
            continue
        found = [*evidence, recovery.registered, *back.sign_in.events, *back.proof.events]
        make = Finding.passed if back.proof.ok else Finding.failed
        reason = f"{what} was taken; registered, the sign-in was granted, and {back.proof.reason}"
        return make("FWU-08", reason, found, at=update.offered)
    reason = f"{what} was taken; no recovery followed that tells"
    return Finding.undecided("FWU-08", reason, evidence, at=update.offered)


# -- FWU-09 ------------------------------------------------------------------------------------------------------------


@checker("FWU-09")
def every_pair(reading: Reading) -> Iterator[Finding]:
    """Occasion: a sound image given without trouble, that came, to a unit whose version is known (by an image that
    resets: with nothing stored)."""
    for update in updates(reading):
        finding = _of_pair(reading, update)
        if finding is not None:
            yield finding


def _of_pair(reading: Reading, update: Update) -> Finding | None:
    if not update.sound or update.was in (None, update.offers) or not untroubled(reading, update):
        return None
    if (update.offered.resets and stored_then(reading, update)) or refused_by_the_host(reading, update):
        return None
    if update.kept and never_came(reading, update):
        return None
    evidence = [update.before, *update.events]
    state = "in 97" if in_97(reading, update) else "in service"
    what = f"{update.name}, {state}"
    if update.taken:
        return Finding.passed("FWU-09", f"{what}: it runs", evidence, at=update.offered)
    if update.kept and (unlike := _not_of_the_pair(reading, update)):
        if given_again(reading, update) is not None:
            return None
        return Finding.undecided("FWU-09", f"{what}: {unlike}", evidence, at=update.offered)
    if update.kept:
        told = "installed, and turned back from" if update.accepted else "refused"
        reason = f"{what}: {told} ({reason_told(reading, update) or 'no reason told'})"
        return Finding.failed("FWU-09", reason, evidence, at=update.offered)
    if update.runs is not None:
        return Finding.failed("FWU-09", f"{what}: {' '.join(update.runs)} runs", evidence, at=update.offered)
    return Finding.undecided("FWU-09", f"{what}: what ran afterwards is not known", evidence, at=update.offered)


def _not_of_the_pair(reading: Reading, update: Update) -> str:
    """Why that the version before runs on is no word on the two versions, in words; "": it is one. Not all that a
    terminal may have stored can be seen from outside."""
    if only_loaded(reading, update):
        return "loaded, and nobody told it to install it"
    if update.offered.resets and of_what_is_stored(reading, update):
        return f"refused for what it says that it has stored ({reason_told(reading, update)})"
    return ""


def missing_pairs(readings: Iterable[Reading]) -> list[str]:
    """The planned pairs ("0.9.0 to 1.0.0") that none of these logs of equal benches decides."""
    wanted: set[tuple[str, str]] = set()
    seen: set[tuple[str, str]] = set()
    for reading in readings:
        header = reading.header
        wanted |= {(old, header.firmware.version) for old in header.from_versions}
        for update in updates(reading):
            finding = _of_pair(reading, update)
            if update.was is not None and finding is not None and finding.verdict != "INCONCLUSIVE":
                seen.add((update.was[1], update.offers[1]))
    return [f"{old} to {new}" for old, new in sorted(wanted - seen)]
