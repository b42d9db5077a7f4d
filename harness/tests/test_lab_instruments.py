"""The instruments of an inventory: what it makes of them, where it points, and asking them without a run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli import main
from harness.errors import BadInput
from harness.instruments import drivers
from harness.instruments.described import _SERVER_OPTIONS, driver_options, emulated_options
from harness.instruments.emulated.plan import SPANS
from harness.instruments.methods import CONTRACTS, methods
from harness.lab.instrument_entry import EMULATED, FULL_SET
from harness.lab.inventory import Lab, load_lab
from harness.tests.fake_instruments import FakeInstrument, drivers_installed
from harness.tests.instrument_fakes import Lines
from harness.tests.lab_helpers import eventually
from harness.tests.test_lab_inventory import CONFIG, PHYSICAL

EMULATED_BENCH = f"""\
catalogue: {CONFIG}
benches:
  - name: env-1
    kind: emulated
    model: HT-100
    profile: unionpay-direct
    instruments: """


def load(folder: Path, text: str) -> Lab:
    path = folder / "lab.yaml"
    path.write_text(text, encoding="utf-8")
    return load_lab(path)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(BadInput) as caught:
        load(folder, text)
    return str(caught.value).replace(str(folder / "lab.yaml"), "lab.yaml")


def test_emulated_stands_for_the_full_set(tmp_path: Path) -> None:
    lab = load(tmp_path, EMULATED_BENCH + "emulated\n")
    entry = lab.benches[0]
    assert {one.name: (one.driver, one.address) for one in entry.instruments} == {
        name: (driver, EMULATED) for name, driver in FULL_SET.items()
    }
    kinds = {name: drivers.known()[driver].kind for name, driver in FULL_SET.items()}
    assert kinds == {kind: kind for kind in CONTRACTS}  # one of each kind, named as it
    assert Lab.unpacked(lab.packed()) == lab


def test_a_bench_without_instruments_has_none(tmp_path: Path) -> None:
    assert load(tmp_path, EMULATED_BENCH.removesuffix("    instruments: ")).benches[0].instruments == ()


def test_benches_with_other_instruments_are_no_group(tmp_path: Path) -> None:
    second = EMULATED_BENCH.split("benches:\n")[1].replace("env-1", "env-2").removesuffix("    instruments: ")
    assert len(load(tmp_path, EMULATED_BENCH + "emulated\n" + second).groups) == 2


def test_the_model_says_what_the_supply_is_left_at(tmp_path: Path) -> None:
    text = EMULATED_BENCH + "{ps: {driver: scpi-supply}, ch: {driver: scpi-chamber, options: {ambient_c: 30}}}\n"
    bench = load(tmp_path, text).benches[0]
    supply, chamber = bench.instruments
    around, known = bench.model.surroundings, drivers.known()
    assert around is not None and around.voltage_v.nominal == 220
    assert driver_options(supply, known["scpi-supply"], around) == {"nominal_v": 220}
    assert emulated_options(supply, known["scpi-supply"], around) == {"kind": "supply", "nominal_v": 220}
    told = emulated_options(chamber, known["scpi-chamber"], around)
    assert told == {"kind": "chamber", "ambient_c": 30, "ambient_pct": 50}
    assert driver_options(chamber, known["scpi-chamber"], around) == {}


@pytest.mark.parametrize(
    ("instruments", "told"),
    [
        ("emulatd", "names of instruments, each with its driver, or `emulated`, not \"emulatd\""),
        ("\n      ch: {driver: scpi-chambre}", "lab.yaml:8:20: unknown driver scpi-chambre; known: "),
        ("\n      ch: {drivr: scpi-chamber}", "lab.yaml:8:12: unknown key `drivr`; did you mean `driver`?"),
        ("\n      ch: {address: emulated}", "`driver` is missing"),
        (
            "\n      ch:\n        driver: scpi-chamber\n        limits:\n          temprature_c: {high: 50}",
            "lab.yaml:11:25: a chamber has no quantity temprature_c; it has door_open, humidity_pct, ramp_k_per_min,"
            " temperature_c",
        ),
        (
            "\n      ch: {driver: scpi-chamber, limits: {temperature_c: {low: 60, high: 50}}}",
            "the limit's low 60 is above its high 50",
        ),
        ("\n      ch: {driver: scpi-chamber, limits: {temperature_c: {high: hot}}}", "not \"hot\""),
        ("\n      ch: {driver: scpi-chamber, limits: {temperature_c: {top: 50}}}", "unknown key `top`"),
        (
            "\n      ch: {driver: scpi-chamber, options: {ambient: 30}}",
            "scpi-chamber has no option ambient; it has ambient_c, ambient_pct,",
        ),
        ("\n      ch: {driver: scpi-chamber, options: {password: x}}", "secrets don't belong into an inventory"),
    ],
)
def test_what_is_wrong_is_pointed_at(tmp_path: Path, instruments: str, told: str) -> None:
    assert told in refusal(tmp_path, EMULATED_BENCH + instruments + "\n")


@pytest.mark.parametrize(("entry", "told"), [
    ("scpi-chamber, options: {ambient_c: .nan}", "ambient_c must be a number"),
    ("scpi-chamber, options: {ambient_c: .inf}", "ambient_c must be a number"),
    ("scpi-chamber, options: {ambient_c: '23'}", "ambient_c must be a number"),
    ("scpi-chamber, options: {ambient_c: true}", "ambient_c must be a number"),
    ("scpi-chamber, options: {heat_k_per_min: -5}", "heat_k_per_min must be from 0.1 to 100, not -5"),
    ("scpi-chamber, options: {low_c: 50}", "low_c must be from -80 to 20, not 50"),
    ("scpi-supply, options: {load_w: -1}", "load_w must be from 0 to 1000, not -1"),
    ("scpi-supply, options: {nominal_v: 200, high_v: 100}", "high_v 100 is below nominal_v 200"),
    ("scpi-supply, options: {high_v: 100}", "high_v 100 is below nominal_v 220"),
    ("shelly, options: {nominal_v: 0}", "nominal_v must be from 1 to 300, not 0"),
    ("scpi-esd, options: {high_kv: 1e9}", "high_kv must be from 1 to 100, not 1e+09"),
    ("scpi-field, options: {warm_up_s: -1}", "warm_up_s must be from 0 to 3600, not -1"),
    ("modbus-relay, options: {channels: 2.5}", "channels must be a whole number"),
    ("modbus-printer-sensor, options: {roll_mm: .nan}", "roll_mm must be a number"),
    ("scpi-chamber, limits: {temperature_c: {high: 1e9}}", "the limit's high 1e+09 is beyond what this driver"),
    ("scpi-chamber, limits: {temperature_c: {high: -300}}", "the limit's high -300 is below what this driver"),
    ("scpi-chamber, limits: {temperature_c: {high: -30}}",
     "with what follows from model and driver temperature_c would be limited to -20 to -30"),
    ("scpi-chamber, limits: {temperature_c: {low: 66}}",
     "with what follows from model and driver temperature_c would be limited to 66 to 65"),
    ("scpi-chamber, limits: {ramp_k_per_min: {high: 1e9}}",
     "ramp_k_per_min can only be 0 to 100, and its limit is 1e+09"),
    ("scpi-chamber, limits: {ramp_k_per_min: {high: -1}}", "ramp_k_per_min would be limited to 0 to -1"),
    ("scpi-supply, limits: {residual_pct: {low: -1}}", "residual_pct can only be 0 to 100, and its limit is -1"),
    ("scpi-supply, limits: {voltage_v: {high: 24200}}", "the limit's high 24200 is beyond what this driver can do"),
    ("scpi-field, limits: {field_v_m: {high: 1e6}}", "field_v_m can only be 0 to 1000, and its limit is 1e+06"),
])  # fmt: skip
def test_what_an_emulated_one_can_not_be_or_be_limited_to_is_pointed_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], entry: str, told: str
) -> None:
    (tmp_path / "lab.yaml").write_text(f"{EMULATED_BENCH}\n      it: {{driver: {entry}}}\n", encoding="utf-8")
    assert main(["lab", "check", str(tmp_path / "lab.yaml")]) == 2
    said = capsys.readouterr().err
    assert told in said and said.count("lab.yaml:") == 1 and "lab.yaml:8:" in said, said


def test_what_follows_from_the_model_can_be_too_much_for_an_emulated_one(tmp_path: Path) -> None:
    shutil.copytree(CONFIG, tmp_path / "catalogue")
    model = tmp_path / "catalogue" / "models" / "HT-100.yaml"
    said = model.read_text(encoding="utf-8")
    model.write_text(said.replace("{low: 0, high: 45, nominal: 23}", "{low: 0, high: 90, nominal: 80}"), "utf-8")
    text = EMULATED_BENCH.replace(str(CONFIG), "catalogue")
    told = "lab.yaml:8:11: ambient_c must be from -20 to 60, and `nominal` of the model is 80: give the option"
    assert told in refusal(tmp_path, text + "\n      it: {driver: scpi-chamber}\n")
    load(tmp_path, text + "\n      it: {driver: scpi-chamber, options: {ambient_c: 60}}\n")


def test_all_that_an_inventory_can_say_of_an_emulated_one_has_a_span() -> None:
    assert {name for names in _SERVER_OPTIONS.values() for name in names} == set(SPANS)


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with drivers_installed(tmp_path / "fakes"):
        yield tmp_path


def test_limits_are_held_against_what_the_driver_can_do(fakes: Path) -> None:
    text = EMULATED_BENCH + "{{ch: {{driver: fake-chamber, address: 'fake://127.0.0.1:1', limits: {limits}}}}}\n"
    for limits, told in (
        ("{temperature_c: {high: 151}}", "the limit's high 151 is beyond what this driver can do, 150"),
        ("{temperature_c: {high: -50}}", "the limit's high -50 is below what this driver can do, -40"),
        ("{temperature_c: {low: 151}}", "the limit's low 151 is above what this driver can do, 150"),
    ):
        assert told in refusal(fakes, text.format(limits=limits))
    load(fakes, text.format(limits="{temperature_c: {high: 150}, ramp_k_per_min: {high: 3}}"))


def test_an_address_that_only_its_driver_knows_is_not_looked_at(fakes: Path) -> None:
    for address in ("fake://127.0.0.1:99999", "somewhere", "fake://["):
        load(fakes, f"{EMULATED_BENCH}{{ps: {{driver: fake-supply, address: '{address}'}}}}\n")


def test_emulated_instruments_are_for_drivers_that_have_one_and_for_emulated_terminals(fakes: Path) -> None:
    assert "there is no emulated instrument for the driver fake-chamber: give its `address`, or use scpi-" in refusal(
        fakes, EMULATED_BENCH + "{ch: {driver: fake-chamber}}\n"
    )
    assert "an emulated instrument does nothing to a real terminal" in refusal(
        fakes, PHYSICAL + "    instruments: {ch: {driver: scpi-chamber}}\n"
    )


def bench_of(fake: FakeInstrument, **more: str) -> str:
    further = "".join(f", {key}: {value}" for key, value in more.items())
    return f"{EMULATED_BENCH}{{ps: {{driver: fake-supply, address: '{fake.address}'{further}}}}}\n"


def test_lab_check_open_asks_each(fakes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake = FakeInstrument("HIL97,FAKE-SUPPLY")
    load(fakes, bench_of(fake))
    assert main(["lab", "check", "--open", str(fakes / "lab.yaml")]) == 0
    assert "env-1: ps: HIL97,FAKE-SUPPLY: voltage_v 230, output_on 0" in capsys.readouterr().out
    load(fakes, bench_of(fake, identity="KEYSIGHT"))
    assert main(["lab", "check", "--open", str(fakes / "lab.yaml")]) == 2
    told = capsys.readouterr().err
    assert "bench env-1: instrument ps: " in told and "the inventory has 'KEYSIGHT' there" in told
    fake.unplug()
    assert main(["lab", "check", "--open", str(fakes / "lab.yaml")]) == 2
    told = capsys.readouterr().err
    assert "can't be reached: Connection refused" in told
    assert [line.strip() for line in told.splitlines()][1:] == ["next: plug it in"]  # what the driver says, and once


@pytest.mark.parametrize(
    "said", ["\ud800", "HIL97\x1b[2J", "\u202eHIL97", "x" * 50_000], ids=lambda said: ascii(said)[:20]
)
def test_who_it_is_must_be_a_line_that_can_be_printed(
    fakes: Path, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    """Also of a driver of the lab's own."""
    load(fakes, bench_of(FakeInstrument(said)))
    assert main(["lab", "check", "--open", str(fakes / "lab.yaml")]) == 2
    told = capsys.readouterr()
    assert "env-1: instrument ps: " in told.err and "which is no identity" in told.err
    assert len(told.err) < 500 and told.err.replace("\n", "").isprintable() and "xxx" not in told.out


def test_a_power_switch_with_a_name_that_no_file_can_hold(fakes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = b'{"model": "S", "id": "\\ud800", "ver": "1"}'
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    device = Lines(lambda line: answer, end=b"\r\n\r\n")
    load(fakes, f"{EMULATED_BENCH}{{ps: {{driver: shelly, address: 'http://127.0.0.1:{device.port}'}}}}\n")
    assert main(["lab", "check", "--open", str(fakes / "lab.yaml")]) == 2
    assert "/rpc/Shelly.GetDeviceInfo' with" in capsys.readouterr().err
    device.close()


def test_lab_safe(fakes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake = FakeInstrument("HIL97,FAKE-SUPPLY")
    fake.values.update(voltage_v=100, output_on=0)
    load(fakes, bench_of(fake))
    assert main(["lab", "safe", str(fakes / "lab.yaml"), "env-1"]) == 0
    assert capsys.readouterr().out == "env-1: ps: safe\n"
    assert (fake.values["voltage_v"], fake.values["output_on"]) == (220, 1)  # the model's nominal voltage
    fake.unplug()
    assert main(["lab", "safe", str(fakes / "lab.yaml"), "--within", "1.5"]) == 3
    assert "instrument ps: " in capsys.readouterr().err
    assert main(["lab", "safe", str(fakes / "lab.yaml"), "env-2"]) == 2
    assert "there is no bench env-2; known: env-1" in capsys.readouterr().err


def test_what_does_not_become_safe_is_told_with_one_remedy(
    fakes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeInstrument("HIL97,FAKE-SUPPLY")
    load(fakes, bench_of(fake))
    monkeypatch.setattr(drivers.known()["fake-supply"], "is_safe", lambda self: False)
    assert main(["lab", "safe", str(fakes / "lab.yaml"), "--within", "0"]) == 3
    told = capsys.readouterr().err
    assert "is not in its safe state" in told and told.count("by hand, at its own panel") == 1


def test_lab_safe_tries_again(fakes: Path) -> None:
    fake = FakeInstrument("HIL97,FAKE-SUPPLY")
    fake.values.update(voltage_v=100)
    fake.error = "busy"
    load(fakes, bench_of(fake))
    import threading

    ended: list[int] = []
    thread = threading.Thread(target=lambda: ended.append(main(["lab", "safe", str(fakes / "lab.yaml")])))
    thread.start()
    eventually(lambda: fake.asked > 3, "it to have been asked")
    fake.error = ""
    thread.join(20)
    assert ended == [0] and fake.values["voltage_v"] == 220


def test_lab_safe_of_an_emulated_lab(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load(tmp_path, EMULATED_BENCH + "emulated\n")
    assert main(["lab", "safe", str(tmp_path / "lab.yaml")]) == 0
    assert "emulated ones" in capsys.readouterr().out


def test_every_driver_has_the_methods_of_its_kind() -> None:
    for driver in drivers.known().values():
        missing = [name for name in methods(driver.kind) if not callable(getattr(driver, name, None))]
        assert not missing, (driver.name, missing)
