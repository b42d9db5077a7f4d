"""What an emulated unit feels: the pure parts, with their clock in the test's hand."""

from __future__ import annotations

import base64
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.emulator.felt import requests
from harness.emulator.felt.declared import Declared
from harness.emulator.felt.display import Display
from harness.emulator.felt.paper import Paper
from harness.emulator.felt.sensors import NOMINAL, Sensors
from harness.emulator.felt.supply import Supply
from harness.emulator.felt.unit import STATES, Unit
from harness.errors import BadInput
from harness.history.instrument_events import HardwareState, Part
from harness.terminal.surroundings import Feeling
from harness.tests.emulator_bench import model

HT_100 = Declared.of(model("HT-100").model_dump(mode="json"))
HT_300 = Declared.of(model("HT-300").model_dump(mode="json"))
HOLD_UP_S = HT_100.hold_up_ms / 1000


def unit(serial_number: str = "SN97", declared: Declared = HT_100) -> Unit:
    return Unit(declared, serial_number)


# What is declared


def test_what_the_model_file_says_is_what_the_board_reads() -> None:
    assert (HT_100.coldest_c, HT_100.wettest_pct, HT_100.rated_v) == (0, 90, 220)
    assert (HT_100.brown_out_v, HT_300.battery_s) == (150, 600)
    assert HT_100.level("esd", "B") == 4 and HT_100.level("esd", "A") == 0
    assert HT_100.level("field", "C") == 3, "what is borne as A is borne as C, too"


def test_the_boards_defaults_are_those_of_the_model() -> None:
    for name, default in Feeling().model_dump().items():
        assert getattr(Declared(), name) == default, name


def test_a_model_that_declares_nothing_feels_nothing() -> None:
    tough = unit(declared=Declared.of({}))
    tough.around.temperature_c, tough.around.humidity_pct = -60, 100
    assert tough.screen_late_s == 0 and tough.misread_share == 0
    assert tough.pulse("esd", 30) == "nothing" and tough.set_field(100) == "nothing"


def test_parts_are_those_of_the_history() -> None:
    assert set(STATES) == set(Part.__args__)  # type: ignore[attr-defined]
    for part, states in STATES.items():
        for state in states:
            assert state == "ok" or f"``{state}``" in (HardwareState.__doc__ or ""), (part, state)


# The supply


@given(duration=st.floats(0.0001, 5), residual=st.floats(0, 100), late=st.floats(0, 3))
def test_only_a_dip_that_is_deep_and_outlasts_the_capacitors_is_felt(
    duration: float, residual: float, late: float
) -> None:
    supply = Supply(HT_100, 0.0)
    supply.dip(residual, duration * 1000, 10.0)
    supply.tick(10.0 + min(HOLD_UP_S, duration) / 2)
    assert supply.source == "supply"
    supply.tick(10.0 + max(HOLD_UP_S, duration) + late)
    deep = HT_100.rated_v * residual / 100 < HT_100.brown_out_v
    felt = deep and duration > HOLD_UP_S
    supply.tick(20.0)
    assert supply.source == "supply", "it is over"
    watched = Supply(HT_100, 0.0)
    watched.dip(residual, duration * 1000, 10.0)
    sources = set()
    while watched.due < math.inf:
        watched.tick(watched.due)
        sources.add(watched.source)
    assert ("none" in sources) is felt


def test_it_comes_back_only_well_above_the_brown_out_voltage() -> None:
    supply = Supply(HT_100, 0.0)
    supply.set_voltage(100, 1.0)
    supply.tick(1.0 + HOLD_UP_S)
    assert (supply.source, supply.cause) == ("none", "brown_out")
    supply.set_voltage(152, 2.0)
    assert supply.source == "none"
    supply.set_voltage(198, 3.0)
    assert (supply.source, supply.cause) == ("supply", "")


def test_a_low_voltage_that_recovers_in_time_starts_the_capacitors_anew() -> None:
    supply = Supply(HT_100, 0.0)
    for at in (1.0, 1.015, 1.03):
        supply.set_voltage(100, at)
        supply.set_voltage(220, at + 0.01)
    supply.tick(5.0)
    assert supply.source == "supply"


def test_a_battery_bridges_what_it_can() -> None:
    supply = Supply(HT_300, 0.0, time_scale=20)
    supply.set_load(True, 0.0)
    supply.set_voltage(0, 1.0)
    supply.tick(2.0)
    assert supply.source == "battery" and not supply.battery_low
    supply.tick(1.0 + 600 / 20 * 0.9)
    assert supply.source == "battery" and supply.battery_low
    supply.tick(1.0 + HOLD_UP_S + 600 / 20 + 0.1)
    assert (supply.source, supply.cause, supply.battery_pct) == ("none", "battery", 0)
    supply.set_voltage(220, 40.0)
    assert supply.source == "supply"
    supply.tick(40.0 + 2 * 600 / 20 + 0.1)
    assert supply.battery_pct == 100 and supply.due == math.inf


def test_a_unit_that_is_switched_off_does_not_empty_its_battery() -> None:
    supply = Supply(HT_300, 0.0)
    supply.set_voltage(0, 1.0)
    supply.tick(10_000.0)
    assert (supply.source, supply.battery_pct) == ("battery", 100)


@pytest.mark.parametrize(("state", "source"), [("dead", "none"), ("low", "battery")])
def test_a_broken_battery(state: Any, source: str) -> None:
    supply = Supply(HT_300, 0.0)
    supply.set_load(True, 0.0)
    supply.set_battery(state, 1.0)
    assert supply.battery_low
    supply.set_voltage(0, 2.0)
    supply.tick(3.0)
    assert supply.source == source


Step = st.one_of(
    st.tuples(st.just("voltage"), st.floats(0, 264), st.floats(0, 50)),
    st.tuples(st.just("dip"), st.floats(0, 100), st.floats(0, 50)),
    st.tuples(st.just("load"), st.booleans(), st.floats(0, 50)),
    st.tuples(st.just("battery"), st.sampled_from(["ok", "low", "dead"]), st.floats(0, 50)),
)


@given(st.lists(Step, max_size=12), st.sampled_from([HT_100, HT_300]), st.floats(1, 50))
def test_whatever_happens_it_ends_and_runs_on_what_there_is(
    steps: list[tuple[str, Any, float]], declared: Declared, scale: float
) -> None:
    supply, now = Supply(declared, 0.0, scale), 1e6
    for what, value, after in steps:
        now += after
        match what:
            case "voltage":
                supply.set_voltage(value, now)
            case "dip":
                supply.dip(value, 100, now)
            case "load":
                supply.set_load(value, now)
            case _:
                supply.set_battery(value, now)
        assert supply.due > now
        assert supply.source != "battery" or declared.battery_s
        assert supply.battery_pct is None or 0 <= supply.battery_pct <= 100
    supply.set_battery("ok", now)
    supply.set_voltage(220, now + 1)
    supply.tick(now + 1e5)
    assert supply.source == "supply" and supply.due == math.inf


# Readers, keys, disturbances


def swipes(one: Unit, number: int = 200) -> list[str]:
    return [one.swipe() for _ in range(number)]


def test_a_whole_reader_in_a_shop_reads_every_card() -> None:
    assert set(swipes(unit())) == {"read"}


def test_what_is_misread_repeats_with_the_unit_and_the_seed() -> None:
    found = []
    for serial, seed in (("SN97", 1), ("SN97", 1), ("SN97", 2), ("SN98", 1)):
        worn = unit(serial)
        worn.set_part("magnetic_reader", "worn", seed)
        found.append(swipes(worn))
    assert found[0] == found[1] != found[2] and found[0] != found[3]
    assert 0.35 < found[0].count("misread") / 200 < 0.65


@given(humidity=st.floats(0, 100), more=st.floats(0, 20))
def test_the_wetter_the_more_is_misread(humidity: float, more: float) -> None:
    one, other = unit(), unit()
    one.around.humidity_pct, other.around.humidity_pct = humidity, humidity + more
    assert 0 <= one.misread_share <= other.misread_share < 1
    assert (one.misread_share > 0) is (humidity > 90)


def test_a_dead_reader_gives_nothing_and_a_wrong_speed_is_misread() -> None:
    one = unit()
    assert (one.swipe(2), one.swipe(200), one.swipe(40)) == ("misread", "misread", "read")
    one.set_part("magnetic_reader", "dead")
    assert one.swipe() == "nothing"


@given(sort=st.sampled_from(["burst", "esd", "surge"]), level=st.floats(0, 20))
def test_pulses_up_to_what_is_declared_leave_a_unit_that_comes_back(sort: str, level: float) -> None:
    effect = unit().pulse(sort, level)
    borne = HT_100.level(sort, "B")
    if level <= borne / 2:
        assert effect == "nothing"
    elif level <= borne:
        assert effect in ("reset", "link_down", "misread", "key_lost")
    else:
        assert effect == "hangs"


def test_what_a_pulse_leaves_behind_hurts_once() -> None:
    one, found = unit(), set()
    for _ in range(50):
        effect = one.pulse("esd", 4)
        found.add(effect)
        assert one.swipe() == ("misread" if effect == "misread" else "read") and one.swipe() == "read"
        assert one.key() is (effect != "key_lost") and one.key()
    assert found == {"reset", "link_down", "misread", "key_lost"}


def test_a_field_garbles_the_readers_while_it_lasts() -> None:
    one = unit()
    assert one.set_field(3) == "nothing" and set(swipes(one)) == {"read"} and one.tap()
    assert one.set_field(5.5) == "nothing"
    assert 100 < swipes(one).count("misread") < 200
    assert not all(one.tap() for _ in range(50))
    assert one.set_field(7) == "hangs" and one.set_field(8) == "nothing", "it hangs already"
    one.set_field(0)
    assert set(swipes(one)) == {"read"} and one.tap()


@given(st.floats(-40, 90))
def test_temperature(celsius: float) -> None:
    one = unit()
    one.around.temperature_c = celsius
    assert one.screen_late_s == pytest.approx(max(0.0, -celsius) * 0.02)
    assert one.printer == ("hot" if celsius >= 60 else "ok")
    assert one.drift_ppm <= 0


@pytest.mark.parametrize(("part", "state", "printer"), [
    ("printer", "hot", "hot"), ("printer", "dead", "dead"), ("paper", "out", "out"), ("tamper", "open", "ok"),
])
def test_the_printer(part: str, state: str, printer: str) -> None:
    one = unit()
    one.set_part(part, state)
    assert one.printer == printer
    one.set_part(part, "ok")
    assert one.printer == "ok"


# Screen and paper


def pictures(events: list[dict[str, Any]]) -> list[tuple[bytes, int]]:
    return [(base64.b64decode(event["bits"]), event["t"]) for event in events]


def test_in_the_cold_pictures_come_later_and_in_their_order() -> None:
    seen: list[dict[str, Any]] = []
    display = Display(8, 1, b"0", seen.append, 0)
    display.put(b"1", 100)
    display.put(b"2", 200, late_s=5e-7)
    display.put(b"3", 300)  # it has warmed up, but what came before is still to come
    assert display.due == 700
    display.tick(699)
    assert pictures(seen) == [(b"1", 100)]
    display.tick(5000)
    assert pictures(seen) == [(b"1", 100), (b"2", 700), (b"3", 700)]
    assert [event["n"] for event in seen] == [1, 2, 3]
    display.put(b"4", 6000, late_s=1)
    display.lights_out(7000)
    assert display.due is None and pictures(seen)[-1] == (b"0", 7000)


def test_a_dead_screen_is_blank_until_it_is_mended() -> None:
    seen: list[dict[str, Any]] = []
    display = Display(8, 1, b"0", seen.append, 0)
    display.put(b"1", 1)
    display.set_dead(True, 2)
    display.put(b"2", 3)
    display.set_dead(False, 4)
    assert pictures(seen) == [(b"1", 1), (b"0", 2), (b"2", 4)]


def test_a_hot_printer_keeps_what_a_dead_one_loses() -> None:
    out: list[dict[str, Any]] = []
    paper = Paper(out.append)
    paper.part(b"a")
    assert not paper.slip(8, 2, b"b", 1, "ok")
    assert paper.slip(8, 1, b"c", 2, "hot") and not paper.slip(8, 1, b"d", 3, "dead")
    assert not paper.slip(8, 1, b"e", 4, "out")
    assert paper.let_out(9) == 1 and paper.let_out(10) == 0
    assert pictures(out) == [(b"ab", 1), (b"c", 9)]
    assert not [paper.slip(8, 1, b"f", 11, "hot") for _ in range(9)][-1], "its memory is small"
    paper.forget()
    assert paper.let_out(12) == 0


def test_sensors_say_what_was_written() -> None:
    sensors = Sensors()
    assert sensors.read() == NOMINAL
    sensors.write(printer="hot", temperature_c=-19.6, battery="low", battery_pct=14, started_by="brown_out")
    assert sensors.read() == {
        **NOMINAL, "printer": "hot", "temperature_c": -20, "battery": "low", "battery_pct": 14,
        "started_by": "brown_out",
    }


# Requests

junk = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers()))
names = st.sampled_from([
    "temperature_c", "humidity_pct", "voltage_v", "field_v_m", "residual_pct", "duration_ms", "sort", "level_kv",
    "count", "part", "state", "seed", "speed_cm_s", "other",
])


@given(st.dictionaries(names, junk))
def test_any_request_is_taken_or_refused(request: dict[str, Any]) -> None:
    for check in (requests.surroundings, requests.dip, requests.pulse, requests.hardware, requests.speed):
        try:
            check(request)
        except BadInput as error:
            assert str(error)


@pytest.mark.parametrize(("check", "request_"), [
    (requests.surroundings, {}), (requests.surroundings, {"temperature_c": "hot"}),
    (requests.surroundings, {"temperature_c": math.nan}), (requests.surroundings, {"voltage_v": -1}),
    (requests.surroundings, {"wind": 1}), (requests.dip, {"residual_pct": 40}),
    (requests.dip, {"residual_pct": 101, "duration_ms": 1}), (requests.pulse, {"sort": "field", "level_kv": 1}),
    (requests.pulse, {"sort": "esd", "level_kv": True}), (requests.pulse, {"sort": "esd", "level_kv": 1, "count": 0}),
    (requests.hardware, {"part": "printer", "state": "worn"}), (requests.hardware, {"part": "leg", "state": "ok"}),
    (requests.hardware, {"part": "printer", "state": "dead", "seed": 1.5}), (requests.speed, {"speed_cm_s": -1}),
])
def test_what_is_refused(check: Any, request_: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        check(request_)
