"""A diagnosis in words, for people and for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from harness.diagnosis.causes import TOLD
from harness.diagnosis.judging import Diagnosis, Evidence
from harness.diagnosis.signs import SIGNS

VERSION = 1
LIKELY, HARDLY = 0.75, 0.01  # how a likelihood is put in words
Translate = Callable[[str], str]


def _(text: str) -> str:
    return text


CERTAIN, PROBABLE, POSSIBLE, REMOTE = _("certain"), _("likely"), _("possible"), _("hardly")
NOT_KNOWN, CONTRADICTORY, TOO_LITTLE = (
    _("not known"), _("no single cause explains all that was seen"), _("what was seen says too little"),
)


def how_sure(diagnosis: Diagnosis, number: int) -> str:
    """In a word, of the fit with that index."""
    return in_a_word(diagnosis.certain, diagnosis.fits[number].likelihood)


def in_a_word(certain: bool, likelihood: float) -> str:
    if certain:
        return CERTAIN
    return PROBABLE if likelihood >= LIKELY else REMOTE if likelihood < HARDLY else POSSIBLE


def words_of(evidence: Evidence, translate: Translate = _) -> str:
    """What was seen, with its detail."""
    return translate(SIGNS[evidence.sign].words).format(about=evidence.about)


def why(contradictory: bool) -> str:
    """Why it is not known."""
    return CONTRADICTORY if contradictory else TOO_LITTLE


def as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """For programs; documented in docs/diagnosis.md."""
    return {
        "version": VERSION, "level": diagnosis.level, "known": diagnosis.known, "certain": diagnosis.certain,
        "healthy": diagnosis.healthy, "why_not_known": "" if diagnosis.known else why(diagnosis.contradictory),
        "causes": [
            {
                "cause": fit.cause, "likelihood": round(fit.likelihood, 4), "name": TOLD[fit.cause].name,
                "words": TOLD[fit.cause].words, "cure": TOLD[fit.cause].cure,
                "evidence": [_evidence(one) for one in fit.evidence],
            }
            for fit in (diagnosis.fits if diagnosis.known else ())
        ],
        "evidence": [_evidence(one) for one in diagnosis.evidence],
    }


def _evidence(one: Evidence) -> dict[str, Any]:
    return {"sign": one.sign, "about": one.about, "words": words_of(one), "events": list(one.events)}


def lines(diagnosis: Diagnosis, translate: Translate = _, *, most: int = 5) -> Iterator[str]:
    """For a terminal's window: the causes with cure and evidence, then all that was seen."""
    if not diagnosis.known:
        yield f"{translate(NOT_KNOWN)}: {translate(why(diagnosis.contradictory))}"
    shown = [fit for fit in diagnosis.fits if fit.likelihood >= HARDLY][:most] if diagnosis.known else []
    for number, fit in enumerate(shown):
        told = TOLD[fit.cause]
        yield f"{number + 1}. {translate(told.name)} ({translate(how_sure(diagnosis, number))}, {fit.likelihood:.0%})"
        yield f"   {translate(told.words)}"
        yield f"   {translate(_('Cure:'))} {translate(told.cure)}"
        for one in fit.evidence[:4]:
            yield f"   - {_with_events(one, translate)}"
    rest = diagnosis.fits[len(shown) :] if diagnosis.known else ()
    if rest:
        names = ", ".join(translate(TOLD[fit.cause].name) for fit in rest)
        yield translate(_("Hardly, and not ruled out: {names}")).format(names=names)
    if diagnosis.evidence:
        yield translate(_("What was seen:"))
        for one in diagnosis.evidence:
            yield f"   - {_with_events(one, translate)}"


def _with_events(one: Evidence, translate: Translate) -> str:
    numbers = ", ".join(map(str, one.events[:6]))
    return f"{words_of(one, translate)} [{translate(_('events {numbers}')).format(numbers=numbers)}]"
