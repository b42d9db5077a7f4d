"""FWU-03 power cuts in an update, FWU-05 links that are lost in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.checkers.finding import Finding, checker
from harness.checkers.firmware_started import only_loaded, stored_then
from harness.checkers.outliving import losses
from harness.checkers.reading import Reading
from harness.checkers.refusals import never_came, of_what_is_stored
from harness.checkers.updates import (
    Update,
    cut,
    dead,
    disturbed,
    reason_of,
    reason_told,
    second_senders,
    untroubled,
    updates,
)
from harness.history.events import Event
from harness.history.update_events import UpdateCut

WHO = frozenset({"tid", "mid", "tmk_kcv"})  # gone after an update that resets by design, of every merchant
STORED = frozenset({"sales", "voids", "reversal"})  # as the counters have it: nothing of it either


# -- FWU-03 ------------------------------------------------------------------------------------------------------------


@checker("FWU-03")
def every_cut_leaves_a_whole_version(reading: Reading) -> Iterator[Finding]:
    """Occasion: each cut of a sweep (``update.cut``)."""
    for event in reading.all(UpdateCut):
        yield _after_cut(event)


def _after_cut(event: UpdateCut) -> Finding:
    torn = "in the middle of" if event.torn else "before"
    pair = f"{event.old.version} to {event.new.version}"
    what = f"{pair}, power cut {torn} operation {event.operation} of {event.operations} ({event.stage}, {event.how})"
    wrong = _wrong(event)
    if wrong:
        reason = f"{what}: {wrong}"
        return Finding.failed("FWU-03", f"{reason} ({event.detail})" if event.detail else reason, [event])
    return Finding.passed("FWU-03", f"{what}: {event.runs} runs, and holds what was held before", [event])


def _wrong(event: UpdateCut) -> str:
    """What came of it that should not have; "": nothing."""
    if not event.runs:
        return "nothing starts any more"
    if event.runs not in (event.old.version, event.new.version):
        return f"{event.runs} runs, which is neither"
    wiped = event.resets and event.runs == event.new.version
    changed = remains(event.after) if wiped else _changes(event.before, event.after)
    return f"{event.runs} runs, and {', '.join(changed)}" if changed else ""


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Of what was told before. A version may tell more than the one before it."""
    differing = [n for n in sorted(before) if before[n] != after.get(n, "")]
    return [f"{n} is {after.get(n, '') or 'gone'} instead of {before[n] or 'nothing'}" for n in differing]


def remains(after: Mapping[str, str]) -> list[str]:
    """What an update that resets should have left nothing of."""
    return [f"{n} is still {value}" for n, value in after.items() if _remained(n.rpartition(".")[2], value)]


def _remained(name: str, value: str) -> bool:
    if name in WHO:
        return bool(value)
    return name in STORED and value != "none" and bool(set(value) - set("0/"))


@checker("FWU-03")
def a_cut_on_the_bench_too(reading: Reading) -> Iterator[Finding]:
    """Occasion: the bench took the power away in the middle of an update."""
    for update in updates(reading):
        gone = cut(reading, update)
        if gone is None or not update.sound:
            continue
        what = f"{update.name}, power cut in it"
        before = None if update.taken else update.before
        evidence: list[Event] = [e for e in (before, *update.events, gone) if e is not None]
        yield _came_up(reading, update, what, evidence)
        for loss in losses(reading, update) if not (update.offered.resets and update.taken) else ():
            yield Finding.failed("FWU-03", f"{what}: {loss.reason}", [*evidence, *loss.events], at=update.offered)


def _came_up(reading: Reading, update: Update, what: str, evidence: list[Event]) -> Finding:
    ruined = dead(reading, update)
    if ruined is not None:
        reason = f"{what}: nothing can be started any more"
        return Finding.failed("FWU-03", reason, [*evidence, ruined], at=update.offered)
    if update.taken or update.kept:
        return Finding.passed("FWU-03", f"{what}: {' '.join(update.runs or ())} runs", evidence, at=update.offered)
    if update.runs is not None and update.was is not None:
        reason = f"{what}: {' '.join(update.runs)} runs, which is neither"
        return Finding.failed("FWU-03", reason, evidence, at=update.offered)
    return Finding.undecided("FWU-03", f"{what}; what ran afterwards is not known", evidence, at=update.offered)


# -- FWU-05 ------------------------------------------------------------------------------------------------------------


@checker("FWU-05")
def a_lost_link_is_no_end(reading: Reading) -> Iterator[Finding]:
    """Occasion: the link of a transfer was hurt. It goes on all the same, or another attempt with the same image, which
    nothing troubles, is taken; nothing is lost meanwhile."""
    known = updates(reading)
    for index, update in enumerate(known):
        hurt = disturbed(reading, update)
        if hurt is None or not update.sound or cut(reading, update) is not None:
            continue
        yield _went_on(reading, update, known[index + 1 :], hurt)
        for loss in losses(reading, update) if not update.taken else ():  # of what was taken FWU-01 tells
            reason = f"{update.name}, {hurt[0]}: {loss.reason}"
            yield Finding.failed("FWU-05", reason, [*update.events, *hurt[1], *loss.events], at=update.offered)


@checker("FWU-05")
def two_senders_at_once(reading: Reading) -> Iterator[Finding]:
    """Occasion: an image was given while another was coming. One of them at most is installed; who is refused is told
    why; the unit lives."""
    for second in second_senders(reading):
        update = second.first
        by = "the service port" if second.operation.invoked.via == "service" else "the network"
        what = f"an image by {by} in the middle of {update.name}"
        evidence = [*update.events, *second.events]
        ruined, told = dead(reading, update), reason_of(reading, second.operation)
        if cut(reading, update) is not None:
            continue
        if ruined is not None:
            reason = f"{what}: nothing can be started any more"
            yield Finding.failed("FWU-05", reason, [*evidence, ruined], at=second.operation.invoked)
        elif second.accepted and update.accepted:
            yield Finding.failed("FWU-05", f"{what}: both were taken", evidence, at=second.operation.invoked)
        elif second.operation.outcome == "unknown":
            reason = f"{what}: how it ended is not known"
            yield Finding.undecided("FWU-05", reason, evidence, at=second.operation.invoked)
        elif not second.accepted and not told:
            reason = f"{what}: refused without a reason"
            yield Finding.failed("FWU-05", reason, evidence, at=second.operation.invoked)
        elif update.runs is None:
            reason = f"{what}: what ran afterwards is not known"
            yield Finding.undecided("FWU-05", reason, evidence, at=second.operation.invoked)
        elif not second.accepted and not (update.taken or update.kept):
            reason = f"{what}: refused ({told}), and {' '.join(update.runs)} runs, which is neither"
            yield Finding.failed("FWU-05", reason, evidence, at=second.operation.invoked)
        else:
            ended = f"refused ({told})" if not second.accepted else "taken instead"
            reason = f"{what}: {ended}, and {' '.join(update.runs)} runs"
            yield Finding.passed("FWU-05", reason, evidence, at=second.operation.invoked)


def _went_on(
    reading: Reading, update: Update, following: tuple[Update, ...], hurt: tuple[str, tuple[Event, ...]]
) -> Finding:
    what, evidence = f"{update.name}, {hurt[0]}", [*update.events, *hurt[1]]
    ruined = dead(reading, update)
    if ruined is not None:
        reason = f"{what}: nothing can be started any more"
        return Finding.failed("FWU-05", reason, [*evidence, ruined], at=update.offered)
    if update.taken:
        return Finding.passed("FWU-05", f"{what}: it was taken all the same", evidence, at=update.offered)
    if update.accepted and update.runs is not None and not only_loaded(reading, update):
        reason = f"{what}: the terminal said that it installs it, and {' '.join(update.runs)} runs"
        return Finding.failed("FWU-05", reason, evidence, at=update.offered)
    again = next((u for u in following if _same_again(reading, update, u)), None)
    if again is None:
        return Finding.undecided("FWU-05", f"{what}; nothing shows whether it can go on", evidence, at=update.offered)
    evidence = [update.offered, update.operation.invoked, *hurt[1], *again.events]
    if again.taken:
        return Finding.passed("FWU-05", f"{what}; another attempt was taken", evidence, at=update.offered)
    if again.kept:
        told = reason_told(reading, again) or "no reason told"
        reason = f"{what}; another attempt, which nothing troubled, was not taken ({told})"
        return Finding.failed("FWU-05", reason, evidence, at=update.offered)
    reason = f"{what}; what ran after another attempt is not known"
    return Finding.undecided("FWU-05", reason, evidence, at=update.offered)


def _same_again(reading: Reading, update: Update, other: Update) -> bool:
    """The same image, to the same unit, that came with nothing in the way (or was taken although something was). What
    is stored is in the way of an image that resets."""
    same = other.offered.firmware.sha256 == update.offered.firmware.sha256 and other.t < update.unit
    barred = other.offered.resets and (bool(stored_then(reading, other)) or of_what_is_stored(reading, other))
    came = untroubled(reading, other) and not barred and not never_came(reading, other)
    return same and other.sound and (other.taken or came)
