"""Each generic driver against the emulated instrument of its kind: it does what it is told, and when the instrument
misbehaves there is one clear message, and it works again afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from harness.instruments import drivers
from harness.instruments.contracts import InstrumentError, InstrumentRefused
from harness.instruments.quantities import impossible
from harness.instruments.transport import visa
from harness.tests.instrument_fakes import scpi, serving
from harness.tests.instrument_helpers import Servers
from harness.tests.lab_helpers import eventually
from harness.tests.test_drivers_contract import GENERIC

KINDS = {kind: name for name, kind in GENERIC.items()}
TIMEOUT_S = 1.5


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    instruments: dict[str, dict[str, Any]] = {kind: {"kind": kind} for kind in KINDS}
    instruments["card_robot"]["cards"] = {"visa": {"track2": "4761739001010119=22122011143800000"}}
    with Servers(tmp_path_factory.mktemp("lab"), instruments, time_scale=50, climate_scale=600) as running:
        yield running


@pytest.fixture
def open_(lab: Servers) -> Iterator[Any]:
    opened: list[Any] = []

    def make(kind: str) -> Any:
        opened.append(drivers.known()[KINDS[kind]](lab.addresses[kind], timeout_s=TIMEOUT_S))
        return opened[-1]

    yield make
    for kind in KINDS:
        lab.fault(kind, "heal")
    for one in opened:
        one.make_safe()
        one.close()


def ask(instrument: Any) -> None:
    """One question that goes to the instrument, whatever its kind."""
    if instrument.kind == "camera":
        instrument.snapshot()
        return
    wrong = impossible(instrument.read())
    if wrong:  # as the guard sees it
        raise InstrumentError(wrong, remedy="as the guard has it")


FAULTS = {
    "refuse": r"refuses the connection|dropped the connection", "slow": "did not answer",
    "errors": r"refused|did not answer", "drop": r"dropped the connection|which is no|did not answer",
    "impossible": r"has no reading|which can only be|which is no",
}


MEASURING = ("chamber", "supply", "burst", "esd", "surge", "field", "printer_sensor")


@pytest.mark.parametrize(
    ("kind", "fault"), [(kind, one) for kind in KINDS for one in FAULTS if one != "impossible" or kind in MEASURING]
)
def test_a_fault_is_one_clear_message_and_passes(kind: str, fault: str, lab: Servers, open_: Any) -> None:
    instrument = open_(kind)
    lab.fault(kind, fault)
    with pytest.raises(InstrumentError, match=FAULTS[fault]) as told:
        ask(instrument)
        ask(instrument)  # the end of a connection may take until the next question
    assert told.value.remedy and told.value.what.isprintable()
    lab.fault(kind, "heal")
    instrument.make_safe()
    ask(instrument)
    assert instrument.is_safe()


@pytest.mark.parametrize("kind", KINDS)
def test_another_device_says_so(kind: str, lab: Servers, open_: Any) -> None:
    assert "HIL97" in open_(kind).identity()
    lab.fault(kind, "identity")
    assert "HIL97" not in open_(kind).identity()


def test_the_chamber_goes_where_it_is_sent_and_stops(lab: Servers, open_: Any) -> None:
    chamber = open_("chamber")
    chamber.set_climate(temperature_c=30, ramp_k_per_min=20)
    assert not chamber.is_safe()
    eventually(lambda: abs(chamber.read()["temperature_c"] - 30) < 1.5, "30 °C", 60)
    chamber.set_climate(humidity_pct=60)
    with pytest.raises(InstrumentRefused, match="-222"):
        chamber.set_climate(temperature_c=900)
    lab.door("chamber", True)
    eventually(lambda: chamber.read()["door_open"] == 1, "the open door")
    lab.door("chamber", False)
    chamber.make_safe()
    assert chamber.is_safe() and lab.state("chamber")["safe"]
    with contextlib.closing(visa.Scpi(lab.addresses["chamber"])) as panel:
        panel.tell("HUM:STAT ON")
    assert not chamber.is_safe()  # it was told that, too
    chamber.make_safe()
    assert chamber.is_safe()


@pytest.mark.parametrize("kind", ["burst", "esd", "surge"])
@pytest.mark.parametrize(("state", "volts", "safe"), [
    ("OFF", "0.4", True), ("OFF", "-0.6", True), ("OFF", "4000", False), ("OFF", "200", False), ("READY", "0", False),
])  # fmt: skip
def test_a_generator_is_safe_when_nothing_is_left_on_its_capacitor(
    kind: str, state: str, volts: str, safe: bool
) -> None:
    with serving(scpi({"ARM:STAT?": state, "MEAS:VOLT?": volts})) as device:
        generator = drivers.known()[KINDS[kind]](device.visa, timeout_s=TIMEOUT_S)
        assert generator.is_safe() is safe
        generator.close()


def test_the_supply(lab: Servers, open_: Any) -> None:
    supply = open_("supply")
    supply.set_voltage(180)
    supply.set_current_limit(0.5)
    eventually(lambda: abs(supply.read()["voltage_v"] - 180) < 2, "180 V")
    supply.output(False)
    eventually(lambda: supply.read()["output_on"] == 0, "output off")
    with pytest.raises(InstrumentRefused, match="-221"):
        supply.dip(residual_pct=40, duration_ms=10)
    supply.output(True)
    for ms, count, every_ms in ((20, 2, 50), (500, 1, 1000), (5, 3, 30)):  # each while the settings of the last stand
        eventually(lambda: _dips(supply, ms, count, every_ms), "the last dips to be over")  # noqa: B023 - asked at once
    assert not supply.is_safe()
    eventually(lambda: _safe(supply), "its safe state")
    assert lab.state("supply")["safe"] and abs(supply.read()["voltage_v"] - 230) < 3
    limit = lab.state("supply")["limit_a"]
    supply.set_current_limit(0.5)
    assert not supply.is_safe(), "its limit would let the next unit brown out"
    eventually(lambda: _safe(supply), "its safe state")
    assert lab.state("supply")["limit_a"] == limit


def _dips(supply: Any, ms: float, count: int, every_ms: float) -> bool:
    try:
        supply.dip(residual_pct=40, duration_ms=ms, count=count, every_ms=every_ms)
    except InstrumentRefused as refused:
        assert "-221" in str(refused)
        return False
    return True


def _safe(instrument: Any) -> bool:
    instrument.make_safe()
    return bool(instrument.is_safe())


@pytest.mark.parametrize("kind", ["burst", "esd", "surge"])
def test_a_generator_is_charged_fired_and_off(kind: str, lab: Servers, open_: Any) -> None:
    generator = open_(kind)
    with pytest.raises(InstrumentRefused, match="refused 'INIT'"):
        generator.fire(duration_ms=10)
    before = generator.read()["pulses"]
    generator.arm(level_kv=2)
    assert generator.read()["armed"] == 1 and not generator.is_safe()
    eventually(generator.ready, "it is charged")
    generator.fire(duration_ms=30, count=1)
    eventually(lambda: generator.read()["pulses"] > before, "a pulse")
    generator.disarm()
    eventually(generator.is_safe, "it is discharged")
    assert lab.state(kind)["safe"]


def test_a_burst_needs_a_duration(open_: Any) -> None:
    with pytest.raises(InstrumentError, match="needs a duration"):
        open_("burst").fire(count=3)


def test_the_field(lab: Servers, open_: Any) -> None:
    field = open_("field")
    with pytest.raises(InstrumentRefused, match="-221"):
        field.radiate(True)
    field.arm(field_v_m=3, frequency_mhz=900)
    eventually(field.ready, "the amplifier")
    field.radiate(True)
    eventually(lambda: abs(field.read()["field_v_m"] - 3) < 0.5, "3 V/m")
    assert field.read()["frequency_mhz"] == pytest.approx(900) and not field.is_safe()
    field.make_safe()
    assert field.is_safe() and lab.state("field")["safe"]


def test_the_switch(lab: Servers, open_: Any) -> None:
    switch = open_("power_switch")
    switch.switch(False)
    assert switch.read() == {"output_on": 0.0} and not switch.is_safe() and not lab.state("power_switch")["safe"]
    switch.make_safe()
    assert switch.is_safe() and lab.state("power_switch")["safe"]
    other = drivers.known()["shelly"](lab.addresses["power_switch"], outlet=7)
    with pytest.raises(InstrumentRefused, match="value 7 not found"):
        other.switch(False)
    other.close()


def test_the_arms_say_why_they_can_not(open_: Any) -> None:
    """No terminal stands there."""
    robot, finger = open_("card_robot"), open_("key_pusher")
    with pytest.raises(InstrumentRefused, match="refused 'POST /v1/swipe': 40"):
        robot.swipe("nosuch")
    with pytest.raises(InstrumentRefused, match="refused 'POST /v1/insert': 409"):
        robot.insert("visa")
    with pytest.raises(InstrumentRefused, match="refused 'POST /v1/tap': 409"):
        robot.tap("visa")
    with pytest.raises(InstrumentRefused, match="refused 'POST /v1/remove': 409"):
        robot.remove()
    with pytest.raises(InstrumentRefused, match="refused 'POST /v1/press': 40"):
        finger.press("ENTER")
    assert robot.is_safe() and finger.is_safe() and robot.read() == {"card_inside": 0.0}


def test_the_camera_and_the_paper(open_: Any) -> None:
    assert open_("camera").snapshot().startswith(b"\x89PNG")
    assert open_("printer_sensor").read()["paper_left"] in (0, 1)


def test_the_relay(lab: Servers, open_: Any) -> None:
    relay = open_("relay")
    relay.open_contact(3)
    assert relay.read() == {f"ch{n}": float(n != 3) for n in range(1, 9)} and not relay.is_safe()
    relay.close_contact(3)
    assert relay.is_safe()
    relay.open_contact(8)
    relay.make_safe()
    assert relay.is_safe() and lab.state("relay")["safe"]
    with pytest.raises(InstrumentError, match="no channel 9"):
        relay.open_contact(9)
