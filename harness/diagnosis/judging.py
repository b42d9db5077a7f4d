"""Signs to a diagnosis: which causes fit all of them, the likeliest first, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from harness.diagnosis.causes import CAUSES, TOLD, Cause
from harness.diagnosis.signs import HEALTH, SIGNS, Level

MOST_EVENTS = 12  # named for one sign; of many alike the first and the last
TWO_AT_ONCE = math.log(0.01)  # that something else is the matter as well is as likely as this, times its prior
LAST_LEFT = math.log(0.3)  # two causes speak against a cause that is the only one left where they are as likely as this
HARDLY_EXPLAINED = 0.02  # of what the likeliest cause of a sign makes of it: with less, a sign is not explained
CORE, MOST_IN_CORE = 0.95, 6  # more causes than these to make up so much of the likelihood are no answer


@dataclass(frozen=True)
class Seen:
    """A sign that was seen: its name in :data:`SIGNS`, ``about`` its detail, ``events`` their ``seq``, ``t`` the last
    moment (ns). ``of``: MID/TID of the merchant whose it is, where several share the terminal."""

    sign: str
    events: tuple[int, ...]
    t: int
    about: str = ""
    of: str = ""


@dataclass(frozen=True)
class Evidence:
    """What was seen of one sign, all occasions together."""

    sign: str
    about: str
    events: tuple[int, ...]


@dataclass(frozen=True)
class Fit:
    """A cause that fits. ``likelihood``: of all that fit, 0 to 1. ``evidence``: the signs that speak for it the most,
    the strongest first. ``unexplained``: signs that it could have brought, and hardly would have."""

    cause: Cause
    likelihood: float
    evidence: tuple[Evidence, ...]
    unexplained: tuple[str, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """``fits``: the causes that fit the evidence, the likeliest first. ``known`` False: none fits, or what was seen
    says nothing. ``certain``: one is left. ``evidence``: all signs, in the order in which they were first seen.
    ``two_likelier``: that two causes came together is likelier than any single one."""

    level: Level
    fits: tuple[Fit, ...]
    evidence: tuple[Evidence, ...]
    two_likelier: bool = False

    @property
    def contradictory(self) -> bool:
        """No single cause explains all that was seen: none fits, or only such as merely survive where strong evidence
        for others met, and hardly would have brought it."""
        return not self.fits or self.two_likelier or (len(self.fits) == 1 and bool(self.fits[0].unexplained))

    @property
    def known(self) -> bool:
        return bool(self.evidence) and not self.contradictory and self._core <= MOST_IN_CORE

    @property
    def _core(self) -> int:
        """How many causes, the likeliest first, make up most of the likelihood."""
        total = 0.0
        for number, fit in enumerate(self.fits, 1):
            total += fit.likelihood
            if total >= CORE:
                return number
        return len(self.fits)

    @property
    def certain(self) -> bool:
        return self.known and len(self.fits) == 1

    @property
    def healthy(self) -> bool:
        return self.known and self.fits[0].cause == "nothing"

    @property
    def causes(self) -> tuple[Cause, ...]:
        return tuple(fit.cause for fit in self.fits)

    def alike(self) -> tuple[Cause, ...]:
        """The first, and those that nothing but how common they are tells from it."""
        first = self.fits[0] if self.fits else None
        if first is None:
            return ()
        bare = {fit.cause: fit.likelihood / TOLD[fit.cause].prior for fit in self.fits}
        return tuple(c for c in self.causes if math.isclose(bare[c], bare[first.cause], rel_tol=0.05))


def evidence_of(seen: Iterable[Seen]) -> tuple[Evidence, ...]:
    """One for each sign, in the order of the first moment."""
    found: dict[str, tuple[list[str], set[int]]] = {}
    for one in seen:
        about, events = found.setdefault(one.sign, ([], set()))
        if one.about and one.about not in about:
            about.append(one.about)
        events.update(one.events)
    return tuple(
        Evidence(sign, ", ".join(about[:3]), _some(sorted(events))) for sign, (about, events) in found.items()
    )


def _some(events: Sequence[int]) -> tuple[int, ...]:
    half = MOST_EVENTS // 2
    return tuple(events) if len(events) <= MOST_EVENTS else (*events[:half], *events[-half:])


def usable(seen: Iterable[Seen], level: Level) -> list[Seen]:
    """Those that this level of evidence has."""
    return [one for one in seen if level == "host" or not SIGNS[one.sign].of_host]


def of_those_in_trouble(seen: Sequence[Seen]) -> list[Seen]:
    """Without what says only of one merchant that it is well, where another one that shares the terminal is in
    trouble. What that would rule out is left: the sets of causes never get smaller by it."""
    merchants = {one.of for one in seen if one.of}
    troubled = {one.of for one in seen if one.of and SIGNS[one.sign].says_trouble}
    well = merchants - troubled if troubled else set()
    return [one for one in seen if one.of not in well or len(SIGNS[one.sign].row) < len(CAUSES)]


def weights(signs: Iterable[str]) -> dict[Cause, float]:
    """Natural logarithm of prior and all signs together, of each cause that none of them rules out."""
    found = {cause: math.log(TOLD[cause].prior) for cause in CAUSES}
    for sign in set(signs):
        row = SIGNS[sign].row
        found = {cause: weight + math.log(row[cause]) for cause, weight in found.items() if cause in row}
    return found


def weight_of_two(signs: Iterable[str]) -> float:
    """Of the two causes that explain all signs together the best, as :func:`weights` has that of one; -inf: none do.

    What is the matter shows by either of them; what works would work with both."""
    rows = [SIGNS[sign] for sign in set(signs)]

    def together(first: Cause, second: Cause) -> float:
        weight = math.log(TOLD[first].prior) + math.log(TOLD[second].prior) + TWO_AT_ONCE
        for one in rows:
            seen = (min if one.permits else max)(one.row.get(first, 0.0), one.row.get(second, 0.0))
            if not seen:
                return -math.inf
            weight += math.log(seen)
        return weight

    return max(together(*pair) for pair in combinations((cause for cause in CAUSES if cause != "nothing"), 2))


def diagnose_signs(seen: Sequence[Seen], level: Level = "outside") -> Diagnosis:
    """Each sign counts once, however often it was seen: what is the matter stays the matter while one looks."""
    kept = usable(seen, level)
    evidence, weighed = evidence_of(kept), evidence_of(of_those_in_trouble(kept))
    found = weights(one.sign for one in weighed)
    if not found:
        return Diagnosis(level, (), evidence)
    most = max(found.values())
    share = {cause: math.exp(weight - most) for cause, weight in found.items()}
    total = sum(share.values())
    fits = [
        Fit(cause, value / total, _speaking_for(cause, weighed), _unexplained(cause, weighed))
        for cause, value in share.items()
    ]
    fits.sort(key=lambda fit: (-fit.likelihood, CAUSES.index(fit.cause)))
    two = weight_of_two(one.sign for one in weighed) - most
    return Diagnosis(level, tuple(fits), evidence, two > (LAST_LEFT if len(fits) == 1 else 0.0))


def _speaking_for(cause: Cause, evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The signs that are likelier with ``cause`` than with most others. Of health only for there being nothing: with
    any other cause it is merely no contradiction."""

    def gain(one: Evidence) -> float:
        row = SIGNS[one.sign].row
        return row[cause] / (sum(row.values()) / len(CAUSES))

    meant = [one for one in evidence if cause == "nothing" or one.sign not in HEALTH]
    ranked = sorted(meant, key=lambda one: -gain(one))
    return tuple(one for one in ranked if gain(one) > 1.0)


def _unexplained(cause: Cause, evidence: Sequence[Evidence]) -> tuple[str, ...]:
    rows = {one.sign: SIGNS[one.sign].row for one in evidence}
    return tuple(sign for sign, row in rows.items() if row[cause] < HARDLY_EXPLAINED * max(row.values()))
