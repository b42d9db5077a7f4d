"""The display while a run is under way."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.campaigns.display import Display
from harness.campaigns.session import BENCH_FAILED
from harness.reports.progress import EVERY_SECONDS, EVERY_TESTS, Progress


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def console(terminal: bool) -> Console:
    return Console(file=io.StringIO(), width=100, force_terminal=terminal, color_system=None, _environ={})


def written(where: Console) -> str:
    assert isinstance(where.file, io.StringIO)
    return where.file.getvalue()


def test_without_a_terminal_a_line_every_so_many_tests() -> None:
    where, clock = console(False), Clock()
    with Progress(where, EVERY_TESTS * 2, clock=clock) as progress:
        for number in range(EVERY_TESTS * 2):
            progress.started("gw0", "bench-1", f"t{number}")
            progress.finished(f"t{number}", "passed", 0.1)
            clock.now += 0.1
    assert [line.split()[0] for line in written(where).splitlines()] == [
        f"{EVERY_TESTS}/{2 * EVERY_TESTS}", f"{2 * EVERY_TESTS}/{2 * EVERY_TESTS}",
    ]  # fmt: skip


def test_without_a_terminal_a_line_after_a_while() -> None:
    where, clock = console(False), Clock()
    progress = Progress(where, 100, clock=clock)
    progress.finished("a", "passed", 1.0)
    assert not written(where)
    clock.now += EVERY_SECONDS
    progress.finished("b", "passed", 1.0)
    assert written(where).startswith("2/100")
    assert "0:30" in written(where)


def test_a_failure_is_told_at_once_with_its_bench() -> None:
    where = console(False)
    progress = Progress(where, 100, clock=Clock())
    progress.started("gw1", "bench-2", "suites/a.py::b")
    progress.finished("suites/a.py::b", "failed", 4.25)
    assert written(where).split() == ["failed", "suites/a.py::b", "bench-2", "4.2", "s"]


def test_on_a_terminal_each_bench_shows_its_test() -> None:
    where, clock = console(True), Clock()
    with Progress(where, 3, clock=clock) as progress:
        progress.started("gw0", "bench-1", "suites/a.py::one")
        clock.now += 1
        progress.started("gw1", "bench-2", "suites/a.py::two")
        clock.now += 1
        progress.finished("suites/a.py::one", "passed", 2.0)
    text = written(where)
    assert "bench-1" in text
    assert "suites/a.py::two" in text
    assert "1/3" in text


def test_on_a_terminal_it_draws_at_most_five_times_a_second() -> None:
    where, clock = console(True), Clock()
    progress = Progress(where, 10_000, clock=clock)
    for number in range(1000):
        clock.now += 0.001
        progress.started("gw0", "bench-1", f"t{number}")
        progress.finished(f"t{number}", "passed", 0.001)
    progress.close()
    assert 2 <= written(where).count("/10000") <= 8


def test_it_makes_no_thread() -> None:
    import threading

    before = threading.active_count()
    progress = Progress(console(True), 1, clock=Clock())
    progress.started("gw0", "bench-1", "t")
    assert threading.active_count() == before
    progress.close()


def test_a_test_nobody_saw_start_still_counts() -> None:
    where = console(False)
    progress = Progress(where, 1, clock=Clock())
    progress.finished("x", "error", 0.0)
    assert "error  x" in written(where)
    assert "1/1" in written(where)


def test_what_the_bench_failed_in_is_not_called_failed() -> None:
    """An instrument that fails does so in the body of a test, which to pytest is a failed one."""
    for properties, told in ([("hil97.failed", "ENV-01")], "failed"), ([(BENCH_FAILED, "a fuse")], "error"):
        display = Display()
        where = display._console = console(False)
        display.expect(1)
        for when, outcome in (("setup", "passed"), ("call", "failed"), ("teardown", "passed")):
            display.pytest_runtest_logreport(pytest.TestReport(
                "suites/a.py::b", ("", 0, ""), {}, outcome, None, when, user_properties=properties,  # type: ignore[arg-type]
            ))
        assert written(where).split()[:2] == [told, "suites/a.py::b"]
