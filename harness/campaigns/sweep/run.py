"""A whole sweep: recorded, replayed, judged, confirmed. In a process of one thread, which forks its workers."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.campaigns.sweep import STAGES, Stage
from harness.campaigns.sweep.cold import chosen, confirm, disagreements
from harness.campaigns.sweep.journal import Cut, Journal
from harness.campaigns.sweep.prepared import in_use, quieted
from harness.campaigns.sweep.record import record
from harness.campaigns.sweep.replay import Outcome, judge, replay
from harness.campaigns.sweep.starting import Starter
from harness.campaigns.sweep.unit import Unit
from harness.emulator.image import Application, ImageRefused, public_key_bytes, read
from harness.emulator.in_process import Rom
from harness.emulator.journal import JournalledNor
from harness.emulator.nor import SIZE
from harness.errors import BadInput
from harness.given_file import head
from harness.terminal.model import Model

TRANSFER_SAMPLE = 60  # cuts of the transfer where not every one is wanted

Told = Callable[[str, int, int], None]
"""What is being done, how many are done, of how many."""


@dataclass(frozen=True)
class Job:
    """``new``: the image that is installed. It begins with ``flash``, a unit's flash file; without, with a unit in use
    that is made for it and runs ``old``. ``stages``: the only ones that are cut. ``everything``: all cuts of the
    transfer too, not :data:`TRANSFER_SAMPLE` of them. ``cold``: how many results a board has to confirm."""

    model: Model
    boot_key: Path
    new: Path
    old: Path | None = None
    flash: Path | None = None
    stages: tuple[Stage, ...] = STAGES
    everything: bool = True
    cold: int = 200
    seed: int = 1
    serial_number: str = "SN97000001"
    time_scale: float = 20.0
    workers: int = 2


@dataclass(frozen=True)
class Result:
    """What became of one cut. ``reason``: why it is neither the old nor the new version, whole. ``cold``: what a board
    said, where it was asked."""

    cut: Cut
    stage: Stage
    unit: Unit
    outcome: Outcome
    reason: str = ""
    cold: Unit | None = None
    differs: bool = False


@dataclass(frozen=True)
class Report:
    """``operations``: of all paths, and of each stage. ``seconds``: of the replay, without recording and cold starts.
    """

    before: Unit
    new: str
    resets: bool
    operations: int
    by_stage: Mapping[Stage, int]
    results: tuple[Result, ...]
    seconds: float
    seed: int

    @property
    def bad(self) -> list[Result]:
        return [result for result in self.results if result.outcome == "neither"]

    @property
    def disagreeing(self) -> list[Result]:
        """The sweep can't be believed where there are any."""
        return [result for result in self.results if result.differs]

    def count(self, stage: Stage) -> Counter[Outcome]:
        return Counter(result.outcome for result in self.results if result.stage == stage)


def sweep(job: Job, told: Told = lambda what, done, total: None) -> Report:
    """Raises :class:`BadInput` where this is no update that can be swept, :class:`BenchError` where a process fails."""
    key = public_key_bytes(job.boot_key.read_text("ascii"))
    new = _checked(job.new, key)
    starter = Starter(
        Rom(job.model.model_dump(mode="json"), key, job.serial_number, time_scale=job.time_scale), job.model
    )
    told("record", 0, 1)
    recording = record(starter, _content(job, starter, new), job.new)
    journal = recording.journal
    every = journal.cuts() if job.everything else _for_a_gate(journal, job.seed)
    cuts = [cut for cut in every if journal.step(cut).stage in job.stages]
    begun = time.monotonic()
    units = replay(starter, journal, cuts, workers=job.workers, told=lambda done: told("replay", done, len(cuts)))
    seconds = time.monotonic() - begun
    asked = chosen(cuts, job.cold, job.seed)
    cold = confirm(starter, job.model, job.boot_key, journal, units, asked, boards=job.workers,
                   told=lambda done: told("cold", done, len(asked)))
    differing = {cut for cut, *_ in disagreements(units, cold)}
    results = []
    for cut in cuts:
        outcome, reason = judge(units[cut], recording.before, new.version, resets=new.resets)
        stage, differs = journal.step(cut).stage, cut in differing
        results.append(Result(cut, stage, units[cut], outcome, reason, cold.get(cut), differs))
    starter.close()
    return Report(recording.before, new.version, new.resets, journal.operations,
                  {stage: journal.count(stage) for stage in STAGES}, tuple(results), seconds, job.seed)


def _content(job: Job, starter: Starter, new: Application) -> bytes:
    if job.flash is not None:
        try:
            data = head(job.flash, SIZE)
        except OSError as error:
            raise BadInput(error.strerror or str(error), where=str(job.flash)) from error
        if len(data) < SIZE:
            raise BadInput(f"a flash file has more than {SIZE} bytes, this has {len(data)}", where=str(job.flash))
        return quieted(starter, JournalledNor(data)).content
    if job.old is None:
        raise BadInput("neither the image that runs nor a flash is named")
    _checked(job.old, public_key_bytes(job.boot_key.read_text("ascii")))
    return in_use(starter, job.old.read_bytes(), stored=not new.resets)


def _checked(path: Path, key: bytes) -> Application:
    try:
        return read(path.read_bytes(), key)
    except OSError as error:
        raise BadInput(error.strerror or str(error), where=str(path)) from error
    except ImageRefused as refused:
        raise BadInput(refused.reason, where=f"{path}: offset {refused.offset}",
                       remedy="A sweep is about sound images. Build the image again.") from refused


def _for_a_gate(journal: Journal, seed: int) -> list[Cut]:
    """All but the transfer, and of that some by seed."""
    every = journal.cuts()
    transfer = [cut for cut in every if journal.step(cut).stage == "transfer"]
    kept = set(random.Random(seed).sample(transfer, min(TRANSFER_SAMPLE, len(transfer))))
    return [cut for cut in every if cut in kept or journal.step(cut).stage != "transfer"]
