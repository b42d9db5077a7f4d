"""Generators of bursts, discharges, surges and RF fields in SCPI."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from harness.instruments.emulated.instrument import ScpiInstrument, answers
from harness.instruments.emulated.physics.field import FieldBuild, FieldPhysics
from harness.instruments.emulated.physics.generator import LOWEST_V, GeneratorBuild, GeneratorPhysics, Sort
from harness.instruments.emulated.physics.supply import Effect
from harness.instruments.emulated.plan import Placed, Plan
from harness.instruments.emulated.rig import Rig
from harness.instruments.emulated.scpi.errors import ScpiError
from harness.instruments.emulated.scpi.tree import Command, action, question, setting, switch
from harness.instruments.emulated.scpi.values import Span

_SPREAD_V, _SPREAD_V_M = 1.0, 0.01


class EmulatedGenerator(ScpiInstrument):
    """Kinds ``burst``, ``esd``, ``surge``."""

    def __init__(self, rig: Rig, plan: Plan, placed: Placed) -> None:
        usual = GeneratorBuild.of(cast(Sort, placed.kind))
        high_kv = placed.options.built("high_kv", usual.high_kv)
        charge = placed.options.built("charge_s_per_kv", usual.charge_s_per_kv)
        self.physics = GeneratorPhysics(GeneratorBuild(usual.sort, high_kv, charge / plan.time_scale))
        super().__init__(rig, plan, placed)

    def advance(self, now: float) -> None:
        self.physics.advance(now)

    def wake_s(self, felt: bool) -> float | None:
        return self.physics.wake_s()

    def pending(self) -> bool:
        return self.physics.firing

    def take_effects(self) -> list[Effect]:
        effects, self.physics.effects = self.physics.effects, []
        return effects

    def door(self, is_open: bool) -> None:
        self.physics.interlock(not is_open)

    def state(self) -> dict[str, Any]:
        it = self.physics
        return {
            "safe": not it.armed and it.charge_v == 0, "armed": it.armed, "phase": it.phase,
            "level_kv": it.level_v / 1000, "charge_kv": round(it.charge_v / 1000, 4), "pulses": it.pulses,
            "interlock_closed": it.interlock_closed,
        }

    def reset(self) -> None:
        it = self.physics
        it.disarm()
        it.level_v, it.count, it.interval_s, it.duration_s = 1000.0, 1, 1.0, 1.0

    def commands(self) -> Iterable[Command]:
        it = self.physics

        def count(value: float) -> None:
            it.count = int(value)

        def interval(value: float) -> None:
            it.interval_s = value

        def duration(value: float) -> None:
            it.duration_s = value

        pulses = [
            setting("[SOURce:]BURSt:DURation", Span(0.001, 600, 1, "S"), lambda: it.duration_s, duration),
        ] if it.build.sort == "burst" else [
            setting("[SOURce:]PULSe:COUNt", Span(1, 10_000, 1, whole=True), lambda: it.count, count),
            setting("[SOURce:]PULSe:INTerval", Span(0.05, 600, 1, "S"), lambda: it.interval_s, interval),
        ]
        return [
            *pulses,
            setting("[SOURce:]VOLTage[:LEVel]", Span(LOWEST_V, it.build.high_kv * 1000, 1000, "V"),
                    lambda: it.level_v, self._set_level),
            action("ARM[:IMMediate]", self._arm), action("DISarm", it.disarm),
            question("ARM:STATe", lambda: it.phase),
            action("INITiate[:IMMediate]", self.trigger), action("ABORt", it.abort),
            question("INTerlock:STATe", lambda: str(int(it.interlock_closed))),
            self.reads("MEASure:VOLTage", _SPREAD_V, 0, lambda: it.charge_v),
            question("READ", self._read),
        ]

    def trigger(self) -> None:
        if self.physics.phase != "READY":
            raise ScpiError(-211, f"it is {self.physics.phase}")
        self.physics.fire()

    def _set_level(self, volts: float) -> None:
        if self.physics.firing:
            raise ScpiError(-221, "it is firing")
        self.physics.set_level(volts)

    def _arm(self) -> None:
        if not self.physics.interlock_closed:
            raise ScpiError(-221, "the interlock is open")
        self.physics.arm()

    def _read(self) -> str:
        it = self.physics
        charge_kv = self.measured(it.charge_v / 1000, _SPREAD_V / 1000, 3) if it.armed else self.faults.reading(0.0)
        return answers(charge_kv, it.armed, it.pulses, it.phase == "READY", it.interlock_closed)


class EmulatedField(ScpiInstrument):
    """Kind ``field``: generator, amplifier, and the probe beside the terminal."""

    def __init__(self, rig: Rig, plan: Plan, placed: Placed) -> None:
        build = FieldBuild(placed.options.built("high_v_m", 30), placed.options.built("warm_up_s", 3) / plan.time_scale)
        self.physics = FieldPhysics(build)
        super().__init__(rig, plan, placed)

    def advance(self, now: float) -> None:
        self.physics.advance(now)

    def wake_s(self, felt: bool) -> float | None:
        return self.physics.wake_s()

    def pending(self) -> bool:
        it = self.physics
        return it.settling or (it.amplifier_on and not it.ready)

    def door(self, is_open: bool) -> None:
        self.physics.interlock(not is_open)

    def state(self) -> dict[str, Any]:
        it = self.physics
        return {
            "safe": not it.output_on and it.field_v_m == 0, "field_v_m": round(it.field_v_m, 4),
            "level_v_m": it.level_v_m, "frequency_mhz": it.frequency_hz / 1e6, "output_on": it.output_on,
            "amplifier_on": it.amplifier_on, "warmth": round(it.warmth, 3), "interlock_closed": it.interlock_closed,
        }

    def reset(self) -> None:
        it = self.physics
        it.amplifier(False)
        it.level(3.0)
        it.frequency_hz, it.am, it.am_pct = 80e6, True, 80.0

    def commands(self) -> Iterable[Command]:
        it = self.physics

        def frequency(value: float) -> None:
            it.frequency_hz = value

        def modulated(on: bool) -> None:
            it.am = on

        def depth(value: float) -> None:
            it.am_pct = value

        return [
            setting("[SOURce:]FIELd[:LEVel]", Span(0.1, it.build.high_v_m, 3, "V/M"), lambda: it.level_v_m, it.level),
            setting("[SOURce:]FREQuency", Span(80e6, 6e9, 80e6, "HZ"), lambda: it.frequency_hz, frequency),
            switch("[SOURce:]AM[:STATe]", lambda: it.am, modulated),
            setting("[SOURce:]AM:DEPTh", Span(0, 100, 80, "PCT"), lambda: it.am_pct, depth),
            switch("AMPLifier[:STATe]", lambda: it.amplifier_on, it.amplifier),
            question("AMPLifier:READy", lambda: str(int(it.ready))),
            switch("OUTPut[:STATe]", lambda: it.output_on, self._radiate),
            self.reads("MEASure:FIELd", _SPREAD_V_M, 2, lambda: it.field_v_m),
            question("INTerlock:STATe", lambda: str(int(it.interlock_closed))),
            question("READ", self._read),
        ]

    def _radiate(self, on: bool) -> None:
        if on and not self.physics.interlock_closed:
            raise ScpiError(-221, "the interlock is open")
        if on and not self.physics.ready:
            raise ScpiError(-221, "the amplifier is not ready")
        self.physics.output(on)

    def _read(self) -> str:
        it = self.physics
        return answers(self.measured(it.field_v_m, _SPREAD_V_M, 2), it.frequency_hz / 1e6, it.output_on, it.ready,
                       it.interlock_closed)
