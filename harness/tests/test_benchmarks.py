"""The benchmarks run and print a ratio on each line. Whether a number is good is theirs to say, not a test's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SHORT = {
    "acquirer.py": ("--rounds", "1", "--messages", "40", "--connections", "1,4", "--idle", "20"),
    "boot.py": ("--runs", "1"),
    "diagnosis.py": ("--seeds", "train-1", "--only", "nothing,pending", "--benches", "plain"),
    "firmware.py": ("--rounds", "1"),
    "frames.py": ("--rounds", "1", "--seconds", "0.02"),
    "history.py": ("--rounds", "1", "--events", "1000"),
    "lab.py": ("--help",),  # it runs the main job
    "safe_state.py": ("--times", "2"),
    "sampling.py": ("--seconds", "2"),
    "screen.py": ("--rounds", "1"),
    "sweep.py": ("--cuts", "12", "--model", "HT-100"),
    "wire.py": ("--rounds", "1", "--benches", "5", "--trips", "100"),
}


def test_every_benchmark_is_here_and_documented() -> None:
    scripts = {path.name for path in BENCHMARKS.glob("*.py")} - {"ratio.py"}
    assert scripts == set(SHORT)
    page = (BENCHMARKS.parent / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert [name for name in scripts if f"benchmarks/{name}" not in page] == []


@pytest.mark.parametrize("name", sorted(set(SHORT) - {"lab.py"}))
def test_it_runs_and_prints_ratios(name: str) -> None:
    run = subprocess.run(
        [sys.executable, str(BENCHMARKS / name), *SHORT[name]], capture_output=True, text=True, timeout=120
    )
    assert run.returncode in (0, 1), run.stderr  # 1: above a limit, on a machine that may be busy with other tests
    assert "Traceback" not in run.stderr
    assert "ratio" in run.stdout or "times the rate" in run.stdout


def test_the_main_jobs_benchmark_says_what_it_takes() -> None:
    run = subprocess.run(
        [sys.executable, str(BENCHMARKS / "lab.py"), "--help"], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0 and "--setup" in run.stdout
