"""A soak: all cases of the suites that have any, in the order of a seed, a part at a time, each part a run of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from harness.campaigns.cases import Kind
from harness.campaigns.launch import Request
from harness.errors import BadInput
from harness.lab.inventory import BenchEntry, Lab

PASS, FAIL, INTERRUPTED = 0, 1, 2
_SEVERITY = {PASS: 0, 4: 1, 3: 2, INTERRUPTED: 3, FAIL: 4}  # of exit statuses; a FAIL is the worst
Why = Literal["rounds", "hours", "fail", "interrupted"]


@dataclass(frozen=True)
class Share:
    """The cases that one suite plays."""

    suite: Path
    cases: int


@dataclass(frozen=True)
class Plan:
    """``shares``, one suite after the other, ``part`` cases in one run. ``rounds``, ``hours``: None without limit.
    ``keep_going`` after a FAIL."""

    shares: tuple[Share, ...]
    part: int
    rounds: int | None = 1
    hours: float | None = None
    keep_going: bool = False

    @property
    def cases(self) -> int:
        """All there are."""
        return sum(share.cases for share in self.shares)

    def parts(self) -> Iterator[tuple[Path, int, int, int]]:
        """Of one round: the suite, its first case and how many, and how many were before, of all suites."""
        before = 0
        for share in self.shares:
            for first in range(0, share.cases, self.part):
                count = min(self.part, share.cases - first)
                yield share.suite, first, count, before + first
            before += share.cases

    @classmethod
    def of(
        cls, lab: Lab, kinds: Sequence[Kind], *, part: int, rounds: int | None, hours: float | None, keep_going: bool
    ) -> Plan:
        """For the benches of ``lab`` that run those suites. BadInput where there are none."""
        shares = [Share(kind.suite, kind.how_many(groups(lab, kind.suite))) for kind in kinds]
        found = tuple(share for share in shares if share.cases)
        if not found:
            raise BadInput("no bench of this inventory runs transaction cases", where=str(lab.path))
        return cls(found, part, rounds, hours, keep_going)


def groups(lab: Lab, suite: Path) -> list[BenchEntry]:
    """One entry of each group that plays the cases of a suite."""
    found = {one.label: one for one in reversed(lab.emulated) if not one.physical_like and one.runs(suite)}
    return list(found.values())


@dataclass(frozen=True)
class Part:
    """A run of the soak, and how it ended."""

    name: str
    status: int


@dataclass
class Ended:
    """What a soak did. ``rounds`` whole ones; ``why`` it ended; ``status`` the worst of its runs."""

    why: Why = "rounds"
    cases: int = 0
    rounds: int = 0
    hours: float = 0.0
    runs: list[Part] = field(default_factory=list)

    @property
    def status(self) -> int:
        return max((run.status for run in self.runs), key=lambda one: _SEVERITY.get(one, 3), default=PASS)


def soak(
    plan: Plan, request: Request, *, launch: Callable[[Request, str], int], clock: Callable[[], float], name: str,
    told: Callable[[int, int, int, int], None],
) -> Ended:
    """Run after run until the plan is fulfilled, a run FAILs, or one is interrupted. ``clock`` in seconds; ``told`` is
    called before each run with its number, its round, and its first and last case (counted from 1)."""
    began, ended = clock(), Ended()
    while plan.rounds is None or ended.rounds < plan.rounds:
        for suite, first, count, before in plan.parts():
            ended.hours = (clock() - began) / 3600
            if plan.hours is not None and ended.hours >= plan.hours:
                ended.why = "hours"
                return ended
            number = len(ended.runs) + 1
            told(number, ended.rounds + 1, before + 1, before + count)
            wanted = replace(request, suites=[str(suite)], part=f"{first}:{count}")
            part = Part(f"{name}-{number}", launch(wanted, f"{name}-{number}"))
            ended.runs.append(part)
            ended.cases += count
            ended.hours = (clock() - began) / 3600
            if part.status == INTERRUPTED or (part.status == FAIL and not plan.keep_going):
                ended.why = "interrupted" if part.status == INTERRUPTED else "fail"
                return ended
        ended.rounds += 1
    return ended
