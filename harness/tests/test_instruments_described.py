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
from harness.lab.instrument_entry import InstrumentEntry, Limit
from harness.lab.inventory import load_lab
from harness.tests.guard_rig import AROUND
from harness.tests.test_lab_inventory import CONFIG, PHYSICAL, write

HMP = "driver: rohde-schwarz-hmp4040, address: 'TCPIP::10.1.2.3::5025::SOCKET'"


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
        ("{driver: thermotron, address: 'TCPIP::h::1::SOCKET'}", "unknown driver thermotron; known: http-camera"),
    ],
)
def test_what_is_wrong_is_pointed_at(tmp_path: Path, entry: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as refused:
        load_lab(write(tmp_path, f"{PHYSICAL}    instruments:\n      it: {entry}\n"))
    assert "lab.yaml:14:" in str(refused.value) and "^" in str(refused.value)


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
    return with_model(folder, "voltage_v: {.*}", "voltage_v: {low: 8.5, high: 9.9, nominal: 9}")


def without_range(folder: Path) -> str:
    """The physical bench with a model that says nothing of its surroundings."""
    return with_model(folder, r"\nsurroundings:\n(?:(?:  .*|#.*)?\n)*", "\n")


SCPI = "address: 'TCPIP::10.1.2.3::5025::SOCKET'"


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
