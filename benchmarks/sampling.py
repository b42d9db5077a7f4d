"""What it costs to sample the instruments of a bench, against the limit of 2 % of a core.

    python benchmarks/sampling.py [--seconds 20] [--changing]

Six emulated instruments (chamber, supply, burst, ESD, field, power switch) are read ten times a second by the guard of
a bench. CPU time of the guard's process over wall time, by /proc; that of the emulated instruments, which stand for
devices, is not counted. ``--changing``: the chamber ramps and the supply is set all the time, so that almost every
reading is recorded. Beside it, as a peer, what the same readings cost with nothing but the drivers, one after another
in one thread. How often each was read in truth is told by the guard when it ends. Exit status 1 above the limit, and
where one was read less than nine times a second.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ratio import against_limit, against_peer, at_least

from harness.bench.instruments import open_instruments
from harness.history.instrument_events import Readings
from harness.history.recorder import Recorder
from harness.instruments import drivers
from harness.instruments.client import Instruments
from harness.lab.instrument_entry import FULL_SET, InstrumentEntry
from harness.terminal.surroundings import Range, Surroundings

LIMIT_PCT = 2.0
LEAST_A_SECOND = 9.0  # of ten: opening takes its time, and the count is from opening to closing
SIX = ("chamber", "supply", "burst", "esd", "field", "power_switch")
AROUND = Surroundings(
    temperature_c=Range(low=0, high=45, nominal=23), humidity_pct=Range(low=10, high=90, nominal=50),
    voltage_v=Range(low=198, high=242, nominal=220),
)
HERTZ = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """User and system time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / HERTZ


def sampled(seconds: float, *, changing: bool) -> tuple[float, float, float]:
    """CPU of the guard in per cent of a core; readings a second of the one that was read the least; events recorded a
    second."""
    with tempfile.TemporaryDirectory() as folder, Recorder(Path(folder) / "history.jsonl") as history:
        troubles: list[str] = []
        opening = time.monotonic()
        entries = [InstrumentEntry(name=name, driver=FULL_SET[name]) for name in SIX]
        instruments = open_instruments(
            bench="b", run="r", folder=Path(folder), scratch=Path(folder), entries=entries, surroundings=AROUND,
            seed=97, history=history, fail=troubles.append,
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
            open_s = time.monotonic() - opening
            instruments.close()
        if troubles:
            raise SystemExit("\n".join(troubles))
        log = (Path(folder) / "logs" / "instruments.log").read_text(encoding="utf-8")
    counts = [int(found) for found in re.findall(r": let go, read (\d+) times", log)]
    if len(counts) != len(SIX):
        raise SystemExit(f"the guard does not say how often it read its instruments:\n{log}")
    return 100 * cpu / wall, min(counts) / open_s, recorded / wall


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
        share, rate, recorded = sampled(args.seconds, changing=changing)
        name = f"guard, 6 instruments, 10/s, {'changing' if changing else 'at rest'}"
        fine = against_limit(name, share, LIMIT_PCT, "%") and fine
        against_peer(name, share, "drivers alone", alone, "%")
        fine = at_least("  the one read the least, times a second", rate, LEAST_A_SECOND) and fine
        print(f"  {recorded:.1f} readings a second recorded")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
