"""What a checker says, and how checkers are found.

A checker is a pure function ``(Reading) -> Iterable[Finding]`` for one rule. It gives **one finding per occasion** of
the rule, and none where the rule had no occasion: a rule without an occasion is undecided, never passed.

Add one::

    from harness.checkers.finding import Finding, checker
    from harness.checkers.reading import Reading

    @checker("MSG-01")
    def shown_in_time(reading: Reading) -> Iterator[Finding]:
        for exchange in reading.exchanges:
            ...
            yield Finding.passed("MSG-01", "97 was shown after 0.4 s", (exchange.response, screen))

Every module of this package is imported by :func:`checkers`; a checker registers itself by its decorator.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeVar

from harness.history.events import Event

if TYPE_CHECKING:
    from harness.checkers.reading import Reading

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE", "ERROR"]
Evidence = Iterable[Event | int | None]


@dataclass(frozen=True)
class Finding:
    """One occasion of one rule, judged.

    ``reason`` is one line in plain words: what was seen and, where it is not a PASS, what was expected. ``evidence``
    holds ``seq`` of events, ascending, each once; for a PASS exactly the events that it rests on (take one away and it
    is no PASS any more). ``t`` is the occasion's moment (ns) and ``span`` the test it belongs to (None: between tests).
    """

    rule: str
    verdict: Verdict
    reason: str
    evidence: tuple[int, ...]
    t: int
    span: str | None

    @classmethod
    def of(
        cls, rule: str, verdict: Verdict, reason: str, evidence: Evidence, *, at: Event | None = None
    ) -> Finding:
        """A finding from events (None among them is left out). ``at`` is the event that makes the occasion; without it,
        the first event in ``evidence``, which then must hold one."""
        events = [item for item in evidence if item is not None]
        moment = at or next((item for item in events if isinstance(item, Event)), None)
        if moment is None:
            raise ValueError(f"{rule}: a finding needs an event to stand at: give `at` or evidence")
        seqs = sorted({item.seq if isinstance(item, Event) else item for item in events})
        return cls(rule, verdict, reason, tuple(seqs), moment.t, moment.span)

    @classmethod
    def passed(cls, rule: str, reason: str, evidence: Evidence, *, at: Event | None = None) -> Finding:
        return cls.of(rule, "PASS", reason, evidence, at=at)

    @classmethod
    def failed(cls, rule: str, reason: str, evidence: Evidence, *, at: Event | None = None) -> Finding:
        return cls.of(rule, "FAIL", reason, evidence, at=at)

    @classmethod
    def undecided(cls, rule: str, reason: str, evidence: Evidence, *, at: Event | None = None) -> Finding:
        return cls.of(rule, "INCONCLUSIVE", reason, evidence, at=at)


Checker = Callable[["Reading"], Iterable[Finding]]
C = TypeVar("C", bound=Checker)

_registered: dict[str, list[Checker]] = {}


def checker(rule: str) -> Callable[[C], C]:
    """Register the decorated function for ``rule`` ("MSG-01"). A rule may have several; their findings add up."""

    def register(function: C) -> C:
        present = _registered.setdefault(rule, [])
        named = [(f.__module__, f.__qualname__) for f in present]
        if (function.__module__, function.__qualname__) not in named:  # a module imported twice is one checker
            present.append(function)
        return function

    return register


@functools.cache
def checkers() -> Mapping[str, tuple[Checker, ...]]:
    """Every registered checker by rule, rules in alphabetical order; imports all modules of this package."""
    import harness.checkers as package

    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"{package.__name__}.{module}")
    return MappingProxyType({rule: tuple(_registered[rule]) for rule in sorted(_registered)})
