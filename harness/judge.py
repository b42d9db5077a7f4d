"""Verdicts from stored histories: the same files give the same bytes, at the run's end or years later.

``judge_bench(events)`` gives the findings of one log; those of a run are merged in :mod:`harness.judge_run`.
"""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Iterable
from pathlib import Path

from harness.checkers.disturbances import excuse, excused
from harness.checkers.finding import Finding, checkers
from harness.checkers.reading import Reading
from harness.history.events import AnyEvent, TestClosed, TestOpened
from harness.history.instrument_events import Disturbed, HardwareState, Readings

SURROUNDING = (Readings, Disturbed, HardwareState)  # what may excuse the terminal


def judge_bench(events: Iterable[AnyEvent]) -> list[Finding]:
    """The findings of all checkers on one log (or a part with its run.opened), in a fixed order.

    A checker that itself fails gives an ERROR: a mistake of ours is never the terminal's.
    """
    return judge(Reading.of(events))


def judge(reading: Reading) -> list[Finding]:
    """:func:`judge_bench` of a history already read.

    A bench's failure is recorded when it is noticed, at the latest as the test ends: what is missing before it may have
    been lost by the bench. So a FAIL counts only where what stood before that test shows it; else it is an ERROR.
    """
    found = _checked(reading)
    if not reading.failures or not any(f.verdict == "FAIL" for f in found):
        return found
    proven = {(f.rule, f.t) for f in _checked(_before_failure(reading)) if f.verdict == "FAIL"}
    what = reading.failures[0].what
    blamed = [
        dataclasses.replace(f, verdict="ERROR", reason=f"the bench failed ({what}): would be FAIL: {f.reason}")
        if f.verdict == "FAIL" and (f.rule, f.t) not in proven else f
        for f in found
    ]
    return sorted(blamed, key=_order)


def _before_failure(reading: Reading) -> Reading:
    """The history up to the last moment at which the bench was known to work: where the test began in which it failed,
    or, between tests, where the one before had ended."""
    failure = reading.failures[0]
    events = reading.events
    good = 0
    for index, event in enumerate(events[: events.index(failure)]):
        if isinstance(event, TestClosed) or (isinstance(event, TestOpened) and event.test == failure.span):
            good = index
    kept = [e for e in events[:good] if failure.span is None or e.span != failure.span]
    return Reading.of(kept if reading.header in kept else [reading.header, *kept])


def _checked(reading: Reading) -> list[Finding]:
    found: list[Finding] = []
    disturbed = any(isinstance(event, SURROUNDING) for event in reading.events)
    for rule, functions in checkers().items():
        for function in functions:
            try:
                judged = list(function(reading))
                found.extend(_excused(reading, finding) for finding in judged) if disturbed else found.extend(judged)
            except Exception as error:
                place = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{Path(place.filename).name}:{place.lineno}"
                what = f"the checker failed: {type(error).__name__}: {error} ({where})"
                found.append(Finding.of(rule, "ERROR", what, (), at=reading.header))
    return sorted(found, key=_order)


def _excused(reading: Reading, finding: Finding) -> Finding:
    """A FAIL is none where a part of the terminal was broken on purpose, a disturbance hit it under which it need not
    work on, or it stood outside its declared range: unless the rule must hold even then."""
    if finding.verdict != "FAIL":
        return finding
    moments = [finding.t, *(reading.by_seq[seq].t for seq in finding.evidence if seq in reading.by_seq)]
    why = excuse(reading, finding.rule, finding.t, max(moments))
    return finding if why is None else excused(finding, why)


def _order(finding: Finding) -> tuple[str, int, tuple[int, ...], str, str]:
    return finding.rule, finding.t, finding.evidence, finding.verdict, finding.reason
