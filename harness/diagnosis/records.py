"""A diagnosis as it is stored in ``verdicts.json``, and that of a test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from pydantic import BaseModel, ConfigDict

from harness.checkers.finding import Finding
from harness.diagnosis.causes import Cause
from harness.diagnosis.diagnosing import of_test
from harness.diagnosis.judging import Diagnosis
from harness.diagnosis.signs import Level
from harness.history.events import AnyEvent, RunOpened, TestClosed


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SignRecord(_Value):
    """What was seen: a name of ``harness.diagnosis.signs``, its detail, its events."""

    sign: str
    about: str
    events: list[int]


class CauseRecord(_Value):
    """A cause that fits, how likely it is among all that do, and the signs that speak for it, the strongest first."""

    cause: Cause
    likelihood: float
    signs: list[str]


class DiagnosisRecord(_Value):
    """Why a test failed (docs/diagnosis.md). ``level``: what was looked at. ``causes``: all that fit, the likeliest
    first; none where it is not ``known``."""

    level: Level
    known: bool
    certain: bool
    contradictory: bool
    causes: list[CauseRecord]
    signs: list[SignRecord]

    @classmethod
    def of(cls, diagnosis: Diagnosis) -> DiagnosisRecord:
        causes = [
            CauseRecord(cause=fit.cause, likelihood=round(fit.likelihood, 4), signs=[one.sign for one in fit.evidence])
            for fit in diagnosis.fits
        ]
        signs = [SignRecord(sign=e.sign, about=e.about, events=list(e.events)) for e in diagnosis.evidence]
        return cls(
            level=diagnosis.level, known=diagnosis.known, certain=diagnosis.certain,
            contradictory=diagnosis.contradictory, causes=causes if diagnosis.known else [], signs=signs,
        )


def of_span(events: Sequence[AnyEvent], test: str, findings: Sequence[Finding]) -> list[DiagnosisRecord]:
    """What was the matter in a test of a log that did not pass, at both levels of evidence. None of one that passed,
    nor where it was the bench that failed: then there is nothing to say of the terminal."""
    broken = [one for one in findings if one.span == test and one.verdict == "FAIL"]
    span = [event for event in events if event.span == test or isinstance(event, RunOpened)]
    closed = next((event for event in span if isinstance(event, TestClosed)), None)
    if not broken and closed is not None and closed.outcome != "failed":
        return []
    return [DiagnosisRecord.of(of_test(span, broken, level)) for level in get_args(Level)]
