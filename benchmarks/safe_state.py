"""From ``kill -9`` of the runner to all instruments in their safe state, against the limit of 2 s, each time.

    python benchmarks/safe_state.py [--times 100]

Each time a process of its own opens the full set of emulated instruments, drives them away from their safe state (the
chamber heats, the supply is low, the switch off, generators charge, a contact is open) and is killed.
What counts is the true state of the emulated instruments, as their control socket tells it, not what the guard says.
Exit status 1 where one of the times was above the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ratio import against_limit

from harness.instruments.guard.emulated import CONTROL

LIMIT_S = 2.0
GIVEN_UP_S = 30.0
_RUNNER = """
import sys, time
from pathlib import Path
from harness.bench.instruments import open_instruments
from harness.history.recorder import Recorder
from harness.lab.instrument_entry import FULL_SET, InstrumentEntry
from harness.terminal.surroundings import Range, Surroundings
folder = Path(sys.argv[1])
names = sys.argv[2].split(",")
around = Surroundings(
    temperature_c=Range(low=0, high=45, nominal=23), humidity_pct=Range(low=10, high=90, nominal=50),
    voltage_v=Range(low=198, high=242, nominal=220))
bench = open_instruments(
    bench="b", run="r", folder=folder, scratch=folder, surroundings=around, seed=97, fail=print,
    entries=[InstrumentEntry(name=name, driver=FULL_SET[name]) for name in names],
    history=Recorder(folder / "history.jsonl"))
bench.begin_test("t", 600)
bench.chamber.set_climate(temperature_c=60)
bench.supply.set_voltage(150)
bench.power_switch.switch(False)
bench.burst.arm(level_kv=1)
bench.esd.arm(level_kv=2)
bench.surge.arm(level_kv=1)
bench.field.arm(field_v_m=3, frequency_mhz=100)
if "relay" in names:
    bench.relay.open_contact(1)
print("driving", flush=True)
time.sleep(600)  # until it is killed
"""


class Watched:
    """The control socket of the emulated instruments."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")

    def unsafe(self) -> list[str]:
        """The names of those that are not safe in truth. Raises OSError where the servers are gone."""
        self._socket.sendall(b'{"id": 1, "op": "state"}\n')
        while line := self._lines.readline():
            told = json.loads(line)
            if told.get("re") == 1:
                return [name for name, one in told["instruments"].items() if not one["safe"]]
        raise OSError("the emulated instruments have ended")

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


def once(names: str) -> float:
    """Seconds from the kill to the last one safe. The guard ends its servers after that: then all was safe."""
    with tempfile.TemporaryDirectory() as folder:
        with subprocess.Popen([sys.executable, "-c", _RUNNER, folder, names], stdout=subprocess.PIPE) as runner:
            assert runner.stdout is not None
            said = runner.stdout.readline()
            if said != b"driving\n":
                raise SystemExit(f"the runner said {said!r}")
            watched = Watched(Path(folder) / CONTROL)
            before = watched.unsafe()
            if len(before) < 6:
                raise SystemExit(f"only {before} were driven away from their safe state")
            os.kill(runner.pid, signal.SIGKILL)
            killed = time.monotonic()
        seconds = _until_safe(watched, killed)
        watched.close()
        _has_ended_well(Path(folder))
    return seconds


def _until_safe(watched: Watched, killed: float) -> float:
    while time.monotonic() - killed < GIVEN_UP_S:
        try:
            if not watched.unsafe():
                break
        except OSError:
            break  # the guard has ended them, which it does once each has said that it is safe
        time.sleep(0.005)  # how often one looks is how exact it is
    return time.monotonic() - killed


def _has_ended_well(folder: Path) -> None:
    """The guard puts its last line there, and the folder can go. That its servers are gone shows nothing: they go with
    a guard that died, too. Raises SystemExit where it does not say that all was safe."""
    log, state = folder / "logs" / "instruments.log", folder / "instruments.safe.json"
    end = time.monotonic() + GIVEN_UP_S
    while "guard ended" not in log.read_text(encoding="utf-8"):
        if time.monotonic() > end:
            raise SystemExit(f"the guard has not ended well:\n{log.read_text(encoding='utf-8')}")
        time.sleep(0.02)  # a look each 20 ms, against its deadline
    told = json.loads(state.read_text(encoding="utf-8"))
    if told["why"] != "runner_died" or told["unsafe"]:
        raise SystemExit(f"the guard ended, and not all was safe: {told}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--instruments", default="chamber,supply,power_switch,burst,esd,surge,field,card_robot,"
                        "key_pusher,camera,printer_sensor,relay", metavar="NAME,...")
    args = parser.parse_args()
    took: list[float] = []
    while len(took) < args.times:
        took.append(once(args.instruments))
        if len(took) % 10 == 0:
            print(f"  {len(took)} times, the slowest {max(took):.3f} s", flush=True)
    within = sum(one < LIMIT_S for one in took)
    print(f"all safe within {LIMIT_S:g} s of kill -9: {within} of {len(took)}")
    fine = against_limit("kill -9 to all safe, the slowest", max(took), LIMIT_S, "s")
    against_limit("kill -9 to all safe, the median", sorted(took)[len(took) // 2], LIMIT_S, "s")
    return 0 if fine and within == len(took) else 1


if __name__ == "__main__":
    sys.exit(main())
