"""Instruments in an inventory: what drivers need, and what nobody has tried yet."""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

import pytest

from harness.cli import lab as command
from harness.errors import BadInput
from harness.instruments import drivers
from harness.instruments.by_hand import made_safe
from harness.instruments.contracts import InstrumentError
from harness.instruments.described import driver_options
from harness.instruments.transport import visa
from harness.lab.instrument_entry import InstrumentEntry, Limit
from harness.lab.inventory import load_lab
from harness.tests.guard_rig import AROUND
from harness.tests.test_lab_inventory import CONFIG, PHYSICAL, write

SCPI = "address: 'TCPIP::10.1.2.3::5025::SOCKET'"
HMP = f"driver: rohde-schwarz-hmp4040, {SCPI}"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (f"{{{HMP}, options: {{current_limit_a: 2.0}}}}", "rohde-schwarz-hmp4040 needs the option nominal_v"),
        (f"{{{HMP}, options: {{nominal_v: '9', current_limit_a: 2.0}}}}", "nominal_v must be a number"),
        (f"{{{HMP}, options: {{nominal_v: true, current_limit_a: 2.0}}}}", "nominal_v must be a number"),
        (f"{{{HMP}, options: {{nominal_v: 9, current_limit_a: 2, channel: 1.5}}}}", "channel must be a whole number"),
        (f"{{{HMP}, options: {{nominal_v: 9, current_limit_a: 2, chanel: 1}}}}", "has no option chanel"),
        ("{driver: modbus-relay, address: 'modbus://h', options: {identified: 1}}", "identified must be true or false"),
        ("{driver: http-camera, address: 'http://h', options: {path: 7}}", "path must be a text"),
        (f"{{driver: scpi-chamber, {SCPI}, options: {{timeout_s: -1}}}}", "timeout_s must be from 0.01 to 3600, not"),
        (f"{{driver: scpi-chamber, {SCPI}, options: {{timeout_s: 0}}}}", "timeout_s must be from 0.01"),
        (f"{{driver: scpi-chamber, {SCPI}, options: {{timeout_s: .inf}}}}", "timeout_s must be a number"),
        (f"{{driver: scpi-chamber, {SCPI}, options: {{baud_rate: 0}}}}", "baud_rate must be from 50"),
        ("{driver: modbus-relay, address: 'modbus://h', options: {unit: 999}}", "unit must be from 0 to 255, not 999"),
        ("{driver: modbus-relay, address: 'modbus://h', options: {unit: -1}}", "unit must be from 0 to 255, not -1"),
        ("{driver: shelly, address: 'http://h', options: {outlet: -1}}", "outlet must be from 0 to 99"),
        (f"{{{HMP}, options: {{nominal_v: 9, current_limit_a: 2, channel: 5}}}}", "channel must be from 1 to 4"),
        ("{driver: operator-esd, address: operator, options: {answer_within_s: -1}}", "answer_within_s must be from"),
        (f"{{driver: scpi-chamber, {SCPI}, limits: {{temperature_c: {{high: .nan}}}}}}", "should be a finite number"),
        (f"{{driver: scpi-chamber, {SCPI}, limits: {{temperature_c: {{low: -.inf}}}}}}", "should be a finite number"),
        ("{driver: thermotron, address: 'TCPIP::h::1::SOCKET'}", "unknown driver thermotron; known: http-camera"),
    ],
)
def test_what_is_wrong_is_pointed_at(tmp_path: Path, entry: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as refused:
        load_lab(write(tmp_path, f"{PHYSICAL}    instruments:\n      it: {entry}\n"))
    assert "lab.yaml:14:" in str(refused.value) and "^" in str(refused.value)


@pytest.mark.parametrize(
    ("driver", "address", "told"),
    [
        ("scpi-chamber", "10.1.2.3:5025", "'10.1.2.3:5025' is no VISA resource, such as TCPIP::10.1.2.3::5025::SOCKET"),
        ("scpi-chamber", "TCPIP::10.1.2.3::5025", "is no VISA resource"),
        ("scpi-chamber", "TCPIP::10.1.2.3::99999::SOCKET", "has the port 99999: ports are 1 to 65535"),
        ("scpi-chamber", "TCPIP::10.1.2.3::scpi::SOCKET", "has the port scpi: ports"),
        ("scpi-chamber", "operator", "'operator' is no VISA resource"),
        ("thermotron-3800", "http://10.1.2.3", "is no VISA resource"),
        ("shelly", "TCPIP::10.1.2.3::5025::SOCKET", "is no address of the form http://host:port"),
        ("http-camera", "http://10.1.2.3:99999", "is no address of the form http://host:port"),
        ("http-card-robot", "http://", "is no address of the form http://host:port"),
        ("modbus-relay", "modbus://10.1.2.3:99999", "is no address of the form modbus://host:port or modbus:///dev/"),
        ("modbus-printer-sensor", "10.1.2.3", "is no address of the form modbus://host:port"),
        ("operator-esd", "TCPIP::10.1.2.3::5025::SOCKET", "is no address of an operator: write `address: operator`"),
    ],
)
def test_an_address_that_is_none_for_its_driver(tmp_path: Path, driver: str, address: str, told: str) -> None:
    entry = f"{{driver: {driver}, address: '{address}'}}"
    with pytest.raises(BadInput, match=re.escape(told)) as refused:
        load_lab(write(tmp_path, f"{PHYSICAL}    instruments:\n      it: {entry}\n"))
    assert re.search(r"lab\.yaml:14:\d+: ", str(refused.value)) and str(refused.value).count("lab.yaml:") == 1


@pytest.mark.parametrize("address", [
    "TCPIP::10.1.2.3::5025::SOCKET", "TCPIP0::10.1.2.3::inst0::INSTR", "TCPIP::10.1.2.3::hislip0", "GPIB0::3::INSTR",
    "ASRL/dev/serial/by-id/usb-FTDI-port0::INSTR", "ASRL1::INSTR", "USB::0x1AB1::0x0588::DS1K0::INSTR",
])  # fmt: skip
def test_what_visa_reaches_is_an_address(address: str) -> None:
    assert visa.address_problem(address) == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{driver: scpi-esd, address: 'TCPIP::h::1::SOCKET'}", "{driver: scpi-surge, address: 'TCPIP0::H::1::SOCKET'}"),
        ("{driver: shelly, address: 'http://h'}", "{driver: http-camera, address: 'http://h:80/'}"),
        ("{driver: modbus-relay, address: 'modbus://h'}", "{driver: modbus-relay, address: 'modbus://h:502'}"),
    ],
)
def test_one_address_is_one_instrument(tmp_path: Path, one: str, other: str) -> None:
    second = PHYSICAL.split("benches:\n")[1].replace("counter-1", "counter-2")
    for text in (
        f"{PHYSICAL}    instruments:\n      a: {one}\n      b: {other}\n",
        f"{PHYSICAL}    instruments:\n      a: {one}\n{second}    instruments:\n      b: {other}\n",
    ):
        with pytest.raises(BadInput, match="a of counter-1 is at this address already: a real instrument") as it:
            load_lab(write(tmp_path, text))
        line = next(number for number, line in enumerate(text.splitlines(), 1) if line.startswith("      b:"))
        assert f"lab.yaml:{line}:" in str(it.value)


def test_persons_and_emulated_ones_share_no_address(tmp_path: Path) -> None:
    entries = "".join(f"      {one}: {{driver: operator-{one}, address: operator}}\n" for one in ("esd", "burst"))
    assert len(load_lab(write(tmp_path, f"{PHYSICAL}    instruments:\n{entries}")).benches[0].instruments) == 2


def with_model(folder: Path, old: str, new: str) -> str:
    """The physical bench with another HT-100: ``old`` of its file is ``new``."""
    shutil.copytree(CONFIG, folder / "catalogue")
    model = folder / "catalogue" / "models" / "HT-100.yaml"
    text = model.read_text(encoding="utf-8")
    assert len(re.findall(old, text)) == 1
    model.write_text(re.sub(old, new, text), encoding="utf-8")
    return PHYSICAL.replace(f"catalogue: {CONFIG}", "catalogue: catalogue")


def on_dc(folder: Path) -> str:
    """The physical bench with a terminal that runs on 9 V."""
    text = with_model(folder, "voltage_v: {.*}", "voltage_v: {low: 8.5, high: 9.9, nominal: 9}")
    model = folder / "catalogue" / "models" / "HT-100.yaml"
    model.write_text(model.read_text(encoding="utf-8").replace("brown_out_v: 150", "brown_out_v: 6"), encoding="utf-8")
    return text


def without_range(folder: Path) -> str:
    """The physical bench with a model that says nothing of its surroundings."""
    return with_model(folder, r"\nsurroundings:\n(?:(?:  .*|#.*)?\n)*", "\n")


@pytest.mark.parametrize(
    ("driver", "more", "told"),
    [
        ("scpi-supply", "limits: {voltage_v: {high: 253}}, options: {nominal_v: 900}",
         "it is left at nominal_v 900 V, above the limit of 253 V"),
        ("scpi-supply", "options: {nominal_v: 250}", "nominal_v 250 V, and the model declares 198 to 242 V"),
        ("scpi-supply", "options: {nominal_v: 110}", "nominal_v 110 V, and the model declares 198 to 242 V"),
        ("scpi-supply", "limits: {voltage_v: {high: 210}}", "nominal_v 220 V, above the limit of 210 V"),
        ("scpi-supply", "limits: {voltage_v: {low: 225}}", "nominal_v 220 V, below the limit of 225 V"),
        ("rohde-schwarz-hmp4040", "options: {nominal_v: 220, current_limit_a: 2}", "above the limit of 32.05 V"),
        ("scpi-supply", "limits: {current_a: {high: 1}}, options: {current_limit_a: 2}",
         "current_limit_a 2 A, above the limit of 1 A"),
        ("scpi-supply", "limits: {current_a: {high: 1}}", "current_limit_a 0, as much as it can, above the limit of 1"),
        ("scpi-supply", "options: {nominal_v: .nan}", "nominal_v must be a number"),
    ],
)
def test_what_a_supply_is_left_at_is_within_its_limits(tmp_path: Path, driver: str, more: str, told: str) -> None:
    entry = f"{{driver: {driver}, {SCPI}, {more}}}"
    with pytest.raises(BadInput, match=told) as refused:
        load_lab(write(tmp_path, f"{PHYSICAL}    instruments:\n      it: {entry}\n"))
    assert "lab.yaml:14:" in str(refused.value)


def test_a_person_is_not_asked_for_too_much_either(tmp_path: Path) -> None:
    entry = "{driver: operator-supply, address: operator, options: {nominal_v: 400}}"
    with pytest.raises(BadInput, match=r"lab\.yaml:14:.*it is left at nominal_v 400 V, above the limit of 264 V"):
        load_lab(write(tmp_path, f"{PHYSICAL}    instruments:\n      it: {entry}\n"))


def test_what_was_not_checked_is_not_opened() -> None:
    """Nobody need have read the inventory before: the driver gets no such options, in a guard or by hand."""
    entry = InstrumentEntry(name="ps", driver="scpi-supply", address="TCPIP::127.0.0.1::1::SOCKET",
                            limits={"voltage_v": Limit(high=253)}, options={"nominal_v": 900})
    for around in (None, AROUND):
        with pytest.raises(InstrumentError, match="ps is left at nominal_v 900 V, above the limit of 253 V") as told:
            driver_options(entry, drivers.known()["scpi-supply"], around)
        assert "in the inventory" in told.value.remedy
        with pytest.raises(InstrumentError, match="ps is left at"):
            made_safe(entry, around, 0)
    right = entry.model_copy(update={"options": {"nominal_v": 240}})
    assert driver_options(right, drivers.known()["scpi-supply"], AROUND) == {"nominal_v": 240}


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (f"{{driver: scpi-chamber, {SCPI}}}", ["temperature_c", "humidity_pct"]),
        (f"{{driver: scpi-chamber, {SCPI}, limits: {{temperature_c: {{high: 60}}}}}}",
         ["temperature_c", "humidity_pct"]),
        (f"{{driver: scpi-chamber, {SCPI}, limits: {{temperature_c: {{low: 0, high: 60}}}}}}", ["humidity_pct"]),
        (f"{{driver: thermotron-3800, {SCPI}}}", ["temperature_c"]),  # what its hardware can do is no limit
        (f"{{driver: scpi-supply, {SCPI}}}", ["voltage_v"]),
        (f"{{driver: scpi-supply, {SCPI}, limits: {{voltage_v: {{low: 0, high: 253}}}}}}", []),
        (f"{{driver: thermotron-3800, {SCPI}, limits: {{temperature_c: {{low: 0, high: 60}}}}}}", []),
    ],
)
def test_without_a_range_of_the_model_both_ends_are_needed(tmp_path: Path, entry: str, told: list[str]) -> None:
    file = write(tmp_path, f"{without_range(tmp_path)}    instruments:\n      it: {entry}\n")
    if not told:
        assert load_lab(file).benches[0].model.surroundings is None
        return
    with pytest.raises(BadInput) as refused:
        load_lab(file)
    said = re.findall(r"(?m)^\S*lab\.yaml:14:\d+: it has no limit of (\w+): give both ends under `limits`, or declare"
                      " `surroundings` in the model$", str(refused.value))
    assert said == told


def test_a_key_pusher_is_no_secret(tmp_path: Path) -> None:
    entry = "{driver: http-key-pusher, address: 'http://10.1.2.6'}"
    lab = load_lab(write(tmp_path, f"{PHYSICAL}    instruments:\n      key_pusher: {entry}\n"))
    assert [one.name for one in lab.benches[0].instruments] == ["key_pusher"]
    with pytest.raises(BadInput, match="`password`: secrets"):
        load_lab(write(tmp_path, f"{PHYSICAL}    instruments:\n      it: {{driver: shelly, password: x}}\n"))


def test_what_nobody_has_tried_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = f"      psu: {{{HMP}, options: {{nominal_v: 9, current_limit_a: 2}}}}\n" \
        "      camera: {driver: http-camera, address: 'http://10.1.2.3'}\n"
    file = write(tmp_path, f"{on_dc(tmp_path)}    instruments:\n{entries}")
    assert command._check(argparse.Namespace(file=file, open=False)) == 0
    told = [line.strip() for line in capsys.readouterr().out.splitlines() if "nobody has tried" in line]
    assert told == [
        "instrument psu: nobody has tried the driver rohde-schwarz-hmp4040 on hardware yet (docs/instruments.md)"
    ]


def test_a_chamber_that_tells_nothing_of_its_door_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = (
        "      cold: {driver: thermotron-3800, address: 'TCPIP::10.1.2.3::8888::SOCKET'}\n"
        "      warm: {driver: scpi-chamber, address: 'TCPIP::10.1.2.4::5025::SOCKET'}\n"
        "      by_hand: {driver: operator-chamber, address: operator}\n"
    )
    file = write(tmp_path, f"{PHYSICAL}    instruments:\n{entries}")
    assert command._check(argparse.Namespace(file=file, open=False)) == 0
    told = [line.strip() for line in capsys.readouterr().out.splitlines() if "door" in line]
    assert told == [
        "instrument cold: the driver thermotron-3800 reads no door contact, so nothing stops it while its door is open"
        " (docs/instruments.md)"
    ]


def test_an_emulated_one_needs_no_such_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = PHYSICAL.split("benches:")[0] + (
        "benches:\n  - {name: a, kind: emulated, model: HT-100, profile: unionpay-direct, instruments: emulated}\n"
    )
    assert command._check(argparse.Namespace(file=write(tmp_path, text), open=False)) == 0
    assert "nobody has tried" not in capsys.readouterr().out
