"""Instruments in an inventory: what drivers need, and what nobody has tried yet."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from harness.cli import lab as command
from harness.errors import BadInput
from harness.lab.inventory import load_lab
from harness.tests.test_lab_inventory import PHYSICAL, write

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


def test_a_key_pusher_is_no_secret(tmp_path: Path) -> None:
    entry = "{driver: http-key-pusher, address: 'http://10.1.2.6'}"
    lab = load_lab(write(tmp_path, f"{PHYSICAL}    instruments:\n      key_pusher: {entry}\n"))
    assert [one.name for one in lab.benches[0].instruments] == ["key_pusher"]
    with pytest.raises(BadInput, match="`password`: secrets"):
        load_lab(write(tmp_path, f"{PHYSICAL}    instruments:\n      it: {{driver: shelly, password: x}}\n"))


def test_what_nobody_has_tried_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = f"      psu: {{{HMP}, options: {{nominal_v: 9, current_limit_a: 2}}}}\n" \
        "      camera: {driver: http-camera, address: 'http://10.1.2.3'}\n"
    file = write(tmp_path, f"{PHYSICAL}    instruments:\n{entries}")
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
