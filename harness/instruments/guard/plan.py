"""What a guard is told when it is started: a JSON file."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from harness.lab.instrument_entry import InstrumentEntry
from harness.terminal.surroundings import Surroundings

SILENCE_S = 10.0
CLIMATE_SCALE = 60.0  # an emulated chamber's seconds in one of ours at time scale 1


class GuardPlan(BaseModel):
    """``folder``: of the bench, where ``logs/instruments.log`` and ``instruments.safe.json`` go. ``scratch``: for what
    the emulated instruments need while they run. ``silence_s``: without a word of the worker for so long everything is
    made safe. ``retry_s``: longest time between two tries to reach an instrument. ``climate_scale``, ``time_scale``:
    how much faster emulated ones are (docs/instruments-emulated.md)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    bench: str
    run: str = ""
    folder: Path
    scratch: Path
    instruments: list[InstrumentEntry]
    surroundings: Surroundings | None = None
    seed: int = 97
    climate_scale: float = CLIMATE_SCALE
    time_scale: float = 1.0
    silence_s: float = SILENCE_S
    retry_s: float = 5.0
    sample_s: float = 0.1
