"""What a model declares about its surroundings: where it works, what it bears, and how the emulated one behaves beyond.

Part of the model file: :attr:`harness.terminal.model.Model.surroundings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.history.instrument_events import Criterion, Disturbance, Part

POSSIBLE: Mapping[str, tuple[float, float]] = {  # lowest and highest that anybody can declare or ask for
    "temperature_c": (-70, 150), "humidity_pct": (0, 100), "voltage_v": (0, 300),
}
LONGEST_MS = 3_600_000  # of a dip
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Range(BaseModel):
    """Both ends belong to it; ``nominal`` is what a shop has."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    low: Finite
    high: Finite
    nominal: Finite


class Immunity(BaseModel):
    """Up to this level the terminal meets this criterion (IEC 61000-6-1). ``level``: kV (burst, esd, surge), V/m
    (field), or the duration in ms of a dip to at least ``residual_pct`` of the nominal voltage, or of an interruption.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    sort: Disturbance
    level: Annotated[float, Field(gt=0, le=LONGEST_MS, allow_inf_nan=False)]
    residual_pct: Percent = 0.0
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
    screen_slow_ms_per_k: Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)] = 20
    printer_stops_c: Annotated[float, Field(ge=-100, le=300, allow_inf_nan=False)] = 60
    reader_misses_per_pct: Share = 0.04
    worn_misses: Share = 0.5
    brown_out_v: Annotated[float, Field(ge=0, le=300, allow_inf_nan=False)] = 150
    hold_up_ms: Annotated[float, Field(ge=0, le=60_000, allow_inf_nan=False)] = 20
    drift_ppm_per_k: Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)] = 2
    battery_s: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] = 0
    battery_low_pct: Percent = 15


class Surroundings(BaseModel):
    """``texts``: what the screen says of a broken part (one of them is enough); a part that is not there is not
    reported by this model."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    temperature_c: Range
    humidity_pct: Range
    voltage_v: Range
    immunity: list[Immunity] = []
    texts: dict[Part, list[str]] = {}
    back_s: Positive = 60  # criterion B: in service again by itself within this time
    emulated: Feeling = Feeling()

    def criterion(self, sort: Disturbance, level: float, residual_pct: float = 0.0) -> Criterion | None:
        """The best criterion that is declared for it; None: nothing is declared for such a disturbance."""
        met = [
            one.criterion for one in self.immunity
            if one.sort == sort and level <= one.level and residual_pct >= one.residual_pct
        ]
        return min(met, default=None)

    @property
    def stays_dark(self) -> bool:
        """Whether the emulated unit would be off within the declared range of its supply."""
        return self.emulated.brown_out_v >= self.voltage_v.low

    def problems(self) -> list[tuple[tuple[str, ...], str]]:
        """What can't be so, with the place below ``surroundings``."""
        found: list[tuple[tuple[str, ...], str]] = []
        for quantity, (lowest, highest) in POSSIBLE.items():
            span: Range = getattr(self, quantity)
            beyond = [(end, value) for end, value in span if not lowest <= value <= highest]
            found += [
                ((quantity, end), f"{quantity} is from {lowest:g} to {highest:g}, not {value:g}")
                for end, value in beyond
            ]
            if beyond:
                continue
            if span.low >= span.high:
                found.append(((quantity, "low"), "`low` must be below `high`"))
            elif not span.low <= span.nominal <= span.high:
                text = f"`nominal` {span.nominal:g} is not within the range, {span.low:g} to {span.high:g}"
                found.append(((quantity, "nominal"), text))
        if not found and "brown_out_v" in self.emulated.model_fields_set and self.stays_dark:
            low = self.voltage_v.low
            text = f"brown_out_v {self.emulated.brown_out_v:g} must be below the low end of voltage_v, {low:g}"
            found.append((("emulated", "brown_out_v"), text))
        return found
