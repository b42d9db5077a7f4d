"""An RF field: an amplifier that must be warm, and a levelling loop that settles."""

from __future__ import annotations

import math
from dataclasses import dataclass

_SETTLES_S = 0.06  # time constant of the levelling loop
_SETTLED = 5.0  # of these, and it is there
_STEP_S = 0.05


@dataclass(frozen=True)
class FieldBuild:
    """``high_v_m``: the strongest field at the terminal; ``warm_up_s``: of the amplifier."""

    high_v_m: float = 30.0
    warm_up_s: float = 3.0


class FieldPhysics:
    """Cold and off."""

    def __init__(self, build: FieldBuild) -> None:
        self.build = build
        self.level_v_m, self.frequency_hz, self.am, self.am_pct = 3.0, 80e6, True, 80.0
        self.amplifier_on = self.output_on = False
        self.interlock_closed = True
        self.warmth = 0.0 if build.warm_up_s > 0 else 1.0  # 1: it can be used
        self.field_v_m = 0.0
        self._now, self._changed_at = 0.0, -_SETTLED * _SETTLES_S

    @property
    def ready(self) -> bool:
        return self.amplifier_on and self.warmth >= 1.0

    @property
    def settling(self) -> bool:
        return self.field_v_m != self._wanted()

    def amplifier(self, on: bool) -> None:
        self.amplifier_on = on
        if not on:
            self.output(False)

    def output(self, on: bool) -> None:
        """The caller has seen to it that the amplifier is ready."""
        self.output_on = on
        self._changed_at = self._now

    def level(self, volts_per_metre: float) -> None:
        self.level_v_m = volts_per_metre
        self._changed_at = self._now

    def interlock(self, closed: bool) -> None:
        self.interlock_closed = closed
        if not closed:
            self.output(False)

    def advance(self, now: float) -> None:
        elapsed, self._now = max(0.0, now - self._now), max(now, self._now)
        if self.build.warm_up_s > 0:
            change = elapsed / self.build.warm_up_s
            self.warmth = min(1.0, self.warmth + change) if self.amplifier_on else max(0.0, self.warmth - change)
            if self.warmth > 1 - 1e-9:
                self.warmth = 1.0
        wanted = self._wanted()
        self.field_v_m = wanted + (self.field_v_m - wanted) * math.exp(-elapsed / _SETTLES_S)
        if self._now - self._changed_at >= _SETTLED * _SETTLES_S or not self.output_on:
            self.field_v_m = wanted  # switched off it is gone at once

    def wake_s(self) -> float | None:
        """In how many seconds something happens by itself; None: never."""
        if self.settling:
            return _STEP_S
        if self.amplifier_on and self.warmth < 1.0:
            return (1.0 - self.warmth) * self.build.warm_up_s
        return None

    def _wanted(self) -> float:
        return self.level_v_m if self.output_on else 0.0
