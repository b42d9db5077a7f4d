"""The climate chamber in SCPI."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.instruments.emulated.instrument import ScpiInstrument, answers
from harness.instruments.emulated.physics.chamber import FASTEST_K_PER_MIN, ChamberBuild, ChamberPhysics
from harness.instruments.emulated.plan import Placed, Plan
from harness.instruments.emulated.rig import Rig
from harness.instruments.emulated.scpi.errors import ScpiError
from harness.instruments.emulated.scpi.tree import Command, question, setting, switch
from harness.instruments.emulated.scpi.values import Span

_TICK_S, _TICK_OF_ITS_S, _SHORTEST_TICK_S = 0.2, 12.0, 0.05  # how often a terminal is told of a climate that changes
_SPREAD_C, _SPREAD_PCT = 0.02, 0.2
_COLDEST_C = -273.15


class EmulatedChamber(ScpiInstrument):
    """What is around the terminal is the air."""

    def __init__(self, rig: Rig, plan: Plan, placed: Placed) -> None:
        options = placed.options
        self._build = ChamberBuild(
            ambient_c=options.built("ambient_c", 23), ambient_pct=options.built("ambient_pct", 45),
            low_c=options.built("low_c", -40), high_c=options.built("high_c", 150),
            heat_k_per_min=options.built("heat_k_per_min", 8), cool_k_per_min=options.built("cool_k_per_min", 5),
            scale=plan.climate_scale,
        )
        self.physics = ChamberPhysics(self._build)
        self._tick_s = max(_SHORTEST_TICK_S, min(_TICK_S, _TICK_OF_ITS_S / plan.climate_scale))
        super().__init__(rig, plan, placed)

    def advance(self, now: float) -> None:
        self.physics.advance(now)

    def wake_s(self, felt: bool) -> float | None:
        return self._tick_s if felt and not self.physics.at_rest else None

    def door(self, is_open: bool) -> None:
        self.physics.door(is_open)

    def state(self) -> dict[str, Any]:
        it = self.physics
        return {
            "safe": not it.running, "temperature_c": round(it.air, 3), "mass_c": round(it.mass, 3),
            "humidity_pct": round(it.humidity_pct, 2), "running": it.running, "door_open": it.door_open,
            "setpoint_c": round(it.setpoint_c, 3), "target_c": it.target_c, "target_pct": it.target_pct,
            "drive": round(it.drive, 4), "settled": it.settled,
        }

    def reset(self) -> None:
        self.physics.run(False)
        build = self._build
        self.physics.set(temperature_c=build.ambient_c, humidity_pct=max(10.0, build.ambient_pct),
                         ramp_k_per_min=FASTEST_K_PER_MIN, humidity_on=False)

    def commands(self) -> Iterable[Command]:
        it, build = self.physics, self._build
        return [
            setting("[SOURce:]TEMPerature:SETPoint", Span(build.low_c, build.high_c, build.ambient_c, "CEL"),
                    lambda: it.target_c, lambda value: it.set(temperature_c=value)),
            setting("[SOURce:]TEMPerature:RAMP", Span(0.01, FASTEST_K_PER_MIN, FASTEST_K_PER_MIN, "K/MIN"),
                    lambda: it.ramp_k_per_min, lambda value: it.set(ramp_k_per_min=value)),
            setting("[SOURce:]HUMidity:SETPoint", Span(10, 98, max(10.0, build.ambient_pct), "PCT"),
                    lambda: it.target_pct, lambda value: it.set(humidity_pct=value)),
            switch("[SOURce:]HUMidity:STATe", lambda: it.humidity_on, lambda on: it.set(humidity_on=on)),
            switch("OUTPut[:STATe]", lambda: it.running, self._run),
            self.reads("MEASure:TEMPerature", _SPREAD_C, 2, lambda: it.air, _COLDEST_C),
            self.reads("MEASure:TEMPerature:MASS", _SPREAD_C, 2, lambda: it.mass, _COLDEST_C),
            self.reads("MEASure:HUMidity", _SPREAD_PCT, 1, lambda: it.humidity_pct),
            question("DOOR:STATe", lambda: str(int(it.door_open))),
            question("STATus:OPERation:CONDition", self._condition),
            question("READ", self._read),
        ]

    def _run(self, on: bool) -> None:
        if on and self.physics.door_open:
            raise ScpiError(-221, "the door is open")
        self.physics.run(on)

    def _condition(self) -> str:
        it = self.physics
        return str((1 if it.running and not it.door_open else 0) | (2 if it.ramping else 0) | (4 if it.settled else 0))

    def _read(self) -> str:
        it = self.physics
        return answers(
            self.measured(it.air, _SPREAD_C, 2, _COLDEST_C), self.measured(it.humidity_pct, _SPREAD_PCT, 1),
            it.door_open, it.running, round(it.setpoint_c, 2), it.target_pct,
        )
