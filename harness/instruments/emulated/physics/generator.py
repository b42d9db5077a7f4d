"""Generators of bursts, electrostatic discharges and surges: a capacitor that takes time to charge, and its pulses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.instruments.emulated.physics.supply import Effect

Sort = Literal["burst", "esd", "surge"]
Phase = Literal["OFF", "CHARGING", "READY", "FIRING"]
LOWEST_V = 200.0
_BUILDS: dict[Sort, tuple[float, float]] = {"burst": (4.4, 0.4), "esd": (30.0, 0.05), "surge": (6.6, 1.0)}


@dataclass(frozen=True)
class GeneratorBuild:
    """``high_kv``: the most it makes; ``charge_s_per_kv``: how long it charges."""

    sort: Sort
    high_kv: float
    charge_s_per_kv: float

    @staticmethod
    def of(sort: Sort) -> GeneratorBuild:
        return GeneratorBuild(sort, *_BUILDS[sort])


class GeneratorPhysics:
    """Disarmed, its interlock closed."""

    def __init__(self, build: GeneratorBuild) -> None:
        self.build = build
        self.level_v, self.count, self.interval_s, self.duration_s = 1000.0, 1, 1.0, 1.0
        self.armed, self.interlock_closed, self.pulses = False, True, 0
        self.charge_v = 0.0
        self._now, self._left, self._due, self._until = 0.0, 0, 0.0, 0.0
        self.effects: list[Effect] = []

    @property
    def phase(self) -> Phase:
        if not self.armed:
            return "OFF"
        if self.firing:
            return "FIRING"
        return "READY" if self.charge_v >= self.level_v else "CHARGING"

    @property
    def firing(self) -> bool:
        return self._left > 0 or self._now < self._until

    def set_level(self, volts: float) -> None:
        """Charged to less it goes on charging; to more, it discharges through its bleeder at once."""
        self.level_v = volts
        self.charge_v = min(self.charge_v, volts)

    def arm(self) -> None:
        self.armed = True

    def disarm(self) -> None:
        """Discharges at once."""
        self.abort()
        self.armed, self.charge_v = False, 0.0

    def interlock(self, closed: bool) -> None:
        self.interlock_closed = closed
        if not closed:
            self.disarm()

    def fire(self) -> None:
        """The caller has seen to it that it is READY."""
        if self.build.sort == "burst":
            self._until = self._now + self.duration_s
            self._pulse(self.duration_s)
            return
        self._left, self._due = self.count, self._now
        self.advance(self._now)

    def abort(self) -> None:
        self._left, self._until = 0, self._now

    def advance(self, now: float) -> None:
        """Catches up; each pulse is added to :attr:`effects`."""
        now = max(now, self._now)
        while self._left and self._due <= now:
            self._charge(self._due)
            self._pulse(0.0)
            self.charge_v = 0.0
            self._left -= 1
            self._due += max(self.interval_s, self._charge_s())
        self._charge(now)

    def wake_s(self) -> float | None:
        """In how many seconds something happens by itself; None: never."""
        if self._left:
            return max(0.0, self._due - self._now)
        if self._now < self._until:
            return self._until - self._now
        if self.armed and self.charge_v < self.level_v:
            return (self.level_v - self.charge_v) / 1000 * self.build.charge_s_per_kv
        return None

    def _charge_s(self) -> float:
        return self.level_v / 1000 * self.build.charge_s_per_kv

    def _charge(self, until: float) -> None:
        if self.armed and self._charge_s() > 0:
            rate = self.level_v / self._charge_s()
            self.charge_v = min(self.level_v, self.charge_v + rate * (until - self._now))
            if self.level_v - self.charge_v < 1e-6:
                self.charge_v = self.level_v
        elif self.armed:
            self.charge_v = self.level_v
        self._now = until

    def _pulse(self, duration_s: float) -> None:
        self.pulses += 1
        self.effects.append(("pulse", {
            "sort": self.build.sort, "level_kv": round(self.level_v / 1000, 4),
            "duration_ms": round(duration_s * 1000, 3), "count": 1,
        }))
