"""What a model declares about its surroundings: where it works, what it bears, and how the emulated one behaves beyond.

Part of the model file: :attr:`harness.terminal.model.Model.surroundings`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.history.instrument_events import Criterion, Disturbance, Part

Amount = Annotated[float, Field(ge=0)]


class Range(BaseModel):
    """Both ends belong to it; ``nominal`` is what a shop has."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    low: float
    high: float
    nominal: float


class Immunity(BaseModel):
    """Up to this level the terminal meets this criterion (IEC 61000-6-1). ``level``: kV (burst, esd, surge), V/m
    (field), or the duration in ms of a dip to at least ``residual_pct`` of the nominal voltage, or of an interruption.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    sort: Disturbance
    level: float
    residual_pct: float = 0.0
    criterion: Criterion


class Feeling(BaseModel):
    """How the *emulated* unit behaves beyond its range; a real one has its own ways. All of it follows from the unit's
    seed (its serial number) and what happens, so it repeats.

    ``screen_slow_ms_per_k``: a picture comes that much later for each kelvin below the range. ``printer_stops_c``: from
    there on the printer pauses. ``reader_misses_per_pct``: share of swipes that are misread for each per cent of
    humidity above the range; ``worn_misses``: with a worn head. ``brown_out_v``: below it, for longer than
    ``hold_up_ms``, the unit resets (and stays off while it lasts). ``drift_ppm_per_k``: of the clock, for each kelvin
    away from 25. ``battery_s``: how long it runs without the supply, 0: it has no battery; ``battery_low_pct``: from
    there on it says so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    screen_slow_ms_per_k: Amount = 20
    printer_stops_c: float = 60
    reader_misses_per_pct: Amount = 0.04
    worn_misses: Amount = 0.5
    brown_out_v: Amount = 150
    hold_up_ms: Amount = 20
    drift_ppm_per_k: Amount = 2
    battery_s: Amount = 0
    battery_low_pct: Amount = 15


class Surroundings(BaseModel):
    """``texts``: what the screen says of a broken part (one of them is enough); a part that is not there is not
    reported by this model."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    temperature_c: Range
    humidity_pct: Range
    voltage_v: Range
    immunity: list[Immunity] = []
    texts: dict[Part, list[str]] = {}
    back_s: float = 60  # criterion B: in service again by itself within this time
    emulated: Feeling = Feeling()

    def criterion(self, sort: Disturbance, level: float, residual_pct: float = 0.0) -> Criterion | None:
        """The best criterion that is declared for it; None: nothing is declared for such a disturbance."""
        met = [
            one.criterion for one in self.immunity
            if one.sort == sort and level <= one.level and residual_pct >= one.residual_pct
        ]
        return min(met, default=None)
