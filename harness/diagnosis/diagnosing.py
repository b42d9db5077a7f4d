"""What is the matter: with a bench while somebody looks at it, as a log ends, in a test that failed."""

from __future__ import annotations

from collections.abc import Sequence

from harness.checkers.finding import Finding
from harness.diagnosis.episode import last_story
from harness.diagnosis.judging import Diagnosis, Seen, diagnose_signs
from harness.diagnosis.observing import signs_in
from harness.diagnosis.signs import Level
from harness.history.events import AnyEvent, RunOpened, TestPhase

OF_THE_UNIT = frozenset({
    "rule_broken", "told_broken", "told_hot", "told_nothing",
    "told_tampered", "told_software", "told_unread", "unreadable", "restarted",
    "out_of_range", "struck", "in_range", "told_modem_silent",
})  # what, beside a defect, may have broken a rule; anything else in the test was played by it


def of_looking(events: Sequence[AnyEvent], level: Level = "outside") -> Diagnosis:
    """Of a look-around (``harness.campaigns.diagnose``), in which nothing changes: everything seen is of one story."""
    return diagnose_signs(signs_in(events), level)


def of_log(events: Sequence[AnyEvent], level: Level = "outside") -> Diagnosis:
    """Of the end of a log, whole or in part."""
    return diagnose_signs(last_story(signs_in(events)), level)


def of_test(events: Sequence[AnyEvent], broken: Sequence[Finding] = (), level: Level = "outside") -> Diagnosis:
    """Why a test failed. ``events``: its span, and a ``run.opened``. ``broken``: what the judge found in it.

    A broken rule is what has to be explained: whatever else happened in the test was played by it. Without one it is
    the last trouble in the test's own part, before the bench was put in order again.
    """
    failed = [one for one in broken if one.verdict == "FAIL"]
    if failed:
        signs = [one for one in signs_in(events, failed) if one.sign in OF_THE_UNIT]
        return diagnose_signs(signs, level)
    return diagnose_signs(last_story(signs_in(body_of(events)), of_trouble=True), level)


def body_of(events: Sequence[AnyEvent]) -> list[AnyEvent]:
    """The events of a span up to its conclusion, without its setup where a body followed."""
    ordered = sorted(events, key=lambda event: (event.t, event.seq))
    marks = {event.phase: (event.t, event.seq) for event in ordered if isinstance(event, TestPhase)}
    start, end = marks.get("body", (-1, -1)), marks.get("conclude")
    found: list[AnyEvent] = []
    for event in ordered:
        place = (event.t, event.seq)
        if isinstance(event, RunOpened) or (start <= place and (end is None or place < end)):
            found.append(event)
    return found


__all__ = ["Diagnosis", "Seen", "body_of", "of_log", "of_looking", "of_test"]
