"""What it costs to sample the instruments of a bench, against the limit of 2 % of a core.

    python benchmarks/sampling.py [--seconds 20] [--changing]

Six emulated instruments (chamber, supply, burst, ESD, field, power switch) are read ten times a second by the guard of
a bench. CPU time of the guard's process over wall time, by /proc; that of the emulated instruments, which stand for
devices, is not counted. ``--changing``: the chamber ramps and the supply is set all the time, so that almost every
reading is recorded. Beside it, as a peer, what the same readings cost with nothing but the drivers, one after another
in one thread. Exit status 1 above the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ratio import against_limit, against_peer

from harness.bench.instruments import open_instruments
from harness.history.instrument_events import Readings
from harness.history.recorder import Recorder
from harness.instruments import drivers
from harness.instruments.client import Instruments
from harness.lab.instrument_entry import FULL_SET, InstrumentEntry

LIMIT_PCT = 2.0
SIX = ("chamber", "supply", "burst", "esd", "field", "power_switch")
HERTZ = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """User and system time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / HERTZ


def sampled(seconds: float, *, changing: bool) -> tuple[float, float, int]:
    """CPU of the guard in per cent of a core, readings a second as counted by the servers' side, events recorded."""
    with tempfile.TemporaryDirectory() as folder, Recorder(Path(folder) / "history.jsonl") as history:
        troubles: list[str] = []
        entries = [InstrumentEntry(name=name, driver=FULL_SET[name]) for name in SIX]
        instruments = open_instruments(
            bench="b", run="r", folder=Path(folder), scratch=Path(folder), entries=entries, surroundings=None, seed=97,
            history=history, fail=troubles.append,
        )
        try:
            guard = instruments.line.child.pid
            if changing:
                instruments.chamber.set_climate(temperature_c=60, ramp_k_per_min=5)
            time.sleep(1.0)  # what opening has cost is over
            used, begun, seq = cpu_s(guard), time.monotonic(), history.seq
            _spend(instruments, seconds, changing=changing)
            cpu, wall = cpu_s(guard) - used, time.monotonic() - begun
            recorded = sum(isinstance(one, Readings) for one in history.since(seq))
        finally:
            instruments.close()
        if troubles:
            raise SystemExit("\n".join(troubles))
    return 100 * cpu / wall, wall, recorded


def _spend(instruments: Instruments, seconds: float, *, changing: bool) -> None:
    end, volts = time.monotonic() + seconds, 220.0
    while time.monotonic() < end:
        time.sleep(0.5)  # the time over which it is measured
        if changing:
            volts = 440.0 - volts + 1
            instruments.supply.set_voltage(volts)


def drivers_alone(rounds: int) -> float:
    """CPU in per cent of a core of ten readings a second of each, by drivers in one thread of this process."""
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder, "plan.json")
        plan.write_text(json.dumps({"instruments": {name: {"kind": name} for name in SIX}}))
        argv = [sys.executable, "-m", "harness.instruments.emulated", "--plan", str(plan)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as servers:
            assert servers.stdout is not None
            addresses = json.loads(servers.stdout.readline())["addresses"]
            opened = [drivers.known()[FULL_SET[name]](addresses[name]) for name in SIX]
            used = time.process_time()
            for _ in range(rounds):
                for one in opened:
                    one.read()
            used = time.process_time() - used
            for one in opened:
                one.close()
            servers.terminate()
    return 100 * used / rounds * 10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--changing", action="store_true", help="also while almost every reading changes")
    args = parser.parse_args()
    alone = drivers_alone(200)
    fine = True
    for changing in (False, True) if args.changing else (False,):
        share, wall, recorded = sampled(args.seconds, changing=changing)
        name = f"guard, 6 instruments, 10/s, {'changing' if changing else 'at rest'}"
        fine = against_limit(name, share, LIMIT_PCT, "%") and fine
        against_peer(name, share, "drivers alone", alone, "%")
        print(f"  {recorded / wall:.1f} readings a second recorded")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
