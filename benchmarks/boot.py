"""CPU seconds of an emulated terminal's cold start and of a power cycle, against the limit of 0.4 s.

    python benchmarks/boot.py [--source DIR] [--model FILE.yaml] [--runs N]

Cold start: from starting the board process with a new flash to the first idle screen, board and CPU process together,
user and system time as the kernel counts them. Power cycle: off, on, idle screen, of a board that is running. Exit
status 1 when the median cold start is above the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ratio import against_limit
from ruamel.yaml import YAML

import harness.emulator
from harness.emulator.build import build
from harness.instruments.panel import Panel
from harness.instruments.power import Supply
from harness.instruments.screen import Screen
from harness.terminal.model import Model

LIMIT_S = 0.4
EMULATOR = Path(harness.emulator.__file__).parent
MODELS = EMULATOR.parent.parent / "lab_config" / "models"


def cpu_seconds(folder: Path, model: Model, cycles: int) -> float:
    """CPU time of a whole life of the board: start, idle screen, ``cycles`` power cycles to idle, end."""
    keys = EMULATOR / "keys"
    argv = [sys.executable, "-m", "harness.emulator", "--control", folder / "panel", "--flash", folder / "flash.bin",
            "--model", folder / "model.json", "--boot-key", keys / "TEST-ONLY-boot-key.pem", "--serial-number", "BENCH",
            "--image", folder / "image.bin", "--parent", str(os.getpid())]
    (folder / "flash.bin").unlink(missing_ok=True)
    pid = os.posix_spawn(sys.executable, [str(argument) for argument in argv], os.environ)
    with Panel(folder / "panel") as panel:
        supply, screen = Supply(panel), Screen(panel, model.screen)
        for cycle in range(cycles + 1):
            supply.on() if cycle == 0 else supply.cycle()
            reading = screen.wait(lambda seen: any(text in "".join(seen.lines) for text in model.idle_texts), 10)
            if reading is None:
                sys.exit(f"no idle screen within 10 s; the screen says {screen.read().lines}")
    os.kill(pid, 15)
    _, _, usage = os.wait4(pid, 0)
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, default=EMULATOR / "firmware")
    parser.add_argument("--model", type=Path, default=MODELS / "HT-100.yaml")
    parser.add_argument("--runs", type=int, default=7)
    args = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join([str(EMULATOR.parent.parent), os.environ.get("PYTHONPATH", "")])
    model = Model.model_validate(YAML(typ="safe").load(args.model.read_text("utf-8")))
    cold, cycle = [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "model.json").write_text(json.dumps(model.model_dump(mode="json")), "utf-8")
        build(args.source, "1.0.0", EMULATOR / "keys" / "TEST-ONLY-signing-key.pem", folder / "image.bin")
        for _ in range(args.runs):
            cold.append(cpu_seconds(folder, model, 0))
            cycle.append((cpu_seconds(folder, model, 5) - cold[-1]) / 5)
    print(f"CPU seconds, medians of {args.runs}; worst cold start {max(cold):.3f} s")
    fine = against_limit("cold start to idle", statistics.median(cold), LIMIT_S, "s")
    against_limit("power cycle to idle", statistics.median(cycle), LIMIT_S, "s")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
