"""A climate chamber: heated and cooled air, a mass inside that follows, vapour, a door.

Advanced on a grid of one second of the chamber's time. ``air`` and ``mass`` in degrees Celsius, ``vapour`` in hPa. The
controller is a PI on a set point that moves by the ramp; its integral part overshoots after a fast ramp.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_STEP_S = 1.0
_MASS_S, _AIR_OF_MASS_S, _LEAK_S, _VAPOUR_LEAK_S = 300.0, 600.0, 3600.0, 7200.0
_DOOR_S, _VAPOUR_S = 45.0, 90.0
_COIL_K = 20.0  # how much colder than the air the cooler's coil is at full power: it dries the air
_GAIN, _INTEGRAL = 0.15, 0.002  # of heater or cooler, per kelvin; per kelvin and second
_STILL_K, _STILL_HPA = 2e-6, 2e-6  # a step that changes less changes nothing any more
_SETTLED_K, _SETTLED_PCT, _SETTLED_S = 0.5, 3.0, 60.0
HUMIDITY_LOW_C, HUMIDITY_HIGH_C = 10.0, 95.0
FASTEST_K_PER_MIN = 30.0


@dataclass(frozen=True)
class ChamberBuild:
    """What it is made of. Temperatures in degrees Celsius, rates in K/min; ``scale``: its seconds in one of ours."""

    ambient_c: float = 23.0
    ambient_pct: float = 45.0
    low_c: float = -40.0
    high_c: float = 150.0
    heat_k_per_min: float = 8.0
    cool_k_per_min: float = 5.0
    scale: float = 1.0


def saturation_hpa(temperature_c: float) -> float:
    """Vapour pressure of saturated air over water (Magnus, WMO-No. 8)."""
    return 6.112 * math.exp(17.62 * temperature_c / (243.12 + temperature_c))


class ChamberPhysics:
    """At rest in a room until it is told to run."""

    def __init__(self, build: ChamberBuild, now: float = 0.0) -> None:
        self._build, self._from = build, now
        self._steps = 0
        self.air = self.mass = build.ambient_c
        self.vapour = saturation_hpa(build.ambient_c) * build.ambient_pct / 100
        self.running = self.door_open = self.humidity_on = False
        self.target_c, self.target_pct = build.ambient_c, max(10.0, build.ambient_pct)
        self.ramp_k_per_min = FASTEST_K_PER_MIN
        self.setpoint_c = build.ambient_c  # where the ramp is
        self.drive = 0.0  # of the heater, negative: of the cooler; -1 to 1
        self._integral, self._still, self._settled_s = 0.0, True, 0.0

    @property
    def humidity_pct(self) -> float:
        return min(100.0, 100 * self.vapour / saturation_hpa(self.air))

    @property
    def at_rest(self) -> bool:
        """Nothing changes until somebody does something."""
        return self._still

    @property
    def ramping(self) -> bool:
        return self.running and abs(self.setpoint_c - self.target_c) > 1e-9

    @property
    def settled(self) -> bool:
        return self._settled_s >= _SETTLED_S

    def set(
        self, *, temperature_c: float | None = None, humidity_pct: float | None = None,
        ramp_k_per_min: float | None = None, humidity_on: bool | None = None,
    ) -> None:
        """New set points; the caller has held them against the range."""
        if temperature_c is not None and temperature_c != self.target_c:
            self.target_c, self._settled_s = temperature_c, 0.0
        if humidity_pct is not None and humidity_pct != self.target_pct:
            self.target_pct, self._settled_s = humidity_pct, 0.0
        self.ramp_k_per_min = self.ramp_k_per_min if ramp_k_per_min is None else ramp_k_per_min
        self.humidity_on = self.humidity_on if humidity_on is None else humidity_on
        self._still = False

    def run(self, on: bool) -> None:
        """Conditions, from where the air is now; or stops."""
        if on and not self.running:
            self.setpoint_c, self._integral = self.air, 0.0
        self.running = on
        self._settled_s, self._still = 0.0, False

    def door(self, is_open: bool) -> None:
        if is_open != self.door_open:
            self.door_open, self._still = is_open, False
            self.setpoint_c, self._integral, self._settled_s = self.air, 0.0, 0.0

    def advance(self, now: float) -> None:
        """Catches up with ``now`` (our seconds)."""
        wanted = int((now - self._from) * self._build.scale / _STEP_S)
        while self._steps < wanted and not self._still:
            self._step()
            self._steps += 1
        self._steps = max(self._steps, wanted)

    def _step(self) -> None:
        air, mass, vapour, setpoint = self.air, self.mass, self.vapour, self.setpoint_c
        integral, settled = self._integral, self._settled_s
        self._control()
        power = self._build.heat_k_per_min if self.drive > 0 else self._build.cool_k_per_min
        leak_s = _DOOR_S if self.door_open else _LEAK_S
        self.air += _STEP_S * (
            self.drive * power / 60 + (mass - air) / _AIR_OF_MASS_S + (self._build.ambient_c - air) / leak_s
        )
        self.mass += _STEP_S * (air - mass) / _MASS_S
        self._moisten()
        self._look_whether_settled()
        self._still = (
            abs(self.air - air) + abs(self.mass - mass) + abs(self._integral - integral) < _STILL_K
            and abs(self.vapour - vapour) < _STILL_HPA and self.setpoint_c == setpoint and self._settled_s == settled
        )

    def _control(self) -> None:
        """Moves the set point and drives heater and cooler."""
        if not self.running or self.door_open:
            self.drive = 0.0
            return
        most = self.ramp_k_per_min / 60 * _STEP_S
        self.setpoint_c += max(-most, min(most, self.target_c - self.setpoint_c))
        if abs(self.setpoint_c - self.target_c) < 1e-9:
            self.setpoint_c = self.target_c
        error = self.setpoint_c - self.air
        wanted = _GAIN * error + self._integral
        self.drive = max(-1.0, min(1.0, wanted))
        if self.drive == wanted or (wanted > 0) != (error > 0):  # no wind-up while it can do no more
            self._integral = max(-1.0, min(1.0, self._integral + _INTEGRAL * error * _STEP_S))

    def _moisten(self) -> None:
        ambient = saturation_hpa(self._build.ambient_c) * self._build.ambient_pct / 100
        if self.door_open:
            self.vapour += _STEP_S * (ambient - self.vapour) / _DOOR_S
        else:
            self.vapour += _STEP_S * (ambient - self.vapour) / _VAPOUR_LEAK_S
            if self.running and self.humidity_on and HUMIDITY_LOW_C <= self.air <= HUMIDITY_HIGH_C:
                self.vapour += _STEP_S * (self.target_pct / 100 * saturation_hpa(self.air) - self.vapour) / _VAPOUR_S
        coil_c = self.air + _COIL_K * min(0.0, self.drive)
        self.vapour = min(self.vapour, saturation_hpa(coil_c))  # the rest condenses

    def _look_whether_settled(self) -> None:
        there = self.running and not self.door_open and abs(self.air - self.target_c) <= _SETTLED_K and (
            not self.humidity_on or abs(self.humidity_pct - self.target_pct) <= _SETTLED_PCT
        )
        self._settled_s = min(_SETTLED_S, self._settled_s + _STEP_S) if there else 0.0
