"""The physics of emulated instruments: pure, with the clock of the test."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.instruments.emulated.physics.chamber import ChamberBuild, ChamberPhysics, saturation_hpa
from harness.instruments.emulated.physics.field import FieldBuild, FieldPhysics
from harness.instruments.emulated.physics.generator import GeneratorBuild, GeneratorPhysics, Sort
from harness.instruments.emulated.physics.supply import FASTEST_V_S, Dips, Effect, SupplyBuild, SupplyPhysics


class Physics(Protocol):
    def advance(self, now: float) -> None: ...


def until(
    physics: Physics, there: Callable[[], bool], longest_s: float, step_s: float = 1.0, start: float = 0
) -> float:
    """When it is there first; it must be within ``longest_s``."""
    for step in range(1, int(longest_s / step_s) + 1):
        physics.advance(start + step * step_s)
        if there():
            return start + step * step_s
    raise AssertionError(f"not within {longest_s} s")


def running(temperature_c: float, *, ramp: float = 30.0, scale: float = 1.0) -> ChamberPhysics:
    chamber = ChamberPhysics(ChamberBuild(scale=scale))
    chamber.set(temperature_c=temperature_c, ramp_k_per_min=ramp)
    chamber.run(True)
    return chamber


# -- chamber


@pytest.mark.parametrize("target", [-40.0, -10.0, 24.0, 55.0, 150.0])
def test_a_chamber_gets_there_and_stays(target: float) -> None:
    chamber = running(target)
    until(chamber, lambda: chamber.settled, 3600)
    until(chamber, lambda: chamber.at_rest, 7200, start=3600)
    assert chamber.air == pytest.approx(target, abs=0.05)
    assert chamber.mass == pytest.approx(target, abs=0.1)


def test_it_overshoots_after_a_fast_ramp_and_the_mass_lags() -> None:
    chamber = running(55)
    highest = 23.0
    for second in range(1, 1800):
        chamber.advance(second)
        highest = max(highest, chamber.air)
        if second == 200:
            assert chamber.mass < chamber.air - 5
    assert 55.5 < highest < 57


@given(st.floats(0.5, 4), st.floats(30, 80))
@settings(max_examples=20, deadline=None)
def test_the_set_point_is_never_faster_than_the_ramp(ramp: float, target: float) -> None:
    chamber = running(target, ramp=ramp)
    before = chamber.setpoint_c
    for second in range(1, 400):
        chamber.advance(second)
        assert abs(chamber.setpoint_c - before) <= ramp / 60 + 1e-9
        before = chamber.setpoint_c
    assert chamber.air < 23 + ramp * 400 / 60 + 2  # the air does not run away from it


@given(st.floats(-60, 170), st.floats(0.5, 10), st.floats(0.5, 10))
@settings(max_examples=20, deadline=None)
def test_heater_and_cooler_do_what_they_can_and_no_more(target: float, heat: float, cool: float) -> None:
    chamber = ChamberPhysics(ChamberBuild(heat_k_per_min=heat, cool_k_per_min=cool))
    chamber.set(temperature_c=target)
    chamber.run(True)
    before = chamber.air
    for second in range(1, 2000):
        chamber.advance(second)
        assert -1 <= chamber.drive <= 1
        pulled = abs(chamber.mass - before) / 600 + abs(23 - before) / 3600  # mass and leak pull, too
        assert -cool / 60 - pulled - 1e-6 <= chamber.air - before <= heat / 60 + pulled + 1e-6
        before = chamber.air


def test_an_open_door_stops_it_and_lets_the_room_in() -> None:
    chamber = running(80)
    chamber.advance(1800)
    chamber.door(True)
    chamber.advance(1801)
    assert chamber.drive == 0
    chamber.advance(2100)
    assert chamber.air < 35
    chamber.door(False)
    chamber.advance(4800)
    assert chamber.air == pytest.approx(80, abs=0.5)


def test_stopped_it_drifts_to_ambient() -> None:
    chamber = running(-20)
    chamber.advance(3600)
    chamber.run(False)
    until(chamber, lambda: chamber.at_rest, 200_000, 100, start=3600)
    assert chamber.air == pytest.approx(23, abs=0.1)


def test_warm_air_is_drier_and_humidity_is_made_where_it_is_asked_for() -> None:
    dry = running(50)
    dry.advance(1800)
    assert dry.humidity_pct < 15
    humid = running(40)
    humid.set(humidity_pct=93, humidity_on=True)
    until(humid, lambda: humid.settled, 3600)
    humid.advance(7200)
    assert humid.humidity_pct == pytest.approx(93, abs=3)


@given(st.lists(st.tuples(
    st.floats(1, 2000), st.sampled_from(["heat", "cool", "stop", "open", "close", "humid"])), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_air_is_never_more_than_saturated_nor_out_of_reach(acts: list[tuple[float, str]]) -> None:
    chamber, now = ChamberPhysics(ChamberBuild()), 0.0
    for seconds, act in acts:
        if act in ("heat", "cool"):
            chamber.set(temperature_c=150 if act == "heat" else -40)
        elif act == "humid":
            chamber.set(humidity_pct=98, humidity_on=True)
        if act in ("open", "close"):
            chamber.door(act == "open")
        else:
            chamber.run(act != "stop")
        now += seconds
        chamber.advance(now)
        assert 0 <= chamber.humidity_pct <= 100
        assert 0 <= chamber.vapour <= saturation_hpa(chamber.air) + 1e-9
        assert -45 < chamber.air < 155


@given(st.lists(st.floats(0.01, 400), min_size=1, max_size=12), st.sampled_from([1.0, 60.0, 7.3]))
@settings(max_examples=40, deadline=None)
def test_how_often_it_is_asked_changes_nothing(pauses: list[float], scale: float) -> None:
    often, once, now = running(60, scale=scale), running(60, scale=scale), 0.0
    for pause in pauses:
        now += pause
        often.advance(now)
    once.advance(now)
    assert (often.air, often.mass, often.vapour) == (once.air, once.mass, once.vapour)


def test_scaled_it_is_the_same_in_less_time() -> None:
    slow, fast = running(60), running(60, scale=60)
    slow.advance(600)
    fast.advance(10)
    assert (slow.air, slow.mass) == (fast.air, fast.mass)


# -- supply


@given(st.floats(0, 300), st.floats(0.01, 5), st.floats(0, 2000))
def test_a_supply_keeps_its_current_limit(volts: float, amperes: float, load_w: float) -> None:
    supply = SupplyPhysics(SupplyBuild())
    supply.set_voltage(volts)
    supply.limit_a = amperes
    supply.advance(1)
    assert supply.current_a(load_w) <= amperes + 1e-9
    assert supply.output_v(load_w) <= volts + 1e-9
    if not supply.limiting(load_w):
        assert supply.output_v(load_w) == pytest.approx(volts)


def test_the_voltage_slews() -> None:
    supply = SupplyPhysics(SupplyBuild())
    supply.slew_v_s = 10
    supply.set_voltage(200)
    supply.advance(1)
    assert supply.source_v() == pytest.approx(220) and supply.slewing
    supply.advance(3.1)
    assert supply.source_v() == 200 and not supply.slewing and supply.wake_s() is None


def test_its_output_holds_up() -> None:
    supply = SupplyPhysics(SupplyBuild(hold_up_ms=20))
    supply.advance(5)
    supply.output(False)
    assert supply.wake_s() == pytest.approx(0.02)
    supply.advance(5.019)
    assert supply.source_v() == 230
    supply.advance(5.021)
    assert supply.source_v() == 0 and supply.wake_s() is None
    supply.output(True)
    assert supply.source_v() == 230


@given(st.integers(1, 6), st.floats(0, 100), st.floats(0.001, 0.5), st.floats(0.51, 3),
       st.lists(st.floats(0.001, 0.3), max_size=100))
def test_dips_come_as_often_as_asked_and_are_told_once_each(
    count: int, residual: float, duration: float, interval: float, pauses: list[float],
) -> None:
    supply, now = SupplyPhysics(SupplyBuild()), 1.0
    supply.advance(now)
    supply.dips = Dips(residual, duration, count, interval)
    supply.dip()
    for pause in pauses:
        now += pause
        supply.advance(now)
    expected = min(count, 1 + math.floor((now - 1.0) / interval + 1e-9)) if pauses else 0
    assert abs(len(supply.effects) - expected) <= (1 if math.isclose((now - 1) % interval, 0, abs_tol=1e-6) else 0)
    supply.advance(1 + count * interval + duration + 1)
    told: list[Effect] = [("dip", {"residual_pct": residual, "duration_ms": round(duration * 1000, 3)})] * count
    assert supply.effects == told
    assert not supply.dipping and supply.wake_s() is None


def test_a_dip_is_measured_and_ends() -> None:
    supply = SupplyPhysics(SupplyBuild())
    supply.dips = Dips(40, 0.2)
    supply.dip()
    supply.advance(0.1)
    assert supply.output_v(12) == pytest.approx(92)
    assert supply.output_v(12, dips=False) == 230
    supply.advance(0.21)
    assert supply.output_v(12) == 230 and not supply.dipping


# -- generators


@pytest.mark.parametrize("sort", ["burst", "esd", "surge"])
def test_a_generator_takes_time_to_charge(sort: Sort) -> None:
    generator = GeneratorPhysics(GeneratorBuild.of(sort))
    generator.set_level(2000)
    phases: list[str] = [generator.phase]
    assert generator.wake_s() is None
    generator.arm()
    phases.append(generator.phase)
    charging = generator.wake_s()
    assert charging is not None and charging == pytest.approx(2 * generator.build.charge_s_per_kv)
    generator.advance(charging * 0.99)
    phases.append(generator.phase)
    generator.advance(charging * 1.01)
    phases.append(generator.phase)
    assert phases == ["OFF", "CHARGING", "CHARGING", "READY"]
    assert generator.charge_v == 2000 and generator.wake_s() is None
    generator.disarm()
    assert (generator.phase, generator.charge_v) == ("OFF", 0)


@given(st.integers(1, 8), st.floats(0.05, 2), st.floats(0.2, 30), st.lists(st.floats(0.01, 1), max_size=40))
def test_every_pulse_is_made_once_and_none_before_it_is_charged(
    count: int, interval: float, level_kv: float, pauses: list[float],
) -> None:
    generator, now = GeneratorPhysics(GeneratorBuild.of("esd")), 10.0
    generator.set_level(level_kv * 1000)
    generator.count, generator.interval_s = count, interval
    generator.arm()
    generator.advance(now)
    generator.fire()
    for pause in pauses:
        now += pause
        generator.advance(now)
    spacing = max(interval, level_kv * generator.build.charge_s_per_kv)
    assert len(generator.effects) <= 1 + (now - 10) / spacing + 1e-6
    generator.advance(10 + count * spacing + 2)
    assert len(generator.effects) == generator.pulses == count
    assert generator.phase == "READY"


def test_a_burst_lasts() -> None:
    generator = GeneratorPhysics(GeneratorBuild.of("burst"))
    generator.duration_s = 0.5
    generator.arm()
    generator.advance(1)
    generator.fire()
    assert generator.firing and generator.wake_s() == pytest.approx(0.5)
    assert generator.effects == [("pulse", {"sort": "burst", "level_kv": 1.0, "duration_ms": 500.0, "count": 1})]
    generator.advance(1.5)
    assert generator.phase == "READY"


def test_an_open_interlock_discharges_at_once() -> None:
    generator = GeneratorPhysics(GeneratorBuild.of("surge"))
    generator.count, generator.interval_s = 5, 2
    generator.arm()
    generator.advance(10)
    generator.fire()
    generator.interlock(False)
    generator.advance(60)
    assert (generator.pulses, generator.phase, generator.charge_v) == (1, "OFF", 0)


# -- field


def test_an_amplifier_warms_up_and_the_field_settles() -> None:
    field = FieldPhysics(FieldBuild())
    field.amplifier(True)
    assert not field.ready and field.wake_s() == pytest.approx(3)
    field.advance(3)
    assert field.ready
    field.level(10)
    field.output(True)
    field.advance(3.05)
    assert 1 < field.field_v_m < 9 and field.settling
    field.advance(3.4)
    assert field.field_v_m == 10 and field.wake_s() is None
    field.amplifier(False)
    field.advance(3.41)
    assert (field.output_on, field.field_v_m, field.ready) == (False, 0, False)
    field.amplifier(True)
    field.advance(3.5)
    assert field.ready  # it was still warm


def test_the_fastest_slew_is_at_once_to_a_terminal() -> None:
    assert 300 / FASTEST_V_S < 0.005
