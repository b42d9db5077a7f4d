"""A programmable AC source: slew, current limit with fold-back, its own hold-up, dips. Volts and amperes are RMS."""

from __future__ import annotations

from dataclasses import dataclass

STANDBY_W = 0.5
FASTEST_V_S = 100_000.0
Effect = tuple[str, dict[str, float | str]]
"""A request to the panel of the terminal on the bench: op and fields."""


@dataclass(frozen=True)
class SupplyBuild:
    """``limit_a``: the most it can give; ``hold_up_ms``: how long its output lasts after it was switched off;
    ``load_w``: what a terminal takes that is on, at nominal voltage."""

    nominal_v: float = 230.0
    high_v: float = 300.0
    limit_a: float = 5.0
    hold_up_ms: float = 20.0
    load_w: float = 12.0


@dataclass(frozen=True)
class Dips:
    """To ``residual_pct`` of nominal for ``duration_s``, ``count`` times, one each ``interval_s``."""

    residual_pct: float = 0.0
    duration_s: float = 0.01
    count: int = 1
    interval_s: float = 1.0


class SupplyPhysics:
    """At nominal voltage with its output on, into a terminal that is off."""

    def __init__(self, build: SupplyBuild) -> None:
        self.build = build
        self.set_v, self.slew_v_s, self.limit_a = build.nominal_v, FASTEST_V_S, build.limit_a
        self.output_on = True
        self.dips = Dips()
        self._now = 0.0
        self._inner_v = build.nominal_v  # of the amplifier, on its way to set_v
        self._off_at: float | None = None
        self._begun_at: float | None = None  # of the dips under way
        self._told = 0  # how many of them the terminal was told of
        self.effects: list[Effect] = []

    def set_voltage(self, volts: float) -> None:
        """The amplifier slews to it while the output is on, and is there at once while it is off."""
        self.set_v = volts
        if not self.output_on and self._off_at is None:
            self._inner_v = volts

    def output(self, on: bool) -> None:
        if on == self.output_on:
            return
        self.output_on = on
        self._off_at = None if on else self._now + self.build.hold_up_ms / 1000
        if not on:
            self.abort()
        else:
            self._inner_v = self.set_v

    def dip(self) -> None:
        """Begins with :attr:`dips`."""
        self._begun_at, self._told = self._now, 0

    def abort(self) -> None:
        """No further ones."""
        self._begun_at = None

    @property
    def is_nominal(self) -> bool:
        """Its output is what a terminal is meant to have."""
        return self.output_on and abs(self._inner_v - self.build.nominal_v) < 0.01 and not self.dipping

    @property
    def dipping(self) -> bool:
        return self._begun_at is not None

    @property
    def slewing(self) -> bool:
        return self.output_on and self._inner_v != self.set_v

    def advance(self, now: float) -> None:
        """Catches up; what the terminal must be told of is added to :attr:`effects`."""
        elapsed, self._now = max(0.0, now - self._now), max(now, self._now)
        if self.slewing:
            most = self.slew_v_s * elapsed
            self._inner_v += max(-most, min(most, self.set_v - self._inner_v))
        if self._off_at is not None and self._now >= self._off_at:
            self._off_at, self._inner_v = None, self.set_v
        while self._begun_at is not None:
            due = self._begun_at + self._told * self.dips.interval_s
            if self._told < self.dips.count and self._now >= due:
                self._told += 1
                self.effects.append(("dip", {
                    "residual_pct": self.dips.residual_pct, "duration_ms": round(self.dips.duration_s * 1000, 3),
                }))
            elif self._told == self.dips.count and self._now >= due - self.dips.interval_s + self.dips.duration_s:
                self._begun_at = None
            else:
                break

    def wake_s(self) -> float | None:
        """In how many seconds something happens by itself; None: never."""
        waits = []
        if self.slewing:
            waits.append(min(0.05, abs(self.set_v - self._inner_v) / self.slew_v_s))
        if self._off_at is not None:
            waits.append(self._off_at - self._now)
        if self._begun_at is not None:
            last = self._begun_at + (self._told - 1) * self.dips.interval_s
            more = self._told < self.dips.count
            waits.append(last + (self.dips.interval_s if more else self.dips.duration_s) - self._now)
        return max(0.0, min(waits)) if waits else None

    def source_v(self) -> float:
        """Without load, dips aside."""
        return self._inner_v if self.output_on or self._off_at is not None else 0.0

    def output_v(self, load_w: float, *, dips: bool = True) -> float:
        """At its terminals: where the load draws more than the limit the voltage is folded back until it fits."""
        volts = self.source_v()
        if dips and self._begun_at is not None and self._told:
            into = self._now - (self._begun_at + (self._told - 1) * self.dips.interval_s)
            if 0 <= into < self.dips.duration_s:
                volts = min(volts, self.build.nominal_v * self.dips.residual_pct / 100)
        return min(volts, self.limit_a * self._ohms(load_w))

    def current_a(self, load_w: float) -> float:
        return self.output_v(load_w) / self._ohms(load_w)

    def limiting(self, load_w: float) -> bool:
        return self.source_v() > self.limit_a * self._ohms(load_w)

    def _ohms(self, load_w: float) -> float:
        return self.build.nominal_v**2 / max(load_w, 1e-6)
