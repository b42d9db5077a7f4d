"""A soak: parts in order, rounds, hours, the first FAIL, an interruption, and what it says at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.campaigns.launch import Request
from harness.campaigns.soak import Ended, Plan, Share, soak

REQUEST = Request(lab="lab.yaml", suites=["suites"], results="results")


def plan_of(
    cases: int, part: int, *, rounds: int | None = 1, hours: float | None = None, keep_going: bool = False
) -> Plan:
    return Plan((Share(Path("suites/x.py"), cases),), part, rounds, hours, keep_going)


def run(plan: Plan, statuses: list[int], minutes_each: float = 1.0) -> tuple[Ended, list[str]]:
    """A soak whose runs end with those statuses, one after the other; and the parts that were run."""
    parts: list[str] = []
    times: Iterator[float] = iter(range(10_000))

    def launch(request: Request, name: str) -> int:
        assert request.part is not None and name == f"soak-x-{len(parts) + 1}"
        parts.append(request.part)
        return statuses[min(len(parts), len(statuses)) - 1]

    ended = soak(
        plan, REQUEST, launch=launch, clock=lambda: next(times) * 30 * minutes_each, name="soak-x",
        told=lambda *numbers: None,
    )
    return ended, parts


def test_all_parts_of_a_round_in_order() -> None:
    ended, parts = run(plan_of(cases=25, part=10), [0])
    assert parts == ["0:10", "10:10", "20:5"]
    assert (ended.why, ended.cases, ended.rounds, ended.status) == ("rounds", 25, 1, 0)


def test_rounds_repeat_all_of_them() -> None:
    ended, parts = run(plan_of(cases=10, part=10, rounds=3), [0])
    assert parts == ["0:10"] * 3
    assert ended.rounds == 3


def test_hours_end_it_between_two_parts() -> None:
    ended, parts = run(plan_of(cases=10, part=5, rounds=None, hours=0.05), [0])
    assert ended.why == "hours"
    assert ended.hours >= 0.05
    assert len(parts) == len(ended.runs) >= 2


@pytest.mark.parametrize("keep_going", [False, True])
def test_a_fail_ends_it_unless_told_to_go_on(keep_going: bool) -> None:
    ended, parts = run(plan_of(cases=30, part=10, keep_going=keep_going), [0, 1, 4])
    assert len(parts) == (3 if keep_going else 2)
    assert ended.status == 1
    assert ended.why == ("rounds" if keep_going else "fail")


def test_undecided_and_bench_errors_do_not_end_it_and_are_kept() -> None:
    assert run(plan_of(cases=30, part=10), [0, 4, 0])[0].status == 4
    assert run(plan_of(cases=30, part=10), [3, 4, 0])[0].status == 3


def test_an_interruption_ends_it() -> None:
    ended, parts = run(plan_of(cases=30, part=10, keep_going=True), [0, 2])
    assert (ended.why, len(parts), ended.status) == ("interrupted", 2, 2)


def test_one_suite_after_the_other_and_no_part_of_two() -> None:
    plan = Plan((Share(Path("suites/a.py"), 12), Share(Path("suites/b.py"), 3)), part=10)
    assert plan.cases == 15
    asked: list[tuple[object, str | None]] = []
    told: list[tuple[int, int, int, int]] = []

    def launch(request: Request, name: str) -> int:
        asked.append((request.suites, request.part))
        return 0

    ended = soak(plan, REQUEST, launch=launch, clock=lambda: 0.0, name="x", told=lambda *numbers: told.append(numbers))
    assert asked == [(["suites/a.py"], "0:10"), (["suites/a.py"], "10:2"), (["suites/b.py"], "0:3")]
    assert told == [(1, 1, 1, 10), (2, 1, 11, 12), (3, 1, 13, 15)]
    assert (ended.cases, ended.rounds) == (15, 1)
