"""A sweep from what the unit on a bench holds; every cut goes into the bench's history, where FWU-03 judges it."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from harness.campaigns.sweep.__main__ import to_json
from harness.campaigns.sweep.run import Job, Report, Result
from harness.campaigns.sweep.stored import load
from harness.campaigns.sweep.unit import Unit
from harness.errors import BenchError
from harness.history.base import Firmware
from harness.history.update_events import UpdateCut
from harness.lab.image_set import ImageFile
from harness.lab.process import spawn

if TYPE_CHECKING:
    from harness.bench.bench import Bench
    from harness.lab.firmware_images import Image

class NoSweepError(AssertionError):
    """The unit does not do this update, so there is nothing to cut: that is the terminal's affair, and decides nothing
    about power cuts."""


def sweep_unit(
    bench: Bench, old: Image, new: ImageFile, *, seed: str, everything: bool = False, cold: int = 20, workers: int = 2
) -> Report:
    """The update of the unit that stands on ``bench`` to ``new``, cut at every operation (without ``everything`` only
    at some of the transfer's). The unit itself is switched off and on, and not updated. Raises :class:`BenchError`
    where a real board says something else than the replay, :class:`NoSweepError` where the unit is not updated."""
    with tempfile.TemporaryDirectory(prefix="hil97-sweep-") as temporary:
        folder = Path(temporary)
        job = Job(
            bench.model, bench.plan.boot_key, new.path, flash=_copy(bench, folder), everything=everything, cold=cold,
            seed=zlib.crc32(seed.encode()), serial_number=bench.plan.serial_number, workers=workers,
        )
        report = _run(bench, job, folder / "report.jsonl")
    _record(bench, Firmware(name=old.name, version=old.version, sha256=old.sha256), new, report)
    if report.disagreeing:
        first = report.disagreeing[0]
        what = f"at {first.cut} a board says {first.cold}, the replay {first.unit}"
        raise BenchError(f"the power-cut sweep can't be believed: {what}", bench=bench.name)
    return report


def _copy(bench: Bench, folder: Path) -> Path:
    """The unit's flash, while it has no power."""
    flash = folder / "flash.bin"
    bench.power.off()
    shutil.copyfile(bench.flash_file, flash)
    bench.power.on()
    bench.terminal.await_idle(60.0)
    return flash


def _run(bench: Bench, job: Job, report: Path) -> Report:
    """In a process of its own: this one has threads, and is not to be forked."""
    child = spawn([sys.executable, "-m", "harness.campaigns.sweep"], log=bench.plan.folder / "logs" / "sweep.log",
                  name="sweep", pipes=True)
    try:
        child.stdin.write(to_json(job, report).encode())
        child.stdin.close()
        with bench.history.waiting():
            for _ in child.stdout:
                bench.check()
            child.process.wait()
        said = "\n".join(child.last_lines())
        if child.process.returncode == 2:
            raise NoSweepError(said)
        if child.process.returncode:
            raise BenchError(f"the power-cut sweep ended with status {child.process.returncode}:\n{said}",
                             bench=bench.name, evidence=str(child.log))
        return load(report)
    finally:
        child.kill()


def _record(bench: Bench, old: Firmware, new: ImageFile, report: Report) -> None:
    for result in report.results:
        bench.history.append(_event(old, new, report, result, result.unit, cold=False))
        if result.cold is not None:
            bench.history.append(_event(old, new, report, result, result.cold, cold=True))


def _event(old: Firmware, new: ImageFile, report: Report, result: Result, found: Unit, *, cold: bool) -> UpdateCut:
    return UpdateCut(
        t=time.monotonic_ns(), old=old, new=new.firmware, operation=result.cut.number, operations=report.operations,
        torn=result.cut.torn, stage=result.stage, how="cold" if cold else "replayed", runs=found.version,
        before=report.before.held, after=found.held, resets=report.resets, detail=found.trouble,
    )
