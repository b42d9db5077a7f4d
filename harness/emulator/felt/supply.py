"""The supply of a unit: its voltage, dips, what its capacitors and its battery bridge. Pure; times in seconds."""

from __future__ import annotations

import math
from typing import Literal

from harness.emulator.felt.declared import Declared

Source = Literal["supply", "battery", "none"]
Cause = Literal["", "brown_out", "battery"]  # why there is none
BatteryState = Literal["ok", "low", "dead"]

_BACK = 1.05  # of the brown-out voltage: so far it must rise to start a unit again
_CHARGES_IN = 2.0  # times as long as it lasts
_WHOLE = 1e-3  # per cent
_LOW_PCT = 10.0  # what a battery that is broken as "low" has


class Supply:
    """``source``: what the unit runs on; ``cause``: why on nothing. Whoever holds it calls :meth:`tick` at ``due``."""

    def __init__(self, declared: Declared, now: float, time_scale: float = 1.0) -> None:
        self._declared = declared
        self._set_v, self._dip_v, self._dip_ends = declared.rated_v, 0.0, math.inf
        self._hold_up_s = declared.hold_up_ms / 1000
        self._low_since: float | None = None
        self.source: Source = "supply"
        self.cause: Cause = ""
        self._battery_s = declared.battery_s / time_scale
        self._state: BatteryState = "ok"
        self._charge, self._at, self._load = 100.0, now, False

    # -- what is told to it --------------------------------------------------------------------------------------------

    def set_voltage(self, voltage_v: float, now: float) -> None:
        self.tick(now)
        self._set_v = voltage_v
        self._look(now)

    def dip(self, residual_pct: float, duration_ms: float, now: float) -> None:
        """To so much of the rated voltage (or what there is, if that is less), from now; it replaces one under way."""
        self.tick(now)
        self._dip_v, self._dip_ends = self._declared.rated_v * residual_pct / 100, now + duration_ms / 1000
        self._look(now)

    def set_battery(self, state: BatteryState, now: float) -> None:
        """``low``: nearly empty, and takes no charge; ``dead``: as if there were none; ``ok``: whole, and full."""
        self.tick(now)
        if self._state != "ok" and state == "ok":
            self._charge = 100.0
        self._state = state
        if state == "low":
            self._charge = min(self._charge, _LOW_PCT)
        self._look(now)

    def set_load(self, on: bool, now: float) -> None:
        """The unit is switched on (and draws from its battery) or off."""
        self.tick(now)
        self._load = on

    # -- what it tells -------------------------------------------------------------------------------------------------

    @property
    def voltage_v(self) -> float:
        return min(self._set_v, self._dip_v) if self._dip_ends < math.inf else self._set_v

    @property
    def battery_pct(self) -> int | None:
        """As a gauge has it; None: this model has no battery."""
        if not self._battery_s:
            return None
        return 0 if self._state == "dead" else math.ceil(self._charge)

    @property
    def battery_low(self) -> bool:
        level = self.battery_pct
        return level is not None and level <= self._declared.battery_low_pct

    @property
    def due(self) -> float:
        """When :meth:`tick` has something to do; inf: never by itself."""
        return min(self._dip_ends, self._gives_way, self._next_percent)

    def tick(self, now: float) -> None:
        """All that is due by now, each at its time: a dip that ends before the capacitors are empty does nothing."""
        while (due := self.due) <= now:
            self._count(due)
            if due == self._dip_ends:
                self._dip_ends = math.inf
            self._look(due)
        self._count(now)

    # -- inside --------------------------------------------------------------------------------------------------------

    @property
    def _gives_way(self) -> float:
        """When the capacitors are empty."""
        if self._low_since is None or self.source != "supply":
            return math.inf
        return self._low_since + self._hold_up_s

    @property
    def _rate(self) -> float:
        """Per cents a second."""
        if not self._battery_s or self._state == "dead":
            return 0.0
        if self.source == "battery" and self._load:
            return -100.0 / self._battery_s
        if self.source == "supply" and self._state == "ok" and self._charge < 100.0:
            return 100.0 / (self._battery_s * _CHARGES_IN)
        return 0.0

    @property
    def _next_percent(self) -> float:
        """When the gauge shows another number, or the battery is empty."""
        rate = self._rate
        if not rate:
            return math.inf
        goal = math.ceil(self._charge) - 1 if rate < 0 else math.floor(self._charge) + 1
        return self._at + (goal - self._charge) / rate

    def _count(self, now: float) -> None:
        """The charge as it is now."""
        charge = self._charge + self._rate * max(0.0, now - self._at)
        near = round(charge)  # floating-point time must not let it creep towards a whole per cent for ever
        self._charge = min(100.0, max(0.0, float(near) if abs(charge - near) < _WHOLE else charge))
        self._at = max(self._at, now)

    def _look(self, now: float) -> None:
        """What the unit runs on from now."""
        voltage = self.voltage_v
        if voltage < self._declared.brown_out_v:
            if self._low_since is None:
                self._low_since = now
            if self.source == "supply" and now >= self._low_since + self._hold_up_s:
                self._leave("brown_out")
        elif self.source == "supply" or voltage >= self._declared.brown_out_v * _BACK:
            self._low_since = None
            self.source, self.cause = "supply", ""
        else:
            self._low_since = None
        if self.source == "battery" and (self._charge <= 0 or self._state == "dead"):
            self.source, self.cause = "none", "battery"

    def _leave(self, cause: Cause) -> None:
        if self._battery_s and self._state != "dead" and self._charge > 0:
            self.source = "battery"
        else:
            self.source, self.cause = "none", cause
