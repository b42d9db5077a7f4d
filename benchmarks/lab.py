"""The main job's numbers, each beside its limit.

    python benchmarks/lab.py [--setup] [--runs N [--busy M]] [-- arguments of hil97 run]

Run it with the Python of an environment in which hil97 is installed, from the project's folder. ``--setup`` also
makes a fresh environment (in a temporary folder) and says how long that took and how large it is.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUITE = "suites/transactions/"
LIMITS = {
    "main job": (180.0, "s"),
    "transactions, to ideal": (4.0, "x"),
    "collecting the suites": (2.0, "s"),
    "harness share of test time": (20.0, "%"),
    "set-up of the environment": (60.0, "s"),
    "size of the environment": (300.0, "MB"),
}


def report(name: str, value: float) -> bool:
    """One line: value, limit and their ratio. True when within the limit."""
    limit, unit = LIMITS[name]
    print(f"{name:28} {value:8.2f} {unit:2}  limit {limit:6.1f} {unit:2}  ratio {value / limit:5.2f}")
    return value <= limit


def timed(command: list[str]) -> tuple[float, int]:
    """Seconds and exit status; output is shown only when the command is not happy."""
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    if done.returncode != 0:
        print(
            f"{' '.join(command)} ended with {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}",
            file=sys.stderr,
        )
    return seconds, done.returncode


def setup() -> list[bool]:
    """A fresh environment with the base install."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [f"{folder}/bin/pip", "install", "-q", "--disable-pip-version-check", str(ROOT)]
        subprocess.run(pip, check=True)
        seconds = time.monotonic() - began
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file() and not path.is_symlink())
    return [report("set-up of the environment", seconds), report("size of the environment", size / 1e6)]


@contextlib.contextmanager
def busy_cores() -> Iterator[None]:
    """One busy loop a core for the length of the block."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def cases_of(run: Path) -> tuple[float, float, int]:
    """Of the transaction suites in a run: seconds from the first test's begin to the last one's end, seconds in which
    terminals and hosts were waited for, divided by the benches; and how many benches there were."""
    begun, ended, waited, benches = [], [], 0.0, 0
    for log in run.glob("benches/*/history.jsonl"):
        events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        tests = [one for one in events if one["kind"] in ("test.opened", "test.closed") and SUITE in one["test"]]
        begun += [one["t"] for one in tests if one["kind"] == "test.opened"]
        ended += [one["t"] for one in tests if one["kind"] == "test.closed"]
        waited += sum(one["waiting_s"] for one in tests if one["kind"] == "test.closed")
        benches += bool(tests)
    wall = (max(ended) - min(begun)) / 1e9 if ended else 0.0
    return wall, waited / benches if benches else 0.0, benches


def main_job(arguments: list[str], *, judged_by_time: bool) -> list[bool]:
    """One run of the lab suites: its exit status, its time, and what part of the tests' time was ours; how long the
    transaction cases took, to the terminals' and hosts' own waits shared out among the benches."""
    with tempfile.TemporaryDirectory() as results:
        seconds, status = timed([sys.executable, "-m", "harness.cli", "run", "--results", results, *arguments])
        if not (Path(results) / "latest" / "verdicts.json").exists():
            return [False]
        verdicts = json.loads((Path(results) / "latest" / "verdicts.json").read_text(encoding="utf-8"))
        durations = sum(test["duration_s"] for test in verdicts["tests"])
        waiting = sum(test["waiting_s"] for test in verdicts["tests"])
        wall, ideal, benches = cases_of(Path(results) / "latest")
    print(f"exit status {status}, {len(verdicts['tests'])} tests on {benches} benches")
    in_time = [
        report("main job", seconds),
        report("harness share of test time", 100 * (durations - waiting) / durations),
    ]
    if ideal:
        print(f"{'transaction cases':28} {wall:8.2f} s   waits of terminals, shared out {ideal:6.2f} s")
        in_time.append(report("transactions, to ideal", wall / ideal))
    return [status == 0, *(in_time if judged_by_time else [])]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--setup", action="store_true", help="also measure a fresh environment (needs a package registry)"
    )
    parser.add_argument("--runs", type=int, default=1, help="how many times the main job is run")
    parser.add_argument("--busy", type=int, default=0, help="how many of the runs, the last ones, share the cores")
    parser.add_argument("arguments", nargs="*", help="arguments for hil97 run, after --")
    args = parser.parse_args()
    fine = setup() if args.setup else []
    seconds, _ = timed([sys.executable, "-m", "pytest", "--collect-only", "-q", "suites"])
    fine.append(report("collecting the suites", seconds))
    for number in range(1, args.runs + 1):
        busy = number > args.runs - args.busy
        print(f"run {number} of {args.runs}{', every core kept busy by something else' if busy else ''}", flush=True)
        with busy_cores() if busy else contextlib.nullcontext():
            fine += main_job(args.arguments, judged_by_time=not busy)
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
