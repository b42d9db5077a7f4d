"""Power cuts a second of a sweep, against the limit of 100 and against other ways of doing the same.

    python benchmarks/sweep.py [--model HT-200] [--old 1.0.0] [--new 2.0.0] [--all]

One update between two versions of the reference is recorded, and a unit in use is started from moments of it: all of
them with ``--all``, else a sample over every stage. Two processes, wall time; recording and warming are not counted.
Peers, in the same run, a cut each: a process forked for every single cut, and a real board process that is switched off
and on (its CPU process, boot loader, screen and serial lines; two boards at the same time). CPU of a cut beside it:
what a busy machine changes least. Exit status 1 below the limit.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ratio import against_peer, at_least

from harness.campaigns.sweep.cold import chosen, confirm
from harness.campaigns.sweep.journal import Cut
from harness.campaigns.sweep.prepared import in_use
from harness.campaigns.sweep.record import record
from harness.campaigns.sweep.replay import judge, replay
from harness.campaigns.sweep.starting import Starter
from harness.campaigns.sweep.unit import Unit
from harness.emulator.build import build
from harness.emulator.image import public_key_bytes
from harness.emulator.in_process import Rom
from harness.emulator.shipped import TEST_KEY, TEST_PUBLIC_KEY, version_sources
from harness.lab.catalogue import load_model

MODELS = Path(__file__).resolve().parent.parent / "lab_config" / "models"
LIMIT = 100.0  # cuts a second
SAMPLE, FORKED, COLD = 600, 200, 40


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall seconds, and CPU seconds of the processes that were started for it and have ended."""
    used, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    work()
    wall, now = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="HT-200")
    parser.add_argument("--old", default="1.0.0")
    parser.add_argument("--new", default="2.0.0")
    parser.add_argument("--all", action="store_true", help="every cut of the update, not a sample")
    parser.add_argument("--cuts", type=int, default=SAMPLE, metavar="N", help="how large the sample is")
    args = parser.parse_args()
    model = load_model(MODELS / f"{args.model}.yaml")
    with tempfile.TemporaryDirectory() as folder:
        images = {version: Path(folder, f"{version}.img") for version in (args.old, args.new)}
        for version, path in images.items():
            build(version_sources()[version], version, TEST_KEY, path)
        key = public_key_bytes(TEST_PUBLIC_KEY.read_text("ascii"))
        starter = Starter(Rom(model.model_dump(mode="json"), key, "BENCH"), model)
        found = record(starter, in_use(starter, images[args.old].read_bytes()), images[args.new])
    every = found.journal.cuts()
    cuts = every if args.all else chosen(every, args.cuts, 1)
    units: dict[Cut, Unit] = {}

    def sweep() -> None:
        for cut, unit in replay(starter, found.journal, cuts).items():
            units[cut] = unit
            if judge(unit, found.before, args.new)[0] == "neither":
                sys.exit(f"{cut}: {unit}")

    wall, cpu = timed(sweep)
    forked = chosen(cuts, min(FORKED, len(cuts)), 2)
    each, _ = timed(lambda: replay(starter, found.journal, forked, chunk=1))
    cold = chosen(cuts, min(COLD, len(cuts)), 3)
    boards, _ = timed(lambda: confirm(starter, model, TEST_PUBLIC_KEY, found.journal, units, cold))
    print(f"{args.old} to {args.new} on {args.model}: {found.journal.operations} operations, {len(cuts)} cuts, "
          f"{cpu / len(cuts) * 1000:.1f} ms of CPU a cut")
    fine = at_least("cuts a second to the limit of 100", len(cuts) / wall / LIMIT, 1.0)
    ours = wall / len(cuts) * 1000
    against_peer("a cut", ours, "a process forked for each", each / len(forked) * 1000, "ms")
    against_peer("a cut", ours, "a real board, off and on", boards / len(cold) * 1000, "ms")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
