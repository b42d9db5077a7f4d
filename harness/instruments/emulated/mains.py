"""The AC source in SCPI."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from harness.instruments.emulated.instrument import ScpiInstrument, answers
from harness.instruments.emulated.physics.supply import (
    FASTEST_V_S,
    STANDBY_W,
    Dips,
    Effect,
    SupplyBuild,
    SupplyPhysics,
)
from harness.instruments.emulated.plan import HIGH_V, Placed, Plan
from harness.instruments.emulated.rig import Rig
from harness.instruments.emulated.scpi.errors import ScpiError
from harness.instruments.emulated.scpi.tree import Command, action, question, setting, switch
from harness.instruments.emulated.scpi.values import Span

_SPREAD_V, _SPREAD_A = 0.03, 0.0003


class EmulatedSupply(ScpiInstrument):
    """Feeds the terminal; what that takes depends on whether it is on."""

    model = "EMU-ACSOURCE"

    def __init__(self, rig: Rig, plan: Plan, placed: Placed) -> None:
        options = placed.options
        build = SupplyBuild(
            nominal_v=options.built("nominal_v", 230), high_v=options.built("high_v", HIGH_V),
            limit_a=options.built("limit_a", 5), hold_up_ms=options.built("hold_up_ms", 20),
            load_w=options.built("load_w", 12),
        )
        self.physics, self._frequency_hz = SupplyPhysics(build), 50.0
        super().__init__(rig, plan, placed)

    @property
    def load_w(self) -> float:
        if not self.rig.board.there or not self.rig.fed():
            return 0.0
        return self.physics.build.load_w if self.rig.board.power_on else STANDBY_W

    @property
    def felt_v(self) -> float:
        """What the terminal is to take as its voltage: it does the dips itself."""
        return self.physics.output_v(self.load_w, dips=False)

    @property
    def current_a(self) -> float:
        return self.physics.current_a(self.load_w)

    def advance(self, now: float) -> None:
        self.physics.advance(now)

    def wake_s(self, felt: bool) -> float | None:
        return self.physics.wake_s()

    def pending(self) -> bool:
        return self.physics.slewing or self.physics.dipping

    def take_effects(self) -> list[Effect]:
        effects, self.physics.effects = self.physics.effects, []
        return effects

    def state(self) -> dict[str, Any]:
        it = self.physics
        return {
            "safe": it.is_nominal and it.set_v == it.build.nominal_v,
            "voltage_v": round(it.output_v(self.load_w), 3), "current_a": round(it.current_a(self.load_w), 5),
            "set_v": it.set_v, "limit_a": it.limit_a, "limiting": it.limiting(self.load_w),
            "output_on": it.output_on, "dipping": it.dipping,
        }

    def reset(self) -> None:
        it = self.physics
        it.abort()
        it.slew_v_s, it.limit_a, it.dips, self._frequency_hz = FASTEST_V_S, it.build.limit_a, Dips(), 50.0
        it.set_voltage(it.build.nominal_v)
        it.output(True)

    def commands(self) -> Iterable[Command]:
        it, build = self.physics, self.physics.build

        def slew(value: float) -> None:
            it.slew_v_s = value

        def limit(value: float) -> None:
            it.limit_a = value

        def frequency(value: float) -> None:
            self._frequency_hz = value

        def dip(**changed: float | int) -> None:
            it.dips = replace(it.dips, **changed)  # type: ignore[arg-type]

        return [
            setting("[SOURce:]VOLTage[:LEVel][:IMMediate][:AMPLitude]", Span(0, build.high_v, build.nominal_v, "V"),
                    lambda: it.set_v, it.set_voltage),
            setting("[SOURce:]VOLTage:SLEW[:IMMediate]", Span(1, FASTEST_V_S, FASTEST_V_S, "V/S"),
                    lambda: it.slew_v_s, slew),
            setting("[SOURce:]CURRent:LIMit", Span(0.01, build.limit_a, build.limit_a, "A"), lambda: it.limit_a, limit),
            setting("[SOURce:]FREQuency", Span(45, 65, 50, "HZ"), lambda: self._frequency_hz, frequency),
            switch("OUTPut[:STATe]", lambda: it.output_on, it.output),
            self.reads("MEASure[:SCALar]:VOLTage[:AC]", _SPREAD_V, 2, lambda: it.output_v(self.load_w)),
            self.reads("MEASure[:SCALar]:CURRent[:AC]", _SPREAD_A, 4, lambda: it.current_a(self.load_w)),
            self.reads("MEASure[:SCALar]:POWer[:AC]", 0.02, 2,
                       lambda: it.output_v(self.load_w) * it.current_a(self.load_w)),
            setting("[SOURce:]DIP:RESidual", Span(0, 100, 0, "PCT"), lambda: it.dips.residual_pct,
                    lambda value: dip(residual_pct=value)),
            setting("[SOURce:]DIP:DURation", Span(0.001, 60, 0.01, "S"), lambda: it.dips.duration_s,
                    lambda value: dip(duration_s=value)),
            setting("[SOURce:]DIP:COUNt", Span(1, 1000, 1, whole=True), lambda: it.dips.count,
                    lambda value: dip(count=int(value))),
            setting("[SOURce:]DIP:INTerval", Span(0.01, 600, 1, "S"), lambda: it.dips.interval_s,
                    lambda value: dip(interval_s=value)),
            action("INITiate[:IMMediate]:DIP", self._dip), action("ABORt", it.abort),
            question("STATus:OPERation:CONDition", lambda: str(int(it.slewing) | 2 * int(it.dipping))),
            question("STATus:QUEStionable:CONDition", lambda: str(2 * int(it.limiting(self.load_w)))),
            question("READ", self._read),
        ]

    def trigger(self) -> None:
        self._dip()

    def _dip(self) -> None:
        it = self.physics
        if not it.output_on:
            raise ScpiError(-221, "the output is off")
        if it.dipping:
            raise ScpiError(-221, "dips are under way")
        if it.dips.count > 1 and it.dips.interval_s <= it.dips.duration_s:
            raise ScpiError(-221, "the interval is not longer than a dip")
        it.dip()

    def _read(self) -> str:
        it = self.physics
        return answers(self.measured(it.output_v(self.load_w), _SPREAD_V, 2),
                       self.measured(it.current_a(self.load_w), _SPREAD_A, 4), it.output_on)
