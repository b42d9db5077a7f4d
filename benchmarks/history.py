"""Seconds to append, read and judge a history, per 10,000 events, each value beside its limit or a peer.

    python benchmarks/history.py [--events N] [--rounds N] [--log history.jsonl]

The log is made of golden histories: tests in which a shop signs in, sells, meets 97, is registered again and settles.
``--log`` takes a stored one instead. Appending is compared with writing the same lines bare, reading with
``json.loads`` of them. Judging is done for half of the tests and for all: the cost of an event must not grow with the
log. CPU time, judging each time in a process without caches; medians. Exit status 1 above a limit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ratio import against_limit, against_peer

from harness.history import reader
from harness.history.events import AnyEvent
from harness.history.recorder import Recorder
from harness.judge import judge_bench
from harness.tests.golden import World

APPEND_LIMIT_S = 1.0
READ_LIMIT_S = 0.5
JUDGE_LIMIT_S = 5.0
GROWTH_LIMIT = 1.5


def synthetic(events: int) -> list[AnyEvent]:
    """At least that many events of a bench's whole log."""
    world, number = World(), 0
    while len(world.events) < events:
        number += 1
        with world.test(f"test {number}", declares=["MSG-01", "MON-01", "REC-01"]):
            world.sign_in()
            world.sale(1200)
            world.remove_terminal()
            world.sale(9700, "97")
            world.sign_in("97")
            world.register_terminal()
            world.sign_in()
            world.sale(1200)
            world.settle()
    world.close()
    return world.events


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    began = time.process_time()
    work()
    return time.process_time() - began


def cold_cpu(work: Callable[[], object]) -> float:
    """CPU seconds of one call in a forked process: nothing that an earlier call has cached helps."""
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        status = 1
        try:
            os.write(writing, str(cpu(work)).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, encoding="ascii") as answer:
        seconds = answer.read()
    _, status = os.waitpid(pid, 0)
    if status or not seconds:
        sys.exit("judging failed; python -m harness.cli judge RUN tells more")
    return float(seconds)


def append(path: Path, events: Sequence[AnyEvent]) -> float:
    path.unlink(missing_ok=True)
    recorder = Recorder(path, bench="benchmark")

    def work() -> None:
        for event in events:
            recorder.append(event)

    try:
        return cpu(work)
    finally:
        recorder.close()


def write_bare(path: Path, lines: Sequence[bytes]) -> float:
    path.unlink(missing_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def work() -> None:
        for line in lines:
            os.write(file, line)

    try:
        return cpu(work)
    finally:
        os.close(file)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--log", type=Path, help="a stored history instead of a made one")
    args = parser.parse_args()
    events = reader.read(args.log) if args.log else synthetic(args.events)
    per = 10_000 / len(events)
    half = enumerate(events[: len(events) // 2], 1)
    middle = max((at for at, event in half if event.kind == "test.closed"), default=0)
    rounds: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        path, other = Path(folder, "history.jsonl"), Path(folder, "bare.jsonl")
        for _ in range(args.rounds):
            seconds = {"append": append(path, events)}
            lines = path.read_bytes().splitlines(keepends=True)
            seconds["bare write"] = write_bare(other, lines)
            seconds["read"] = cpu(lambda: reader.read(path))
            seconds["json.loads"] = cpu(lambda: [json.loads(line) for line in lines])  # noqa: B023 - called at once
            seconds["judge"] = cold_cpu(lambda: judge_bench(events))
            seconds["judge half"] = cold_cpu(lambda: judge_bench(events[:middle])) if middle else float("nan")
            rounds.append(seconds)
    median = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    print(f"{len(events)} events, {sum(map(len, lines)) / 1e6:.1f} MB; CPU seconds per 10,000 events")
    fine = [
        against_limit("append", median["append"] * per, APPEND_LIMIT_S, "s"),
        against_limit("read", median["read"] * per, READ_LIMIT_S, "s"),
        against_limit("judge", median["judge"] * per, JUDGE_LIMIT_S, "s"),
    ]
    if middle:
        growth = (median["judge"] / len(events)) / (median["judge half"] / middle)
        fine.append(against_limit("judge, an event of all to one of half", growth, GROWTH_LIMIT, "x"))
    against_peer("append", median["append"] * per, "bare write", median["bare write"] * per, "s")
    against_peer("read", median["read"] * per, "json.loads", median["json.loads"] * per, "s")
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
