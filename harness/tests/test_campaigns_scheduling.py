"""Which worker runs which test: against the scheduler itself, with workers that only note what they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from harness.campaigns.scheduling import GroupScheduling, label_of


class Worker:
    """As much of a worker as a scheduler touches."""

    def __init__(self, name: str) -> None:
        self.name, self.sent, self.shutting_down = name, list[int](), False
        self.gateway = type("Gateway", (), {"id": name})()

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        self.sent.extend(indices)

    def shutdown(self) -> None:
        self.shutting_down = True


class Run:
    """A scheduler with its workers; :meth:`play` lets them finish tests one after the other until none is left."""

    def __init__(self, tests: list[str], capacity: dict[str, int], workers: int) -> None:
        self.tests = tests
        self.workers = [Worker(f"gw{n}") for n in range(workers)]
        self.scheduler = GroupScheduling(cast("pytest.Config", _Config(workers)), _Log(), capacity)
        self.together: list[dict[str, str]] = []  # at each step: worker -> the label it is at
        for worker in self.workers:
            self.scheduler.add_node(worker)
        for worker in self.workers:
            self.scheduler.add_node_collection(worker, tests)
        self.scheduler.schedule()

    def play(self) -> dict[str, list[str]]:
        ran: dict[str, list[str]] = {worker.name: [] for worker in self.workers}
        at = dict.fromkeys(ran, 0)
        while any(at[worker.name] < len(worker.sent) for worker in self.workers):
            active = [worker for worker in self.workers if at[worker.name] < len(worker.sent)]
            self.together.append({w.name: label_of(self.tests[w.sent[at[w.name]]]) or "" for w in active})
            for worker in self.workers:
                if at[worker.name] < len(worker.sent):
                    index = worker.sent[at[worker.name]]
                    at[worker.name] += 1
                    ran[worker.name].append(self.tests[index])
                    self.scheduler.mark_test_complete(worker, index)
        return ran


class _Config:
    """The two options that xdist's scheduler asks for."""

    def __init__(self, workers: int) -> None:
        self._options: dict[str, object] = {"tx": ["popen"] * workers, "maxschedchunk": None}

    def getvalue(self, name: str) -> object:
        return self._options[name]

    getoption = getvalue


class _Log:
    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *args: object) -> None:
        return None


def some(label: str, count: int) -> list[str]:
    return [f"suites/x.py::test_{n}[@{label}]" for n in range(count)]


@pytest.mark.parametrize(
    ("nodeid", "label"),
    [
        ("a.py::t[@HT-100]", "HT-100"),
        ("a.py::t[x-@HT-100-physical-like]", "HT-100-physical-like"),
        ("a.robot::A test with words[@HT-200]", "HT-200"),
        ("a.py::t[user@host]", None),
        ("a.py::t", None),
    ],
)
def test_label_of(nodeid: str, label: str | None) -> None:
    assert label_of(nodeid) == label


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 6])
def test_every_test_runs_once_and_no_bench_is_needed_twice_at_once(workers: int) -> None:
    capacity = {"A": 2, "B": 1, "C": 1}
    tests = some("A", 12) + some("B", 7) + some("C", 2)
    run = Run(tests, capacity, workers)
    ran = run.play()
    assert sorted(test for done in ran.values() for test in done) == sorted(tests)
    for moment in run.together:
        for label, benches in capacity.items():
            assert list(moment.values()).count(label) <= benches


def test_equal_benches_share_the_load() -> None:
    ran = Run(some("A", 20), {"A": 2}, 2).play()
    assert {len(done) for done in ran.values()} == {10}


def test_a_worker_too_many_goes_home() -> None:
    run = Run(some("A", 4), {"A": 1}, 2)
    ran = run.play()
    assert sorted(len(done) for done in ran.values()) == [0, 4]
    assert all(worker.shutting_down for worker in run.workers)


def test_what_a_dead_worker_held_is_run_by_another() -> None:
    tests = some("A", 6)
    run = Run(tests, {"A": 2}, 2)
    dead = run.workers.pop(0)
    crashed = run.scheduler.remove_node(dead)
    assert crashed == tests[dead.sent[0]]
    done = [test for tests_done in run.play().values() for test in tests_done]
    assert sorted([*done, crashed]) == sorted(tests)
