"""FWU-04 images that must not run, FWU-06 images from which the terminal comes back by itself."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checkers.finding import Finding, checker
from harness.checkers.firmware_started import met, starts
from harness.checkers.observing import is_idle, quoted, seen_until
from harness.checkers.outliving import in_service_again, losses
from harness.checkers.reading import SECOND, Reading
from harness.checkers.refusals import OF_WHAT_IS_STORED, given_again, not_looked_at
from harness.checkers.updates import Update, changed_later, cut, dead, reason_told, turned_back, updates
from harness.history.events import Event, Power, Screen

BACK_S = 40  # real seconds from the restart: a hang of 5 s, both starts, and as much again twice


@checker("FWU-04")
def flawed_images_are_refused(reading: Reading) -> Iterator[Finding]:
    """Occasion: an image with a flaw was given. It is refused and the reason told, the version before runs on, and
    nothing is lost. One that the bench has changed in its slot may be found out at the start only. Given again, it is
    the next attempt that decides what this one does not."""
    for update in updates(reading):
        if update.sound or turned_back(update):
            continue
        finding = _refused(reading, update)
        if finding.verdict != "INCONCLUSIVE" or given_again(reading, update) is None:
            yield finding
        for loss in losses(reading, update):
            reason = f"after an image was given that must be refused ({update.flaw}): {loss.reason}"
            yield Finding.failed("FWU-04", reason, [*update.events, *loss.events], at=update.offered)


def _refused(reading: Reading, update: Update) -> Finding:
    rule, what = "FWU-04", f"an image that must be refused ({update.flaw}) was given by {update.offered.via}"
    evidence = [update.before, *update.events]
    if update.taken:
        return Finding.failed(rule, f"{what}: it runs", evidence, at=update.offered)
    ruined = dead(reading, update)
    if ruined is not None:
        return Finding.failed(rule, f"{what}: nothing can be started any more", [*evidence, ruined], at=update.offered)
    if update.accepted and not changed_later(update):
        return Finding.failed(rule, f"{what}: the terminal said that it installs it", evidence, at=update.offered)
    if not update.kept:
        if update.runs is not None and update.was is not None:
            reason = f"{what}: {update.was[1]} ran before, {update.runs[1]} runs now"
            return Finding.failed(rule, reason, evidence, at=update.offered)
        return Finding.undecided(rule, f"{what}; what runs afterwards is not known", evidence, at=update.offered)
    shown = met(reading, update)
    if changed_later(update) and not shown:
        reason = f"{what}; {update.old} runs on, and nothing shows that it was to start the image"
        return Finding.undecided(rule, reason, evidence, at=update.offered)
    if update.accepted:
        evidence += shown if len(shown) == 1 else []  # of many any one would do
        reason = f"{what}; it was not started, and {update.old} runs on"
        return Finding.passed(rule, reason, evidence, at=update.offered)
    other = not_looked_at(reading, update, OF_WHAT_IS_STORED)
    if other:
        reason = f"{what}; {update.old} runs on, and nothing shows that the image was looked at: {other}"
        return Finding.undecided(rule, reason, evidence, at=update.offered)
    told = reason_told(reading, update)
    if not told:
        return Finding.failed(rule, f"{what}: refused without a reason", evidence, at=update.offered)
    return Finding.passed(rule, f"{what}: refused ({told}), and {update.old} runs on", evidence, at=update.offered)


@checker("FWU-06")
def comes_back_by_itself(reading: Reading) -> Iterator[Finding]:
    """Occasion: an image that fails at its first start was installed. The version before is back without anybody's
    help, nothing is lost, and the host serves it as before."""
    for update in updates(reading):
        gone = cut(reading, update)
        if not turned_back(update) or not update.accepted or (gone is not None and gone.reason != "operator"):
            continue
        yield _came_back(reading, update)
        for loss in losses(reading, update):
            reason = f"after the return from an image that fails ({update.flaw}): {loss.reason}"
            yield Finding.failed("FWU-06", reason, [*update.events, *loss.events], at=update.offered)


def _came_back(reading: Reading, update: Update) -> Finding:
    rule, what = "FWU-06", f"an image that fails at its first start ({update.flaw}) was installed"
    evidence: list[Event] = [e for e in (update.before, *update.events) if e is not None]
    if update.taken:
        return Finding.failed(rule, f"{what}: it stays", evidence, at=update.offered)
    ruined = dead(reading, update)
    if ruined is not None:
        return Finding.failed(rule, f"{what}: nothing can be started any more", [*evidence, ruined], at=update.offered)
    switched = _switched_off(reading, update)
    helped = next((p for p in switched if not _worked(reading, update, p)), None)
    if helped is not None:
        reason = f"{what}: somebody had to switch the terminal off and on"
        return Finding.failed(rule, reason, [*evidence, helped], at=update.offered)
    stuck = _stuck(reading, update)
    if stuck is not None:
        reason = f"{what}: it did not come back within {BACK_S} s; the screen said {quoted(stuck)}"
        return Finding.failed(rule, reason, [*evidence, stuck], at=update.offered)
    if not update.kept:
        return Finding.undecided(rule, f"{what}; what runs afterwards is not known", evidence, at=update.offered)
    if switched:
        reason = f"{what}; it worked again, and was switched off and on before it told what it runs"
        return Finding.undecided(rule, reason, [*evidence, switched[0]], at=update.offered)
    started = starts(reading, update)
    if reading.offers("power") and not started:
        return Finding.undecided(rule, f"{what}; nothing shows that it was started", evidence, at=update.offered)
    served = in_service_again(reading, update)
    if served is None:
        reason = f"{what}; the version before is back, and nothing shows that the host still serves it"
        return Finding.undecided(rule, reason, evidence, at=update.offered)
    reason = f"{what}; {update.old} is back by itself, and {served.name} was approved"
    only = started if len(started) == 1 else []  # of many any one would do
    return Finding.passed(rule, reason, [*evidence, *only, *served.events], at=update.offered)


def _stuck(reading: Reading, update: Update) -> Screen | None:
    """What stands on the screen of a terminal that has said nothing since, though it had the time to be idle."""
    restart = reading.power_lost_within(update.t, update.until)
    if update.told is not None or restart is None or not reading.offers("screen"):
        return None
    end = min(update.until, seen_until(reading), restart.t + BACK_S * SECOND)
    if end - restart.t < BACK_S * SECOND or not reading.timing_reliable(restart.t, end):
        return None
    shown = reading.screens_during(restart.t, end)
    if not shown or any(s.unreadable or is_idle(reading, s) for s in shown[1:]):
        return None
    return shown[-1]


def _switched_off(reading: Reading, update: Update) -> list[Power]:
    """Each time that somebody switched it off after it had been told to install, before it said a word."""
    end = update.told.t if update.told else update.until
    events = reading.between(Power, update.operation.done, end)
    return [p for p in events if p.reason == "operator" and p.state == "off"]


def _worked(reading: Reading, update: Update, gone: Power) -> bool:
    """It had started by then, and stood idle or sent something since: it needed no hand."""
    on = next((p for p in reversed(reading.between(Power, update.t, gone.t)) if p.state == "on"), None)
    if on is None:
        return False
    idle = any(is_idle(reading, s) for s in reading.screens_between(on.t, gone.t))
    return idle or bool(reading.exchanges_between(on.t, gone.t))
