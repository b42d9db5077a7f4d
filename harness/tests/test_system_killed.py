"""Runs that are killed or interrupted in the middle: nothing stays behind, and what was seen still judges."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from typing import Any

import pytest

from harness.tests.system_helpers import Holdings, SystemLab, ended

MIDDLE = ("suites/registration/test_97_on_each_transaction.py", "-k", "sale or void or settlement")


def under_way(lab: SystemLab, *more: str) -> tuple[subprocess.Popen[str], Holdings]:
    """A run in the middle of its tests, and what it holds."""
    process = lab.start("harness.cli", *lab.arguments(*MIDDLE, *more))
    lab.await_test_under_way(process)
    held = lab.holdings()
    assert len(held.namespaces) >= 3 and held.terminals, "a bench has three network namespaces and two ptys"
    return process, held


def judged(lab: SystemLab) -> dict[str, Any]:
    """The stored verdicts, after the page was found whole."""
    folder = lab.results / "run"
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "test_sale_by_keypad" in page and "has not ended" not in page
    told: dict[str, Any] = json.loads((folder / "verdicts.json").read_bytes())
    return told


@pytest.mark.parametrize("workers", ["0", "2"])
def test_kill_9_of_the_run(system_lab: SystemLab, workers: str) -> None:
    process, held = under_way(system_lab, "-n", workers)
    process.kill()
    ended(process)
    system_lab.assert_nothing_left(held, scratch=False)

    folder = system_lab.results / "run"
    seen = len(system_lab.history())
    assert "has not ended" in (folder / "index.html").read_text(encoding="utf-8")
    again = system_lab.hil97("judge", str(folder))
    assert again.status == 4, again.text
    told = judged(system_lab)
    assert "unfinished" in {test["outcome"] for test in told["tests"]}
    assert not all(bench["closed"] for bench in told["benches"])
    assert any("never ran" in reason for reason in told["reasons"])
    assert len(system_lab.history()) == seen

    next_run = system_lab.hil97(*system_lab.arguments("suites/robot", "-k", "cable", name="next"))
    assert next_run.status == 0, next_run.text
    system_lab.assert_nothing_left(held)  # the next run sweeps what the dead one could not


def test_kill_9_of_pytest(system_lab: SystemLab) -> None:
    """The outer process lives: it judges what was seen by itself."""
    process, held = under_way(system_lab, "-n", "2")
    os.kill(system_lab.one(r"-m pytest "), signal.SIGKILL)
    end = ended(process)
    assert end.status == 4, end.text
    assert judged(system_lab)["status"] == 4
    system_lab.assert_nothing_left(held)


def test_kill_9_of_a_worker(system_lab: SystemLab) -> None:
    """Its test is lost, its bench's processes die with it; another worker takes over, the run comes to its end."""
    process, held = under_way(system_lab, "-n", "2")
    os.kill(system_lab.parent_of(r"harness\.emulator.*HT97000000"), signal.SIGKILL)
    end = ended(process)
    assert end.status == 4, end.text
    told = judged(system_lab)
    assert [test["bench"] for test in told["tests"] if test["outcome"] == "unfinished"] == ["left"]
    assert not any("never ran" in reason for reason in told["reasons"])
    system_lab.assert_nothing_left(held)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_ctrl_c(system_lab: SystemLab, workers: str) -> None:
    """The key itself, on a terminal of the computer: its kernel tells the whole process group."""
    keyboard, screen = pty.openpty()
    try:
        process = system_lab.start("harness.cli", *system_lab.arguments(*MIDDLE, "-n", workers), terminal=screen)
        system_lab.await_test_under_way(process)
        held = system_lab.holdings()
        os.write(keyboard, b"\x03")
        end = ended(process)
    finally:
        os.close(keyboard)
        os.close(screen)
    assert end.status == 4, end.text
    assert "Traceback" not in end.text
    told = judged(system_lab)
    assert all(bench["closed"] for bench in told["benches"]), told["reasons"]
    assert any("never ran" in reason for reason in told["reasons"])
    system_lab.assert_nothing_left(held)
    assert system_lab.hil97("judge", str(system_lab.results / "run")).status == end.status


def test_told_to_end(system_lab: SystemLab) -> None:
    """SIGTERM to the outer process only, as a service manager does."""
    process, held = under_way(system_lab, "-n", "2")
    process.terminate()
    end = ended(process)
    assert end.status == 4, end.text
    assert judged(system_lab)["status"] == 4
    system_lab.assert_nothing_left(held)


def test_kill_9_of_plain_pytest(system_lab: SystemLab) -> None:
    lab, results = str(system_lab.inventory), str(system_lab.results)
    process = system_lab.start("pytest", *MIDDLE, "-n", "2", "--lab", lab, "--results", results, "--run-name", "run")
    system_lab.await_test_under_way(process)
    held = system_lab.holdings()
    process.kill()
    ended(process)
    system_lab.assert_nothing_left(held, scratch=False)
    assert system_lab.hil97("judge", str(system_lab.results / "run")).status == 4
